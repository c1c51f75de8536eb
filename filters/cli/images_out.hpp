// Where images go: one as itself, several as an image stream, an archive, or a directory.
//
//     const auto images = images_out(program);
//     Output* output = images->open("core-1.img", nullptr, OutForm::stream);
//     output->write(...);
//     images->close(output, true);
//     return images->commit();
//
// Names are those of image streams (cli/member_place.hpp). Other files of a checkpoint go the same way as its images.
#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "cli/filter.hpp"
#include "cli/images_target.hpp"
#include "cli/member_place.hpp"
#include "critpipe/input_file.hpp"

namespace critpipe::filters {

// What becomes of the parents of a checkpoint: --parents, --no-parents, or neither.
enum class Parents : std::uint8_t { unsaid, pass, leave };

// Images may be open at the same time; each has an Output of its own.
class ImagesOut {
 public:
  ImagesOut(Program& program, std::unique_ptr<ImagesTarget> target);
  ~ImagesOut();

  // Null: it is to be passed over; that was reported if it is a fault. "-" is no name: the image gets that of its kind,
  // if there is only one of that; kind may be null. The first image's form counts for all. `size`: what it will have if
  // it is complete, where that is known.
  Output* open(const std::string& name, const Kind* kind, OutForm form, std::uint64_t size = unknown_size);
  // Not whole: it is not ended in a stream, and left out of an archive or a directory.
  Step close(Output* output, bool whole);
  // A file as it is, from its offset on. `error` says why it could not be read to its end; then it is not whole.
  // `stops`: asked now and then; if it says yes, the rest is left out.
  using Stops = std::function<bool()>;
  Step copy(const std::string& name, InputFile& file, Error& error, const Stops& stops = {});
  // Puts an open file into a directory as a link. False: not possible here.
  bool link(const std::string& name, int fd);
  // What goes into a directory gets owner, mode and times of an open file. False: not all of them.
  bool keep_identity(Output* output, int open) { return target_->keep_identity(output, open); }
  // What goes out is a stream, even if no image comes.
  void expect_stream() { target_->expect_stream(); }

  // Does the order matter? Then who can read the inputs again gives the members by rank, bulk_follows() in between.
  bool orders() const { return target_->orders(); }
  // The set in the directory `base`, empty or with its slash, has its parent elsewhere, where this link leads to.
  void lead_out(const std::string& base, const std::string& target);
  // All that is small has come: what has a size now goes out at once. Step::stop: the set was refused.
  Step bulk_follows();
  Step write_held() { return target_->write_held(); }               // what has come so far is written
  std::uint64_t most_held() const { return target_->most_held(); }  // but for so many bytes

  // What compresses files that copy() is given later; null: nothing does. It lives as long as this.
  PackedAhead* ahead() { return target_->ahead(); }

  // What to do about a parent that is not passed on, for a program without --parents.
  void set_parents_hint(std::string hint) { parents_hint_ = std::move(hint); }
  Parents parents() const { return parents_; }
  // Is a set refused whose parent is not among the members? Then it is not worth reading on.
  bool refuses_parents() const { return parents_ == Parents::unsaid && target_->refuses_parents(); }

  // All is written. Returns the exit code.
  int commit();

 private:
  struct SetParents {
    bool has_images = false;                   // of the set itself
    std::set<std::uint32_t> generations;       // that are passed on
    std::map<std::uint32_t, std::string> led;  // by generation, where its link leads
  };
  class ParentLink;
  void count(const MemberPlace& place);
  void take_link(const ParentLink& link);
  void link_once(const MemberPlace& set, const MemberPlace& parent);
  void settle_links();
  Step settle_missing(const MemberPlace& link, const std::string& text);
  Step settle();

  Program& program_;
  std::unique_ptr<ImagesTarget> target_;
  Parents parents_;
  std::string parents_hint_ = {};
  std::list<ParentLink> open_links_;
  std::map<std::string, SetParents> sets_;  // by base
  std::set<std::string> linked_;            // directories with their link, or whose missing link was reported
};

// As --format, -o, --into and --zstd say: to standard output, a file, or a directory that gets all images or, if
// something fails, none.
std::unique_ptr<ImagesOut> images_out(Program& program);

inline constexpr Option format_row =
    Option{0, "format", "FORM", "Write an image stream, a directory or an archive: stream, dir or tar."}
        .excludes("stream")
        .one_of("stream dir tar");
inline constexpr Option into_row =
    Option{0, "into", "DIR", "Write the images as files into DIR, which is new or empty.", Option::directories}
        .excludes("output zstd stream");
inline constexpr Option force_into_row =
    Option{'f', "force", nullptr,
           "Write into a directory that is not empty, and replace its files; or into a file that others may read."}
        .needs("into|output");
inline constexpr Option zstd_row{0, "zstd", "[=LEVEL]", "Compress the output with zstd (LEVEL 3)."};
inline constexpr Option threads_row =
    Option{0, "threads", "N", "Compress on N threads (one a processor)."}.needs("zstd|output");
inline constexpr Option images_out_options[] = {
    format_row,
    stream_row,
    into_row,
    force_into_row,
    Option{0, "partial", nullptr, "Keep the complete images when others are not."}.needs("into|output"),
    Option{0, "parents", nullptr, "Pass on the parents of an incremental checkpoint, too."}.excludes("no-parents"),
    {0, "no-parents", nullptr, "Leave out parents, and the links to them."},
    zstd_row,
    threads_row,
    output_row,
    sync_row.needs("output|into"),
};

}  // namespace critpipe::filters
