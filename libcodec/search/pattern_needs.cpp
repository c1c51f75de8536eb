// What all patterns of a set have in common, so that most bytes need no engine.
#include <algorithm>

#include "search/pattern_engine.hpp"

namespace critpipe {

using namespace search;

namespace {

bool is_caseless(const Pattern& pattern) { return (pattern.flags & HS_FLAG_CASELESS) != 0; }

std::unique_ptr<LiteralSet> literal_set(const std::vector<Pattern>& patterns) {
  std::vector<LiteralSet::Literal> literals;
  for (const Pattern& pattern : patterns) {
    if (pattern.bytes.size() < LiteralSet::shortest) return nullptr;
    literals.push_back({pattern.bytes, is_caseless(pattern)});
  }
  return std::make_unique<LiteralSet>(std::move(literals));
}

void join(NeededByAll& needed, const PatternShape& shape) {
  auto& texts = needed.texts.texts;
  texts.insert(texts.end(), shape.needed->texts.begin(), shape.needed->texts.end());
  needed.texts.before = std::max(needed.texts.before, shape.needed->before);
  needed.others = std::max(needed.others, shape.others);
  needed.repeated |= shape.repeated;
}

void make_set(NeededByAll& needed) {
  std::vector<LiteralSet::Literal> literals;
  for (const auto& [text, caseless] : needed.texts.texts) {
    needed.longest = std::max(needed.longest, text.size());
    literals.push_back({text, caseless});
  }
  if (literals.size() > 1 || literals.front().caseless) needed.set = std::make_unique<LiteralSet>(std::move(literals));
}

}  // namespace

void Patterns::Compiled::find_shapes() {
  if (literals_only) {
    if (!is_one_literal()) literals = literal_set(patterns);
    return;
  }
  NeededByAll all;
  PatternShape repeats;
  bool all_need = true, all_known = true;
  for (const Pattern& pattern : patterns) {
    const auto shape = shape_of(pattern.source, is_caseless(pattern));
    const bool sees_more = pattern.traits.sees_neighbours || pattern.traits.sees_end;
    all_need = all_need && shape && shape->needed && !sees_more;
    if (all_need) join(all, *shape);
    if (pattern.kind != Pattern::Kind::unbounded) continue;
    all_known = all_known && shape;
    if (!all_known) continue;
    repeats.others = std::max(repeats.others, shape->others);
    repeats.repeated |= shape->repeated;
  }
  if (all_need) {
    make_set(all);
    needed = std::move(all);
  }
  if (all_known && nr_unbounded > 0) unbounded = repeats;
}

}  // namespace critpipe
