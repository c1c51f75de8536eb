// A directory whose pages are replaced, as crit compress does it.
#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <map>
#include <sys/stat.h>
#include <unistd.h>

#include "crit-repack/repack.hpp"

namespace critpipe::filters {

bool Repack::is_as_wanted() const {
  const bool packed = std::ranges::any_of(set_->memories, [](const auto& one) { return one.second.compressed; });
  return packed == (plan_.block_bytes != 0);
}

// What is replaced gets a second name, unless that is taken.
bool Repack::keep_old() {
  for (const std::string& name : replaced_) {
    const std::string path = set_->directory + "/" + name;
    if (::link(path.c_str(), (path + ".bak").c_str()) == 0) continue;
    Error error = system_error(Reason::io_write, path + ".bak", errno);
    for (const std::string& kept : replaced_) {
      if (kept == name) break;
      ::unlink((set_->directory + "/" + kept + ".bak").c_str());
    }
    return fail(std::move(error));
  }
  return true;
}

// The members that are replaced keep owner, mode and times.
bool Repack::rewrite() {
  std::map<std::string, struct stat> before;
  if (struct stat status; ::lstat((set_->directory + "/inventory.img").c_str(), &status) == 0)
    replaced_.emplace_back("inventory.img");
  for (const std::string& name : replaced_) {
    struct stat status;
    if (::lstat((set_->directory + "/" + name).c_str(), &status) == 0) before[name] = status;
  }
  if (!program_.has("no-bak") && !keep_old()) return false;
  if (images_->commit() != exit_done) {
    for (const std::string& name : replaced_)
      if (!program_.has("no-bak")) ::unlink((set_->directory + "/" + name + ".bak").c_str());
    return false;
  }
  for (const auto& [name, status] : before) {
    const std::string path = set_->directory + "/" + name;
    const timespec times[] = {status.st_atim, status.st_mtim};
    if (::chown(path.c_str(), status.st_uid, status.st_gid) != 0 ||
        ::chmod(path.c_str(), status.st_mode & 07777) != 0 || ::utimensat(AT_FDCWD, path.c_str(), times, 0) != 0)
      program_.note(visible(path) + ": owner, mode or times could not be kept");
  }
  return true;
}

}  // namespace critpipe::filters
