#include "jobs/conversation.hpp"

#include <poll.h>
#include <signal.h>

namespace critpipe {

namespace {

constexpr int stop_patience = 30000;  // milliseconds in which CRIU lets go of a tree

Error silence(int milliseconds) {
  return {.reason = Reason::criu_failed,
          .name = "it has not begun within " + std::to_string(milliseconds / 1000) + " s"};
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

}  // namespace

void explain(int log_fd, JobEnd& end) {
  if (!end.error || log_fd < 0) return;
  end.log = first_error_of(log_fd);
  if (end.error.reason == Reason::criu_failed && !end.stopped && !end.log.first.empty())
    end.error.name = visible(end.log.first);
}

void converse(Criu& criu, CriuRequest request, const CriuOptions& options, const CriuSetup& setup,
              const CriuNotify& notify, JobEnd& end) {
  end.error = criu.begin(request, &options, true);
  Stop stop{setup.stop_fd, end};
  // Before its first event, CRIU has not touched the tree; a pre-dump has none.
  bool has_begun = request == CriuRequest::pre_dump || request == CriuRequest::single_pre_dump;
  while (!end.error) {
    pollfd waiting[] = {{criu.poll_fd(), POLLIN, 0}, {stop.poll_fd(), POLLIN, 0}};
    if (poll(waiting, 2, has_begun ? -1 : setup.patience) == 0) {
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
  else if (end.stopped) end.still_at_work = criu.leave(stop_patience);
  else (void)criu.cleanup();
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

void follow(ScriptedCriu& criu, int stop_fd, const CriuNotify& notify, JobEnd& end) {
  Stop stop{stop_fd, end};
  while (true) {
    pollfd waiting[] = {{criu.child().pidfd(), POLLIN, 0}, {criu.events_fd(), POLLIN, 0}, {stop.poll_fd(), POLLIN, 0}};
    poll(waiting, 3, -1);
    if (waiting[2].revents) stop.obey();
    CriuNotification notification;
    if (!end.stopped && criu.next(notification)) criu.reply(stop.answer(notify, notification).success);
    if (end.stopped) criu.hang_up();
    if (waiting[0].revents || end.stopped) return;
  }
}

void finish_following(ScriptedCriu& criu, int log_fd, JobEnd& end) {
  int status = 0;
  if (!end.stopped) {
    status = criu.child().wait();
  } else if (!criu.child().wait_for(stop_patience, status)) {
    end.still_at_work = criu.child().pid();
    return criu.child().let_go();
  }
  const Error error = criu.end(status, log_fd);
  // That CRIU has gone too early is explained by its own words.
  if (!end.error || (end.error.reason == Reason::incomplete_checkpoint && error)) end.error = error;
  if (end.error && log_fd >= 0) end.log = first_error_of(log_fd);
}

}  // namespace critpipe
