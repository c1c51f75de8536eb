#include "rpc/remembered_answer.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "critpipe/control/process.hpp"

namespace critpipe {

namespace {

bool is_binary(const std::string& program) {
  constexpr std::string_view magic = "\177ELF";
  const OwnedDescriptor file{open(program.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  char begin[magic.size()];
  return file && ::read(file.fd(), begin, sizeof begin) == static_cast<ssize_t>(sizeof begin) &&
         std::string_view{begin, sizeof begin} == magic;
}

}  // namespace

std::string runtime_directory() {
  const char* directory = getenv("XDG_RUNTIME_DIR");
  return directory && *directory ? directory : "/run";
}

RememberedAnswer::RememberedAnswer(const std::string& program, const std::string& question, Of of)
    : path_{runtime_directory() + "/critpipe.criu-" + question} {
  struct stat status;
  utsname name;
  if (stat(program.c_str(), &status) != 0 || uname(&name) != 0) return;
  if (of == Of::program && !is_binary(program)) return;
  key_ = program + " " + std::to_string(status.st_dev) + " " + std::to_string(status.st_ino) + " " +
         std::to_string(status.st_size) + " " + std::to_string(status.st_mtim.tv_sec) + " " +
         std::to_string(status.st_ctim.tv_sec) + "." + std::to_string(status.st_ctim.tv_nsec);
  key_ += of == Of::program ? "\n" : std::string{" "} + name.release + "\n";
}

bool RememberedAnswer::read(std::string& answer) const {
  const OwnedDescriptor file{open(path_.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)};
  struct stat status;
  char text[4096];
  if (key_.empty() || !file || fstat(file.fd(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
  if (status.st_uid != geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH))) return false;
  const ssize_t got = ::read(file.fd(), text, sizeof text);
  const std::string_view all{text, static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
  if (!all.starts_with(key_)) return false;
  answer = all.substr(key_.size());
  return true;
}

void RememberedAnswer::write(const std::string& answer) const {
  const std::string fresh = path_ + "." + std::to_string(getpid());
  if (key_.empty()) return;
  const OwnedDescriptor file{open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
  const std::string text = key_ + answer.substr(0, 1024);
  if (!file) return;
  const bool is_written = ::write(file.fd(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (!is_written || rename(fresh.c_str(), path_.c_str()) != 0) unlink(fresh.c_str());
}

}  // namespace critpipe
