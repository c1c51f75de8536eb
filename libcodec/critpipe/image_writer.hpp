// image: Images out: one as itself, several as an image stream.
//
//     stream := marker*             criu-image-streamer's format: libcodec/image/stream_marker.hpp
//
//     StreamWriter stream{output};
//     if (stream.data("core-1.img", bytes) == Step::stop) return output.error();
//     if (stream.end("core-1.img") == Step::stop) return output.error();
//     if (stream.finish() == Step::stop) return output.error();
//
// Members may be written in turns: a marker that names the file stands before data whenever the file changes.
// Sources of the facts: criu-image-streamer's capture and extract.
#pragma once

#include <string>
#include <string_view>

#include "critpipe/image.hpp"
#include "critpipe/output.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

// Entries [begin, end), counted from 0 as everywhere; the head of a pagemap or ghost file is one, and always stays.
struct Slice {
  static constexpr std::uint64_t open = ~std::uint64_t{0};
  std::uint64_t begin = 0;
  std::uint64_t end = open;
};

// Writes what a Decoder reads: the same bytes. An entry that cannot be read whole is taken back as long as
// held_output_bytes of it are out at most.
class ImageSink : public Sink {
 public:
  // Null: nothing is written, until write_to() names an output.
  explicit ImageSink(Output* output, const Slice& slice = {}) : output_{output}, slice_{slice} {}
  void write_to(Output* output) { output_ = output; }
  Step begin(const Image& image) override;
  Step entry(const Entry& entry) override;
  Taken many(Bytes unchecked, std::uint64_t index, std::uint64_t offset) override;
  Step part(const Part& part) override;
  Step bytes(Bytes bytes) override;
  Step padding(Bytes bytes) override;
  Step close() override;
  Step raw(Bytes bytes) override;
  void fail(const Error& error) override;

 private:
  Step step() const { return output_ ? output_->step() : Step::go; }
  void write(Bytes bytes) { output_->write({reinterpret_cast<const char*>(bytes.data()), bytes.size()}); }
  void write_word(std::uint32_t word);

  Output* output_;
  Slice slice_;
  const Kind* kind_ = nullptr;
  bool kept_ = false;  // the entry is in the slice
};

class StreamWriter {
 public:
  explicit StreamWriter(Output& output) : output_{output} {}
  StreamWriter(const StreamWriter&) = delete;
  StreamWriter& operator=(const StreamWriter&) = delete;

  Step data(std::string_view name, Bytes bytes);
  // Moves `size` bytes from the file's offset on. Returns how many there were; fewer: the file must not be ended, and
  // none of its bytes may follow after an error. Reasons: io_read.
  std::uint64_t pass_file(std::string_view name, int fd, std::uint64_t size, Error& error);
  Step end(std::string_view name);  // of a file, which may be empty
  Step finish();                    // of the image: no data may follow

 private:
  void select(std::string_view name);
  std::uint64_t copy(int fd, std::uint64_t size, Error& error);
  void mark(int body, std::uint64_t size, std::string_view name = {});

  Output& output_;
  std::string current_;
  std::uint64_t sequence_ = 0;
};

}  // namespace critpipe
#pragma GCC visibility pop
