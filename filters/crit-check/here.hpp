// What of this machine stands in the way of a restore, among the findings of crit-check.
#pragma once

#include <deque>
#include <span>
#include <string>
#include <vector>

#include "cli/filter.hpp"
#include "critpipe/check.hpp"
#include "critpipe/control/checks.hpp"

namespace critpipe::filters {

// The checks of --here. Findings refer to rules that it holds.
class Here {
 public:
  // With --here, takes what the restore will be told.
  explicit Here(Program& program);
  // Reads the inputs once more, and adds to each of their sets what it finds. Does nothing without --here. What earlier
  // calls added is to be gone.
  void add(std::span<const std::string> inputs, const SourceOptions& source, std::vector<CheckedSet>& sets);

 private:
  struct Told {
    std::string advice;
    Rule rule;
  };
  void add(CheckedSet& set, const MachineFinding& finding);
  const Rule& rule_of(std::string_view check, Severity severity, std::string&& advice);

  Program& program_;
  CriuOptions options_;
  std::deque<Told> told_;  // which stay where they are
};

}  // namespace critpipe::filters
