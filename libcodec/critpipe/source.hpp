// source: What the user named, as a sequence of members and their bytes.
//
//     input := "-" | file | directory
//     file  := image | tar | image stream, any of them compressed, nested
//
// An input is recognised by its bytes, never by its name; but a file that is named as a raw image (pages-1.img) is one,
// whatever it begins with. An input is read once, in order, and never written to disk. The members of an image stream
// may be interleaved, so each has an id while it is open.
//
//     struct Names : Receiver {
//       Step begin(const Member& member) override { puts(member.path.c_str()); return Step::go; }
//       Step bytes(const Member&, Bytes) override { return Step::go; }
//       Step end(const Member&) override { return Step::go; }
//       void fail(const Member*, const Error& error) override { fputs(to_string(error).c_str(), stderr); }
//     } names;
//     Pieces pieces{{"c1.tar.zst", "dump"}};
//     while (auto piece = pieces.next())
//       if (piece->read(names) == Step::stop) break;
//
// An input may hold several sets of images, each in a directory of its own: the containers of a pod, the pre-dumps of a
// checkpoint. SetId says which. Of a directory or an archive only images are read (*.img, stats-*, irmap-cache), other
// files on demand; links are not followed. Directories are read in the order of names, numbers by value; archives and
// streams as they come.
//
// Sources of the facts: criu-image-streamer's image_patcher and capture (framing), libarchive (pax and ustar).
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "critpipe/input_file.hpp"
#include "critpipe/image.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

// Which checkpoint. It depends on the input alone, neither on the order of its members nor on other inputs.
struct SetId {
  // The input as the user named it, without a slash at its end: "-" is standard input, "dump#2" is dump given again. Of
  // an image by itself the directory that it is named in, "." where there is none.
  std::string checkpoint;
  // The directory of the set within its input: "app" for app/core-1.img and for app/checkpoint/core-1.img. Empty at the
  // top, and for checkpoint/.
  std::string set;

  auto operator<=>(const SetId&) const = default;
  std::string text() const;  // for people: INPUT, or INPUT (SET)
};

// For people: each as INPUT, or as INPUT (SET) where its input holds others of them, too.
std::vector<std::string> texts_of(const std::vector<SetId>& sets);

// One image, or another file, of an input.
struct Member {
  static constexpr std::uint64_t unknown = ~std::uint64_t{0};

  std::string name;  // within its set: "core-1.img"; "-": an image from a pipe
  // What lists print, streams carry and --only sees: its name behind the set ("app/core-1.img"), and with several
  // inputs behind that of its input ("pod.tar/app/core-1.img").
  std::string path;
  std::string place;                 // for messages: "c1.tar.zst:checkpoint/core-1.img". Never to be taken apart
  std::shared_ptr<const SetId> set;  // never null from a source
  std::uint64_t id = 0;              // unique within a run
  std::uint64_t size = unknown;
  bool in_set = false;             // one of a directory, an archive or an image stream, even if the only one
  bool in_directory = false;       // a file of an input that is a directory
  bool interleaved = false;        // bytes of others may come before its end
  bool is_image = true;            // false: other data that travels with a set, never decoded
  std::uint64_t packed = unknown;  // bytes of compressed input that were read so far; unknown: not compressed
  int fd = -1;                     // an open file that holds exactly this member from its offset on: it can be read
                                   // again with pread; else -1. Stays the source's
};

// For messages: where an image of that name in the same set would be. An empty name: what stands before its names.
std::string place_beside(const Member& member, std::string_view name);

// Calls: wants, begin, take_file?, needs_bytes?, bytes*, end or fail; for several members in turns or interleaved.
class Receiver {
 public:
  virtual ~Receiver() = default;
  // Wants the member of this path? Asked before it is opened, so that what nobody asked for is not read.
  virtual bool wants(std::string_view) { return true; }
  // The same of an image that is an input by itself: its bytes say what it is, whatever its name.
  virtual bool wants_alone(std::string_view path) { return wants(path); }
  virtual Step begin(const Member& member) = 0;
  // Offers the open file behind a raw member, to be moved by the kernel from its offset on. Returns how many bytes were
  // taken; the others follow as usual.
  virtual std::uint64_t take_file(const Member&) { return 0; }
  // Asked where the size is known. False: its bytes are passed over unread.
  virtual bool needs_bytes(const Member&) { return true; }
  virtual Step bytes(const Member& member, Bytes bytes) = 0;
  virtual Step end(const Member& member) = 0;
  // Asked after bytes. True: the rest of them is of no use, and is passed over where that is possible; then end()
  // follows.
  virtual bool has_enough(const Member&) { return false; }
  // The member, which need not have begun, cannot be read further; null: the input itself. Others go on.
  virtual void fail(const Member* member, const Error& error) = 0;
};

struct SourceOptions {
  bool all_members = false;                   // of directories and archives: also those that are no images
  std::uint64_t max_bytes = Member::unknown;  // of one input, unpacked
  std::optional<std::string> set = {};        // only this one, whose name is then left out of paths
  // Where standard input is read from, each time that it is named, if it is a file; unknown: from where it stands.
  std::uint64_t stdin_offset = Member::unknown;
};

// What can be read by itself, at the same time as others: a member of a directory, a file, the shards of one stream.
class Piece {
 public:
  virtual ~Piece() = default;
  virtual Step read(Receiver& receiver) = 0;  // once
  virtual bool is_open() const = 0;           // it holds a descriptor and a block
};

// All pieces of some inputs, in order. Inputs that are shards of one image stream are joined. An input that cannot be
// opened is a piece that fails.
class Pieces {
 public:
  explicit Pieces(std::vector<std::string> inputs, const SourceOptions& options = {});
  ~Pieces();
  std::unique_ptr<Piece> next();  // null: that was all

 private:
  class CRITPIPE_INNER Queue;
  std::unique_ptr<Queue> queue_;
};

// How many members of a directory the receiver wants; unknown if the input is no directory.
std::uint64_t nr_wanted(const std::string& input, Receiver& receiver, const SourceOptions& options = {});

// Where standard input stands, for SourceOptions::stdin_offset; unknown: it is no file.
std::uint64_t stdin_offset();

// Reads one input to its end. "-" is standard input.
Step read_input(const std::string& input, Receiver& receiver, const SourceOptions& options = {});

// Decodes each member with a Sink of its own.
class Decoding : public Receiver {
 public:
  explicit Decoding(const Limits& limits);
  ~Decoding() override;

  // The sink for this member; null: it is passed over. The sink is destroyed when the member has ended or failed.
  virtual std::unique_ptr<Sink> sink_for(const Member& member) = 0;
  // Does anything look at the bytes of raw images? Where not, they are passed over where that is possible.
  virtual bool reads_raw() const { return true; }
  virtual void report(const Error& error) = 0;  // image is the member's place

  Step begin(const Member& member) final;
  bool needs_bytes(const Member& member) final;
  Step bytes(const Member& member, Bytes bytes) final;
  Step end(const Member& member) final;
  bool has_enough(const Member& member) final;
  void fail(const Member* member, const Error& error) final;

 private:
  struct CRITPIPE_INNER OpenImages;
  std::unique_ptr<OpenImages> open_;
};

// The bytes of one input that is no set, unpacked unless it is named as a raw image: for what reads text.
class ByteReader;
std::unique_ptr<ByteReader> open_bytes(const std::string& input, const SourceOptions& options = {});

// A stream of bytes, pulled. Blocks live until the next call.
class ByteReader {
 public:
  virtual ~ByteReader() = default;
  // The next bytes, as soon as there are any; empty at the end, or after a fault: then error() is set.
  virtual Bytes read() = 0;
  // Passes over up to `size` bytes without reading them. Returns how many; what cannot seek passes over none.
  virtual std::uint64_t skip(std::uint64_t) { return 0; }
  // Compressed bytes that were read to give what came so far; unknown where nothing is compressed.
  virtual std::uint64_t packed() const { return Member::unknown; }
  // A descriptor that poll() can wait on for more, or -1 where read() never waits long.
  virtual int poll_fd() const { return -1; }
  // Does somebody write to it who waits until all is read?
  virtual bool is_pipe() const { return false; }
  const Error& error() const { return error_; }

 protected:
  Error error_;
};

// Reads the image in a file, which may be compressed, into a sink; "-" is standard input. Stopping is no error.
Error decode_image(const std::string& path, Sink& sink, const Limits& limits = {});
// The same of an open file, from where it stands. Its name is the last part of its place; it is not unpacked.
Error decode_image(InputFile file, Sink& sink, const Limits& limits = {});
// The same of bytes in memory, not compressed. The name, as that of a file, tells kinds apart that share a magic.
Error decode_image(Bytes image, std::string_view name, Sink& sink, const Limits& limits = {});

}  // namespace critpipe
#pragma GCC visibility pop
