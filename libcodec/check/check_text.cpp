#include "check/check_text.hpp"

#include <cstdarg>
#include <cstdio>

namespace critpipe {

std::string sentence(const char* form, ...) {
  std::va_list list, again;
  va_start(list, form);
  va_copy(again, list);
  const int size = std::vsnprintf(nullptr, 0, form, list);
  va_end(list);
  std::string text(static_cast<std::size_t>(size) + 1, '\0');
  std::vsnprintf(text.data(), text.size(), form, again);
  va_end(again);
  text.pop_back();
  return text;
}

}  // namespace critpipe
