#include "base/quoted_printable.hpp"

#include <algorithm>

#include "base/base64.hpp"
#include "base/decimal.hpp"

namespace critpipe {

namespace {

constexpr std::size_t line_characters = 76;
constexpr char digits[] = "0123456789ABCDEF";

class Quoter {
 public:
  Quoter(std::string_view text, std::string& out) : text_{text}, out_{out} {
    const std::size_t feed = text.find('\n');
    if (feed != text.npos && feed > 0 && text[feed - 1] == '\r') line_end_ = "\r\n";
  }

  void run() {
    while (at_ < text_.size()) {
      if (is_special()) hex();
      else if (!take_line_end()) plain();
    }
  }

 private:
  int next() const { return at_ + 1 < text_.size() ? static_cast<unsigned char>(text_[at_ + 1]) : -1; }

  bool is_special() const {
    const auto c = static_cast<unsigned char>(text_[at_]);
    if (c > 126 || c == '=') return true;
    if (c == '.') return column_ == 0 && (next() == -1 || next() == '\n' || next() == '\r' || next() == 0);
    if (c == ' ' || c == '\t') return next() == -1;
    return c < 33 && c != '\r' && c != '\n';
  }

  void soft_break() {
    out_ += '=';
    out_ += line_end_;
    column_ = 0;
  }

  void hex() {
    if (column_ + 3 >= line_characters) soft_break();
    const auto c = static_cast<unsigned char>(text_[at_++]);
    out_ += '=';
    out_ += digits[c >> 4];
    out_ += digits[c & 15];
    column_ += 3;
  }

  bool take_line_end() {
    const bool carriage = text_[at_] == '\r' && next() == '\n';
    if (text_[at_] != '\n' && !carriage) return false;
    column_ = 0;
    if (out_.size() > start_ && (out_.back() == ' ' || out_.back() == '\t')) {
      const auto blank = static_cast<unsigned char>(out_.back());
      out_.back() = '=';
      out_ += digits[blank >> 4];
      out_ += digits[blank & 15];
    }
    out_ += line_end_;
    at_ += carriage ? 2 : 1;
    return true;
  }

  void plain() {
    if (next() != -1 && next() != '\n' && column_ + 1 >= line_characters) soft_break();
    out_ += text_[at_++];
    ++column_;
  }

  std::string_view text_;
  std::string& out_;
  const std::size_t start_ = out_.size();
  std::string_view line_end_ = "\n";
  std::size_t at_ = 0;
  std::size_t column_ = 0;
};

// What follows a =. Returns the place after it.
std::size_t unquote_escape(std::string_view text, std::size_t at, std::string& out) {
  if (at == text.size()) return at;
  if (text[at] == '\n' || text[at] == '\r') {
    const std::size_t feed = text.find('\n', at);
    return feed == text.npos ? text.size() : feed + 1;
  }
  if (text[at] == '=') {
    out += '=';
    return at + 1;
  }
  const int high = hex_digit(text[at]);
  const int low = at + 1 < text.size() ? hex_digit(text[at + 1]) : -1;
  if (high < 0 || low < 0) {
    out += '=';
    return at;
  }
  out += static_cast<char>(high << 4 | low);
  return at + 2;
}

}  // namespace

void append_quoted(Bytes bytes, std::string& out) {
  Quoter{{reinterpret_cast<const char*>(bytes.data()), bytes.size()}, out}.run();
}

bool append_unquoted(std::string_view text, std::string& out) {
  if (std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) >= 0x80; })) return false;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '=') at = unquote_escape(text, at + 1, out);
    else out += text[at++];
  }
  return true;
}

bool is_base64_name(std::string_view text) {
  const auto is_digit = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
  };
  std::string_view digits = text;
  for (int i = 0; i < 2 && digits.ends_with('='); ++i) digits.remove_suffix(1);
  if (digits.empty() || text.size() % 4 != 0 || !std::ranges::all_of(digits, is_digit)) return false;
  if (digits.size() != text.size()) return true;
  std::string name;
  (void)append_decoded_base64(text, name);
  return name[0] == '/' || name[0] == '\0' || std::ranges::all_of(name, [](char c) { return c >= ' ' && c <= '~'; });
}

std::string quoted_letter(char letter) {
  constexpr char digits[] = "0123456789ABCDEF";
  const auto code = static_cast<unsigned char>(letter);
  return {'=', digits[code >> 4], digits[code & 15]};
}

bool quoted_survives(Bytes bytes) {
  const std::string_view text{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  if (text.find('\r') == text.npos) return true;
  std::string quoted, back;
  append_quoted(bytes, quoted);
  return append_unquoted(quoted, back) && back == text;
}

}  // namespace critpipe
