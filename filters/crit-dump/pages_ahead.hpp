// Compresses the pages of a dump while CRIU still writes them.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "critpipe/output.hpp"

namespace critpipe::filters {

// A thread does it with what no other needs of the processors: the tree is frozen in the meantime, and CRIU comes
// first.
class PagesAhead {
 public:
  // `directory`: where the pages images come.
  PagesAhead(PackedAhead& ahead, std::string directory);
  ~PagesAhead();  // the frame in hand is completed
  PagesAhead(const PagesAhead&) = delete;
  PagesAhead& operator=(const PagesAhead&) = delete;

  std::uint64_t nr_packed() const { return nr_packed_; }  // frames until now; any thread may ask

 private:
  void run(int policy);
  void follow();
  void find_files();
  bool has_ended();

  PackedAhead& ahead_;
  const std::string directory_;
  std::atomic<std::uint64_t> nr_packed_ = 0;
  std::set<std::string> known_;
  std::deque<std::string> files_;  // in the order in which they came
  std::mutex mutex_;
  std::condition_variable ends_soon_;
  bool ends_ = false;
  std::thread thread_;
};

}  // namespace critpipe::filters
