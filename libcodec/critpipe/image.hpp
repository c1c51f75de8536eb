// image: Decoding images: bytes in, entries out.
//
// The format of an image; a word is a little-endian u32:
//     image  := head entry*
//     head   := magic | common_magic magic | service_magic magic
//     entry  := size message extra          size = bytes of the message
//     extra  := what kinds.inc says          (queues, semaphores, ghost file contents, ...)
// There is no count, checksum, padding or trailer: an image ends where a size would begin. Raw images (pages, tars)
// have no head. A Decoder takes blocks of any size as they arrive and calls its Sink for each complete entry, whose
// message it has checked: bounds, varints, nesting, required fields. It holds one message at most. A Decoder and its
// Sink are for one thread at a time; any number may work at once.
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

// What is known of an image when it begins. Views live until the sink's last call.
struct Image {
  std::string_view name;       // as the source names it; "-": it has no name
  const Kind* kind = nullptr;  // null: raw, and of no known name
  Head head = Head::none;

  bool is_raw() const { return head == Head::none; }  // bytes of something else: there are no entries
  unsigned head_bytes() const { return is_raw() ? 0 : head == Head::bare ? 4 : 8; }
};

// A message and its position. Views live until the sink returns.
struct Entry {
  std::uint64_t index;     // 0-based
  std::uint64_t offset;    // of the size word, in the decoded image
  const Message* message;  // a field table
  Bytes payload;           // checked
  bool canonical;          // as CRIU writes it: ascending field numbers, shortest varints, no field twice
  const Kind* kind;
};

// A piece of extra that belongs together. Its bytes follow in any number of calls.
struct ExtraPart {
  std::string_view name;  // "inq", "outq"; else empty
  Extra::Form form;
  std::uint64_t size;  // bytes that will come; a claim until they have; `unknown` for the rest of an image
  const Message* message = nullptr;  // in a list of messages: the one before the bytes, its checked payload
  Bytes payload = {};
  bool canonical = true;
  std::uint8_t unit = 1;  // bytes of a number

  static constexpr std::uint64_t unknown = ExtraSizes::unknown;
};

// Where one decoder goes on with an image that another has read up to there, between two entries.
struct ImagePlace {
  const Kind* kind = nullptr;
  Head head = Head::none;
  std::uint64_t nr_entries = 0;  // before it
  std::uint64_t offset = 0;      // in the decoded image
};

// Receives an image, in calls of this order:
//     begin (entry (part bytes* padding?)* close)* end      or      begin raw* end      or either of them cut by fail
// Step::stop ends the image at once, without end(). What a sink throws passes through the decoder. A sink that gets the
// entries behind the first few of an image gets resume() in place of begin().
class Sink {
 public:
  using Taken = critpipe::Taken;
  virtual ~Sink() = default;
  virtual Step begin(const Image&) { return Step::go; }  // the head was read
  // The head and so many entries went to another sink.
  virtual Step resume(const Image& image, std::uint64_t /*nr_entries*/) { return begin(image); }
  virtual Step entry(const Entry&) = 0;  // a message; its extra follows
  // The fast path: may take any number of complete entries, size words and payloads, from the front of `unchecked`, and
  // must check them itself. `index` and `offset` are those of the first. What it does not take goes to entry(). Called
  // only for kinds without extra and after the first entry; no close() follows for what it takes.
  virtual Taken many(Bytes /*unchecked*/, std::uint64_t /*index*/, std::uint64_t /*offset*/) { return {}; }
  virtual Step part(const ExtraPart&) { return Step::go; }  // a part of the extra begins
  virtual Step bytes(Bytes) { return Step::go; }            // of the part
  virtual Step padding(Bytes) { return Step::go; }          // behind a part; should be zeros
  virtual Step close() { return Step::go; }                 // the entry and its extra are complete
  virtual Step raw(Bytes) { return Step::go; }              // bytes of a raw image
  // In place of raw(): this many bytes are passed over unread. Step::stop asks for them after all.
  virtual Step pass_over(std::uint64_t) { return Step::go; }
  // After raw(): the rest of the image may be passed over. A Decoding asks; who feeds a Decoder himself need not.
  virtual bool has_enough() const { return false; }
  virtual Step end() { return Step::go; }  // the image is complete
  virtual void fail(const Error&) {}       // the image can't be read further; what came before is right
};

// A sink that passes all calls on to another sink: derive from it and override what should differ.
//
//     struct WithoutSecond : Stage {                 // an image without its second entry
//       using Stage::Stage;
//       Step entry(const Entry& entry) override { return entry.index == 1 ? Step::go : Stage::entry(entry); }
//       Taken many(Bytes, std::uint64_t, std::uint64_t) override { return {}; }   // so that entry() gets them all
//     };
//
// A stage that looks at entries must override many() too: entries that many() takes do not come to entry().
class Stage : public Sink {
 public:
  // `next` must outlive *this. Null: all calls are dropped.
  explicit Stage(Sink* next) : next_{next} {}
  void hand_to(Sink* next) { next_ = next; }  // from now on

  Step begin(const Image& image) override { return next_ ? next_->begin(image) : Step::go; }
  Step resume(const Image& image, std::uint64_t nr_entries) override {
    return next_ ? next_->resume(image, nr_entries) : Step::go;
  }
  Step entry(const Entry& entry) override { return next_ ? next_->entry(entry) : Step::go; }
  Taken many(Bytes unchecked, std::uint64_t index, std::uint64_t offset) override {
    return next_ ? next_->many(unchecked, index, offset) : Taken{};
  }
  Step part(const ExtraPart& part) override { return next_ ? next_->part(part) : Step::go; }
  Step bytes(Bytes bytes) override { return next_ ? next_->bytes(bytes) : Step::go; }
  Step padding(Bytes bytes) override { return next_ ? next_->padding(bytes) : Step::go; }
  Step close() override { return next_ ? next_->close() : Step::go; }
  Step raw(Bytes bytes) override { return next_ ? next_->raw(bytes) : Step::go; }
  Step pass_over(std::uint64_t size) override { return next_ ? next_->pass_over(size) : Step::go; }
  bool has_enough() const override { return next_ && next_->has_enough(); }
  Step end() override { return next_ ? next_->end() : Step::go; }
  void fail(const Error& error) override {
    if (next_) next_->fail(error);
  }

 private:
  Sink* next_;
};

// What decides the kind of an image that has a magic. bytes: its magic alone; both: its magic, and an image named like
// another kind is refused.
enum class KindFrom : std::uint8_t { bytes, both };

// Cuts an image into checked entries. What came before an error is right.
class Decoder {
 public:
  // The sink must outlive *this. The name decides what the magic can't: raw images, and kinds that share a magic.
  Decoder(Sink& sink, std::string_view name, const Limits& limits = {}, KindFrom kind_from = KindFrom::bytes);
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  // How many bytes the image has, if that is known: a length that leads out of it is damage, and not too large.
  void expect(std::uint64_t size_bytes) { size_bytes_ = size_bytes; }
  // The image is fed from there on. Requires: nothing was fed, and the kind has no extra.
  Step resume(const ImagePlace& from);
  // The next block is what stands there: entries in between went elsewhere. Requires: it is between entries, as is what
  // was fed.
  void pass_to(const ImagePlace& place);
  // The next block of the image. Step::stop: the sink returned it, or error() is set; no call may follow.
  // Reasons: those of damaged data and of limits; the error has the offset, the entry and the field.
  Step feed(Bytes block);
  // The image ends here. Step::stop as in feed(). Reasons: cut_*.
  Step finish();

  const Error& error() const { return error_; }
  const Image& image() const { return image_; }     // complete once the sink got begin()
  std::uint64_t offset() const { return offset_; }  // in the image, of the next byte to consume
  std::uint64_t nr_entries() const { return nr_entries_; }
  std::size_t held() const { return carry_.size(); }  // bytes of an incomplete message

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
  bool start_part(const ExtraPart& part);
  bool next_part();
  bool deliver(Step step);
  void fail_at_length(std::uint64_t length);
  void fail(Reason reason, std::uint64_t offset, std::uint64_t want = 0, std::uint64_t have = 0, std::string name = {});
  const Message& message_of_next() const { return nr_entries_ == 0 ? *image_.kind->first : *image_.kind->later; }

  Sink& sink_;
  Limits limits_;
  KindFrom kind_from_;
  std::string name_;
  Image image_;
  Error error_;
  State state_ = State::magic;
  bool stopped_ = false;
  std::uint64_t offset_ = 0;
  std::uint64_t nr_entries_ = 0;
  std::uint64_t size_bytes_ = ~std::uint64_t{0};  // of the image; this: not known
  std::size_t need_ = 4;                          // bytes that the next step wants in one piece
  std::vector<std::byte> carry_;                  // the beginning of what is not complete yet
  ExtraSizes sizes_;                              // of the extra, or of the part after one of its messages
  std::size_t part_ = 0;                          // of the extra: the next one
  std::size_t nr_parts_ = 0;
  std::uint64_t left_ = 0;  // bytes of the part that are still to come
  std::uint64_t padding_ = 0;
  std::uint64_t messages_left_ = 0;  // of the extra
};

}  // namespace critpipe
#pragma GCC visibility pop
