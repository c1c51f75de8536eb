// Which checkpoint, for people.
#include <map>

#include "critpipe/source.hpp"

namespace critpipe {

std::string SetId::text() const { return set.empty() ? checkpoint : checkpoint + " (" + set + ")"; }

std::vector<std::string> texts_of(const std::vector<SetId>& sets) {
  struct Input {
    const SetId* first;
    bool has_others = false;
  };
  std::map<std::string_view, Input> inputs;
  for (const SetId& id : sets) {
    Input& input = inputs.try_emplace(id.checkpoint, Input{&id}).first->second;
    input.has_others |= id.set != input.first->set;
  }
  std::vector<std::string> texts;
  for (const SetId& id : sets) texts.push_back(inputs.at(id.checkpoint).has_others ? id.text() : id.checkpoint);
  return texts;
}

}  // namespace critpipe
