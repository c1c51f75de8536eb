#include "source/name_set.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>

#include "base/secret.hpp"

namespace critpipe {

bool NameSet::insert(std::uint64_t hash) {
  const std::size_t mask = table_.size() - 1;
  std::size_t at = hash & mask;
  while (table_[at] != 0 && table_[at] != hash) at = (at + 1) & mask;
  if (table_[at] == hash) return false;
  table_[at] = hash;
  return true;
}

bool NameSet::add(std::string_view name) {
  if (2 * count_ >= table_.size()) {
    const std::vector<std::uint64_t> old = std::move(table_);
    table_.assign(std::max<std::size_t>(64, 2 * old.size()), 0);
    for (const std::uint64_t hash : old)
      if (hash != 0) insert(hash);
  }
  const HashSecret& secret = hash_secret();
  const std::uint64_t hash = XXH3_64bits_withSecret(name.data(), name.size(), secret.data(), secret.size());
  if (!insert(std::max<std::uint64_t>(hash, 1))) return false;
  ++count_;
  return true;
}

}  // namespace critpipe
