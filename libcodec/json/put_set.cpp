// Which checkpoint, in JSON.
#include "critpipe/json.hpp"
#include "critpipe/source.hpp"

namespace critpipe {

JsonWriter& put_set(JsonWriter& json, const SetId& set) {
  put_name(json, "checkpoint", set.checkpoint);
  return set.is_input ? json.key("set").null() : put_name(json, "set", set.set);
}

}  // namespace critpipe
