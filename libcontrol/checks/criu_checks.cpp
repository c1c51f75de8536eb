// Is this CRIU fit for this kernel? It is asked once for each pair of them.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "critpipe/control/checks.hpp"

namespace critpipe {

namespace {

// Where a program is that PATH finds; itself if it has a slash.
std::string path_of_program(const std::string& program) {
  if (program.find('/') != std::string::npos) return program;
  const char* path = getenv("PATH");
  std::string_view rest{path && *path ? path : "/usr/sbin:/usr/bin:/sbin:/bin"};
  while (!rest.empty()) {
    const std::size_t colon = rest.find(':');
    std::string one = std::string{rest.substr(0, colon)} + "/" + program;
    if (access(one.c_str(), X_OK) == 0) return one;
    rest = colon == std::string_view::npos ? std::string_view{} : rest.substr(colon + 1);
  }
  return {};
}

std::string runtime_directory() {
  const char* directory = getenv("XDG_RUNTIME_DIR");
  return directory && *directory ? directory : "/run";
}

// What the last answer was, of this program on this kernel.
class LastAnswer {
 public:
  explicit LastAnswer(const std::string& program) : path_{runtime_directory() + "/critpipe.criu-check"} {
    struct stat status;
    utsname name;
    if (stat(program.c_str(), &status) != 0 || uname(&name) != 0) return;
    key_ = program + " " + std::to_string(status.st_ino) + " " + std::to_string(status.st_size) + " " +
           std::to_string(status.st_mtim.tv_sec) + " " + name.release + "\n";
  }

  bool read(std::string& answer) const {
    const OwnedDescriptor file{open(path_.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)};
    struct stat status;
    std::string text(4096, '\0');
    if (key_.empty() || !file || fstat(file.fd(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
    if (status.st_uid != geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH))) return false;
    const ssize_t got = ::read(file.fd(), text.data(), text.size());
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (!text.starts_with(key_)) return false;
    answer = text.substr(key_.size());
    return true;
  }

  void write(const std::string& answer) const {
    const std::string fresh = path_ + "." + std::to_string(getpid());
    const OwnedDescriptor file{open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
    const std::string text = key_ + answer.substr(0, 1024);
    if (key_.empty() || !file) return;
    const bool is_written = ::write(file.fd(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
    if (!is_written || rename(fresh.c_str(), path_.c_str()) != 0) unlink(fresh.c_str());
  }

 private:
  std::string path_, key_;
};

// CRIU keeps what it has found out of the kernel, and does not always notice that it has become another CRIU.
void check_cache(const std::string& program, std::vector<MachineFinding>& findings) {
  struct stat criu, cache;
  if (stat(program.c_str(), &criu) != 0) return;
  for (const std::string& path : {std::string{"/run/criu.kdat"}, std::string{"/run/criu/criu.kdat"},
                                  runtime_directory() + "/criu.kdat", runtime_directory() + "/criu/criu.kdat"})
    if (lstat(path.c_str(), &cache) == 0 && cache.st_mtim.tv_sec < criu.st_ctim.tv_sec) {
      findings.push_back({Severity::warning, "criu-cache", 0,
                          "what CRIU remembers of the kernel is older than " + visible(program) + ": " + visible(path),
                          "remove that file if CRIU behaves oddly"});
      return;
    }
}

}  // namespace

std::span<const CheckRow> criu_checks() {
  static constexpr CheckRow rows[] = {
      {"criu-check", "CRIU finds what it needs in this kernel (criu check)", "Looks good"},
      {"criu-cache", "what CRIU remembers of the kernel is of this CRIU", "mismatched lsm types"},
  };
  return rows;
}

std::vector<MachineFinding> check_criu(const std::string& program) {
  std::vector<MachineFinding> findings;
  const std::string path = path_of_program(program);
  if (path.empty()) return findings;  // to start it says so
  check_cache(path, findings);
  const LastAnswer last{path};
  std::string answer;
  if (!last.read(answer)) {
    Error error;
    const PrivateDirectory work{error};
    CriuOptions options;
    if (!error) error = options.set("images_dir_fd", work.fd());
    if (!error) error = options.assign("log_file=check.log");
    if (error) return findings;
    Criu criu{path};
    const CriuAnswer got = criu.call(CriuRequest::check, &options);
    if (got.error && got.error.reason != Reason::criu_failed) return findings;
    const OwnedDescriptor log{openat(work.fd(), "check.log", O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
    if (got.error) answer = log ? first_error_of(log.fd()).first : got.message;
    if (got.error && answer.empty()) answer = got.error.name;
    last.write(answer);
  }
  if (answer.find("CAP_SYS_ADMIN") != std::string::npos)
    findings.push_back({Severity::error, "criu-check", 0, "CRIU may not do its work: " + visible(answer),
                        "run as root, or give criu that capability: setcap cap_checkpoint_restore+eip"});
  else if (!answer.empty())
    findings.push_back({Severity::warning, "criu-check", 0, "criu check says of this kernel: " + visible(answer),
                        "if the dump fails, use a CRIU as new as the kernel"});
  return findings;
}

}  // namespace critpipe
