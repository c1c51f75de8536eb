// rpc: CRIU as a service: requests, answers, notifications. What go-criu's package and libcriu do, row by row in
// libcontrol/README.md.
//
//     Criu criu;                                   // "criu" in PATH; a worker of its own for each call
//     CriuVersion version;
//     Error error = criu.version(version);
//     if (!error) printf("%d\n", version.number());  // 40101
//
//     CriuOptions options;
//     if (!error) error = options.set("pid", getpid());
//     const auto watch = [](CriuNotification& seen) {
//       puts(std::string{seen.name}.c_str());      // "post-dump": the images are complete
//       return CriuReply{.success = true};         // false: the dump fails, and the tree lives on
//     };
//     if (!error) error = criu.call(CriuRequest::dump, &options, watch).error;
//
// A call either waits, as above, or is begun with begin() and goes on with advance() whenever poll_fd() is readable.
// Nothing here is global, no signal handler is installed, and calls interrupted by signals are repeated. One object is
// for one thread at a time; any number of objects may be in use at once.
//
// Descriptors in options (images_dir_fd, work_dir_fd) are opened by CRIU through /proc of this process: they must stay
// open until the call ends. inherit_fd and ps.fd are numbers in the worker: see inherit() and keep().
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "critpipe/control/criu_options.hpp"
#include "critpipe/control/process.hpp"
#include "critpipe/error.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

// The types of requests, by their numbers. REQUEST_EMPTY and NOTIFY are no requests of their own.
enum class CriuRequest : std::uint8_t {
  dump = 1,
  restore = 2,
  check = 3,
  pre_dump = 4,  // the worker then waits for the next one, or for dump
  page_server = 5,
  cpuinfo_dump = 7,
  cpuinfo_check = 8,
  feature_check = 9,
  version = 10,
  wait_pid = 11,
  page_server_child = 12,
  single_pre_dump = 13
};

enum class CriuEvent : std::uint8_t {
  unknown,  // of a newer CRIU; see CriuNotification::name
  pre_stream,
  pre_dump,
  network_lock,
  query_ext_files,  // CriuReply::external names further ones
  post_dump,        // the images are complete; a reply without success lets the tree go on
  network_unlock,
  pre_restore,
  setup_namespaces,  // with the pid of the root task
  post_setup_namespaces,
  post_restore,  // with the pid of the root task
  pre_resume,
  post_resume,
  orphan_pts_master,  // with a descriptor
  status_ready
};

// An event, what CRIU and go-criu call it, and what it may come in; empty: go-criu has no callback for it.
struct CriuEventRow {
  CriuEvent event;
  std::string_view name;     // "post-dump"
  std::string_view go_criu;  // "PostDump"
  bool of_dump = true, of_restore = true;
};
std::span<const CriuEventRow> criu_events();

struct CriuNotification {
  CriuEvent event = CriuEvent::unknown;
  std::string_view name;       // as CRIU calls it; lives until the reply
  pid_t pid = 0;               // 0: none came with it
  OwnedDescriptor descriptor;  // of orphan-pts-master; closed unless it is moved away
};
struct CriuReply {
  bool success = true;
  std::vector<std::string> external = {};  // to query-ext-files
  bool is_final = false;                   // a job's stop_fd does not change it any more
};
using CriuNotify = std::function<CriuReply(CriuNotification&)>;

struct CriuVersion {
  int major = 0, minor = 0, sublevel = 0;
  std::string git_id = {}, name = {};
  // 40201 for 4.2.1. A build from git counts as the minor version to come, as in go-criu.
  int number() const { return major * 10000 + (git_id.empty() ? minor * 100 + sublevel : (minor + 1) * 100); }
};

// The answer to a request. `error` says why there is none, or why it says no: reasons no_criu (it could not be started,
// or ended without an answer), bad_answer, criu_failed (it says no).
struct CriuAnswer {
  Error error = {};
  int cr_errno = 0;          // 0: CRIU gave none, which is usual
  std::string message = {};  // CRIU's first error line, without its end; there may be one even after success
  std::string output = {};   // the end of what the worker printed, where it ended without an answer
  pid_t pid = 0;             // of the restored root task, or of a page server
  int port = 0;              // of a page server
  int status = 0;            // of wait_pid, as of waitpid()
  bool gave_up = false;      // of waiting for it: the error says why
  bool restored = false;     // a dump of the caller itself: this is the restored process
  CriuVersion version = {};
  std::string payload = {};  // all of it: a checked criu_resp
};

// A feature that CRIU can be asked for by RPC, with CRIU's answer.
struct CriuFeature {
  std::string name;  // "mem_track": a field of criu_features
  bool available = false;
};

// How long an answer is waited for.
struct CriuPatience {
  int milliseconds = -1;  // -1: for ever
  int stop_fd = -1;       // readable: not any longer
};

class Criu {
 public:
  explicit Criu(std::string program = "criu");
  ~Criu();
  Criu(const Criu&) = delete;
  Criu& operator=(const Criu&) = delete;

  void set_program(std::string path);
  // Uses a service that listens on this socket (criu service), in place of workers.
  void set_service(std::string socket_path);
  // The restored process gets this open descriptor where it had what `key` names: "pipe:[12]", "socket:[12]",
  // "tty[RDEV:DEV]", a path without its first slash. It must stay open until the worker has started.
  void inherit(std::string key, int fd);
  // Keeps a descriptor open in the worker, under its number.
  void keep(int fd);

  // call() and what asks CRIU give up after that, and kill their worker: not for what may have a tree in its hands.
  void set_patience(CriuPatience patience);
  // The same at once, in the midst of a call.
  void give_up();

  // Starts a worker that serves several calls, until cleanup(). Calls that end their worker (all but page servers,
  // cpuinfo, features, version, and pre_dump) have the next call start another one. Reasons: no_criu.
  [[nodiscard]] Error prepare();
  // Ends the worker. Reasons: criu_failed, where its status is not 0.
  Error cleanup();
  // Hangs up on the worker in the midst of a call. One that has not ended in that time is left alone, since its death
  // could be that of a tree: returns its pid; else 0.
  pid_t leave(int milliseconds);
  int worker_pidfd() const;  // -1: there is none

  // One request, with its notifications. Without `notify` CRIU sends none.
  CriuAnswer call(CriuRequest request, const CriuOptions* options, const CriuNotify& notify = {});

  [[nodiscard]] Error version(CriuVersion& version);
  // Is CRIU's version that number, as of CriuVersion::number(), or a later one?
  [[nodiscard]] Error is_at_least(int number, bool& answer);
  // Asks for the named features, or for all that the schema has, and says what is available.
  [[nodiscard]] Error features(std::vector<CriuFeature>& features);
  // Waits for a child of the worker. Requires: the worker is prepared.
  CriuAnswer wait_pid(pid_t pid);

  // A call in steps. After begin(), advance() does not wait: `notification` has been filled in and wants a reply(), or
  // `answer` has been.
  enum class State : std::uint8_t { waiting, notified, answered };
  [[nodiscard]] Error begin(CriuRequest request, const CriuOptions* options, bool notify);
  int poll_fd() const;
  State advance(CriuNotification& notification, CriuAnswer& answer);
  [[nodiscard]] Error reply(const CriuReply& reply);

 private:
  struct CRITPIPE_INNER Inner;
  CriuAnswer finish(const std::string& request);

  std::unique_ptr<Inner> inner_;
};

// The request as JSON, for people: {"type": "DUMP", "opts": {...}}.
std::string criu_request_json(CriuRequest request, const CriuOptions& options);

// What a log of CRIU says of a failure; of errors before "finished successfully", nothing. The log may be hostile;
// lines of it are to be shown with visible().
struct CriuLogError {
  std::string first;                // its first error line, without time and line end; empty: there is none
  std::vector<std::string> before;  // up to five lines before it
};
CriuLogError first_error_of(int log_fd);

}  // namespace critpipe
#pragma GCC visibility pop
