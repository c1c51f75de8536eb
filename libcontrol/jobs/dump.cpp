#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "critpipe/control/jobs.hpp"
#include "jobs/conversation.hpp"
#include "jobs/scripted_criu.hpp"

namespace critpipe {

JobEnd dump_into(const CriuSetup& setup, const CriuOptions& options, int images_fd, const CriuNotify& notify,
                 CriuRequest request) {
  CriuOptions all = options;
  JobEnd end;
  end.error = all.set("images_dir_fd", images_fd);
  if (!end.error && !all.has("log_file")) end.error = all.set("log_file", dump_log_name);
  if (end.error) return end;
  Criu criu{setup.program};
  if (!setup.service.empty()) criu.set_service(setup.service);
  const LogFile log{images_fd, all.text("log_file")};
  converse(criu, request, all, setup, notify, log, end);
  explain(log, end);
  return end;
}

JobEnd dump_stream(const CriuSetup& setup, const CriuOptions& options, ImageCapture& capture,
                   const PrivateDirectory& work, const CriuNotify& notify) {
  JobEnd end;
  std::vector<std::string> words{"dump",       "--stream",  "--images-dir", work.path(),
                                 "--work-dir", work.path(), "--log-file",   dump_log_name};
  if (!setup.service.empty())
    end.error = {.reason = Reason::usage, .name = "CRIU as a service cannot dump into a stream: use --into"};
  if (!end.error) end.error = options.command_line(CriuUse::dump_stream, words);
  if (!end.error) end.error = capture.listen(work.path());
  ScriptedCriu criu;
  if (!end.error) end.error = criu.start(setup, words);
  if (end.error) return end;
  const auto is_safe = [&] { return capture.has_all_images(); };
  follow(criu, capture, setup, notify, is_safe, end);
  finish_following(criu, setup, {work.fd(), dump_log_name}, end);
  if (!end.error && !capture.has_all_images())
    end.error = {.reason = Reason::incomplete_checkpoint, .name = "CRIU has ended without a dump"};
  return end;
}

}  // namespace critpipe
