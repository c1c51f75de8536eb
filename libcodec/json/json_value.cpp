#include "critpipe/json_value.hpp"

#include <algorithm>
#include <charconv>

#include "base/json_escape.hpp"
#include "json/parse/json_number.hpp"
#include "json/parse/json_text.hpp"
#include "json/parse/value_scanner.hpp"

namespace critpipe {

namespace {

constexpr std::size_t max_brackets = 1024;
void pass_blanks(std::string_view text, std::size_t& at) {
  while (at < text.size() && is_json_blank(text[at])) ++at;
}

// Behind the string at text[at], which is a quote. npos: it has no end.
std::size_t string_end(std::string_view text, std::size_t at) {
  const char* const end = find_string_end(text.data() + at + 1, text.data() + text.size());
  return end ? static_cast<std::size_t>(end - text.data()) : text.npos;
}

std::string unescaped(std::string_view string) {
  std::string out;
  std::size_t at = 0;
  (void)append_unescaped(string.substr(1, string.size() - 2), out, at);
  return out;
}

std::size_t word_end(std::string_view text, std::size_t at) {
  return std::min(text.find_first_of(",]}: \t\n\r\"[{", at), text.size());
}

// Behind the value at text[at]. Requires: it is one.
std::size_t value_end(std::string_view text, std::size_t at) {
  std::size_t depth = 0;
  do {
    const char c = text[at];
    if (c == '"') at = string_end(text, at);
    else if (c == '{' || c == '[' || c == '}' || c == ']' || c == ',' || c == ':' || is_json_blank(c)) ++at;
    else at = word_end(text, at);
    if (c == '{' || c == '[') ++depth;
    else if (c == '}' || c == ']') --depth;
  } while (depth > 0);
  return at;
}

// Reads all of a text once.
class Check {
 public:
  explicit Check(std::string_view text) : text_{text} {}
  const char* fault();  // null: it is one value

 private:
  bool value(std::size_t depth);
  bool inside(std::size_t depth, char close);
  bool string();
  bool word();
  bool is_next(char c) {
    pass_blanks(text_, at_);
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool wrong(const char* why) {
    why_ = why_ ? why_ : why;
    return false;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  const char* why_ = nullptr;
  std::string unescaped_;
};

constexpr const char* structure = "a comma, colon, bracket or value is missing or too much";

bool Check::string() {
  const std::size_t begin = at_ + 1, end = string_end(text_, at_);
  if (end == text_.npos) return wrong("a string has no end");
  unescaped_.clear();
  std::size_t at = 0;
  at_ = end;
  return append_unescaped(text_.substr(begin, end - 1 - begin), unescaped_, at) ||
         wrong("a string has a control character or an impossible escape");
}

bool Check::word() {
  const std::string_view word = text_.substr(at_, word_end(text_, at_) - at_);
  at_ += word.size();
  bool is_float = false;
  if (word.empty()) return wrong(structure);
  return word == "true" || word == "false" || word == "null" || is_json_number(word, is_float) ||
         wrong("a word is no value of JSON");
}

// Behind the bracket that opens.
bool Check::inside(std::size_t depth, char close) {
  if (depth == max_brackets) return wrong("brackets nest too deeply");
  if (is_next(close)) return true;
  do {
    if (close == '}') {
      pass_blanks(text_, at_);
      if (at_ == text_.size() || text_[at_] != '"') return wrong(structure);
      if (!string()) return false;
      if (!is_next(':')) return wrong(structure);
    }
    if (!value(depth + 1)) return false;
  } while (is_next(','));
  return is_next(close) || wrong(structure);
}

bool Check::value(std::size_t depth) {
  if (is_next('{')) return inside(depth, '}');
  if (is_next('[')) return inside(depth, ']');
  if (at_ == text_.size()) return wrong(structure);
  return text_[at_] == '"' ? string() : word();
}

const char* Check::fault() {
  if (!is_utf8(text_)) return "it is not UTF-8";
  pass_blanks(text_, at_);
  if (at_ == text_.size()) return "it is empty";
  if (value(0)) pass_blanks(text_, at_);
  return why_ || at_ == text_.size() ? why_ : structure;
}

}  // namespace

JsonValue JsonValue::in(std::string_view text, const char*& why) {
  why = Check{text}.fault();
  if (why) return {};
  return JsonValue{trim_json(text)};
}

// Calls use(key, value) for each element of what the bracket opens, with the key as it stands, until it says stop.
template <typename Use>
void JsonValue::walk(char bracket, Use use) const {
  if (!text_.starts_with(bracket)) return;
  std::size_t at = 1;
  for (pass_blanks(text_, at); at + 1 < text_.size(); pass_blanks(text_, at)) {
    std::string_view key;
    if (bracket == '{') {
      key = text_.substr(at, string_end(text_, at) - at);
      at = text_.find(':', at + key.size()) + 1;
      pass_blanks(text_, at);
    }
    const std::size_t end = value_end(text_, at);
    if (!use(key, JsonValue{text_.substr(at, end - at)})) return;
    at = end;
    pass_blanks(text_, at);
    ++at;  // the comma, or the bracket
  }
}

JsonValue JsonValue::at(Path path) const {
  JsonValue found = *this;
  for (const std::string_view wanted : path) {
    JsonValue next;
    found.walk('{', [&](std::string_view key, const JsonValue& value) {
      const bool is_it =
          key.find('\\') == key.npos ? key.substr(1, key.size() - 2) == wanted : unescaped(key) == wanted;
      if (is_it) next = value;
      return !is_it;
    });
    found = next;
  }
  return found;
}

std::string_view JsonValue::json(Path path) const { return at(path).text_; }

std::string JsonValue::text(Path path) const {
  const JsonValue found = at(path);
  return found.text_.starts_with('"') ? unescaped(found.text_) : std::string{};
}

std::optional<std::int64_t> JsonValue::integer(Path path) const {
  const std::string_view word = at(path).text_;
  std::int64_t number = 0;
  const char* const end = word.data() + word.size();
  const auto [last, error] = std::from_chars(word.data(), end, number);
  if (word.empty() || error != std::errc{} || last != end) return {};
  return number;
}

bool JsonValue::is_true(Path path) const { return at(path).text_ == "true"; }

bool JsonValue::is_no_text(Path path) const {
  const std::string_view value = at(path).text_;
  return !value.empty() && !value.starts_with('"') && value != "null";
}

std::vector<std::string> JsonValue::texts(Path path) const {
  std::vector<std::string> all;
  each(path, [&](const JsonValue& one) { all.push_back(one.text()); });
  return all;
}

void JsonValue::each(Path path, const std::function<void(const JsonValue&)>& use) const {
  at(path).walk('[', [&](std::string_view, const JsonValue& value) {
    use(value);
    return true;
  });
}

void JsonValue::members(Path path, const std::function<void(std::string_view, const JsonValue&)>& use) const {
  at(path).walk('{', [&](std::string_view key, const JsonValue& value) {
    use(unescaped(key), value);
    return true;
  });
}

}  // namespace critpipe
