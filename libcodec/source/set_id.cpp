// Which checkpoint, for people.
#include <algorithm>

#include "critpipe/source.hpp"

namespace critpipe {

std::string SetId::text() const { return set.empty() ? checkpoint : checkpoint + " (" + set + ")"; }

std::vector<std::string> texts_of(const std::vector<SetId>& sets) {
  std::vector<std::string> texts;
  for (const SetId& id : sets) {
    const bool has_others = std::ranges::any_of(
        sets, [&](const SetId& other) { return other.checkpoint == id.checkpoint && other.set != id.set; });
    texts.push_back(has_others ? id.text() : id.checkpoint);
  }
  return texts;
}

}  // namespace critpipe
