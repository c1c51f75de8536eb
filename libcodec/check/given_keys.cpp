#include "check/given_keys.hpp"

#include <optional>
#include <tuple>
#include <utility>

#include "check/check_text.hpp"
#include "check/checked_images.hpp"
#include "model/file_types.hpp"

namespace critpipe {

namespace {

// "TYPE[KEY]:VALUE", where the value may be missing: the key. Nothing: the text has another form.
std::optional<std::string_view> key_in(std::string_view given) {
  const std::size_t open = given.find('[');
  if (open == given.npos || open == 0) return std::nullopt;
  const std::size_t value = given.find("]:", open);
  const std::size_t end = value == given.npos && given.ends_with(']') ? given.size() - 1 : value;
  if (end == given.npos) return std::nullopt;
  return given.substr(open + 1, end - open - 1);
}

}  // namespace

// What has no key at all fits to nothing, either. Of --external, only those of mounts have their keys in images that
// are looked at.
GivenKeys::GivenKeys(const RestorePlan& plan) {
  keys_.reserve(plan.external.size() + plan.inherit_fd.size());  // there are views into them
  for (const std::string& given : plan.external) {
    if (key_in(given) && !given.starts_with("mnt[")) continue;
    Key& key = keys_.emplace_back(Key{"--external", given, {}, {}});
    if (const auto found = key_in(key.given)) std::tie(key.type, key.key) = std::pair{"mnt", *found};
  }
  for (const std::string& given : plan.inherit_fd) {
    Key& key = keys_.emplace_back(Key{"--inherit-fd", given, {}, {}});
    const std::size_t behind = key.given.starts_with("fd[") ? key.given.find("]:") : std::string::npos;
    if (behind != std::string::npos)
      std::tie(key.type, key.key) = std::pair{"fd", std::string_view{key.given}.substr(behind + 2)};
  }
}

void GivenKeys::use(std::string_view type, std::string_view key) {
  for (Key& given : keys_) given.is_used |= given.type == type && given.key == key;
}

// CRIU takes any file by the name that it has for it, not only those from outside.
void GivenKeys::look_at(const CheckedImages& set) {
  if (keys_.empty()) return;
  set.each("MNTS", [this](const std::string&, std::uint64_t, const Record& mount) {
    if (!mount.has("ext_key") && mount.number("ext_mount") == 0) return;
    use("mnt", mount.has("ext_key") ? mount.text("ext_key") : mount.text("root"));
    use("mnt", "");
  });
  for (const SeenFile& file : set.files()) {
    const std::string_view name = file.type == type_reg ? file.record.text("name") : std::string_view{};
    if (!name.empty()) use("fd", name);
    if (name.starts_with('/')) use("fd", name.substr(1));
    if (file.type == type_unix) use("fd", sentence("socket:[%u]", file.record.id("ino")));
    if (file.type == type_pipe) use("fd", sentence("pipe:[%u]", file.record.id("pipe_id")));
  }
  set.each("TTY_INFO", [this](const std::string&, std::uint64_t, const Record& info) {
    use("fd", sentence("tty[%x:%x]", info.id("rdev"), info.id("dev")));
  });
  const auto use_key = [this](const std::string&, std::uint64_t, const Record& record) {
    if (record.has("ext_key")) use("fd", record.text("ext_key"));
  };
  set.each("NETNS", use_key);
  set.each("PIDNS", use_key);
}

std::vector<std::string> GivenKeys::unused() const {
  std::vector<std::string> unused;
  for (const Key& key : keys_)
    if (!key.is_used) unused.push_back(key.option + " " + key.given);
  return unused;
}

}  // namespace critpipe
