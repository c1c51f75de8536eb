#include "critpipe/schema.hpp"

#include <algorithm>

namespace critpipe {

const Field* Message::find(std::string_view field_name) const {
  const auto found = std::ranges::find(all(), field_name, &Field::name);
  return found == all().end() ? nullptr : &*found;
}

// fieldgen writes the messages in the order of their names.
const Message* find_message(std::string_view name) {
  const auto found = std::ranges::lower_bound(all_messages, name, {}, &Message::name);
  return found != all_messages.end() && found->name == name ? &*found : nullptr;
}

}  // namespace critpipe
