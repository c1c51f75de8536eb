// Which checkpoint, in JSON.
#include "critpipe/json.hpp"
#include "critpipe/source.hpp"

namespace critpipe {

JsonWriter& put_set(JsonWriter& json, const SetId& set) {
  return json.key("checkpoint").text(set.checkpoint).key("set").text(set.set);
}

}  // namespace critpipe
