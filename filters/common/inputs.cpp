#include "common/inputs.hpp"

#include <algorithm>
#include <fnmatch.h>

namespace critpipe {

Limits limits_of(Program& program) {
  Limits limits;
  limits.entry_bytes = program.number("max-entry", limits.entry_bytes);
  return limits;
}

bool wanted(const Program& program, std::string_view name) {
  const std::string text{name};
  const auto fits = [&](const std::string& glob) { return fnmatch(glob.c_str(), text.c_str(), 0) == 0; };
  const auto only = program.values("only");
  const auto except = program.values("except");
  return (only.empty() || std::ranges::any_of(only, fits)) && std::ranges::none_of(except, fits);
}

Step read_inputs(Program& program, Receiver& receiver) {
  SourceOptions options;
  options.all_members = program.has("all");
  options.limits = limits_of(program);
  for (const std::string& input : program.inputs())
    if (read_input(input, receiver, options) == Step::stop) return Step::stop;
  return Step::go;
}

}  // namespace critpipe
