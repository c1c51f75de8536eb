#include "source/nested_place.hpp"

#include <algorithm>
#include <array>

#include "base/path_names.hpp"
#include "critpipe/schema.hpp"
#include "source/set_places.hpp"

namespace critpipe {

namespace {

constexpr std::size_t fewest_digits = 12;  // of a digest; engines show as many of one
constexpr std::string_view whiteout_prefix = ".wh.";

// Before the file's name, without its slash.
std::string_view directory_part(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  return slash == name.npos ? std::string_view{} : name.substr(0, slash);
}

bool is_digest(std::string_view text) {
  return text.size() >= fewest_digits && text.find_first_not_of("0123456789abcdef") == text.npos;
}

// Directories of a file system: none of them is the directory of a container in a pod.
bool is_root_directory(std::string_view name) {
  static constexpr auto names = std::to_array<std::string_view>(
      {"bin", "boot", "dev",  "etc", "home", "lib",     "lib32", "lib64", "libx32", "lost+found", "media", "mnt", "nix",
       "opt", "proc", "root", "run", "sbin", "selinux", "snap",  "srv",   "sys",    "tmp",        "usr",   "var"});
  return std::ranges::find(names, name) != names.end();
}

enum class Place : std::uint8_t { images, container, elsewhere };

// "", checkpoint, pre-checkpoint; the same below the directory of a container of a pod, which itself holds no images.
Place place_of(std::string_view directory) {
  if (directory.empty() || is_images_directory(directory)) return Place::images;
  const std::size_t slash = directory.find('/');
  if (is_root_directory(directory.substr(0, slash))) return Place::elsewhere;
  if (slash == directory.npos) return Place::container;
  return is_images_directory(directory.substr(slash + 1)) ? Place::images : Place::elsewhere;
}

}  // namespace

bool is_layer_name(std::string_view name) {
  const std::string_view last = last_part(name), directory = directory_part(name);
  if (last == "layer.tar") return true;
  if (last_part(directory_part(directory)) == "blobs") return true;
  const std::string_view stem = last.substr(0, last.find('.'));
  const std::string_view suffix = last.substr(stem.size());
  return is_digest(stem.substr(stem.find(':') + 1)) && (suffix.empty() || suffix.starts_with(".tar"));
}

std::string short_layer_name(std::string_view path) {
  for (std::string_view left = path; !left.empty(); left = directory_part(left)) {
    const std::string_view last = last_part(left);
    const std::string_view digest = last.substr(0, last.find('.'));
    const std::string_view digits = digest.substr(digest.find(':') + 1);
    if (is_digest(digits)) return std::string{digits.substr(0, fewest_digits)};
  }
  const std::string_view last = last_part(path), directory = last_part(directory_part(path));
  return std::string{last == "layer.tar" && !directory.empty() ? directory : last.substr(0, last.find('.'))};
}

NestedPlace::Role NestedPlace::role_of(std::string_view name, bool is_directory) {
  if (!in_layer) return is_directory || !is_image_name(name) ? Role::other : Role::image;
  if (is_directory || is_another) return Role::nothing;
  const std::string_view directory = directory_part(name), last = last_part(name);
  const Place place = place_of(directory);
  if (place == Place::elsewhere) return Role::nothing;
  if (last.starts_with(whiteout_prefix)) {
    const std::string_view gone = last.substr(whiteout_prefix.size());
    const bool is_images = gone.starts_with(whiteout_prefix) ? !directory.empty() : is_images_directory(gone);
    const bool is_image = place == Place::images && kind_of_name(gone);
    return is_image || is_images ? Role::whiteout : Role::nothing;
  }
  if (!is_image_name(name)) return Role::other;
  // What stands at the top, or in a directory like any other, has first to show that it is an image.
  if (place == Place::container) return last.ends_with(".img") ? Role::nothing : Role::maybe_image;
  if (checkpoints.contains(directory)) return Role::image;
  const Kind* kind = kind_of_name(last);
  if (!kind || (directory.empty() && !kind->is_raw())) return Role::maybe_image;
  checkpoints.emplace(directory);
  return Role::image;
}

void NestedPlace::confirm(std::string_view name) { checkpoints.emplace(directory_part(name)); }

}  // namespace critpipe
