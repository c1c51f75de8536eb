#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "critpipe/control/jobs.hpp"
#include "jobs/conversation.hpp"
#include "jobs/scripted_criu.hpp"
#include "process/proc_text.hpp"

namespace critpipe {

namespace {

constexpr const char* pid_name = "pid";

std::vector<std::string> restore_words(const std::string& images, const PrivateDirectory& work) {
  return {"restore",
          "--restore-detached",
          "--restore-sibling",
          "--images-dir",
          images,
          "--work-dir",
          work.path(),
          "--log-file",
          restore_log_name,
          "--pidfile",
          work.path() + "/" + pid_name};
}

pid_t read_pid(const PrivateDirectory& work) {
  const OwnedDescriptor file{openat(work.fd(), pid_name, O_RDONLY | O_CLOEXEC)};
  char text[32];
  const ssize_t got = read(file.fd(), text, sizeof text);
  return got > 0 ? static_cast<pid_t>(leading_number({text, static_cast<std::size_t>(got)}).value_or(0)) : 0;
}

void conclude(ScriptedCriu& criu, const CriuSetup& setup, const PrivateDirectory& work, JobEnd& end) {
  finish_following(criu, setup, {work.fd(), restore_log_name}, end);
  if (end.error) return;
  end.pid = read_pid(work);
  if (end.pid == 0)
    end.error = {.reason = Reason::criu_failed, .name = "CRIU has restored the tree and left no pid file"};
}

// A CRIU that has the pages of the images, and gives them to a restored tree that asks.
class PageGiver {
 public:
  Error start(const CriuSetup& setup, const std::string& images, const PrivateDirectory& work) {
    OwnedDescriptor ready, said;
    Error error;
    if (!pipe_pair(ready, said, error)) return error;
    printed_ = OwnedDescriptor{memfd_create("criu-output", MFD_CLOEXEC)};
    std::vector<std::string> command{
        setup.program, "lazy-pages", "--images-dir", images,        "--work-dir",
        work.path(),   "--log-file", lazy_log_name,  "--status-fd", std::to_string(said.fd())};
    command.insert(command.end(), setup.words.begin(), setup.words.end());
    ChildOptions options{.keep = {said.fd()}, .output = printed_.fd(), .error_output = printed_.fd()};
    options.new_session = true;
    error = child_.start(command, options);
    if (error) return {.reason = Reason::no_criu, .name = "cannot start " + visible(setup.program) + ": " + error.name};
    said.reset();
    char byte;
    ssize_t got;
    do got = read(ready.fd(), &byte, 1);
    while (got < 0 && errno == EINTR);
    if (got == 1) return {};
    const OwnedDescriptor log{openat(work.fd(), lazy_log_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
    std::string why = first_error_of(log ? log.fd() : printed_.fd()).first;
    if (why.empty()) why = "it does not say why";
    return {.reason = Reason::criu_failed, .name = "criu lazy-pages: " + visible(why)};
  }
  // It ends by itself when the tree has all of its memory.
  void let_go() { child_.let_go(); }

 private:
  static constexpr const char* lazy_log_name = "lazy-pages.log";
  Child child_;
  OwnedDescriptor printed_;
};

}  // namespace

JobEnd restore_from(const CriuSetup& setup, const CriuOptions& options, int images_fd, const PrivateDirectory& work,
                    const CriuNotify& notify) {
  JobEnd end;
  CriuOptions all = options;
  const std::string images = descriptor_path(getpid(), images_fd);
  PageGiver giver;
  const bool is_lazy = options.is_on("lazy_pages");
  if (is_lazy) end.error = giver.start(setup, images, work);
  if (end.error) return end;
  if (setup.terminal >= 0) {
    std::vector<std::string> words = restore_words(images, work);
    end.error = options.command_line(CriuUse::restore, words);
    ScriptedCriu criu;
    if (!end.error) end.error = criu.start(setup, words);
    if (end.error) return end;
    follow(criu, setup, notify, {work.fd(), restore_log_name}, end);
    conclude(criu, setup, work, end);
  } else {
    end.error = all.set("images_dir_fd", images_fd);
    if (!end.error) end.error = all.set("work_dir_fd", work.fd());
    if (!end.error && !all.has("log_file")) end.error = all.set("log_file", restore_log_name);
    if (!end.error && setup.service.empty()) end.error = all.set("rst_sibling", true);
    if (end.error) return end;
    Criu criu{setup.program};
    if (!setup.service.empty()) criu.set_service(setup.service);
    for (const auto& [key, fd] : setup.inherited) criu.inherit(key, fd);
    const LogFile log{work.fd(), all.text("log_file")};
    converse(criu, CriuRequest::restore, all, setup, notify, log, end);
    explain(log, end);
  }
  if (is_lazy && !end.error) giver.let_go();
  return end;
}

JobEnd restore_stream(const CriuSetup& setup, const CriuOptions& options, ImageServer& server,
                      const PrivateDirectory& work, const CriuNotify& notify) {
  JobEnd end;
  std::vector<std::string> words = restore_words(work.path(), work);
  words.push_back("--stream");
  if (!setup.service.empty())
    end.error = {.reason = Reason::usage, .name = "CRIU as a service restores from a directory only"};
  if (!end.error) end.error = options.command_line(CriuUse::restore_stream, words);
  if (!end.error) end.error = server.listen(work.path());
  ScriptedCriu criu;
  if (!end.error) end.error = criu.start(setup, words);
  if (end.error) return end;
  follow(
      criu, server, setup, notify, [] { return true; }, end);
  conclude(criu, setup, work, end);
  return end;
}

}  // namespace critpipe
