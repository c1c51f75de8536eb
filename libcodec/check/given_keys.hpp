// Which of the keys that a restore will be given fit to the images: one that is mistyped fits to none. Internal.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "critpipe/check.hpp"

namespace critpipe {

class CheckedImages;

class GivenKeys {
 public:
  explicit GivenKeys(const RestorePlan& plan);
  GivenKeys(GivenKeys&&) = default;
  GivenKeys& operator=(GivenKeys&&) = default;
  void look_at(const CheckedImages& set);
  std::vector<std::string> unused() const;  // as they were given, with their option

 private:
  struct Key {
    std::string option, given;
    // "mnt" and "data" of mnt[data]:/srv; of an inherited descriptor "fd" and its key; empty: it has none.
    std::string_view type, key;
    bool is_used = false;
  };
  void use(std::string_view type, std::string_view key);

  std::vector<Key> keys_;
};

}  // namespace critpipe
