#include "jobs/conversation.hpp"

#include <poll.h>

namespace critpipe {

namespace {

void stop(JobEnd& end) {
  end.stopped = true;
  if (!end.error) end.error = {.reason = Reason::criu_failed, .name = "stopped"};
}

}  // namespace

void explain(int log_fd, JobEnd& end) {
  if (!end.error || log_fd < 0) return;
  end.log = first_error_of(log_fd);
  if (end.error.reason == Reason::criu_failed && !end.stopped && !end.log.first.empty())
    end.error.name = visible(end.log.first);
}

void converse(Criu& criu, CriuRequest request, const CriuOptions& options, int stop_fd, const CriuNotify& notify,
              JobEnd& end) {
  end.error = criu.begin(request, &options, true);
  bool given_up = false;  // the tree is CRIU's to kill: it is too late to stop
  while (!end.error) {
    pollfd waiting[] = {{criu.poll_fd(), POLLIN, 0}, {given_up ? -1 : stop_fd, POLLIN, 0}};
    poll(waiting, 2, -1);
    if (waiting[1].revents) {
      stop(end);
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
    const CriuReply reply = notify ? notify(notification) : CriuReply{};
    given_up = given_up || (notification.event == CriuEvent::post_dump && reply.success);
    end.error = criu.reply(reply);
  }
  (void)criu.cleanup();
}

void follow(ScriptedCriu& criu, StreamerEnd& streamer, int stop_fd, const CriuNotify& notify,
            const std::function<bool()>& is_safe, JobEnd& end) {
  CriuNotification held;
  bool holds = false, given_up = false;
  while (true) {
    const bool streams = !streamer.is_done() && !end.error;
    pollfd waiting[] = {{criu.child().pidfd(), POLLIN, 0},
                        {criu.events_fd(), POLLIN, 0},
                        {streams ? streamer.poll_fd() : -1, POLLIN, 0},
                        {given_up || end.stopped ? -1 : stop_fd, POLLIN, 0}};
    poll(waiting, 4, -1);
    if (waiting[3].revents) stop(end);
    if (streams && waiting[2].revents && !end.error) end.error = streamer.step();
    if (end.error) {
      streamer.stop();
      (void)streamer.step();  // closes CRIU's pipes, on which it may wait
      criu.hang_up();
      return;
    }
    CriuNotification notification;
    const bool is_event = !holds && criu.next(notification);
    if (is_event) {
      holds = notification.event == CriuEvent::post_dump;
      if (holds) held = std::move(notification);
      else criu.reply(!notify || notify(notification).success);
    }
    if (holds && is_safe()) {
      given_up = !notify || notify(held).success;
      criu.reply(given_up);
      holds = false;
    }
    if (waiting[0].revents && !is_event) return;
  }
}

void follow(ScriptedCriu& criu, int stop_fd, const CriuNotify& notify, JobEnd& end) {
  while (true) {
    pollfd waiting[] = {
        {criu.child().pidfd(), POLLIN, 0}, {criu.events_fd(), POLLIN, 0}, {end.stopped ? -1 : stop_fd, POLLIN, 0}};
    poll(waiting, 3, -1);
    if (waiting[2].revents) {
      stop(end);
      criu.hang_up();
    }
    CriuNotification notification;
    if (criu.next(notification)) criu.reply(!notify || notify(notification).success);
    if (waiting[0].revents) return;
  }
}

void finish_following(ScriptedCriu& criu, int log_fd, JobEnd& end) {
  const int status = criu.child().wait();
  const Error error = criu.end(status, log_fd);
  // That CRIU has gone too early is explained by its own words.
  if (!end.error || (end.error.reason == Reason::incomplete_checkpoint && error)) end.error = error;
  if (end.error && log_fd >= 0) end.log = first_error_of(log_fd);
}

}  // namespace critpipe
