// Where images go: one as itself, several as an image stream, or into a directory.
//
//     const auto images = images_out(program);
//     Output* output = images->open("core-1.img", nullptr, OutForm::stream);
//     output->write(...);
//     images->close(output, true);
//     return images->commit();
#pragma once

#include <memory>
#include <string>

#include "cli/filter.hpp"
#include "critpipe/image.hpp"

namespace critpipe::filters {

// Images may be open at the same time; each has an Output of its own.

enum class OutForm : std::uint8_t {
  image,  // one, as itself
  stream,
  // The first is held until it ends or a second one begins: then it is known. One that is too long to be held:
  one_or_stream,  // becomes a stream
  one_or_error    // goes out as itself, and a second one is an error
};

class ImagesOut {
 public:
  virtual ~ImagesOut() = default;
  // Null: reported, and the image is to be passed over. "-" is no name: the image gets that of its kind, if there is
  // only one of that; kind may be null. The first image's form counts for all.
  virtual Output* open(const std::string& name, const Kind* kind, OutForm form) = 0;
  // Not whole: it is not ended in a stream, and left out of a directory.
  virtual Step close(Output* output, bool whole) = 0;
  // Puts an open file into a directory as a link. False: not possible here.
  virtual bool link(const std::string&, int) { return false; }
  // What goes out is a stream, even if no image comes.
  virtual void expect_stream() {}
  // All is written. Returns the exit code.
  virtual int commit() = 0;
};

// To standard output or -o FILE, or with --into DIR into a directory that gets all images or, if something fails, none.
std::unique_ptr<ImagesOut> images_out(Program& program);

inline constexpr Option images_out_options[] = {
    stream_row,
    Option{0, "into", "DIR", "Write the images as files into DIR, which is new or empty.", Option::directories}
        .excludes("output zstd stream"),
    Option{'f', "force", nullptr, "Write into a directory that is not empty, and replace its files."}.needs("into"),
    Option{0, "partial", nullptr, "Keep the complete images when others are not."}.needs("into"),
    {0, "zstd", "[=LEVEL]", "Compress the output with zstd (LEVEL 3)."},
    Option{0, "threads", "N", "Compress on N threads (1)."}.needs("zstd"),
    output_row,
    sync_row.needs("output|into"),
};

}  // namespace critpipe::filters
