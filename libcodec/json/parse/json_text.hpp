// Pieces of JSON text: blanks, strings with escapes, and words for people.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace critpipe {

constexpr bool is_json_blank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

inline std::string_view trim_json(std::string_view text) {
  while (!text.empty() && is_json_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_json_blank(text.back())) text.remove_suffix(1);
  return text;
}

// What stands between the quotes of a JSON string -> its UTF-8, appended. False: a control character, an escape that
// does not exist, half of a surrogate pair; at is then set to the place.
bool append_unescaped(std::string_view inside, std::string& out, std::size_t& at);

// A text in quotes for an error, cut to a readable length.
std::string quoted_for_error(std::string_view text);

// Does the name of a key that protobuf's JSON would give the field (camelCase) equal key?
bool is_camel_case_of(std::string_view key, std::string_view field_name);

// "; did you mean \"a\" or \"b\"?", or nothing where none is near.
class NearNames {
 public:
  explicit NearNames(std::string_view wanted) : wanted_{wanted} {}
  void offer(std::string_view name);
  std::string sentence() const;

 private:
  static constexpr std::size_t room = 3;
  std::string_view wanted_;
  std::string_view names_[room];
  std::size_t distances_[room] = {};
  std::size_t nr_names_ = 0;
};

}  // namespace critpipe
