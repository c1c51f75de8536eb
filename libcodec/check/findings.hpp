// What is found of one set. Internal.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "check/checked_images.hpp"
#include "check/first_of_each.hpp"

namespace critpipe {

// All are counted, by rule and severity, and the worst are kept.
class Findings {
 public:
  explicit Findings(CheckedImages& images) : images_{images} {}
  void damage(const Error& error, bool is_of_parent = false);
  void contradictions();
  void blocks();
  void pages();
  void fields();
  void rules();
  CheckedSet finish();

 private:
  void add(Finding&& finding, std::uint64_t times = 1);
  void add(std::string_view rule, FaultPlace place, std::string reason, std::optional<Severity> severity = {},
           std::uint64_t times = 1);
  void add_pages(const PagesFault& fault, std::uint64_t times = 1);
  void count(Severity severity, std::uint64_t times);
  void parents_of_directory();

  CheckedImages& images_;
  CheckedSet checked_;
  FirstOfEach<std::pair<const Rule*, Severity>, Finding, max_findings_of_rule> found_;
  Reporter::Take take_ = [this](Finding&& finding) { add(std::move(finding)); };
};

}  // namespace critpipe
