#include <fcntl.h>
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

void conclude(ScriptedCriu& criu, const PrivateDirectory& work, JobEnd& end) {
  const OwnedDescriptor log{openat(work.fd(), restore_log_name, O_RDONLY | O_CLOEXEC)};
  finish_following(criu, log.fd(), end);
  if (!end.error) end.pid = read_pid(work);
}

}  // namespace

JobEnd restore_from(const CriuSetup& setup, const CriuOptions& options, int images_fd, const PrivateDirectory& work,
                    const CriuNotify& notify) {
  JobEnd end;
  CriuOptions all = options;
  if (setup.keeps_terminal) {
    std::string images = "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(images_fd);
    std::vector<std::string> words = restore_words(images, work);
    end.error = options.command_line(CriuUse::restore_stream, words);
    ScriptedCriu criu;
    if (!end.error) end.error = criu.start(setup, words);
    if (end.error) return end;
    follow(criu, setup.stop_fd, notify, end);
    conclude(criu, work, end);
    return end;
  }
  end.error = all.set("images_dir_fd", images_fd);
  if (!end.error) end.error = all.set("work_dir_fd", work.fd());
  if (!end.error && !all.has("log_file")) end.error = all.set("log_file", restore_log_name);
  if (!end.error && setup.service.empty()) end.error = all.set("rst_sibling", true);
  if (end.error) return end;
  Criu criu{setup.program};
  if (!setup.service.empty()) criu.set_service(setup.service);
  for (const auto& [key, fd] : setup.inherited) criu.inherit(key, fd);
  converse(criu, CriuRequest::restore, all, setup.stop_fd, notify, end);
  const OwnedDescriptor log{openat(work.fd(), all.text("log_file").c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
  if (end.error && log) end.log = first_error_of(log.fd());
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
      criu, server, setup.stop_fd, notify, [] { return true; }, end);
  conclude(criu, work, end);
  return end;
}

}  // namespace critpipe
