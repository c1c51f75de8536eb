#include "engines/json_answer.hpp"

namespace critpipe {

JsonAnswer::JsonAnswer(std::string text) : text_{std::make_shared<const std::string>(std::move(text))} {
  const char* why = nullptr;
  value_ = JsonValue::in(*text_, why);
}

JsonAnswer JsonAnswer::at(Path path) const { return {text_, value_.at(path)}; }

void JsonAnswer::each(Path path, const std::function<void(const JsonAnswer&)>& use) const {
  value_.each(path, [&](const JsonValue& one) { use({text_, one}); });
}

void JsonAnswer::members(Path path, const std::function<void(std::string_view, const JsonAnswer&)>& use) const {
  value_.members(path, [&](std::string_view key, const JsonValue& one) { use(key, {text_, one}); });
}

}  // namespace critpipe
