#include "checks/capabilities.hpp"

#include <bit>
#include <span>
#include <string_view>

#include "critpipe/task.hpp"
#include "process/proc_text.hpp"

namespace critpipe {

Capabilities capabilities_of(pid_t pid) {
  Capabilities found;
  const ProcDirectory directory{pid};
  const std::string status = directory ? directory.read("status").value_or("") : "";
  if (const auto line = line_value(status, "CapEff:")) found.effective = leading_number(*line, 16).value_or(0);
  if (const auto line = line_value(status, "CapBnd:"))
    found.bounding = leading_number(*line, 16).value_or(~std::uint64_t{0});
  return found;
}

std::string capability_list(std::uint64_t set) {
  const std::span<const std::string_view> names = named_capabilities();
  const std::uint64_t all = (std::uint64_t{1} << names.size()) - 1;
  if (set == all) return "all";
  std::string text;
  // What is missing says more of a nearly full set.
  if (constexpr int few = 8; std::popcount(all & ~set) <= few && (set & ~all) == 0)
    return "all but " + capability_list(all & ~set);
  for (unsigned number = 0; number < 64; ++number) {
    if (!((set >> number) & 1)) continue;
    text += text.empty() ? "" : ", ";
    text += number < names.size() ? std::string{names[number]} : std::to_string(number);
  }
  return text;
}

}  // namespace critpipe
