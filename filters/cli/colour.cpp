#include "cli/colour.hpp"

#include <cstdlib>
#include <cstring>
#include <sys/ioctl.h>
#include <unistd.h>

namespace critpipe::filters {

namespace {

constexpr std::string_view key_colour = "\x1b[34;1m", text_colour = "\x1b[32m", number_colour = "\x1b[36m",
                           no_colour = "\x1b[0m";

bool is_number(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-' || c == '+' || c == '.' || c == 'E';
}

bool is_alphanumeric(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

constexpr std::string_view word_ends = " \t\n:", hexadecimal = "0123456789abcdef-";

}  // namespace

bool wants_colour(Program& program, int fd) {
  const std::string when = program.value("color").value_or("auto");
  if (when == "always") return true;
  if (when == "never") return false;
  if (when != "auto") program.usage("--color takes auto, always or never, not " + when);
  const char* refused = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  return isatty(fd) && !(refused && *refused) && !(terminal && std::strcmp(terminal, "dumb") == 0);
}

std::size_t terminal_columns(int fd) {
  winsize size = {};
  return ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

bool locale_is_utf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(name);
    if (!value || !*value) continue;
    return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
  }
  return false;
}

void ColourOutput::between(char c) {
  if (c == '"' || is_number(c)) {
    in_ = c == '"' ? In::text : In::number;
    line_ += in_ == In::number ? number_colour : key_next_ ? key_colour : text_colour;
  }
  line_ += c;
  switch (c) {
    case '{':
    case '[':
      nesting_ += c;
      key_next_ = c == '{';
      break;
    case '}':
    case ']':
      if (!nesting_.empty()) nesting_.pop_back();
      break;
    case ',': key_next_ = !nesting_.empty() && nesting_.back() == '{'; break;
    case ':': key_next_ = false; break;
    default: break;
  }
}

bool ColourOutput::drain(const char* bytes, std::size_t size) {
  line_.clear();
  for (const char c : std::string_view{bytes, size}) {
    if (in_ == In::number && !is_number(c)) {
      line_ += no_colour;
      in_ = In::between;
    }
    if (in_ == In::between) {
      between(c);
      continue;
    }
    line_ += c;
    if (in_ == In::number) continue;
    if (c == '"' && !escaped_) {
      line_ += no_colour;
      in_ = In::between;
    }
    escaped_ = c == '\\' && !escaped_;
  }
  below_.write(line_);
  return below_.flush() == Step::go;
}

bool ColourTableOutput::drain(const char* bytes, std::size_t size) {
  line_.clear();
  const std::string_view text{bytes, size};
  for (std::size_t at = 0; at < size; ++at) {
    const char c = text[at];
    if (in_ == In::margin && is_alphanumeric(c)) {
      const std::string_view word = text.substr(at, text.find_first_of(word_ends, at) - at);
      line_ += word.find_first_not_of(hexadecimal) == word.npos ? number_colour : key_colour;
      in_ = In::word;
    }
    if (in_ == In::word && word_ends.find(c) != word_ends.npos) {
      line_ += no_colour;
      in_ = In::rest;
    }
    line_ += c;
    if (c == '\n') in_ = In::margin;
  }
  below_.write(line_);
  return below_.flush() == Step::go;
}

MaybeColoured::MaybeColoured(Program& program, Destination& destination, Text text) : plain_{destination.output()} {
  if (!wants_colour(program, destination.fd())) return;
  if (text == Text::json) coloured_ = std::make_unique<ColourOutput>(plain_);
  else coloured_ = std::make_unique<ColourTableOutput>(plain_);
}

}  // namespace critpipe::filters
