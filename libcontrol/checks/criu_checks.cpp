// Is this CRIU fit for this kernel? It is asked once for each pair of them.
#include <fcntl.h>
#include <sys/stat.h>

#include "critpipe/control/checks.hpp"
#include "process/program_path.hpp"
#include "rpc/remembered_answer.hpp"

namespace critpipe {

namespace {

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
      {"criu", "there is a CRIU, and it answers", ""},
      {"criu-check", "CRIU finds what it needs in this kernel (criu check)", "Looks good"},
      {"criu-cache", "what CRIU remembers of the kernel is of this CRIU", "mismatched lsm types"},
  };
  return rows;
}

std::vector<MachineFinding> check_criu(const std::string& program, CriuPatience patience) {
  std::vector<MachineFinding> findings;
  const std::string path = path_of_program(program);
  check_cache(path, findings);
  const RememberedAnswer last{path, "check", RememberedAnswer::Of::program_on_kernel};
  std::string answer;
  if (!last.read(answer)) {
    Error error;
    const PrivateDirectory work{error};
    CriuOptions options;
    if (!error) error = options.set("images_dir_fd", work.fd());
    if (!error) error = options.assign("log_file=check.log");
    if (error) return findings;
    Criu criu{path.empty() ? program : path};
    criu.set_patience(patience);
    const CriuAnswer got = criu.call(CriuRequest::check, &options);
    if (got.error && got.error.reason != Reason::criu_failed) {
      const std::string advice = got.gave_up ? "look what keeps " + visible(path) : "--criu names another one";
      findings.push_back({Severity::error, "criu", 0, got.gave_up ? got.error.name : to_string(got.error), advice});
      return findings;
    }
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
