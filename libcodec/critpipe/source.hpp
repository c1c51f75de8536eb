// Sources: what the user named becomes a sequence of (name, bytes).
//
//     input := "-" | file | directory
//     file  := image | raw image | tar | image stream, any of them compressed (zstd, gzip, xz, lz4, bzip2), nested
//
// The form is found in the bytes, never in the name. A source is read once, in order, and never written to disk. In an
// image stream images may be interleaved, so each has an id while it is open.
//
//     struct Names : Receiver {
//       Step begin(const Member& member) override { puts(member.name.c_str()); return Step::go; }
//       Step bytes(const Member&, Bytes) override { return Step::go; }
//       Step end(const Member&) override { return Step::go; }
//       void fail(const Member*, const Error& error) override { fputs(to_string(error).c_str(), stderr); }
//     } names;
//     read_input("c1.tar.zst", names, {});
//
// Sources of the facts: criu-image-streamer's image_patcher and capture (framing), pax and ustar as libarchive reads them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "critpipe/image.hpp"

namespace critpipe {

// One image (or other file) of an input.
struct Member {
  std::string name;            // within the set: "core-1.img"; "-" for an image from a pipe
  std::string place;           // for people: "c1.tar.zst:checkpoint/core-1.img"
  std::uint64_t id = 0;        // unique within a run
  std::uint64_t size = unknown;
  bool in_set = false;         // one of a directory, an archive or an image stream, even if the only one
  int fd = -1;                 // an open file that holds exactly this member from its offset on, else -1; stays the
                               // source's; a receiver that takes the bytes from it returns true from take_file

  static constexpr std::uint64_t unknown = ~std::uint64_t{0};
};

// Calls: begin (bytes* end | fail), for several members in turns or interleaved.
class Receiver {
 public:
  virtual ~Receiver() = default;
  // Wants this member? Asked before it is opened, so that what nobody asked for is not read.
  virtual bool wants(std::string_view) { return true; }
  virtual Step begin(const Member& member) = 0;
  // Offers the open file behind a member; true: taken whole, no bytes() follow.
  virtual bool take_file(const Member&) { return false; }
  virtual Step bytes(const Member& member, Bytes bytes) = 0;
  virtual Step end(const Member& member) = 0;
  // The member (null: the input itself) cannot be read further. Others go on.
  virtual void fail(const Member* member, const Error& error) = 0;
};

struct SourceOptions {
  bool all_members = false;             // of archives: also those that are no images
  std::string prefix = {};              // put before each name, where several sets are read
  Limits limits = {};
};

// Reads one input to its end. "-" is standard input.
Step read_input(const std::string& input, Receiver& receiver, const SourceOptions& options);

// Decodes each member with a Sink of its own.
class Decoding : public Receiver {
 public:
  explicit Decoding(const Limits& limits);
  ~Decoding() override;

  // The sink for this member; null: it is passed over. The sink is destroyed when the member has ended or failed.
  virtual std::unique_ptr<Sink> sink_for(const Member& member) = 0;
  virtual void report(const Error& error) = 0;      // image is the member's place

  Step begin(const Member& member) final;
  Step bytes(const Member& member, Bytes bytes) final;
  Step end(const Member& member) final;
  void fail(const Member* member, const Error& error) final;

 private:
  struct Open;
  Open* find(const Member& member);
  void close(const Member& member);
  Step settle(Open& open);

  Limits limits_;
  std::vector<std::unique_ptr<Open>> open_;
};

// A stream of bytes, pulled. Blocks live until the next call.
class ByteReader {
 public:
  virtual ~ByteReader() = default;
  // The next bytes; empty at the end, or after a fault: then error() is set.
  virtual Bytes read() = 0;
  virtual int plain_fd() const { return -1; }     // an unread file behind it
  const Error& error() const { return error_; }

 protected:
  Error error_;
};

}  // namespace critpipe
