#include "search/pattern_shape.hpp"

#include <algorithm>
#include <cctype>
#include <utility>

#include "base/decimal.hpp"
#include "critpipe/base.hpp"

namespace critpipe::search {

namespace {

constexpr std::uint64_t unlimited = ~std::uint64_t{0};
constexpr std::size_t shortest_needed = 3;
constexpr std::size_t longest_needed = 32;
constexpr std::size_t most_needed = 32;
constexpr std::uint64_t most_before = 4096;
constexpr unsigned deepest = 100;  // groups

std::uint64_t plus(std::uint64_t a, std::uint64_t b) { return a > unlimited - b ? unlimited : a + b; }
std::uint64_t times(std::uint64_t a, std::uint64_t b) {
  return a == 0 || b == 0 ? 0 : a > unlimited / b ? unlimited : a * b;
}

struct Flags {
  bool caseless = false, dot_all = false;
};

// What is known of a part of an expression.
struct Part {
  std::uint64_t longest = 0;
  std::uint64_t others = 0;
  ByteSet repeated, all;
  std::optional<std::vector<ByteSet>> exact = std::vector<ByteSet>{};  // it is these bytes, one after the other
  std::optional<NeededTexts> needed = {};
};

bool is_letter(const ByteSet& set) {
  if (set.count() == 1) return true;
  if (set.count() != 2) return false;
  for (int c = 'a'; c <= 'z'; ++c)
    if (set.test(static_cast<std::size_t>(c)) && set.test(static_cast<std::size_t>(c - 32))) return true;
  return false;
}

// Which of two is the better to search for? Long ones, and few.
bool is_better(const NeededTexts& a, const std::optional<NeededTexts>& b) {
  if (!b) return true;
  const auto shortest = [](const NeededTexts& needed) {
    std::size_t size = longest_needed;
    for (const NeededText& text : needed.texts) size = std::min(size, text.text.size());
    return std::min<std::size_t>(size, 12);
  };
  if (a.texts.size() != b->texts.size() && (a.texts.size() > 8 || b->texts.size() > 8))
    return a.texts.size() < b->texts.size();
  return shortest(a) != shortest(*b) ? shortest(a) > shortest(*b) : a.texts.size() < b->texts.size();
}

// Parts that follow each other.
class Sequence {
 public:
  void add(Part part) {
    if (part.exact && !part.exact->empty() && std::ranges::all_of(*part.exact, is_letter)) {
      for (const ByteSet& set : *part.exact) letter(set);
    } else if (!part.exact || !part.exact->empty()) {
      end_text();
      if (part.needed) consider(std::move(*part.needed));
    }
    if (!part.exact) whole_.exact.reset();
    else if (whole_.exact) whole_.exact->insert(whole_.exact->end(), part.exact->begin(), part.exact->end());
    if (whole_.exact && whole_.exact->size() > longest_needed) whole_.exact.reset();
    whole_.longest = plus(whole_.longest, part.longest);
    whole_.others = plus(whole_.others, part.others);
    whole_.repeated |= part.repeated;
    whole_.all |= part.all;
  }
  Part end() {
    end_text();
    return std::move(whole_);
  }

 private:
  void letter(const ByteSet& set) {
    if (text_.text.empty()) before_ = whole_.longest;
    if (text_.text.size() == longest_needed) return;
    std::size_t byte = 0;
    while (!set.test(byte)) ++byte;
    const bool pair = set.count() == 2;
    text_.caseless |= pair;
    text_.text += static_cast<char>(byte);
  }
  // Zeros alone are everywhere.
  void end_text() {
    NeededText text = std::exchange(text_, {});
    if (text.text.size() < shortest_needed || text.text.find_first_not_of('\0') == std::string::npos) return;
    if (text.caseless) text.text = lower(std::move(text.text));
    NeededTexts needed{{std::move(text)}, before_};
    if (before_ <= most_before && is_better(needed, whole_.needed)) whole_.needed = std::move(needed);
  }
  void consider(NeededTexts needed) {
    needed.before = plus(needed.before, whole_.longest);
    if (needed.before <= most_before && is_better(needed, whole_.needed)) whole_.needed = std::move(needed);
  }

  Part whole_;
  NeededText text_;
  std::uint64_t before_ = 0;
};

// One of several parts.
Part either(std::vector<Part> parts) {
  if (parts.size() == 1) return std::move(parts.front());
  Part whole;
  whole.exact.reset();
  NeededTexts needed;
  bool all_need = true;
  for (Part& part : parts) {
    whole.longest = std::max(whole.longest, part.longest);
    whole.others = std::max(whole.others, part.others);
    whole.repeated |= part.repeated;
    whole.all |= part.all;
    all_need = all_need && part.needed;
    if (!all_need) continue;
    needed.before = std::max(needed.before, part.needed->before);
    needed.texts.insert(needed.texts.end(), part.needed->texts.begin(), part.needed->texts.end());
  }
  if (all_need && needed.texts.size() <= most_needed) whole.needed = std::move(needed);
  return whole;
}

Part repeat(Part one, std::uint64_t least, std::uint64_t most) {
  Part whole = std::move(one);
  whole.longest = times(whole.longest, most);
  if (most == unlimited) {
    whole.repeated = whole.all;
    whole.others = 0;
  } else {
    whole.others = times(whole.others, most);
  }
  if (least == 0) whole.needed.reset();
  const bool stays = whole.exact && least == most && whole.exact->size() * least <= longest_needed;
  if (stays) {
    const std::vector<ByteSet> once = std::move(*whole.exact);
    whole.exact.emplace();
    for (std::uint64_t i = 0; i < least; ++i) whole.exact->insert(whole.exact->end(), once.begin(), once.end());
  } else {
    whole.exact.reset();
  }
  return whole;
}

class ShapeParser {
 public:
  ShapeParser(std::string_view regex, bool caseless) : rest_{regex} { flags_.caseless = caseless; }
  std::optional<Part> parse() {
    Part part = alternatives();
    if (failed_ || !rest_.empty()) return std::nullopt;
    return part;
  }
  std::optional<ByteRun> parse_run() {
    const std::string_view whole = rest_;
    if (whole.empty()) return std::nullopt;
    const Part part = atom();
    ByteRun run{whole.substr(0, whole.size() - rest_.size())};
    std::uint64_t most = 0;
    const bool is_byte = !failed_ && part.exact && part.exact->size() == 1;
    const bool is_run = is_byte && rest_.starts_with('{') && counts(run.least, most) && most == unlimited;
    return is_run && rest_.empty() ? std::optional{run} : std::nullopt;
  }

 private:
  Part fail() {
    failed_ = true;
    return {};
  }
  bool take(std::string_view text) {
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }
  Part alternatives();
  Part sequence();
  Part group();
  bool group_flags();
  Part atom();
  Part escape();
  std::optional<int> escaped_byte(char letter);
  std::optional<ByteSet> escaped_set(char letter) const;
  Part bracket();
  Part one_of(ByteSet set) const;
  bool quantifier(std::uint64_t& least, std::uint64_t& most);
  bool counts(std::uint64_t& least, std::uint64_t& most);

  std::string_view rest_;
  Flags flags_;
  unsigned depth_ = 0;
  bool failed_ = false;
};

Part ShapeParser::alternatives() {
  const Flags outer = flags_;
  std::vector<Part> parts;
  do {
    parts.push_back(sequence());
  } while (!failed_ && take("|"));
  flags_ = outer;
  return either(std::move(parts));
}

Part ShapeParser::sequence() {
  Sequence sequence;
  while (!failed_ && !rest_.empty() && rest_[0] != '|' && rest_[0] != ')') {
    Part part = atom();
    std::uint64_t least = 1, most = 1;
    while (!failed_ && quantifier(least, most)) part = repeat(std::move(part), least, most);
    sequence.add(std::move(part));
  }
  return sequence.end();
}

// "{2,5}", behind its brace.
bool ShapeParser::counts(std::uint64_t& least, std::uint64_t& most) {
  std::string_view at = rest_.substr(1);
  const auto number = [&](std::uint64_t& to) {
    std::size_t size = 0;
    for (to = 0; size < at.size() && size < 6 && at[size] >= '0' && at[size] <= '9'; ++size)
      to = to * 10 + static_cast<std::uint64_t>(at[size] - '0');
    at.remove_prefix(size);
    return size > 0;
  };
  if (!number(least)) return false;
  most = least;
  if (at.starts_with(',')) {
    at.remove_prefix(1);
    if (!number(most)) most = unlimited;
  }
  if (!at.starts_with('}')) return false;
  rest_ = at.substr(1);
  return true;
}

bool ShapeParser::quantifier(std::uint64_t& least, std::uint64_t& most) {
  if (rest_.empty()) return false;
  if (take("*")) {
    least = 0;
    most = unlimited;
  } else if (take("+")) {
    least = 1;
    most = unlimited;
  } else if (take("?")) {
    least = 0;
    most = 1;
  } else if (rest_[0] != '{' || !counts(least, most)) {
    return false;
  }
  if (!take("?") && rest_.starts_with('+')) failed_ = true;
  return true;
}

Part ShapeParser::one_of(ByteSet set) const {
  if (flags_.caseless)
    for (std::size_t c = 'a'; c <= 'z'; ++c)
      if (set.test(c) || set.test(c - 32)) set.set(c).set(c - 32);
  Part part;
  part.longest = part.others = 1;
  part.all = set;
  part.exact->push_back(set);
  return part;
}

Part ShapeParser::atom() {
  const char c = rest_[0];
  if (c == '(') return group();
  if (c == '[') return bracket();
  if (c == '\\') return escape();
  rest_.remove_prefix(1);
  if (c == '^' || c == '$') return {};
  if (c == '*' || c == '+' || c == '?') return fail();
  if (c == '.') {
    ByteSet any;
    any.set();
    if (!flags_.dot_all) any.reset('\n');
    return one_of(any);
  }
  return one_of(ByteSet{}.set(static_cast<unsigned char>(c)));
}

// Behind "(?", up to ":" or ")". False: it is none of that.
bool ShapeParser::group_flags() {
  bool on = true;
  for (; !rest_.empty(); rest_.remove_prefix(1)) switch (rest_[0]) {
      case '-': on = false; break;
      case 'i': flags_.caseless = on; break;
      case 's': flags_.dot_all = on; break;
      case 'm': break;
      default: return rest_[0] == ':' || rest_[0] == ')';
    }
  return false;
}

Part ShapeParser::group() {
  if (++depth_ > deepest) return fail();
  const Flags outer = flags_;
  rest_.remove_prefix(1);
  if (rest_.starts_with('*')) return fail();
  if (take("?")) {
    if (!group_flags()) return fail();
    if (take(")")) {  // they hold to the end of the group around it
      --depth_;
      return {};
    }
    rest_.remove_prefix(1);
  }
  Part part = alternatives();
  if (!take(")")) return fail();
  flags_ = outer;
  --depth_;
  return part;
}

// What stands for one byte, in brackets too. The letter was taken.
std::optional<int> ShapeParser::escaped_byte(char letter) {
  switch (letter) {
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'f': return '\f';
    case 'a': return '\a';
    case 'e': return 0x1b;
    case 'x': {
      if (rest_.size() < 2) return std::nullopt;
      const int high = hex_digit(rest_[0]), low = hex_digit(rest_[1]);
      if (high < 0 || low < 0) return std::nullopt;
      rest_.remove_prefix(2);
      return high << 4 | low;
    }
    default: break;
  }
  const bool is_word = std::isalnum(static_cast<unsigned char>(letter)) != 0;
  return is_word ? std::nullopt : std::optional{static_cast<int>(static_cast<unsigned char>(letter))};
}

// Where implementations differ, all that it may be.
std::optional<ByteSet> ShapeParser::escaped_set(char letter) const {
  ByteSet set;
  const auto add = [&](std::string_view bytes) {
    for (const char c : bytes) set.set(static_cast<unsigned char>(c));
  };
  switch (letter) {
    case 'd':
    case 'D': add("0123456789"); break;
    case 'w':
    case 'W':
      add("0123456789_");
      for (std::size_t c = 'a'; c <= 'z'; ++c) set.set(c).set(c - 32);
      break;
    case 's': add(" \t\n\r\f\v"); break;
    case 'S': add(" \t\n\r\f"); break;
    default: return std::nullopt;
  }
  return letter >= 'a' ? set : ~set;
}

Part ShapeParser::escape() {
  if (rest_.size() < 2) return fail();
  const char letter = rest_[1];
  rest_.remove_prefix(2);
  if (std::string_view{"bBAzZ"}.find(letter) != std::string_view::npos) return {};
  if (const auto set = escaped_set(letter)) return one_of(*set);
  if (const auto byte = escaped_byte(letter)) return one_of(ByteSet{}.set(static_cast<std::size_t>(*byte)));
  return fail();
}

Part ShapeParser::bracket() {
  rest_.remove_prefix(1);
  const bool inverts = take("^");
  ByteSet set;
  bool unsure = false;  // a set that may be smaller
  for (bool first = true; first || !rest_.starts_with(']'); first = false) {
    if (rest_.empty() || rest_.starts_with("[:") || rest_.starts_with("[.") || rest_.starts_with("[=")) return fail();
    const auto one = [&]() -> std::optional<int> {
      const char c = rest_[0];
      rest_.remove_prefix(1);
      if (c != '\\') return static_cast<unsigned char>(c);
      if (rest_.empty()) return std::nullopt;
      const char letter = rest_[0];
      rest_.remove_prefix(1);
      if (const auto some = escaped_set(letter)) {
        set |= *some;
        unsure = unsure || letter == 's' || letter == 'S';
        return -1;
      }
      return letter == 'b' ? std::optional{8} : escaped_byte(letter);
    };
    const auto low = one();
    if (!low) return fail();
    if (*low < 0) continue;
    int high = *low;
    if (rest_.size() > 1 && rest_[0] == '-' && rest_[1] != ']') {
      rest_.remove_prefix(1);
      const auto end = one();
      if (!end || *end < *low) return fail();
      high = *end;
    }
    for (int c = *low; c <= high; ++c) set.set(static_cast<std::size_t>(c));
  }
  rest_.remove_prefix(1);
  if (!inverts) return one_of(set);
  if (unsure) return fail();
  if (flags_.caseless) set = one_of(set).all;
  return one_of(~set);
}

}  // namespace

std::optional<ByteRun> run_of(std::string_view regex) { return ShapeParser{regex, false}.parse_run(); }

std::optional<PatternShape> shape_of(std::string_view regex, bool caseless) {
  const std::optional<Part> part = ShapeParser{regex, caseless}.parse();
  if (!part) return std::nullopt;
  return PatternShape{part->others, part->repeated, part->needed};
}

}  // namespace critpipe::search
