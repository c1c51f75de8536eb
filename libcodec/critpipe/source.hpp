// source: Inputs of any form, as a sequence of members and their bytes.
//
//     input := "-" | file | directory
//     file  := image | tar | image stream, any of them compressed, nested
//     tar   := images and other files, or a container image, whose layers are tars
//     directory := images and other files, or a container image
//
// The form of an input follows from its bytes, not from its name; except that a file named like a raw image,
// pages-1.img, is one whatever its bytes. An input is read once, in order, and nothing is written to disk. Members of
// an image stream may be interleaved; Member::id tells them apart.
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
// An input may hold several sets of images, each in a directory of its own, such as the containers of a pod or the
// pre-dumps of a checkpoint; SetId (error.hpp) tells them apart. Of directories, archives and streams only images are
// read (*.img, stats-*, irmap-cache), and other files on request. Links are not followed; the link `parent` of a set
// then is a member that holds what it leads to. Directories are read in natural order (2 before 10), archives and
// streams in their own order. A Receiver is called by the thread that reads its piece; distinct pieces may be read by
// distinct threads.
//
// Sources of the facts: criu-image-streamer's image_patcher and capture (framing), libarchive (pax and ustar).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "critpipe/input_file.hpp"
#include "critpipe/image.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

// Parents in the same input as their set stand in a directory below or beside it, whose name says how many dumps lie
// between: "parent", "parent/parent" as in image streams, "pre-checkpoint", "pre-checkpoint-2" as in archives.
struct Generation {
  std::string_view base;     // of SetId::set: what it is a generation of
  std::uint32_t number = 0;  // 0: the set itself; 1: its parent
};
Generation generation_of(std::string_view set);  // of SetId::set; `base` is a view of it
// For each set the number of its parent among them, or their count where it has none there.
std::vector<std::size_t> parents_among(const std::vector<SetId>& sets);

// For people: each set as INPUT, or as INPUT (SET) if several of them are in the same input.
std::vector<std::string> set_texts(const std::vector<SetId>& sets);

// One file of an input, usually an image. Views and references to it live until the receiver returns.
struct Member {
  static constexpr std::uint64_t unknown = ~std::uint64_t{0};

  std::string name;  // within its set: "core-1.img"; "-": it has none, as from a pipe
  // For lists, streams and --only: the set and the name, "app/core-1.img"; with several inputs, these behind the input,
  // "pod.tar/app/core-1.img".
  std::string path;
  std::string place;                 // for messages only: "c1.tar.zst:checkpoint/core-1.img"
  std::string set_place;             // likewise, what precedes the names of its set: "c1.tar.zst:checkpoint/"
  std::string directory;             // the path of the directory that its set is in; empty: it is in none
  std::string within;                // of an archive or a stream: the directory in it that its set is in
  std::shared_ptr<const SetId> set;  // never null from a source
  std::uint64_t id = 0;              // unique within a run
  std::uint64_t size = unknown;
  bool in_set = false;             // is in a directory, an archive or an image stream, even by itself
  bool interleaved = false;        // bytes of others may come before its end
  bool is_image = true;            // false: another file of the set, which is not decoded
  std::uint64_t packed = unknown;  // bytes of compressed input that were read so far; unknown: not compressed
  std::uint64_t at = unknown;      // of a plain archive in a file: where its bytes begin there, for pread
  int fd = -1;                     // a file with exactly this member from its offset on, for pread; -1: there is none.
                                   // The receiver must not close it
};

// The set to which the link `parent` of a set in an archive or a stream leads. Nothing: it leads out of the input.
std::optional<std::string> set_led_to(const Member& link, std::string_view target);

class ByteReader;

// Receives members. The calls for one member are: wants, begin, take_file?, needs_bytes?, take_run?, bytes*, and end or
// fail; the calls for several members may be interleaved. Step::stop ends the reading of the input.
class Receiver {
 public:
  virtual ~Receiver() = default;
  // Should the member be read? Otherwise it is not even opened: all that is known of it is its name, path, set,
  // set_place, directory, in_set and is_image. The kind of one that is not in a set follows from its bytes, whatever
  // its name.
  virtual bool wants(const Member&) { return true; }
  virtual Step begin(const Member& member) = 0;
  // May copy a raw member in the kernel, from Member::fd. Returns how many bytes it took; bytes() gets the others.
  virtual std::uint64_t take_file(const Member&) { return 0; }
  // False: pass over the member's bytes without reading them. Called if its size is known.
  virtual bool needs_bytes(const Member&) { return true; }
  // What take_run() read.
  struct Run {
    std::uint64_t bytes = 0;
    Step step = Step::go;
  };
  // May read the first bytes of the member itself, on any threads, one at a time; bytes() gets the others.
  virtual Run take_run(const Member&, ByteReader&) { return {}; }
  // The next bytes of the member.
  virtual Step bytes(const Member& member, Bytes bytes) = 0;
  virtual Step end(const Member& member) = 0;  // the member is complete
  // Called after bytes(). True: the receiver needs no more of this member; the rest is passed over if the input can
  // seek, and end() follows.
  virtual bool has_enough(const Member&) { return false; }
  // The member, which need not have begun, can't be read further; null: the input can't. The others follow.
  virtual void fail(const Member* member, const Error& error) = 0;
};

// What an input is called. Depends on the others that name_inputs() was given with it.
struct InputName {
  std::string input;          // as the user named it, without a slash at its end
  std::string brief = {};     // its last part, with as many directories before it as tell it from other inputs
  std::string repeated = {};  // "#2" where it was given before under the same name; else empty
  std::string met = {};       // "#2" where it was given before under any name; else empty

  std::string checkpoint() const { return input + repeated; }  // where it holds sets
  std::string prefix() const { return brief + met; }           // of the paths of its members
  std::string directory() const;                               // checkpoint() of what is one image
  std::string path() const;                                    // Member::path of what is one image
};
// One name for each input, in order.
std::vector<InputName> name_inputs(const std::vector<std::string>& inputs);

// How to read inputs.
struct SourceOptions {
  bool all_members = false;                   // read files of a checkpoint that are no images, too
  std::uint64_t max_bytes = Member::unknown;  // the largest size of one input, unpacked; of a directory, of all files
  bool any_file = false;                      // and read files where no image is, and layers of container images
  std::optional<std::string> set = {};        // read only this set, and leave it out of paths
  // Read what tells of parents, too: in archives and streams the links of sets, and with `set` the sets that are its
  // parents. They keep the set in their paths.
  bool parents = false;
  std::vector<std::string> parent_sets = {};  // to which links lead: see linked_sets() in set.hpp
  // The offset from which to read standard input each time, if it is a file; unknown: its current offset.
  std::uint64_t stdin_offset = Member::unknown;
  // Where inputs are read in calls of their own: what name_inputs() of all calls the ones of this call, one for each of
  // them. Empty: they are named among themselves.
  std::vector<InputName> names = {};
  // How many threads may unpack one input, each with 8 MiB, at most 64; 0: one a processor, at most 8. Only zstd in
  // frames, and only in a file, is unpacked by more than the one that reads it.
  unsigned threads = 0;
};

// A part of the inputs that a thread can read while others read other parts: a file of a directory, an archive, the
// shards of one stream.
class Piece {
 public:
  virtual ~Piece() = default;
  virtual Step read(Receiver& receiver) = 0;  // call once
  virtual bool is_open() const = 0;           // does it hold a descriptor and a block of memory?
  // How many bytes were read so far, of each of the inputs that are one stream; empty: it is no stream.
  virtual std::vector<std::uint64_t> bytes_read() const { return {}; }
};

// All pieces of some inputs, in order. Shards of one image stream are one piece; an input that can't be opened is a
// piece that fails. For one thread at a time.
class Pieces {
 public:
  explicit Pieces(std::vector<std::string> inputs, const SourceOptions& options = {});
  ~Pieces();
  std::unique_ptr<Piece> next();  // null: there are no more
  // Like next(), but while many inputs remain, a whole directory is one piece, opened by the thread that reads it.
  std::unique_ptr<Piece> next_of_many();

 private:
  class CRITPIPE_INNER Queue;
  class CRITPIPE_INNER Whole;
  std::unique_ptr<Queue> queue_;
};

// The number of members of a directory that the receiver wants; unknown: the input is no directory.
std::uint64_t nr_wanted(const std::string& input, Receiver& receiver, const SourceOptions& options = {});

// Is it named as a tar archive, packed in any way that can be read: c1.tar, c1.tar.zst, c1.tgz?
bool is_archive_name(std::string_view name);
// Do these bytes begin a tar archive, or something that is compressed?
bool is_archive(Bytes begin);

// Is it a directory that holds a container image, such as an OCI layout? It is read like an archive, layer by layer.
bool is_container_image(const std::string& input);

// The offset of standard input, for SourceOptions::stdin_offset; unknown: it is no file.
std::uint64_t stdin_offset();

// Does the input give the same bytes whenever it is read? Files and directories do, and standard input if stdin_offset
// is known; pipes, sockets and devices do not. One that does not exist fails each time.
bool can_read_again(const std::string& input, const SourceOptions& options);

// Inputs that hold the same sets, so that they are read together.
struct InputGroup {
  std::vector<std::string> inputs;
  std::vector<InputName> names;  // for SourceOptions::names
};
// All inputs, in groups: the shards of a stream, and images of one directory that are named one by one. Every other
// input is a group by itself. Files are opened to see what they are; pipes, which would be used up, are taken for
// shards of one stream where they follow each other. A group stands where its first input does.
std::vector<InputGroup> group_inputs(const std::vector<std::string>& inputs, const SourceOptions& options = {});

// Reads one input, or several in order; "-" is standard input. Step::stop: the receiver returned it. Errors go to
// Receiver::fail.
Step read_input(const std::string& input, Receiver& receiver, const SourceOptions& options = {});
Step read_inputs(const std::vector<std::string>& inputs, Receiver& receiver, const SourceOptions& options = {});

// A receiver that decodes each image with a sink of its own. Derive from it. An image of a set that is of another kind
// than its name says is refused, unless the images are only looked at or passed on, whatever they are: KindFrom::bytes.
// An image by itself is what its bytes say.
class Decoding : public Receiver {
 public:
  explicit Decoding(const Limits& limits, KindFrom kind_from = KindFrom::both);
  ~Decoding() override;

  // A sink for this member, which is destroyed when the member has ended or failed; null: the member is passed over.
  virtual std::unique_ptr<Sink> sink_for(const Member& member) = 0;
  // False: Sink::pass_over decides for each raw image whether its bytes are needed.
  virtual bool reads_raw() const { return true; }
  // Gets all errors; their image is the member's place, and their set and member say which it is.
  virtual void report(const Error& error) = 0;

  // Where the entries begin of a member that begins with these bytes. Nothing: it is no image, or one whose entries can
  // only be told apart by decoding them.
  std::optional<ImagePlace> entries_of(const Member& member, Bytes begin) const;
  // In place of begin(): another Decoding had the bytes up to there.
  Step resume(const Member& member, const ImagePlace& from);
  // The next bytes of the member are those that stand there: others had what is in between, and selected so many
  // entries of it.
  void pass_to(const Member& member, const ImagePlace& place, std::uint64_t nr_selected);
  // When several Decodings share one image, the one with its beginning keeps the count: selected by this one ...
  virtual std::uint64_t nr_selected() const { return 0; }
  // ... and adds those that others selected.
  virtual void add_selected(std::uint64_t) {}

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

// Opens one input to be read as bytes, such as text. It is unpacked, unless it is named like a raw image. Errors are in
// ByteReader::error.
std::unique_ptr<ByteReader> open_bytes(const std::string& input, const SourceOptions& options = {});

// A stream of bytes. For one thread at a time.
class ByteReader {
 public:
  virtual ~ByteReader() = default;
  // The next bytes as soon as there are any; a view that lives until the next call. Empty: the end, or error() is set.
  virtual Bytes read() = 0;
  // Passes over up to `size` bytes without reading them, and returns how many: 0 if it can't seek.
  virtual std::uint64_t skip(std::uint64_t) { return 0; }
  // Where in a file bytes stand as they are: any thread may pread() them.
  struct Plain {
    const InputFile* file = nullptr;  // null: there is none
    std::uint64_t at = 0, size = 0;
  };
  // The bytes that are still to be read.
  virtual Plain plain() const { return {}; }
  // Compressed bytes that were read so far; unknown: nothing is compressed.
  virtual std::uint64_t packed() const { return Member::unknown; }
  // A descriptor on which poll() can wait for more; -1: read() does not wait long.
  virtual int poll_fd() const { return -1; }
  // Is it a pipe or a socket, whose writer may wait until everything is read?
  virtual bool is_pipe() const { return false; }
  const Error& error() const { return error_; }

 protected:
  Error error_;
};

// Decodes the image in a file, which may be compressed; "-" is standard input. If the sink returns Step::stop, that is
// no error. Reasons: those of Decoder, and io_open, io_read and those of damaged compression.
Error decode_image(const std::string& path, Sink& sink, const Limits& limits = {});
// The same for an open file of a set, from its offset on. It is not unpacked; the last part of its place is the image's
// name, which must be one of the kind that the image is of: bad_kind.
Error decode_image(InputFile file, Sink& sink, const Limits& limits = {});
// The same for bytes in memory, not compressed. The name is the image's file name, as for Decoder.
Error decode_image(Bytes image, std::string_view name, Sink& sink, const Limits& limits = {});

}  // namespace critpipe
#pragma GCC visibility pop
