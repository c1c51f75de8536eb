// Things of several kinds, of which an input may have any number: all are counted, and the first of each kind are kept,
// so that many of one kind hide none of another. Internal.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace critpipe {

template <typename Kind, typename Thing, std::size_t most>
class FirstOfEach {
 public:
  // `times`: of how many it is the first.
  void add(const Kind& kind, Thing&& thing, std::uint64_t times = 1) {
    Group& group = groups_[kind];
    group.count += times;
    if (group.first.size() < most) group.first.push_back(std::move(thing));
  }
  // Each that is kept, by kind and as they came, with the number that it stands for: the last of a kind stands for all
  // that are not kept, too.
  template <typename Use>
  void each(Use use) {
    for (auto& [kind, group] : groups_)
      for (std::size_t i = 0; i < group.first.size(); ++i)
        use(group.first[i], i + 1 < group.first.size() ? std::uint64_t{1} : group.count - i);
  }

 private:
  struct Group {
    std::uint64_t count = 0;
    std::vector<Thing> first = {};
  };
  std::map<Kind, Group> groups_;
};

}  // namespace critpipe
