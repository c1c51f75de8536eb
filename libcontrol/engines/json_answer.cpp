#include "engines/json_answer.hpp"

#include <simdjson.h>

namespace critpipe {

namespace dom = simdjson::dom;

struct JsonAnswer::Document {
  dom::parser parser;
};
struct JsonAnswer::Place {
  std::shared_ptr<Document> document;  // which holds what the element shows
  dom::element element;
};

JsonAnswer::JsonAnswer(std::string_view text) {
  auto document = std::make_shared<Document>();
  dom::element element;
  if (document->parser.parse(text.data(), text.size(), true).get(element) == simdjson::SUCCESS)
    place_ = std::make_shared<Place>(Place{std::move(document), element});
}

JsonAnswer::operator bool() const { return place_ != nullptr; }

JsonAnswer JsonAnswer::at(Path path) const {
  if (!place_) return *this;
  dom::element element = place_->element;
  for (const std::string_view key : path) {
    dom::object object;
    if (element.get_object().get(object) != simdjson::SUCCESS || object.at_key(key).get(element) != simdjson::SUCCESS)
      return JsonAnswer{std::shared_ptr<const Place>{}};
  }
  return JsonAnswer{std::make_shared<const Place>(Place{place_->document, element})};
}

std::string JsonAnswer::text(Path path) const {
  const JsonAnswer found = at(path);
  std::string_view text;
  return found && found.place_->element.get_string().get(text) == simdjson::SUCCESS ? std::string{text} : std::string{};
}

std::int64_t JsonAnswer::number(Path path) const {
  const JsonAnswer found = at(path);
  std::int64_t number = 0;
  return found && found.place_->element.get_int64().get(number) == simdjson::SUCCESS ? number : 0;
}

bool JsonAnswer::is_on(Path path) const {
  const JsonAnswer found = at(path);
  bool is_on = false;
  return found && found.place_->element.get_bool().get(is_on) == simdjson::SUCCESS && is_on;
}

std::vector<std::string> JsonAnswer::texts(Path path) const {
  std::vector<std::string> all;
  each(path, [&](const JsonAnswer& one) { all.push_back(one.text({})); });
  return all;
}

void JsonAnswer::each(Path path, const std::function<void(const JsonAnswer&)>& use) const {
  const JsonAnswer found = at(path);
  dom::array list;
  if (!found || found.place_->element.get_array().get(list) != simdjson::SUCCESS) return;
  for (const dom::element element : list)
    use(JsonAnswer{std::make_shared<const Place>(Place{place_->document, element})});
}

void JsonAnswer::members(Path path, const std::function<void(std::string_view, const JsonAnswer&)>& use) const {
  const JsonAnswer found = at(path);
  dom::object object;
  if (!found || found.place_->element.get_object().get(object) != simdjson::SUCCESS) return;
  for (const auto [key, element] : object)
    use(key, JsonAnswer{std::make_shared<const Place>(Place{place_->document, element})});
}

}  // namespace critpipe
