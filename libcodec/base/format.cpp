// printf into a string.
#include <cstdarg>
#include <cstdio>

#include "critpipe/base.hpp"

namespace critpipe {

std::string format(const char* form, ...) {
  std::va_list list, again;
  va_start(list, form);
  va_copy(again, list);
  char text[256];  // nearly always room enough
  const int size = std::vsnprintf(text, sizeof text, form, list);
  va_end(list);
  std::string all(size < 0 ? 0 : static_cast<std::size_t>(size), '\0');
  if (all.size() < sizeof text) all.assign(text, all.size());
  else std::vsnprintf(all.data(), all.size() + 1, form, again);
  va_end(again);
  return all;
}

}  // namespace critpipe
