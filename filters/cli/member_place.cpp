#include "cli/member_place.hpp"

#include "critpipe/source.hpp"

namespace critpipe::filters {

namespace {

constexpr std::string_view parent = "parent";
constexpr std::string_view usual = "checkpoint";
constexpr std::string_view before = "pre-checkpoint";
std::string_view name_in(std::string_view path) { return path.substr(path.rfind('/') + 1); }

std::string without_slash(const std::string& base) { return base.empty() ? base : base.substr(0, base.size() - 1); }

std::string before_name(std::uint32_t generation) {
  std::string name{before};
  if (generation > 1) name.append(1, '-').append(std::to_string(generation));
  return name;
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

bool MemberPlace::is_with_images() const {
  if (name == "descriptors.json" || name == parent) return true;
  return is_image_name(name) && !name.starts_with("stats-");
}

std::string MemberPlace::in_stream() const {
  std::string path = base;
  for (std::uint32_t i = 0; i < generation; ++i) path.append(parent).append(1, '/');
  return path + name;
}

std::string MemberPlace::in_archive() const {
  if (generation > 0 || !is_with_images()) return in_directory();
  return images_in_archive() + "/" + name;
}

std::string MemberPlace::in_directory() const {
  return generation > 0 ? images_in_directory() + "/" + name : base + name;
}

std::string MemberPlace::images_in_archive() const {
  const std::string outer = without_slash(base);
  if (generation > 0 || name_in(outer) == usual) return images_in_directory();
  return base + std::string{usual};
}

std::string MemberPlace::images_in_directory() const {
  return generation > 0 ? base + before_name(generation) : without_slash(base);
}

std::string path_between(std::string_view from, std::string_view to) {
  const auto cut_first = [](std::string_view& path) {
    const std::size_t slash = path.find('/');
    path.remove_prefix(slash == path.npos ? path.size() : slash + 1);
  };
  while (!from.empty() && !to.empty() && from.substr(0, from.find('/')) == to.substr(0, to.find('/'))) {
    cut_first(from);
    cut_first(to);
  }
  std::string path;
  for (; !from.empty(); cut_first(from)) path += "../";
  path += to;
  return path.empty() ? "." : path;
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
