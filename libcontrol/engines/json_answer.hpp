// What an engine or a runtime says as JSON: values by their paths; what is not there, or of another type, is empty.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "critpipe/json_value.hpp"

namespace critpipe {

// A value that holds the text which it is in.
class JsonAnswer {
 public:
  using Path = JsonValue::Path;
  explicit JsonAnswer(std::string text);  // one document

  explicit operator bool() const { return static_cast<bool>(value_); }  // the text was JSON, the path led to something
  JsonAnswer at(Path path) const;
  std::string_view json(Path path = {}) const { return value_.json(path); }  // lives as long as the answer
  std::string text(Path path) const { return value_.text(path); }
  std::int64_t number(Path path) const { return value_.integer(path).value_or(0); }
  bool is_on(Path path) const { return value_.is_true(path); }
  std::vector<std::string> texts(Path path) const { return value_.texts(path); }
  // The elements of a list; the members of an object, with their keys.
  void each(Path path, const std::function<void(const JsonAnswer&)>& use) const;
  void members(Path path, const std::function<void(std::string_view, const JsonAnswer&)>& use) const;

 private:
  JsonAnswer(std::shared_ptr<const std::string> text, JsonValue value) : text_{std::move(text)}, value_{value} {}

  std::shared_ptr<const std::string> text_;
  JsonValue value_;
};

}  // namespace critpipe
