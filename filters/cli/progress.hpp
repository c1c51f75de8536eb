// How far long work is, on a terminal: bytes, rate, time left. Elsewhere nothing.
#pragma once

#include <chrono>
#include <cstdint>

#include "cli/filter.hpp"

namespace critpipe::filters {

class Progress {
 public:
  explicit Progress(const Program& program);  // off with --no-progress, and where stderr is no terminal
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void show(std::uint64_t done_bytes, std::uint64_t all_bytes);  // all 0: not known
  void clear();                                                  // takes the line away, before anything else is printed

 private:
  using Clock = std::chrono::steady_clock;
  bool on_;
  bool shown_ = false;
  Clock::time_point start_, last_;
};

}  // namespace critpipe::filters
