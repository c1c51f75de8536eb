// image: Images: bytes in, entries out.
//
// An image is            word = u32, little-endian
//     image  := head entry*
//     head   := magic | common_magic magic | service_magic magic
//     entry  := size message extra          size = bytes of the message
//     extra  := what kinds.inc says          (queues, semaphores, ghost file contents, ...)
// There is no count, checksum, padding or trailer: an image ends where a size would begin. Raw images (pages, tars)
// have no head. A Decoder is fed blocks of any size as they arrive and calls its Sink for each whole entry, which it
// has checked: bounds, varints, nesting, required fields. It holds at most one message.
//
//     struct Count : Sink {
//       std::uint64_t entries = 0;
//       Step entry(const Entry&) override { ++entries; return Step::go; }
//     } count;
//     Decoder decoder{count, "fs-1.img"};
//     Step step = decoder.feed(bytes);          // as often as there are bytes
//     if (step == Step::go) step = decoder.finish();
//     if (step == Step::stop) puts(to_string(decoder.error()).c_str());
//
// Sources of the facts: criu/image.c (img_check_magic, do_pb_read_one), lib/pycriu/images/images.py.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "critpipe/base.hpp"
#include "critpipe/error.hpp"
#include "critpipe/fields.hpp"
#include "critpipe/schema.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

struct Image {
  std::string_view name;       // as the source names it; "-" where there is none
  const Kind* kind = nullptr;  // null: raw, and its name tells nothing
  Head head = Head::none;

  bool is_raw() const { return head == Head::none; }
};

// A message and where it stands. Views live until the sink returns.
struct Entry {
  std::uint64_t index;     // 0-based
  std::uint64_t offset;    // of the size word, in the decoded image
  const Message* message;  // a field table
  Bytes payload;           // checked
  bool canonical;          // written as CRIU writes: ascending numbers, shortest varints, nothing twice
  const Kind* kind;
};

// A piece of extra that belongs together. Its bytes follow in any number of calls.
struct Part {
  std::string_view name;  // "inq", "outq"; else empty
  Extra::Form form;
  std::uint64_t size;  // bytes that will come; a claim until they have; `unknown` for the rest of an image
  const Message* message = nullptr;  // in a list of messages: the one before the bytes, its checked payload
  Bytes payload = {};
  bool canonical = true;
  std::uint8_t unit = 1;  // bytes of a number

  static constexpr std::uint64_t unknown = ExtraSizes::unknown;
};

// What is done with an image. Calls come in this order:
//     begin (entry (part bytes* padding?)* close)* end      or      begin raw* end      or any of it cut by fail
// Step::stop ends the image at once, without end.
class Sink {
 public:
  using Taken = critpipe::Taken;
  virtual ~Sink() = default;
  virtual Step begin(const Image&) { return Step::go; }
  virtual Step entry(const Entry&) = 0;
  // For sinks that read simple entries faster than one at a time: may take whole entries (size words and payloads) from
  // the front of what is unchecked yet, and leaves all that is unusual to entry(). Only for kinds without extra, after
  // the first entry; no close() follows.
  virtual Taken many(Bytes /*unchecked*/, std::uint64_t /*index*/, std::uint64_t /*offset*/) { return {}; }
  virtual Step part(const Part&) { return Step::go; }
  virtual Step bytes(Bytes) { return Step::go; }
  virtual Step padding(Bytes) { return Step::go; }  // the zeros (or not) after a part
  virtual Step close() { return Step::go; }         // the entry and its extra are complete
  virtual Step raw(Bytes) { return Step::go; }
  virtual Step pass_over(std::uint64_t) { return Step::go; }  // so many raw bytes, unread, in place of raw()
  virtual Step end() { return Step::go; }
  virtual void fail(const Error&) {}  // nothing more comes; what came is right
};

// A sink that hands on all that it gets: derive from it and override what is to be different.
//
//     struct Dropped : Stage {                       // an image without its second entry
//       using Stage::Stage;
//       Step entry(const Entry& entry) override { return entry.index == 1 ? Step::go : Stage::entry(entry); }
//       Taken many(Bytes, std::uint64_t, std::uint64_t) override { return {}; }   // so that entry() sees them all
//     };
//
// A stage that looks at entries must override many() too, for entries taken there do not come to entry().
class Stage : public Sink {
 public:
  // Does not take ownership. Null: what comes is dropped.
  explicit Stage(Sink* next) : next_{next} {}
  void hand_to(Sink* next) { next_ = next; }

  Step begin(const Image& image) override { return next_ ? next_->begin(image) : Step::go; }
  Step entry(const Entry& entry) override { return next_ ? next_->entry(entry) : Step::go; }
  Taken many(Bytes unchecked, std::uint64_t index, std::uint64_t offset) override {
    return next_ ? next_->many(unchecked, index, offset) : Taken{};
  }
  Step part(const Part& part) override { return next_ ? next_->part(part) : Step::go; }
  Step bytes(Bytes bytes) override { return next_ ? next_->bytes(bytes) : Step::go; }
  Step padding(Bytes bytes) override { return next_ ? next_->padding(bytes) : Step::go; }
  Step close() override { return next_ ? next_->close() : Step::go; }
  Step raw(Bytes bytes) override { return next_ ? next_->raw(bytes) : Step::go; }
  Step pass_over(std::uint64_t size) override { return next_ ? next_->pass_over(size) : Step::go; }
  Step end() override { return next_ ? next_->end() : Step::go; }
  void fail(const Error& error) override {
    if (next_) next_->fail(error);
  }

 private:
  Sink* next_;
};

class Decoder {
 public:
  // The name decides where a magic cannot: raw images, kinds that share a magic.
  Decoder(Sink& sink, std::string_view name, const Limits& limits = {});
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  // Takes the next bytes. Step::stop: the sink wants no more, or error() is set.
  Step feed(Bytes block);
  // The image ends here. Reasons: cut_*.
  Step finish();

  const Error& error() const { return error_; }
  const Image& image() const { return image_; }
  std::uint64_t offset() const { return offset_; }  // of the next byte that is not consumed
  std::uint64_t nr_entries() const { return nr_entries_; }
  std::size_t held() const { return carry_.size(); }  // bytes of a message that is not complete

 private:
  enum class State : std::uint8_t { magic, kind_magic, entries, part, padding, nested, raw };

  std::size_t consume(Bytes block);
  std::size_t take_magic(Bytes block);
  std::size_t take_entries(Bytes block);
  std::size_t take_nested(Bytes block);
  std::size_t take_part_bytes(Bytes block);
  std::size_t take_padding(Bytes block);
  Step start_raw(Bytes seen);
  bool start_entries(std::uint32_t magic, Head head);
  bool start_extra(const Entry& entry);
  bool start_part(const Part& part);
  bool next_part();
  bool deliver(Step step);
  void fail(Reason reason, std::uint64_t offset, std::uint64_t want = 0, std::uint64_t have = 0, std::string name = {});
  const Message& message_of_next() const { return nr_entries_ == 0 ? *image_.kind->first : *image_.kind->later; }

  Sink& sink_;
  Limits limits_;
  std::string name_;
  Image image_;
  Error error_;
  State state_ = State::magic;
  bool stopped_ = false;
  std::uint64_t offset_ = 0;
  std::uint64_t nr_entries_ = 0;
  std::size_t need_ = 4;          // bytes that the next step wants in one piece
  std::vector<std::byte> carry_;  // the beginning of what is not complete yet
  ExtraSizes sizes_;              // of the extra, or of the part after one of its messages
  std::size_t part_ = 0;          // of the extra: the next one
  std::size_t nr_parts_ = 0;
  std::uint64_t left_ = 0;  // bytes of the part that are still to come
  std::uint64_t padding_ = 0;
  std::uint64_t messages_left_ = 0;  // of the extra
};

}  // namespace critpipe
#pragma GCC visibility pop
