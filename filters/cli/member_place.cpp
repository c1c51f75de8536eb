#include "cli/member_place.hpp"

#include <algorithm>

#include "critpipe/schema.hpp"

namespace critpipe::filters {

namespace {

constexpr std::string_view parent = "parent";
constexpr std::string_view usual = "checkpoint";
constexpr std::string_view before = "pre-checkpoint";
constexpr std::uint32_t max_generation = 1 << 20;

std::string_view name_in(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// How many generations a directory leads up: 1 for parent and pre-checkpoint, 2 for pre-checkpoint-2. 0: none.
std::uint32_t generations(std::string_view directory) {
  if (directory == parent || directory == before) return 1;
  if (!directory.starts_with(before) || directory.size() < before.size() + 2 || directory[before.size()] != '-')
    return 0;
  std::uint32_t number = 0;
  for (const char digit : directory.substr(before.size() + 1)) {
    if (digit < '0' || digit > '9' || number > max_generation) return 0;
    number = number * 10 + static_cast<std::uint32_t>(digit - '0');
  }
  return number >= 2 && directory[before.size() + 1] != '0' ? number : 0;
}

std::string before_name(std::uint32_t generation) {
  std::string name{before};
  if (generation > 1) name.append(1, '-').append(std::to_string(generation));
  return name;
}

// Engines have statistics beside the directory of images, and what the runtime adds in it.
bool is_with_images(std::string_view name) {
  return name == "descriptors.json" || name == parent || (is_image_name(name) && !name.starts_with("stats-"));
}

}  // namespace

MemberPlace::MemberPlace(std::string_view path) : name{name_in(path)} {
  path.remove_suffix(name.size());
  while (!path.empty()) {
    const std::string_view outer = path.substr(0, path.size() - 1);
    const std::string_view last = name_in(outer);
    const std::uint32_t more = generations(last);
    const bool is_usual = generation == 0 && last == usual && is_with_images(name);
    if (more == 0 && !is_usual) break;
    generation = std::min(generation + more, max_generation);
    path.remove_suffix(last.size() + 1);
    if (is_usual) break;
  }
  base = path;
}

std::string MemberPlace::in_stream() const {
  std::string path = base;
  for (std::uint32_t i = 0; i < generation; ++i) path.append(parent).append(1, '/');
  return path + name;
}

std::string MemberPlace::in_archive() const {
  if (generation > 0 || !is_with_images(name)) return in_directory();
  return base + std::string{usual} + "/" + name;
}

std::string MemberPlace::in_directory() const {
  return generation > 0 ? base + before_name(generation) + "/" + name : base + name;
}

MemberPlace::Link MemberPlace::link_in_archive() const {
  const std::string from = generation == 0 ? std::string{usual} : before_name(generation);
  return {base + from + "/" + std::string{parent}, "../" + before_name(generation + 1)};
}

MemberPlace::Link MemberPlace::link_in_directory() const {
  if (generation > 0) return link_in_archive();
  return {base + std::string{parent}, before_name(1)};
}

Rank rank_of(std::string_view path) {
  const MemberPlace place{path};
  const std::string_view name = place.name;
  if (is_image_name(name)) {
    const Kind* kind = kind_of_name(name);
    return kind && kind->is_raw() && name.starts_with("pages-") ? Rank::pages : Rank::image;
  }
  return name.ends_with(".tar") ? Rank::bulk : Rank::configuration;
}

}  // namespace critpipe::filters
