// jobs: A dump or a restore from its beginning to its end: CRIU started, its events answered, its log read.
//
//     CriuOptions options;
//     Error error = options.set("pid", getpid());
//     const Directory images{"dump", error};
//     const CriuSetup setup{.program = "criu"};
//     JobEnd end = dump_into(setup, options, images.fd(), [&](CriuNotification& seen) {
//       if (seen.event == CriuEvent::post_dump) sync();   // the tree ends only after this
//       return CriuReply{};
//     });
//     if (end.error) puts(to_string(end.error).c_str());  // the tree lives on
//
// A dump gives its tree up when the answer to post-dump says success, not before; whatever fails earlier lets the tree
// run on. That holds even if this process is killed: CRIU then gets no answer. Into a directory, CRIU is spoken to by
// RPC; into a stream and out of one, which RPC cannot do, by its command line, with a script that stands for
// notifications.
//
// `stop_fd` is looked at while CRIU is waited for, and again when `notify` has returned: what came meanwhile makes the
// answer a no, unless it is final. After a yes to post-dump, or to post-restore, it is too late, and it is not looked
// at any more. A restore that is stopped and has not ended after some seconds is killed, with all that was made of the
// tree; but for one by a service, whose processes are not ours.
//
// Nothing here installs signal handlers. Each call uses objects of its own; any thread may make one.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "critpipe/control/criu.hpp"
#include "critpipe/control/image_streamer.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

// Which CRIU, and how it is run.
struct CriuSetup {
  std::string program = "criu";
  std::string service = {};             // the socket of a CRIU that runs as a service; not for streams
  std::vector<std::string> words = {};  // more of its command line, where there is one: --no-default-config
  std::vector<std::pair<std::string, int>> inherited = {};  // as Criu::inherit
  int stop_fd = -1;                                         // readable: give up, and let the tree live; see below
  int patience = -1;  // milliseconds in which CRIU must have begun, or is killed; -1: for ever
  int terminal = -1;  // that of our session, which a restored shell job joins
};

struct JobEnd {
  Error error = {};       // reasons: no_criu, bad_answer, criu_failed; and those of what the images went to
  CriuLogError log = {};  // what CRIU's log says of it
  bool stopped = false;   // because stop_fd was readable
  // A process that does not end. CRIU that dumps, half a minute after it was stopped: it is left alone, and has the
  // tree until it sees that. Of a restore: what not even SIGKILL has ended.
  pid_t still_at_work = 0;
  pid_t pid = 0;  // of the root task that was restored: a child of this process, but for a service
};

// What CRIU's log is called, in its working directory.
constexpr const char* dump_log_name = "dump.log";
constexpr const char* restore_log_name = "restore.log";

// Do the configuration files that CRIU reads by itself, or with config_file, let the tree live after a dump? Nothing
// else says so. An ImageCapture must make copies then. In doubt: true.
bool config_lets_live(const CriuSetup& setup, const CriuOptions& options);

// Dumps into an open directory, by RPC. The log and stats-dump are there, too.
JobEnd dump_into(const CriuSetup& setup, const CriuOptions& options, int images_fd, const CriuNotify& notify,
                 CriuRequest request = CriuRequest::dump);
// Dumps into a capture that was made with waits_for_end, by the command line. `work` gets the log and stats-dump.
// post-dump is passed on to `notify` when all images have been accepted by the outputs of the capture. There, the
// caller may end them; afterwards it adds files, calls end() and run(). Reasons of the error: usage, too, for what no
// stream can have.
JobEnd dump_stream(const CriuSetup& setup, const CriuOptions& options, ImageCapture& capture,
                   const PrivateDirectory& work, const CriuNotify& notify);

// Restores from an open directory, by RPC; a shell job that gets a terminal, by the command line. With lazy_pages, a
// second CRIU gives the tree its memory when it asks for it, and ends when all is there; `work` is not needed any
// longer.
JobEnd restore_from(const CriuSetup& setup, const CriuOptions& options, int images_fd, const PrivateDirectory& work,
                    const CriuNotify& notify);
// Restores what a server has, by the command line.
JobEnd restore_stream(const CriuSetup& setup, const CriuOptions& options, ImageServer& server,
                      const PrivateDirectory& work, const CriuNotify& notify);

}  // namespace critpipe
#pragma GCC visibility pop
