#include "cli/member_place.hpp"

#include "critpipe/source.hpp"

namespace critpipe::filters {

namespace {

constexpr std::string_view parent = "parent";
constexpr std::string_view usual = "checkpoint";
constexpr std::string_view before = "pre-checkpoint";
std::string_view name_in(std::string_view path) { return path.substr(path.rfind('/') + 1); }

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
  std::string_view directory = path.substr(0, path.size() - name.size());
  if (!directory.empty()) directory.remove_suffix(1);
  const Generation of = generation_of(directory);
  generation = of.number;
  base = of.base;
  if (!base.empty()) base += '/';
}

std::string MemberPlace::in_stream() const {
  std::string path = base;
  for (std::uint32_t i = 0; i < generation; ++i) path.append(parent).append(1, '/');
  return path + name;
}

std::string MemberPlace::in_archive() const {
  const bool is_there =
      !is_with_images(name) || name_in(std::string_view{base}.substr(0, base.size() - !base.empty())) == usual;
  if (generation > 0 || is_there) return in_directory();
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
