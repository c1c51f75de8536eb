// Values of a JSON document by their paths; what is not there, or of another type, is empty. Internal.
#pragma once

#include <initializer_list>
#include <simdjson.h>
#include <string>
#include <string_view>
#include <vector>

namespace critpipe {

namespace dom = simdjson::dom;

// Parses a text that holds one value. False: `why` says what is wrong.
inline bool parse(dom::parser& parser, std::string_view text, dom::element& root, const char*& why) {
  const auto error = parser.parse(text.data(), text.size(), true).get(root);
  if (error != simdjson::SUCCESS) why = simdjson::error_message(error);
  return error == simdjson::SUCCESS;
}

using Path = std::initializer_list<std::string_view>;

inline bool find(dom::element at, Path path, dom::element& found) {
  for (const std::string_view key : path) {
    dom::object object;
    if (at.get_object().get(object) != simdjson::SUCCESS || object.at_key(key).get(at) != simdjson::SUCCESS)
      return false;
  }
  found = at;
  return true;
}

inline std::string text_in(dom::element value) {
  std::string_view text;
  return value.get_string().get(text) == simdjson::SUCCESS ? std::string{text} : std::string{};
}

inline std::string text_at(dom::element from, Path path) {
  dom::element value;
  return find(from, path, value) ? text_in(value) : std::string{};
}

// The first that is not empty.
inline std::string first_text_at(dom::element from, std::initializer_list<Path> paths) {
  for (const Path path : paths)
    if (std::string text = text_at(from, path); !text.empty()) return text;
  return {};
}

template <typename Use>
void each_in_list(dom::element from, Path path, Use use) {
  dom::element value;
  dom::array list;
  if (!find(from, path, value) || value.get_array().get(list) != simdjson::SUCCESS) return;
  for (const dom::element element : list) use(element);
}

template <typename Use>
void each_member(dom::element from, Path path, Use use) {
  dom::element value;
  dom::object object;
  if (!find(from, path, value) || value.get_object().get(object) != simdjson::SUCCESS) return;
  for (const auto [key, element] : object) use(key, element);
}

inline std::vector<std::string> texts_at(dom::element from, Path path) {
  std::vector<std::string> all;
  each_in_list(from, path, [&](dom::element element) { all.push_back(text_in(element)); });
  return all;
}

}  // namespace critpipe
