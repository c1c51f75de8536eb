// What an engine puts beside the images of a container: is it there, and can it be read? Internal.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "set/sets_of.hpp"

namespace critpipe {

class EngineFiles {
 public:
  // Does a file of that name, beside a directory of images, come from an engine?
  static bool knows(std::string_view name);
  // A sink that takes notice of it.
  std::unique_ptr<Sink> sink_for(const Member& member);

  struct Seen {
    SetId id = {};
    std::string place = {};
    std::set<std::string, std::less<>> names = {};
    std::map<std::string, std::string> unreadable = {};  // name -> why
    bool has(std::string_view name) const { return names.contains(name); }
  };
  // Those of a set; null: there are none.
  const Seen* of(const SetId& id) const { return seen_.find(id); }

 private:
  SetsOf<Seen> seen_;
};

}  // namespace critpipe
