#include "crit-dump/pages_ahead.hpp"

#include <pthread.h>
#include <sched.h>

#include <chrono>
#include <filesystem>
#include <new>
#include <system_error>

#include "cli/member_place.hpp"
#include "critpipe/input_file.hpp"

namespace critpipe::filters {

namespace {

bool set_policy(pthread_t thread, int policy) {
  const sched_param none{};
  return pthread_setschedparam(thread, policy, &none) == 0;
}

// To leave SCHED_IDLE may need a privilege: whether this process has it is seen by a thread that ends at once.
bool may_leave_idle() {
  bool may = false;
  std::thread{[&] { may = set_policy(pthread_self(), SCHED_IDLE) && set_policy(pthread_self(), SCHED_OTHER); }}.join();
  return may;
}

}  // namespace

PagesAhead::PagesAhead(PackedAhead& ahead, std::string directory) : ahead_{ahead}, directory_{std::move(directory)} {
  try {
    const int policy = may_leave_idle() ? SCHED_IDLE : SCHED_BATCH;
    thread_ = std::thread{[this, policy] { run(policy); }};
  } catch (const std::system_error&) {  // then they are compressed later
  }
}

PagesAhead::~PagesAhead() {
  {
    const std::lock_guard lock{mutex_};
    ends_ = true;
  }
  ends_soon_.notify_one();
  if (thread_.joinable()) {
    (void)set_policy(thread_.native_handle(), SCHED_OTHER);  // it is waited for
    thread_.join();
  }
  ahead_.release();
}

bool PagesAhead::has_ended() {
  const std::lock_guard lock{mutex_};
  return ends_;
}

void PagesAhead::run(int policy) {
  (void)set_policy(pthread_self(), policy);
  try {
    follow();
  } catch (const std::bad_alloc&) {  // what it has compressed counts
  }
}

// CRIU writes one file after the other: the next one has begun when this one is complete.
void PagesAhead::follow() {
  constexpr auto moment = std::chrono::milliseconds{10};
  InputFile file;
  while (!has_ended()) {
    if (file.is_open() && ahead_.pack(file.fd())) {
      ++nr_packed_;
      continue;
    }
    find_files();
    if (!files_.empty()) {
      Error error;
      file = Directory{directory_, error}.open(files_.front(), error);
      files_.pop_front();
      continue;
    }
    std::unique_lock lock{mutex_};
    ends_soon_.wait_for(lock, moment, [this] { return ends_; });
  }
}

void PagesAhead::find_files() {
  std::error_code failed;
  for (std::filesystem::directory_iterator at{directory_, failed}, end; !failed && at != end; at.increment(failed)) {
    std::string name = at->path().filename().string();
    if (rank_of(name) == Rank::pages && known_.insert(name).second) files_.push_back(std::move(name));
  }
}

}  // namespace critpipe::filters
