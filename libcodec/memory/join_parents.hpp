// Parents that are in the same archive or stream as their sets. Internal.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <set>

#include "critpipe/memory.hpp"
#include "critpipe/source.hpp"
#include "set/sets_of.hpp"

namespace critpipe {

constexpr std::size_t longest_link = 4096;  // in bytes

// The link of a set to its parent, which is a member of an archive or a stream; null: the member is none.
template <typename T>
std::unique_ptr<Sink> parent_link_sink(SetsOf<T>& sets, const Member& member) {
  class Link final : public Sink {
   public:
    Link(SetsOf<T>& to, const Member& link) : to_{to}, link_{link} {}
    Step entry(const Entry&) override { return Step::go; }
    Step raw(Bytes bytes) override {
      const std::size_t room = longest_link - std::min(longest_link, target_.size());
      target_.append(reinterpret_cast<const char*>(bytes.data()), std::min(bytes.size(), room));
      return Step::go;
    }
    Step pass_over(std::uint64_t) override { return Step::stop; }
    Step end() override {
      if (target_.size() < longest_link) to_.link(link_, target_);
      return Step::go;
    }

   private:
    SetsOf<T>& to_;
    Member link_;
    std::string target_;
  };
  const bool is_link = !member.is_image && member.name == "parent" && member.directory.empty();
  return is_link ? std::make_unique<Link>(sets, member) : nullptr;
}

// Gives each set its parent, and returns those that are nothing else: their memory is that of their children. So is
// that of all but the chosen set.
template <typename T>
std::set<T*> join_parents(const SetsOf<T>& sets, const std::optional<std::string>& chosen) {
  std::set<T*> joined;
  const std::vector<T*> parents = sets.parents();
  for (std::size_t i = 0; i < parents.size(); ++i) {
    T& set = *sets.all()[i];
    if (chosen && set.id.set != *chosen) joined.insert(&set);
    if (!parents[i]) continue;
    set.give_parent(*parents[i]);
    if (generation_of(parents[i]->id.set).number > 0) joined.insert(parents[i]);
  }
  return joined;
}

}  // namespace critpipe
