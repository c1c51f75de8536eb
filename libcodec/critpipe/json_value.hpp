// json: Reading a JSON text of any kind: values by their paths.
//
//     const char* why = nullptr;
//     const JsonValue root = JsonValue::in(R"({"id": "7", "mounts": [{"type": "bind"}, {"type": "proc"}]})", why);
//     if (!root) return named_error(Reason::bad_json, "config.json", why);
//     std::string types = root.text({"id"});
//     root.each({"mounts"}, [&](const JsonValue& mount) { types += " " + mount.text({"type"}); });
//
// What is not there, or of another type, is empty. A value is a view of its text, which must outlive it, and takes no
// memory: a look-up reads the text. Any number of threads may read.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#pragma GCC visibility push(default)
namespace critpipe {

class JsonValue {
 public:
  // Keys, from the outside in; of several members with one key, the first counts.
  using Path = std::initializer_list<std::string_view>;

  JsonValue() = default;
  // The one value of a text. Nothing: `why` says what is wrong, such as "a comma, colon, bracket or value is missing".
  // Brackets may nest 1024 deep.
  static JsonValue in(std::string_view text, const char*& why);

  explicit operator bool() const { return !text_.empty(); }  // is it there?
  JsonValue at(Path path) const;
  std::string_view json(Path path = {}) const;                // as it stands
  std::string text(Path path = {}) const;                     // without its escapes; empty: no string
  std::optional<std::int64_t> integer(Path path = {}) const;  // as it stands: 1.0 is none
  bool is_true(Path path = {}) const;
  bool is_no_text(Path path = {}) const;                 // is it there, and neither a string nor null?
  std::vector<std::string> texts(Path path = {}) const;  // the elements of a list
  // The elements of a list; the members of an object, with their keys.
  void each(Path path, const std::function<void(const JsonValue&)>& use) const;
  void members(Path path, const std::function<void(std::string_view key, const JsonValue&)>& use) const;

 private:
  explicit JsonValue(std::string_view text) : text_{text} {}
  template <typename Use>
  void walk(char bracket, Use use) const;

  std::string_view text_;  // of the value alone
};

}  // namespace critpipe
#pragma GCC visibility pop
