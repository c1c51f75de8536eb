// A directory whose pages are replaced, as crit compress does it.
#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <map>
#include <sys/stat.h>
#include <unistd.h>

#include "crit-repack/repack.hpp"

namespace critpipe::filters {

int Repack::rewrite() {
  const std::string where = "checkpoint in " + visible(inputs_.front());
  if (set_.is_compressed == (options_.block_bytes != 0)) {
    say("C" + where.substr(1) + (options_.decompress ? " is not compressed" : " is already compressed"));
    return exit_done;
  }
  say((options_.decompress ? "Decompressing " : "Compressing ") + where);
  images_ = std::make_unique<ImagesOut>(program_, to_directory(program_, directory(), true));
  pass_on();
  if (failed_ || !store() || !edited("inventory.img") || !replace()) return exit_error;
  say("Done");
  return program_.exit_code();
}

// What is replaced gets a second name, unless that is taken.
bool Repack::keep_old() {
  for (const std::string& name : replaced_) {
    const std::string path = directory() + "/" + name;
    if (::link(path.c_str(), (path + ".bak").c_str()) == 0) continue;
    Error error = system_error(Reason::io_write, path + ".bak", errno);
    for (const std::string& kept : replaced_) {
      if (kept == name) break;
      ::unlink((directory() + "/" + kept + ".bak").c_str());
    }
    return fail(std::move(error));
  }
  return true;
}

// The members that are replaced keep owner, mode and times.
bool Repack::replace() {
  std::map<std::string, struct stat> before;
  if (struct stat status; ::lstat((directory() + "/inventory.img").c_str(), &status) == 0)
    replaced_.emplace_back("inventory.img");
  for (const std::string& name : replaced_) {
    struct stat status;
    if (::lstat((directory() + "/" + name).c_str(), &status) == 0) before[name] = status;
  }
  if (!program_.has("no-bak") && !keep_old()) return false;
  if (images_->commit() != exit_done) {
    for (const std::string& name : replaced_)
      if (!program_.has("no-bak")) ::unlink((directory() + "/" + name + ".bak").c_str());
    return false;
  }
  for (const auto& [name, status] : before) {
    const std::string path = directory() + "/" + name;
    const timespec times[] = {status.st_atim, status.st_mtim};
    if (::chown(path.c_str(), status.st_uid, status.st_gid) != 0 ||
        ::chmod(path.c_str(), status.st_mode & 07777) != 0 || ::utimensat(AT_FDCWD, path.c_str(), times, 0) != 0)
      program_.note(visible(path) + ": owner, mode or times could not be kept");
  }
  return true;
}

}  // namespace critpipe::filters
