// Words of an expression: numbers, texts, names, addresses.
#include <algorithm>
#include <optional>

#include "base/decimal.hpp"
#include "match/expression_tree.hpp"

namespace critpipe::match {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

unsigned base_of(std::string_view& word) {
  if (word.size() < 2 || word[0] != '0') return 10;
  const char mark = static_cast<char>(word[1] | 0x20);
  const unsigned base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
  if (base != 0) word.remove_prefix(2);
  return base != 0 ? base : is_digit(word[1]) ? 8 : 10;
}

// K, KB, KiB and so on; nothing where there is something else.
std::optional<unsigned> shift_of(std::string_view unit) {
  if (unit.empty()) return 0;
  constexpr std::string_view units = "KMGT";
  const std::size_t place = units.find(static_cast<char>(unit[0] & ~0x20));
  const std::string_view rest = unit.substr(1);
  if (place == units.npos || (!rest.empty() && rest != "B" && rest != "iB")) return {};
  return static_cast<unsigned>(10 * (place + 1));
}

Error parse_number(std::string_view word, Literal& literal) {
  const std::string written{word};
  if (!word.empty() && (word[0] == '-' || word[0] == '+')) {
    literal.negative = word[0] == '-';
    word.remove_prefix(1);
  }
  const unsigned base = base_of(word);
  std::size_t used = 0;
  bool fits = true;
  for (; used < word.size(); ++used) {
    const int digit = hex_digit(word[used]);
    if (digit < 0 || static_cast<unsigned>(digit) >= base) break;
    fits &= !__builtin_mul_overflow(literal.number, base, &literal.number) &&
            !__builtin_add_overflow(literal.number, static_cast<unsigned>(digit), &literal.number);
  }
  const auto shift = shift_of(word.substr(used));
  if (used == 0 || !shift)
    return fault(literal.column, written + " is no number (123, 0x7f, 0755, 64K), address (10.0.0.0/8) or name");
  fits &= literal.number << *shift >> *shift == literal.number;
  if (!fits) return fault(literal.column, written + " does not fit 64 bits");
  literal.number <<= *shift;
  return {};
}

std::optional<std::uint64_t> decimal(std::string_view text) {
  if (text.empty() || text.size() > 10 || !std::ranges::all_of(text, is_digit)) return {};
  std::uint64_t number = 0;
  for (const char c : text) number = number * 10 + static_cast<std::uint64_t>(c - '0');
  return number;
}

// MAJ:MIN, as pretty JSON shows devices.
bool parse_device(std::string_view word, Literal& literal) {
  const std::size_t colon = word.find(':');
  if (colon == word.npos) return false;
  const auto major = decimal(word.substr(0, colon));
  const auto minor = decimal(word.substr(colon + 1));
  if (!major || !minor) return false;
  literal.kind = Literal::Kind::device;
  literal.number = *major;
  literal.minor = *minor;
  return true;
}

Error parse_address_word(std::string_view word, Literal& literal) {
  const std::size_t slash = word.find('/');
  const auto address = parse_address(word.substr(0, slash));
  if (!address || word.find('%') != word.npos) return fault(literal.column, std::string{word} + " is no address");
  const unsigned most = address->nr_words == 1 ? 32 : 128;
  const auto bits = slash == word.npos ? most : decimal(word.substr(slash + 1));
  if (!bits || *bits > most)
    return fault(literal.column, std::string{word} + ": the prefix is 0 to " + std::to_string(most) + " bits");
  literal.kind = Literal::Kind::address;
  literal.address = *address;
  literal.prefix_bits = static_cast<unsigned>(*bits);
  return {};
}

}  // namespace

Error fault(std::size_t column, std::string sentence) {
  Error error{Reason::bad_expression};
  error.want = column;
  error.name = std::move(sentence);
  return error;
}

bool Scanner::accept(std::string_view sign) {
  if (!next_is(sign)) return false;
  at_ += sign.size();
  return true;
}

std::string_view Scanner::identifier() {
  skip_blanks();
  const std::size_t begin = at_;
  if (at_ < text_.size() && is_letter(text_[at_]))
    while (at_ < text_.size() && (is_letter(text_[at_]) || is_digit(text_[at_]))) ++at_;
  return text_.substr(begin, at_ - begin);
}

std::string_view Scanner::what_is_here() {
  skip_blanks();
  const std::string_view rest = text_.substr(at_);
  std::size_t size = 0;
  while (size < rest.size() && (is_letter(rest[size]) || is_digit(rest[size]))) ++size;
  return rest.substr(0, std::max<std::size_t>(size, 1));
}

// Letters, digits and what joins them in numbers and addresses; a slash only before the bits of a prefix.
std::string_view Scanner::word() {
  const std::size_t begin = at_;
  if (at_ < text_.size() && (text_[at_] == '-' || text_[at_] == '+')) ++at_;
  for (; at_ < text_.size(); ++at_) {
    const char c = text_[at_];
    const bool prefix = c == '/' && at_ + 1 < text_.size() && is_digit(text_[at_ + 1]);
    if (!is_letter(c) && !is_digit(c) && c != '.' && c != ':' && c != '%' && !prefix) break;
  }
  return text_.substr(begin, at_ - begin);
}

bool Scanner::escape(std::string& text) {
  if (at_ == text_.size()) return false;
  const char c = text_[at_++];
  switch (c) {
    case 'n': text += '\n'; return true;
    case 't': text += '\t'; return true;
    case 'r': text += '\r'; return true;
    case '0': text += '\0'; return true;
    case '\\':
    case '"':
    case '\'':
    case '/': text += c; return true;
    case 'x': {
      const int high = at_ < text_.size() ? hex_digit(text_[at_]) : -1;
      const int low = at_ + 1 < text_.size() ? hex_digit(text_[at_ + 1]) : -1;
      if (high < 0 || low < 0) return false;
      text += static_cast<char>(high << 4 | low);
      at_ += 2;
      return true;
    }
    default: return false;
  }
}

Error Scanner::quoted(std::string& text) {
  const std::size_t begin = column();
  const char quote = text_[at_++];
  while (at_ < text_.size() && text_[at_] != quote) {
    const char c = text_[at_++];
    if (c != '\\') text += c;
    else if (!escape(text)) return fault(at_, "no such escape in a text (there are \\\\ \\\" \\n \\t \\r \\0 \\x7f)");
  }
  if (at_ == text_.size()) return fault(begin, "the text that begins here does not end");
  ++at_;
  return {};
}

Error Scanner::literal(Literal& literal) {
  literal.column = column();
  if (next_is("\"") || next_is("'")) {
    literal.kind = Literal::Kind::text;
    return quoted(literal.text);
  }
  const std::string_view found = word();
  literal.text = found;
  if (found.empty())
    return fault(literal.column, at_end() ? "a value is missing at the end" : "a value is missing here");
  if (found.find(':') == found.npos && found.find('.') == found.npos) {
    if (!is_letter(found[0])) return parse_number(found, literal);
    literal.kind = Literal::Kind::name;
    return {};
  }
  return parse_device(found, literal) ? Error{} : parse_address_word(found, literal);
}

Error Scanner::regex(Regex& regex) {
  regex.column = column();
  if (next_is("\"") || next_is("'")) return quoted(regex.text);
  if (!accept("/")) return fault(regex.column, "=~ takes a pattern: /regex/ or /regex/i");
  while (at_ < text_.size() && text_[at_] != '/') {
    const bool escaped = text_[at_] == '\\' && at_ + 1 < text_.size();
    if (escaped && text_[at_ + 1] != '/') regex.text += text_[at_];
    if (escaped) ++at_;
    regex.text += text_[at_++];
  }
  if (at_ == text_.size()) return fault(regex.column, "the pattern that begins here does not end in /");
  for (++at_; at_ < text_.size() && is_letter(text_[at_]); ++at_) {
    const char flag = text_[at_];
    if (flag != 'i' && flag != 's' && flag != 'm')
      return fault(at_ + 1, std::string{"no such flag of a pattern: "} + flag + " (there are i, s and m)");
    (flag == 'i' ? regex.caseless : flag == 's' ? regex.dot_all : regex.multiline) = true;
  }
  return {};
}

}  // namespace critpipe::match
