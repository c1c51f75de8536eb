// The forms in which images go out. Each is one class behind ImagesOut, which knows of parents and names.
#pragma once

#include <memory>
#include <string>

#include "cli/filter.hpp"
#include "cli/member_place.hpp"
#include "critpipe/image.hpp"
#include "critpipe/input_file.hpp"

namespace critpipe::filters {

enum class OutForm : std::uint8_t {
  image,  // one, as itself
  stream,
  // The first is held until it ends or a second one begins: then it is known. One that is too long to be held:
  one_or_stream,  // becomes a stream
  one_or_error    // goes out as itself, and a second one is an error
};

constexpr std::uint64_t unknown_size = ~std::uint64_t{0};
// What packed_output() may hold: a frame of 4 MiB on each thread, and two more.
constexpr std::uint64_t most_packed_bytes = 40 << 20;

// The calls are those of ImagesOut.
class ImagesTarget {
 public:
  virtual ~ImagesTarget() = default;
  virtual Output* open(const MemberPlace& place, OutForm form, std::uint64_t size) = 0;
  virtual Step close(Output* output, bool whole) = 0;
  virtual bool link(const MemberPlace&, int) { return false; }
  virtual bool keep_identity(Output*, int /*open*/) { return true; }
  virtual void expect_stream() {}
  virtual bool orders() const { return false; }
  virtual void bulk_follows() {}
  // All that has ended is written, but for what a compressor holds; so many bytes of it at most, packed.
  virtual Step write_held() { return Step::go; }
  virtual std::uint64_t most_held() const { return 0; }
  // Where this form compresses files as such, what does that while they still grow; else null.
  virtual PackedAhead* ahead() { return nullptr; }
  // The set at that place, or a generation before it, gets its link to the next one, where this form has links.
  virtual void link_parent(const MemberPlace& /*set*/, const MemberPlace& /*parent*/) {}
  // The set gets a link to a parent that is elsewhere.
  virtual void lead_out(const MemberPlace& /*set*/, const std::string& /*target*/) {}
  // Is a set refused whose parent is not among the members?
  virtual bool refuses_parents() const = 0;
  virtual bool has_links() const { return true; }
  // May a link lead to a parent that is not among the members? That of an archive may be in another archive.
  virtual bool may_lead_out() const { return false; }
  // What goes out is not what was asked for, which was reported: who reads it must notice.
  virtual void spoil() {}
  virtual int commit() = 0;
};

std::unique_ptr<ImagesTarget> to_output(Program& program, bool stream, bool zstd);
std::unique_ptr<ImagesTarget> to_archive(Program& program, bool zstd);
std::unique_ptr<ImagesTarget> to_directory(Program& program, const std::string& path);
// Into that directory as it stands: images take the place of old ones, which keep a name with that suffix, if any.
std::unique_ptr<ImagesTarget> to_directory_itself(Program& program, const std::string& path,
                                                  Directory::Identity directory, const std::string& old_suffix);

// Null: not compressed. As --zstd and --threads say.
std::unique_ptr<ZstdOutput> packed_output(Program& program, Output& below, bool zstd);

}  // namespace critpipe::filters
