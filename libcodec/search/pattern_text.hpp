// Patterns as they are given, as regular expressions over bytes. Internal.
#pragma once

#include "critpipe/search.hpp"

namespace critpipe::search {

Error refuse(const PatternText& pattern, std::string why);

// Reasons: bad_pattern.
Error to_regex(const PatternText& pattern, std::string& regex);
// The bytes of a literal pattern.
Error to_bytes(const PatternText& pattern, std::string& bytes);

struct Traits {
  bool lazy = false;             // has a lazy quantifier
  bool sees_neighbours = false;  // \b, ^ and the like: what stands before a match matters
  bool sees_end = false;         // $ and the like: so does whether anything stands behind it
};
Traits traits_of(std::string_view regex);

}  // namespace critpipe::search
