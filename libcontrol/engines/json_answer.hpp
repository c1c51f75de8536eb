// What an engine or a runtime says as JSON: values by their paths; what is not there, or of another type, is empty.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace critpipe {

class JsonAnswer {
 public:
  using Path = std::initializer_list<std::string_view>;
  explicit JsonAnswer(std::string_view text);  // one document

  explicit operator bool() const;  // it is there: the text was JSON, the path led to something
  JsonAnswer at(Path path) const;
  std::string text(Path path) const;
  std::int64_t number(Path path) const;  // 0: none
  bool is_on(Path path) const;
  std::vector<std::string> texts(Path path) const;
  // The elements of a list; the members of an object, with their keys.
  void each(Path path, const std::function<void(const JsonAnswer&)>& use) const;
  void members(Path path, const std::function<void(std::string_view, const JsonAnswer&)>& use) const;

 private:
  struct Document;
  struct Place;
  explicit JsonAnswer(std::shared_ptr<const Place> place) : place_{std::move(place)} {}
  std::shared_ptr<const Place> place_;
};

}  // namespace critpipe
