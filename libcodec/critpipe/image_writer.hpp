// image: Writing images: one by itself, or several in an image stream or an archive.
//
//     stream := marker*             criu-image-streamer's format: libcodec/image/stream_marker.hpp
//
//     StreamWriter stream{output};
//     if (stream.data("core-1.img", bytes) == Step::stop) return output.error();
//     if (stream.end("core-1.img") == Step::stop) return output.error();
//     if (stream.finish() == Step::stop) return output.error();
//
// Members may be written in turns: whenever the member changes, a marker with its name precedes the data.
//
// None of these is thread-safe; different objects may be used by different threads.
//
// Sources of the facts: criu-image-streamer's capture and extract.
#pragma once

#include <string>
#include <string_view>
#include <unordered_set>

#include "critpipe/image.hpp"
#include "critpipe/output.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

// The entries [begin, end), counted from 0. A first entry that is a header of its kind, as in pagemaps and ghost files,
// counts as one and is always kept.
struct Slice {
  static constexpr std::uint64_t open = ~std::uint64_t{0};
  std::uint64_t begin = 0;
  std::uint64_t end = open;

  bool is_all() const { return begin == 0 && end == open; }  // nothing is left out
};

// Writes the image that a Decoder reads, byte for byte, or a slice of it. If an entry turns out to be incomplete, its
// bytes are withdrawn from the output, unless more than held_output_bytes of them have been written.
class ImageSink : public Sink {
 public:
  // The output must outlive *this. Null: nothing is written until write_to() sets one.
  explicit ImageSink(Output* output, const Slice& slice = {}) : output_{output}, slice_{slice} {}
  void write_to(Output* output) { output_ = output; }
  Step begin(const Image& image) override;
  Step resume(const Image& image, std::uint64_t) override {
    kind_ = image.kind;
    return step();
  }
  Step entry(const Entry& entry) override;
  Taken many(Bytes unchecked, std::uint64_t index, std::uint64_t offset) override;
  Step part(const ExtraPart& part) override;
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

// The markers of an image stream, for a writer that moves the data itself, over one shard or several. Each call appends
// to `out` what goes before the data, to the shard that the data goes to. The reader puts shards together by the order
// of the calls, so each shard must keep it.
class StreamMarkers {
 public:
  static constexpr std::uint32_t most_data = ~std::uint32_t{0};

  // The next `size` bytes of the member with that name, at most most_data.
  void data(std::string& out, std::string_view name, std::uint32_t size);
  void end(std::string& out, std::string_view name);  // the member is complete; it may be empty
  void finish(std::string& out);                      // the stream is complete; no call may follow

 private:
  void select(std::string& out, std::string_view name);

  std::string current_;
  std::uint64_t sequence_ = 0;
};

// Writes an image stream. Step::stop: the output has failed, and its error() says how.
class StreamWriter {
 public:
  // The output must outlive *this.
  explicit StreamWriter(Output& output) : output_{output} {}
  StreamWriter(const StreamWriter&) = delete;
  StreamWriter& operator=(const StreamWriter&) = delete;

  // The next bytes of the member with that name.
  Step data(std::string_view name, Bytes bytes);
  // Copies `size` bytes of an open file, from its offset on, in the kernel. Returns how many it copied. If they are
  // fewer, the caller must not call end() for this member; after an error, it must not call data() either. Reasons:
  // io_read.
  std::uint64_t pass_file(std::string_view name, int fd, std::uint64_t size, Error& error);
  Step end(std::string_view name);  // the member is complete; it may be empty
  Step finish();                    // the stream is complete; no call may follow

 private:
  void mark_data(std::string_view name, std::uint64_t size);
  std::uint64_t copy(std::string_view name, int fd, std::uint64_t size, Error& error);

  Output& output_;
  StreamMarkers markers_;
};

// Writes a tar archive, as GNU tar writes them: names and sizes of any length. The same members give the same bytes:
// all belong to root, have mode 0600 (directories 0700), and no time.
//
//     TarWriter tar{output};
//     tar.begin("checkpoint/core-1.img", bytes.size());
//     tar.data(bytes);
//     if (tar.finish() == Step::stop) return output.error();
class TarWriter {
 public:
  // The output must outlive *this.
  explicit TarWriter(Output& output) : output_{output} {}
  TarWriter(const TarWriter&) = delete;
  TarWriter& operator=(const TarWriter&) = delete;

  // Why no member may have that name: it leads out of its directory, or has control characters. Reasons: bad_name.
  [[nodiscard]] static Error check_name(std::string_view name);
  // A file begins; `size` bytes of data() and pass_file() follow, in all. Directories in its name that are new come
  // before it. Requires: the file before it is complete, and check_name() has nothing against the name.
  Step begin(std::string_view name, std::uint64_t size);
  Step data(Bytes bytes);
  // Copies up to `size` bytes of an open file, from its offset on, in the kernel. Returns how many it copied.
  std::uint64_t pass_file(int fd, std::uint64_t size);
  std::uint64_t left() const { return left_; }  // bytes of the file that are still to come

  Step link(std::string_view name, std::string_view target);  // a symbolic link
  Step finish();  // the archive is complete; no call may follow. Without it, or in a file, it reads as cut.

 private:
  void directories(std::string_view name);
  void header(std::string_view name, char type, std::uint64_t size, std::string_view target = {});
  void long_text(char type, std::string_view text);
  void passed(std::uint64_t size);

  Output& output_;
  std::uint64_t left_ = 0;
  std::uint64_t written_ = 0;  // of the archive
  std::unordered_set<std::string> directories_;
};

}  // namespace critpipe
#pragma GCC visibility pop
