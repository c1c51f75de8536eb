// An expression: parsed once, planned for every kind, asked entry by entry.
#include <algorithm>

#include "critpipe/match.hpp"
#include "match/match_plan.hpp"

namespace critpipe {

using namespace match;

struct Expression::Program {
  Clause clause;
  std::deque<TextPattern> patterns;
  Planner planner;
  Jumps jumps;
  std::vector<std::pair<Special, Check>> specials;
  std::uint64_t image_bits = 0;  // of tests that every entry of an image answers alike
  std::uint64_t has_extra_bits = 0, filled_extra_bits = 0;
  std::uint64_t extra_bits = 0;
  std::uint64_t answered = 0;
  std::uint64_t held = 0;            // image bits that were true of an image
  bool has_searched[2] = {};         // an image whose entries may be false, true by its image bits
  std::vector<const Message*> seen;  // messages of the images so far

  Error compile_patterns(Clause& of);
  Error prepare();
  Error prepare_special(const Test& test);
  std::string kinds_with(std::uint64_t bit);
  void note(const Message* message, std::uint64_t possible);
  void note_image(std::uint64_t constant);
  Error nothing_searched() const;
};

Error Expression::Program::compile_patterns(Clause& of) {
  for (Test& test : of.tests) {
    if (test.compare == Compare::matches || test.compare == Compare::matches_not) {
      if (Error error = patterns.emplace_back().compile(test.regex)) return error;
      test.regex.compiled = &patterns.back();
    }
    if (!test.inside) continue;
    if (Error error = compile_patterns(*test.inside)) return error;
  }
  return {};
}

Error Expression::Program::prepare_special(const Test& test) {
  const Special special = special_of(clause, test);
  if (special == Special::none) return {};
  const std::uint64_t bit = bit_of(clause, test);
  Check check;
  check.bit = bit;
  if (test.inside) return fault(test.column, test.written + " is no message: [...] looks at the fields of one");
  if (special == Special::extra) {
    if (test.compare != Compare::has && (test.compare != Compare::truth || !test.mask.empty()))
      return fault(test.column, "of extra there are has(extra), and extra for one that is not empty");
    (test.compare == Compare::has ? has_extra_bits : filled_extra_bits) |= bit;
    extra_bits |= bit;
    return {};
  }
  if (special != Special::index) image_bits |= bit;
  if (test.compare == Compare::has) {
    specials.emplace_back(special, check);
    return {};
  }
  Test asked;
  asked.written = test.written;
  asked.compare = test.compare;
  asked.mask = test.mask;
  asked.values = test.values;
  asked.regex = test.regex;
  const bool number = special == Special::index || (special == Special::magic && !test.values.empty() &&
                                                    test.values[0].kind == Literal::Kind::number);
  if (special == Special::magic)
    for (Literal& value : asked.values) {
      if (value.kind == Literal::Kind::name) value.kind = Literal::Kind::text;
      if (value.kind == Literal::Kind::text && !find_kind(value.text))
        return fault(value.column, value.text + " is no magic (there are CORE, MM, PAGEMAP, FILES, ...)");
    }
  if (Error error = number ? integer_check(asked, Type::uint64, check) : text_check(asked, check)) return error;
  specials.emplace_back(special, check);
  return {};
}

Error Expression::Program::prepare() {
  clause.outermost = true;
  if (Error error = compile_patterns(clause)) return error;
  for (const Test& test : clause.tests)
    if (Error error = prepare_special(test)) return error;
  for (const Kind& kind : all_kinds())
    for (const Message* message : {kind.first, kind.later, kind.draft})
      if (message) planner.plan(clause, *message);
  jumps = jumps_of(clause);
  return planner.fault_of(clause);
}

void Expression::Program::note(const Message* message, std::uint64_t possible) {
  answered |= possible;
  if (std::ranges::find(seen, message) == seen.end()) seen.push_back(message);
}

void Expression::Program::note_image(std::uint64_t constant) {
  held |= constant & image_bits;
  for (const bool wanted : {false, true})
    has_searched[wanted] = has_searched[wanted] || can_end_in(jumps, wanted, image_bits, constant);
}

// The images that were asked for are not among those of the input.
Error Expression::Program::nothing_searched() const {
  const Test* blamed = nullptr;
  for (const Test& test : clause.tests) {
    const std::uint64_t bit = bit_of(clause, test);
    if ((image_bits & bit) && (!blamed || (held & bit_of(clause, *blamed)))) blamed = &test;
  }
  std::string what = "no image of the input has entries and fits what is said of " + blamed->written;
  if (blamed->compare == Compare::equal && !blamed->values.empty())
    what = "no image of the input has entries and the " + std::string{blamed->path[0] == "image" ? "name " : "magic "} +
           blamed->values[0].text;
  return fault(blamed->column, std::move(what));
}

Expression::Expression() : program_{std::make_unique<Program>()} {}
Expression::~Expression() = default;

Error Expression::parse(std::string_view text) {
  *program_ = {};
  if (Error error = parse_clause(text, program_->clause)) return error;
  return program_->prepare();
}

Error Expression::parse_any(std::string_view pattern, AnyText how) {
  *program_ = {};
  Clause& clause = program_->clause;
  Test& test = clause.tests.emplace_back();
  test.path = {"*"};
  test.written = "..*";
  test.anywhere = true;
  test.column = 1;
  test.compare = Compare::matches;
  test.regex.text = pattern;
  test.regex.caseless = how.caseless;
  test.regex.literal = how.literal;
  test.regex.column = 1;
  test.regex.texts_only = true;
  clause.tree = std::make_unique<Node>();
  return program_->prepare();
}

// Which kinds of image have the field: "; INETSK and FILES have it".
std::string Expression::Program::kinds_with(std::uint64_t bit) {
  constexpr std::size_t most = 3;
  std::vector<std::string_view> names;
  for (const Kind& kind : all_kinds()) {
    if (kind.is_raw()) continue;
    auto possible = planner.plan(clause, *kind.first)->possible | planner.plan(clause, *kind.later)->possible;
    if (kind.draft) possible |= planner.plan(clause, *kind.draft)->possible;
    if (possible & bit) names.push_back(kind.name);
  }
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < most; ++i) text += (i == 0 ? "; " : ", ") + std::string{names[i]};
  if (names.size() > most) text += ", ...";
  return text.empty() ? text : text + (names.size() == 1 ? " has it" : " have it");
}

Error Expression::unanswered(bool wanted, std::string_view asked) const {
  if (program_->seen.empty()) return {};
  if (!program_->has_searched[wanted] && program_->image_bits != 0) return program_->nothing_searched();
  for (const Test& test : program_->clause.tests) {
    const std::uint64_t bit = bit_of(program_->clause, test);
    if ((program_->answered & bit) || test.regex.texts_only) continue;  // --any names no field
    // In one order, whichever image was read first.
    std::vector<const Message*> seen = program_->seen;
    std::ranges::sort(seen, {}, &Message::name);
    const std::string name = test.written + near_paths(test, seen);
    if (!asked.empty()) return fault(test.column, std::string{asked} + " has no field " + name);
    return fault(test.column, "no image of the input has a field " + name + program_->kinds_with(bit));
  }
  return {};
}

void Expression::add_asked(const Expression& other) {
  program_->answered |= other.program_->answered;
  program_->held |= other.program_->held;
  for (const bool wanted : {false, true})
    program_->has_searched[wanted] = program_->has_searched[wanted] || other.program_->has_searched[wanted];
  for (const Message* message : other.program_->seen) program_->note(message, 0);
}

struct ImageMatcher::Inner {
  const Expression::Program& program;
  const Plan& first;
  const Plan& later;
  const Plan& draft;
  std::uint64_t constant = 0;  // bits that hold for every entry
  std::uint64_t possible = 0;
  std::uint64_t bits = 0;
  std::vector<FastField> fast_fields = {};  // of later entries
};

ImageMatcher::ImageMatcher(Expression& expression, const Image& image) {
  Expression::Program& program = *expression.program_;
  const Plan& first = *program.planner.plan(program.clause, *image.kind->first);
  const Plan& later = *program.planner.plan(program.clause, *image.kind->later);
  const Message& other = image.kind->draft ? *image.kind->draft : *image.kind->later;
  const Plan& draft = *program.planner.plan(program.clause, other);
  inner_.reset(new Inner{program, first, later, draft});
  inner_->possible = first.possible | later.possible | draft.possible | program.extra_bits;
  bool by_entry = program.extra_bits != 0;
  for (const auto& [special, check] : program.specials) {
    inner_->possible |= check.bit;
    by_entry |= special == Special::index;
    if (special == Special::index) continue;
    const bool magic = special == Special::magic;
    const auto fits = [&check = check](std::string_view text) { return holds(check, std::as_bytes(std::span{text})); };
    bool truth = fits(magic ? image.kind->magic_name : image.name);
    // A kind that shares its magic has a name of its own: SHMEM_PAGEMAP.
    if (magic && check.kind == Check::Kind::text && image.kind->name != image.kind->magic_name)
      truth = check.invert ? truth && fits(image.kind->name) : truth || fits(image.kind->name);
    if (check.kind == Check::Kind::range) truth = holds(check, image.kind->magic);
    if (truth) inner_->constant |= check.bit;
  }
  program.note_image(inner_->constant);
  program.note(image.kind->first, inner_->possible);
  program.note(image.kind->later, inner_->possible);
  program.note(&other, inner_->possible);
  if (!by_entry) inner_->fast_fields = fast_fields(*image.kind->later, later);
}

ImageMatcher::~ImageMatcher() = default;

bool ImageMatcher::can(bool wanted) const {
  const std::uint64_t known = ~inner_->possible | inner_->program.image_bits;
  return can_end_in(inner_->program.jumps, wanted, known, inner_->constant);
}

bool ImageMatcher::asks_for_extra() const { return inner_->program.extra_bits != 0; }

bool ImageMatcher::look(const Entry& entry) {
  std::uint64_t& bits = inner_->bits = inner_->constant;
  for (const auto& [special, check] : inner_->program.specials)
    if (special == Special::index && holds(check, entry.index)) bits |= check.bit;
  const bool is_draft = entry.message == entry.kind->draft;
  const Plan& plan = entry.index == 0 ? inner_->first : is_draft ? inner_->draft : inner_->later;
  if (entry.canonical) [[likely]] {
    run_plan(plan, entry.payload, bits);
  } else {
    const std::string written = canonical(*entry.message, entry.payload);
    run_plan(plan, std::as_bytes(std::span{written}), bits);
  }
  return decide(inner_->program.jumps, bits);
}

bool ImageMatcher::look_at_extra(bool there, bool filled) const {
  const std::uint64_t bits =
      inner_->bits | (there ? inner_->program.has_extra_bits : 0) | (filled ? inner_->program.filled_extra_bits : 0);
  return decide(inner_->program.jumps, bits);
}

ImageMatcher::Skipped ImageMatcher::skip_others(Bytes unchecked, bool wanted) const {
  constexpr std::size_t slack = 8;  // that a varint is read with
  Skipped others;
  if (inner_->fast_fields.empty()) return others;
  const std::span<const FastField> fields = inner_->fast_fields;
  const Jumps& jumps = inner_->program.jumps;
  while (unchecked.size() - others.bytes >= 4 + slack) {
    const Bytes rest = unchecked.subspan(others.bytes);
    const std::size_t size = load_u32(rest.data());
    if (size > rest.size() - 4 - slack) break;
    const Bytes payload = rest.subspan(4, size);
    std::uint64_t bits = inner_->constant;
    if (!run_fast_path(fields, payload, bits)) break;
    if (decide(jumps, bits) == wanted) {
      others.wanted = payload;
      break;
    }
    others.bytes += 4 + size;
    ++others.entries;
  }
  return others;
}

}  // namespace critpipe
