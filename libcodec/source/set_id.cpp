// Which checkpoint, for people.
#include <algorithm>
#include <filesystem>
#include <map>
#include <tuple>

#include "base/path_names.hpp"
#include "critpipe/source.hpp"
#include "source/input_form.hpp"
#include "source/set_places.hpp"

namespace critpipe {

namespace {

// Takes the last directory off; without a slash behind what is left.
std::string_view outer_of(std::string_view path, std::string_view last) {
  path.remove_suffix(last.size());
  if (!path.empty()) path.remove_suffix(1);
  return path;
}

}  // namespace

Generation generation_of(std::string_view set) {
  Generation generation{set};
  for (;;) {
    const std::string_view last = last_part(generation.base);
    const std::uint32_t steps = generations_up(last);
    // Beyond the limit they are directories like others: each set keeps a name of its own.
    if (steps == 0 || generation.number + steps > max_generation) break;
    generation.number += steps;
    generation.base = outer_of(generation.base, last);
  }
  if (generation.number > 0 && last_part(generation.base) == usual_directory)
    generation.base = outer_of(generation.base, usual_directory);
  return generation;
}

std::optional<std::string> set_led_to(const Member& link, std::string_view target) {
  if (target.empty() || target.starts_with('/')) return std::nullopt;
  const std::filesystem::path inside = std::filesystem::path{link.within} / target / "any";
  const std::string path = inside.lexically_normal().string();
  if (path.starts_with("..")) return std::nullopt;
  return std::string{split_name(path).set};
}

std::vector<std::size_t> parents_among(const std::vector<SetId>& sets) {
  std::map<std::tuple<std::string_view, std::string_view, std::uint32_t>, std::size_t> by_generation;
  for (std::size_t i = 0; i < sets.size(); ++i) {
    const Generation generation = generation_of(sets[i].set);
    by_generation.try_emplace({sets[i].checkpoint, generation.base, generation.number}, i);
  }
  std::vector<std::size_t> parents;
  for (const SetId& set : sets) {
    const Generation generation = generation_of(set.set);
    const auto above = by_generation.find({set.checkpoint, generation.base, generation.number + 1});
    parents.push_back(above == by_generation.end() ? sets.size() : above->second);
  }
  return parents;
}

std::vector<std::string> set_texts(const std::vector<SetId>& sets) {
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
