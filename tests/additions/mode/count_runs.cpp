// --sizes: how many runs there are of each length.
#include "crit-pages/modes.hpp"

namespace critpipe::filters {

namespace {

constexpr Option options[] = {{0, "sizes", nullptr, "Count runs by length."}};
constexpr const char* takes[] = {"json", "output"};

int run(Program& program) {
  Destination destination{program, Destination::Content::text};
  SurveyedInputs surveyed{program, {}};
  for (const auto& set : surveyed.sets())
    for (std::size_t bits = 0; bits < set->totals.lengths.size(); ++bits)
      if (set->totals.lengths[bits] > 0)
        destination.output().write(
            format("%zu bits: %llu\n", bits, static_cast<unsigned long long>(set->totals.lengths[bits])));
  return destination.commit();
}

const Mode mode{{.options = options, .takes = takes, .run = run, .order = 95}};

}  // namespace

}  // namespace critpipe::filters
