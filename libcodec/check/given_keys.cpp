#include "check/given_keys.hpp"

#include "check/checked_images.hpp"
#include "model/file_types.hpp"

namespace critpipe {

namespace {

// Is it "TYPE[KEY]:VALUE", where the value may be missing?
bool has_key(std::string_view given) {
  const std::size_t open = given.find('[');
  if (open == given.npos || open == 0) return false;
  return given.find("]:", open) != given.npos || given.ends_with(']');
}

}  // namespace

// What has no key at all fits to nothing, either. Of --external, only those of mounts have their keys in images that
// are looked at.
GivenKeys::GivenKeys(const RestorePlan& plan) {
  for (const std::string& given : plan.external)
    if (!has_key(given) || given.starts_with("mnt[")) keys_.push_back({true, given});
  for (const std::string& given : plan.inherit_fd) keys_.push_back({false, given});
}

void GivenKeys::use_mount(std::string_view key) {
  for (Key& one : keys_)
    if (one.is_external) one.is_used |= external_value({&one.given, 1}, "mnt", key).has_value();
}

void GivenKeys::use_file(std::string_view key) {
  for (Key& one : keys_)
    if (!one.is_external) one.is_used |= has_inherited({&one.given, 1}, key);
}

// CRIU takes any file by the name that it has for it, not only those from outside.
void GivenKeys::look_at(const CheckedImages& set) {
  if (keys_.empty()) return;
  set.each("MNTS", [this](const std::string&, std::uint64_t, const Record& mount) {
    if (!mount.has("ext_key") && mount.number("ext_mount") == 0) return;
    use_mount(mount.has("ext_key") ? mount.text("ext_key") : mount.text("root"));
    use_mount("");
  });
  for (const SeenFile& file : set.files()) {
    const std::string_view name = file.type == type_reg ? file.record.text("name") : std::string_view{};
    if (!name.empty()) use_file(name);
    if (name.starts_with('/')) use_file(name.substr(1));
    if (file.type == type_unix) use_file(format("socket:[%u]", file.record.id("ino")));
    if (file.type == type_pipe) use_file(format("pipe:[%u]", file.record.id("pipe_id")));
  }
  set.each("TTY_INFO", [this](const std::string&, std::uint64_t, const Record& info) {
    use_file(format("tty[%x:%x]", info.id("rdev"), info.id("dev")));
  });
  const auto use_key = [this](const std::string&, std::uint64_t, const Record& record) {
    if (record.has("ext_key")) use_file(record.text("ext_key"));
  };
  set.each("NETNS", use_key);
  set.each("PIDNS", use_key);
}

std::vector<std::string> GivenKeys::unused() const {
  std::vector<std::string> unused;
  for (const Key& key : keys_)
    if (!key.is_used) unused.push_back((key.is_external ? "--external " : "--inherit-fd ") + key.given);
  return unused;
}

}  // namespace critpipe
