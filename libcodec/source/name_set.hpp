// Names that came before.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace critpipe {

// Which names were there before. Holds a keyed hash a name, 8 bytes, so that no list of names makes it slow.
class NameSet {
 public:
  // False: it was.
  bool add(std::string_view name);

 private:
  bool insert(std::uint64_t hash);
  std::vector<std::uint64_t> table_;  // of a power of two, half full at most; 0: free
  std::size_t count_ = 0;
};

}  // namespace critpipe
