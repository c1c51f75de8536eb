#include "jobs/conversation.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "process/process_tree.hpp"

namespace critpipe {

namespace {

// Milliseconds in which CRIU lets go of a tree, or takes back what it has made of one.
constexpr int dump_patience = 30000, restore_patience = 3000;

Error silence(int milliseconds) {
  return {.reason = Reason::criu_failed,
          .name = "it has not begun within " + std::to_string(milliseconds / 1000) + " s"};
}

// What a restore that was stopped has made of a tree is nobody's yet, and goes: the root task, which is our child, and
// CRIU, if it has not ended; 0: it has. Returns one that does not go; 0: all have.
pid_t end_restore(pid_t criu, const LogFile& log) {
  constexpr int patience = 5000;  // milliseconds
  const pid_t we = getpid();
  const pid_t left = kill_trees(
      [&](pid_t pid, const ProcStat& stat) { return pid == criu || (stat.parent == we && log.is_open_in(pid)); },
      patience);
  if (left == 0 && criu != 0) (void)waitpid(criu, nullptr, WNOHANG);
  return left;
}

// Who may stop a job: until an answer after which the tree is CRIU's to kill, or to let run.
class Stop {
 public:
  Stop(int fd, JobEnd& end) : fd_{fd}, end_{end} {}

  int poll_fd() const { return is_too_late_ || end_.stopped ? -1 : fd_; }
  void obey() {
    end_.stopped = true;
    if (!end_.error) end_.error = {.reason = Reason::criu_failed, .name = "stopped"};
  }
  // A stop that came while the event was being looked at turns the answer into a no.
  CriuReply answer(const CriuNotify& notify, CriuNotification& event) {
    CriuReply reply = notify ? notify(event) : CriuReply{};
    if (!reply.is_final && has_come()) {
      obey();
      reply.success = false;
    }
    const bool is_last_word = event.event == CriuEvent::post_dump || event.event == CriuEvent::post_restore;
    is_too_late_ = is_too_late_ || (is_last_word && reply.success);
    return reply;
  }

 private:
  bool has_come() const {
    pollfd waiting{poll_fd(), POLLIN, 0};
    return poll(&waiting, 1, 0) > 0;
  }

  int fd_;
  JobEnd& end_;
  bool is_too_late_ = false;
};

// A CRIU without room for its log fails, and does not say why.
void explain_silence(int log_fd, JobEnd& end) {
  struct statvfs room;
  if (end.error.reason == Reason::criu_failed && !end.stopped && end.log.first.empty() && log_fd >= 0 &&
      fstatvfs(log_fd, &room) == 0 && room.f_blocks > 0 && room.f_bavail == 0)
    end.error.name += ": no room is left where its log is";
}

}  // namespace

OwnedDescriptor LogFile::open() const {
  return OwnedDescriptor{openat(directory, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
}

bool LogFile::has_text() const {
  struct stat status;
  return fstatat(directory, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && status.st_size > 0;
}

bool LogFile::is_open_in(pid_t pid) const {
  struct stat log, status;
  const ProcDirectory process{pid};
  const ProcDirectory files{process, "fd"};
  if (!files || fstatat(directory, name.c_str(), &log, AT_SYMLINK_NOFOLLOW) != 0) return false;
  return std::ranges::any_of(files.numbers(), [&](std::uint64_t fd) {
    return fstatat(files.fd(), std::to_string(fd).c_str(), &status, 0) == 0 && status.st_dev == log.st_dev &&
           status.st_ino == log.st_ino;
  });
}

void explain(const LogFile& log, JobEnd& end) {
  const OwnedDescriptor file = log.open();
  const int log_fd = file.fd();
  if (!end.error || log_fd < 0) return;
  end.log = first_error_of(log_fd);
  if (end.error.reason == Reason::criu_failed && !end.stopped && !end.log.first.empty())
    end.error.name = visible(end.log.first);
  explain_silence(log_fd, end);
}

void converse(Criu& criu, CriuRequest request, const CriuOptions& options, const CriuSetup& setup,
              const CriuNotify& notify, const LogFile& log, JobEnd& end) {
  end.error = criu.begin(request, &options, true);
  Stop stop{setup.stop_fd, end};
  const bool restores = request == CriuRequest::restore;
  // Before its first event, CRIU has not touched the tree; a pre-dump has none.
  bool has_begun = request == CriuRequest::pre_dump || request == CriuRequest::single_pre_dump;
  while (!end.error) {
    pollfd waiting[] = {{criu.poll_fd(), POLLIN, 0}, {stop.poll_fd(), POLLIN, 0}};
    if (poll(waiting, 2, has_begun ? -1 : setup.patience) == 0) {
      has_begun = restores && log.has_text();
      if (has_begun) continue;
      criu.give_up();
      end.error = silence(setup.patience);
      return;
    }
    if (waiting[1].revents) {
      stop.obey();
      break;
    }
    CriuNotification notification;
    CriuAnswer answer;
    switch (criu.advance(notification, answer)) {
      case Criu::State::waiting: continue;
      case Criu::State::answered:
        end.error = answer.error;
        end.pid = answer.pid;
        return;
      case Criu::State::notified: break;
    }
    has_begun = true;
    const CriuReply reply = stop.answer(notify, notification);
    if (!end.stopped) end.error = criu.reply(reply);
  }
  if (end.stopped && !has_begun) criu.give_up();
  else if (end.stopped) end.still_at_work = criu.leave(restores ? restore_patience : dump_patience);
  else (void)criu.cleanup();
  if (end.stopped && restores) end.still_at_work = end_restore(end.still_at_work, log);
}

void follow(ScriptedCriu& criu, StreamerEnd& streamer, const CriuSetup& setup, const CriuNotify& notify,
            const std::function<bool()>& is_safe, JobEnd& end) {
  CriuNotification held;
  bool holds = false;
  Stop stop{setup.stop_fd, end};
  bool has_begun = false;
  while (!end.error) {
    const bool streams = !streamer.is_done();
    pollfd waiting[] = {{criu.child().pidfd(), POLLIN, 0},
                        {criu.events_fd(), POLLIN, 0},
                        {streams ? streamer.poll_fd() : -1, POLLIN, 0},
                        {stop.poll_fd(), POLLIN, 0}};
    if (poll(waiting, 4, has_begun ? -1 : setup.patience) == 0) {
      end.error = silence(setup.patience);
      break;
    }
    if (waiting[3].revents) stop.obey();
    else if (streams && waiting[2].revents) end.error = streamer.step();
    if (end.error) break;
    CriuNotification notification;
    const bool is_event = !holds && criu.next(notification);
    has_begun |= is_event || streamer.is_connected();
    if (is_event) {
      holds = notification.event == CriuEvent::post_dump;
      if (holds) held = std::move(notification);
      else criu.reply(stop.answer(notify, notification).success);
    }
    if (holds && is_safe()) {
      criu.reply(stop.answer(notify, held).success);
      holds = false;
    }
    if (waiting[0].revents && !is_event && !end.error) return;
  }
  if (!has_begun) criu.child().signal(SIGKILL);
  streamer.stop();
  (void)streamer.step();  // closes CRIU's pipes, on which it may wait
  criu.hang_up();
}

void follow(ScriptedCriu& criu, const CriuSetup& setup, const CriuNotify& notify, const LogFile& log, JobEnd& end) {
  Stop stop{setup.stop_fd, end};
  bool has_begun = false;
  while (true) {
    pollfd waiting[] = {{criu.child().pidfd(), POLLIN, 0}, {criu.events_fd(), POLLIN, 0}, {stop.poll_fd(), POLLIN, 0}};
    if (poll(waiting, 3, has_begun ? -1 : setup.patience) == 0) {
      has_begun = log.has_text();
      if (has_begun) continue;
      end.error = silence(setup.patience);
      criu.child().signal(SIGKILL);
      return;
    }
    if (waiting[2].revents) stop.obey();
    CriuNotification notification;
    const bool is_event = !end.stopped && criu.next(notification);
    has_begun |= is_event;
    if (is_event) criu.reply(stop.answer(notify, notification).success);
    if (end.stopped) criu.hang_up();
    if (waiting[0].revents || end.stopped) return;
  }
}

void finish_following(ScriptedCriu& criu, const CriuSetup& setup, const LogFile& log, JobEnd& end) {
  int status = 0;
  if (!end.stopped && !criu.child().ends_before(criu.is_decided() ? -1 : setup.stop_fd)) end.stopped = true;
  const bool has_ended = criu.child().wait_for(criu.restores() ? restore_patience : dump_patience, status);
  if (!has_ended) {
    end.still_at_work = criu.child().pid();
    criu.child().let_go();
  }
  if (end.stopped && criu.restores()) end.still_at_work = end_restore(end.still_at_work, log);
  if (!has_ended) return;
  const OwnedDescriptor file = log.open();
  const int log_fd = file.fd();
  const Error error = criu.end(status, log_fd);
  // That CRIU has gone too early is explained by its own words.
  if (!end.error || (end.error.reason == Reason::incomplete_checkpoint && error)) end.error = error;
  if (end.error && log_fd >= 0) end.log = first_error_of(log_fd);
  explain_silence(log_fd, end);
}

}  // namespace critpipe
