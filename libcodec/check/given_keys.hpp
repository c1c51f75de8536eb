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
  void look_at(const CheckedImages& set);
  std::vector<std::string> unused() const;  // as they were given, with their option

 private:
  struct Key {
    bool is_external;
    std::string given;
    bool is_used = false;
  };
  void use_mount(std::string_view key);
  void use_file(std::string_view key);

  std::vector<Key> keys_;
};

}  // namespace critpipe
