// The file that a dump goes to, made from a directory of images.
#pragma once

#include <set>

#include "cli/criu/criu_program.hpp"
#include "cli/images_out.hpp"
#include "crit-dump/hidden_directory.hpp"
#include "crit-dump/pages_ahead.hpp"

namespace critpipe::filters {

// It gets the images while the tree still waits, so that there is room for them, and takes its name when CRIU has ended
// and its log is complete. Until then the directory has all of it. Pages are compressed as CRIU writes them.
class PackedFile {
 public:
  // What is wrong with the file's name or the options ends the program.
  PackedFile(Program& program, HiddenDirectory& directory, const SignalDescriptor& signals);

  // The images that are in the directory. False: a signal has come, or it is reported why not.
  bool add_images();
  // The rest, and the file is in place. False: it is reported why not.
  bool finish();

 private:
  bool add(const std::string& name, const ImagesOut::Stops& stops);
  bool reserve_room();

  Program& program_;
  HiddenDirectory& directory_;
  const SignalDescriptor& signals_;
  std::unique_ptr<ImagesOut> images_;
  std::unique_ptr<PagesAhead> ahead_;
  std::set<std::string> added_;
};

}  // namespace critpipe::filters
