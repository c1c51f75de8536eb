// Finds where JSON values end, without reading them: 64 characters at a time, quotes and brackets only.
//
//     ValueScanner scanner;                                 // at the first bracket of a value
//     ValueScanner::Cut cut = scanner.scan(text, end, ValueScanner::Until::last);
//     // cut.value_end: after the last value that ends in the text, or null; cut.at: how far it has read
//
// The text may come in pieces: the next scan goes on at cut.at. Brackets are counted, not matched; who reads the value
// sees what is wrong in it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace critpipe {

class ValueScanner {
 public:
  enum class Until : std::uint8_t { first, last };  // first: stops after the first value
  struct Cut {
    const char* at;
    const char* value_end;
    bool closed;  // stopped at a bracket that closes what is around the values
  };

  void restart() { *this = ValueScanner{}; }
  // Reads up to 63 bytes beyond the end.
  Cut scan(const char* at, const char* end, Until until);
  bool in_string() const { return in_string_ != 0; }
  std::int64_t depth() const { return depth_; }
  void leave_string() {
    in_string_ = 0;
    escaped_ = 0;
  }  // somebody else has read up to after its quote

 private:
  friend struct ScanLoop;
  std::uint64_t in_string_ = 0;  // all bits set: the next character stands in a string
  std::uint64_t escaped_ = 0;    // 1: the next character follows a backslash
  std::int64_t depth_ = 0;
};

// After the quote that ends a string, or null. `at` stands inside of the string, not after a backslash.
const char* find_string_end(const char* at, const char* end);

}  // namespace critpipe
