// Which checkpoint, in JSON.
#include "critpipe/json.hpp"
#include "critpipe/source.hpp"

namespace critpipe {

JsonWriter& put_set(JsonWriter& json, const SetId& set) {
  json.key("checkpoint").text(set.checkpoint).key("set");
  return set.is_input ? json.null() : json.text(set.set);
}

}  // namespace critpipe
