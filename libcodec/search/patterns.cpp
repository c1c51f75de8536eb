#include <algorithm>

#include "search/pattern_engine.hpp"

namespace critpipe {

using namespace search;

namespace {

// Beyond that, what reports starts takes Hyperscan more than a second to make: it grows with the third power.
constexpr std::size_t longest_with_start = 500;
constexpr std::size_t max_literal_bytes = 4 << 10;

struct FreeInfo {
  void operator()(hs_expr_info_t* info) const { free(info); }
};

Error refuse_as(const Pattern& pattern, hs_compile_error_t* refused) {
  PatternText text;
  text.text = pattern.text;
  std::string why = refused ? refused->message : "the processor lacks SSSE3";
  while (!why.empty() && (why.back() == '.' || why.back() == '\n')) why.pop_back();
  hs_free_compile_error(refused);
  return refuse(text, why);
}

Error refuse_as(const Pattern& pattern, std::string why) {
  PatternText text;
  text.text = pattern.text;
  return refuse(text, std::move(why));
}

hs_error_t compile_one(const std::string& source, unsigned flags, unsigned mode, Database& database,
                       hs_compile_error_t*& refused) {
  hs_database_t* made = nullptr;
  refused = nullptr;
  const hs_error_t result = hs_compile(source.c_str(), flags, mode, nullptr, &made, &refused);
  database.reset(made);
  return result;
}

}  // namespace

Patterns::Patterns() : compiled_{std::make_unique<Compiled>()} {}
Patterns::~Patterns() = default;

std::size_t Patterns::size() const { return compiled_->patterns.size(); }
const std::string& Patterns::text(std::size_t number) const { return compiled_->patterns[number].text; }

bool Patterns::see_neighbours() const {
  return std::ranges::any_of(compiled_->patterns, [](const Pattern& pattern) {
    return pattern.traits.sees_neighbours || pattern.traits.sees_end;
  });
}

Error Patterns::add(const PatternText& given) {
  auto& patterns = compiled_->patterns;
  Pattern pattern;
  pattern.text = given.text;
  if (given.caseless) pattern.flags |= HS_FLAG_CASELESS;
  if (given.text.empty()) return refuse(given, "an empty pattern is everywhere");
  if (given.text.size() > max_pattern_bytes) return refuse(given, "longer than 16 KiB");
  if (patterns.size() == max_patterns) return refuse(given, "more than 100000 patterns");
  if (Error error = to_regex(given, pattern.source)) return error;
  if (!compiled_->known.insert((given.caseless ? "i" : "c") + pattern.source).second) return {};
  if (given.syntax == PatternText::Syntax::literal) {
    if (Error error = to_bytes(given, pattern.bytes)) return error;
    if (pattern.bytes.size() > max_literal_bytes) return refuse(given, "a literal longer than 4 KiB");
    pattern.shortest = pattern.longest = pattern.bytes.size();
  } else {
    compiled_->literals_only = false;
    pattern.traits = traits_of(pattern.source);
    if (Error error = compiled_->measure(pattern)) return error;
    const auto run = pattern.kind == Pattern::Kind::unbounded ? run_of(pattern.source) : std::nullopt;
    // Shorter runs are searched for, and what is found of them is measured.
    if (run && run->least > longest_with_start)
      pattern.source = std::string{run->set} + "{" + std::to_string(longest_with_start) + ",}";
  }
  const bool unbounded = pattern.kind == Pattern::Kind::unbounded;
  if (unbounded && ++compiled_->nr_unbounded > max_unbounded_patterns)
    return refuse(given, "more than 64 patterns without a bound on the length of a match (use {1,100}, not +)");
  patterns.push_back(std::move(pattern));
  return {};
}

// How long matches are.
Error Patterns::Compiled::measure(Pattern& pattern) {
  hs_expr_info_t* found = nullptr;
  hs_compile_error_t* refused = nullptr;
  if (hs_expression_info(pattern.source.c_str(), pattern.flags, &found, &refused) != HS_SUCCESS)
    return refuse_as(pattern, refused);
  const std::unique_ptr<hs_expr_info_t, FreeInfo> info{found};
  if (info->min_width == 0) return refuse_as(pattern, "it matches nothing at all, everywhere");
  pattern.shortest = info->min_width;
  pattern.longest = info->max_width;
  const bool even = info->min_width == info->max_width && !info->unordered_matches;
  if (info->max_width > max_bounded_match) pattern.kind = Pattern::Kind::unbounded;
  else if (!even) pattern.kind = Pattern::Kind::bounded;
  return {};
}

Error Patterns::Compiled::add_scratch(const hs_database_t* database) {
  if (!database) return {};
  hs_scratch_t* grown = scratch.release();
  const hs_error_t result = hs_alloc_scratch(database, &grown);
  scratch.reset(grown);
  return result == HS_SUCCESS ? Error{} : refuse({}, "no memory for the patterns");
}

// Fixed and bounded patterns in one database.
Error Patterns::Compiled::compile_shared() {
  std::vector<const char*> sources;
  std::vector<unsigned> flags, numbers;
  std::vector<std::size_t> sizes;
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    const Pattern& pattern = patterns[i];
    if (pattern.kind == Pattern::Kind::unbounded) continue;
    sources.push_back(literals_only ? pattern.bytes.data() : pattern.source.c_str());
    sizes.push_back(pattern.bytes.size());
    flags.push_back(pattern.flags);
    numbers.push_back(static_cast<unsigned>(i));
  }
  if (sources.empty()) return {};
  hs_database_t* made = nullptr;
  hs_compile_error_t* refused = nullptr;
  const auto count = static_cast<unsigned>(sources.size());
  const hs_error_t result = literals_only
                                ? hs_compile_lit_multi(sources.data(), flags.data(), numbers.data(), sizes.data(),
                                                       count, HS_MODE_STREAM, nullptr, &made, &refused)
                                : hs_compile_multi(sources.data(), flags.data(), numbers.data(), count, HS_MODE_STREAM,
                                                   nullptr, &made, &refused);
  if (result != HS_SUCCESS) {
    const bool one =
        refused && refused->expression >= 0 && static_cast<std::size_t>(refused->expression) < numbers.size();
    return refuse_as(one ? patterns[numbers[static_cast<std::size_t>(refused->expression)]] : Pattern{}, refused);
  }
  streams.push_back({Database{made}, false, false, 0});
  return add_scratch(made);
}

// What finds the starts of a bounded pattern, and of an unbounded one behind a match that hid them.
Error Patterns::Compiled::compile_exact(std::size_t number) {
  Pattern& pattern = patterns[number];
  ExactPattern exact;
  exact.pattern = number;
  hs_compile_error_t* refused = nullptr;
  const bool bounded = pattern.kind == Pattern::Kind::bounded;
  const bool quick = pattern.shortest <= longest_with_start;
  if (!bounded || (quick && !pattern.traits.sees_neighbours)) {
    if (compile_one(pattern.source, pattern.flags | HS_FLAG_SOM_LEFTMOST, HS_MODE_BLOCK, exact.starts, refused) !=
        HS_SUCCESS) {
      if (!bounded) return refuse_as(pattern, refused);
      hs_free_compile_error(refused);
    }
  }
  if (!exact.starts) {
    const std::string inside = "(?:" + pattern.source + ")";
    if (compile_one("\\A" + inside, pattern.flags, HS_MODE_BLOCK, exact.here, refused) != HS_SUCCESS ||
        compile_one("\\A(?s:.)" + inside, pattern.flags, HS_MODE_BLOCK, exact.behind_one, refused) != HS_SUCCESS)
      return refuse_as(pattern, refused);
  }
  for (const Database* database : {&exact.starts, &exact.here, &exact.behind_one})
    if (Error error = add_scratch(database->get())) return error;
  pattern.place = exact_patterns.size();
  exact_patterns.push_back(std::move(exact));
  return {};
}

Error Patterns::Compiled::compile_stream(std::size_t number) {
  const Pattern& pattern = patterns[number];
  Database database;
  hs_compile_error_t* refused = nullptr;
  if (compile_one(pattern.source, pattern.flags | HS_FLAG_SOM_LEFTMOST, HS_MODE_STREAM | HS_MODE_SOM_HORIZON_LARGE,
                  database, refused) != HS_SUCCESS) {
    hs_free_compile_error(refused);
    return refuse_as(pattern, "too large to tell where its matches begin: bound its repeats, or make them smaller");
  }
  if (Error error = add_scratch(database.get())) return error;
  streams.push_back({std::move(database), true, pattern.traits.lazy, number});
  return {};
}

Error Patterns::compile() {
  Compiled& compiled = *compiled_;
  if (compiled.patterns.empty()) return refuse({}, "there is none");
  compiled.find_shapes();
  if (!compiled.is_one_literal() && !compiled.literals)
    if (Error error = compiled.compile_shared()) return error;
  for (std::size_t i = 0; i < compiled.patterns.size(); ++i) {
    const Pattern& pattern = compiled.patterns[i];
    compiled.widths.push_back(pattern.kind == Pattern::Kind::fixed ? pattern.shortest : 0);
    if (pattern.kind == Pattern::Kind::unbounded) {
      if (Error error = compiled.compile_stream(i)) return error;
    } else {
      compiled.widest = std::max(compiled.widest, pattern.longest);
    }
    if (pattern.kind == Pattern::Kind::fixed) continue;
    if (Error error = compiled.compile_exact(i)) return error;
  }
  compiled.matches_zeros = compiled.nr_unbounded > 0 || find_in_zeros();
  return {};
}

bool Patterns::find_in_zeros() const {
  bool found = false;
  Search search{*this, 0, [&](const Match&) {
                  found = true;
                  return Step::stop;
                }};
  search.begin(0);
  const std::vector<std::byte> zeros(2 * static_cast<std::size_t>(compiled_->widest) + 64);
  if (search.feed(zeros) == Step::go) (void)search.end();
  return found || search.error();
}

}  // namespace critpipe
