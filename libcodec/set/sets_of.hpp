// What a reader makes of its inputs, set by set. Internal.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <vector>

#include "critpipe/source.hpp"
#include "source/set_places.hpp"

namespace critpipe {

template <typename Sets>
std::vector<SetId> ids_of(const Sets& sets) {
  std::vector<SetId> ids;
  for (const auto& set : sets) ids.push_back(set->id);
  return ids;
}

// One T for each set of which a member came, in the order in which the sets begin. A T has an `id` and a `place`, which
// stands before the names of its members in messages. They stay where they are.
template <typename T>
class SetsOf {
 public:
  // That of the member's set. `make` makes one from the first member.
  template <typename Make>
  T& of(const Member& member, const Make& make) {
    if (T* known = find(*member.set)) {
      // Engines have statistics beside the directory of the images, and maybe before it.
      const bool is_above = member.set_place.size() > known->place.size() && member.set_place.starts_with(known->place);
      if (is_above && member.is_image) known->place = member.set_place;
      return *known;
    }
    T& made = add(*member.set, make());
    made.place = member.set_place;
    return made;
  }
  T& of(const Member& member) { return of(member, std::make_unique<T>); }
  // One of a set that has no members.
  T& add(const SetId& id, std::unique_ptr<T> made) {
    made->id = id;
    return *by_id_.emplace(id, all_.emplace_back(std::move(made)).get()).first->second;
  }
  T* find(const SetId& id) const {  // null: nothing came of it
    const auto known = by_id_.find(id);
    return known == by_id_.end() ? nullptr : known->second;
  }
  // That of which something is wrong; null: the error belongs to none of them.
  T* find(const Error& error) const { return error.set ? find(*error.set) : nullptr; }

  std::vector<std::unique_ptr<T>>& all() { return all_; }
  const std::vector<std::unique_ptr<T>>& all() const { return all_; }
  std::size_t size() const { return all_.size(); }
  bool empty() const { return all_.empty(); }

  // Takes some out; of() and find() know them no more.
  std::vector<std::unique_ptr<T>> take_out(const std::set<T*>& some) {
    std::vector<std::unique_ptr<T>> taken;
    for (auto& one : all_)
      if (some.contains(one.get())) taken.push_back(std::move(one));
    std::erase(all_, nullptr);
    for (const auto& one : taken) by_id_.erase(one->id);
    return taken;
  }

  // What the link `parent` of a set says, which is a member of an archive or a stream.
  void link(const Member& link, std::string_view target) {
    if (const auto set = set_led_to(link, target)) links_.emplace(*link.set, SetId{link.set->checkpoint, *set});
  }

  // Do links lead from a set to itself, or to those that lead to each other?
  bool is_in_circle(const SetId& id) const {
    std::size_t nr_steps = 0;
    auto at = links_.find(id);
    while (at != links_.end() && nr_steps <= links_.size()) {
      at = links_.find(at->second);
      ++nr_steps;
    }
    return at != links_.end();
  }

  // The parent of each, or null, as far as it is in the same input: by its name, or else as a link says. None has
  // itself above it, or more than there are generations.
  std::vector<T*> parents() const {
    std::vector<T*> parents;
    for (const std::size_t parent : parents_among(ids_of(all_)))
      parents.push_back(parent == all_.size() ? nullptr : all_[parent].get());
    if (links_.empty()) return parents;
    std::map<const T*, T*> above;
    for (std::size_t i = 0; i < parents.size(); ++i) {
      const auto led = links_.find(all_[i]->id);
      if (!parents[i] && led != links_.end()) parents[i] = find(led->second);
      above.emplace(all_[i].get(), parents[i]);
    }
    for (T*& parent : parents) {
      std::size_t nr_above = 0;
      for (const T* one = parent; one && nr_above <= max_generation; one = above.at(one)) ++nr_above;
      if (nr_above > max_generation) parent = nullptr;
    }
    return parents;
  }

 private:
  std::vector<std::unique_ptr<T>> all_;
  std::map<SetId, T*> by_id_;
  std::map<SetId, SetId> links_;
};

}  // namespace critpipe
