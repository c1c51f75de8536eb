// Where a member of a checkpoint stands, in each form that holds several.
//
//                           image stream          archive, as podman has it           directory
//     an image              core-1.img            checkpoint/core-1.img               core-1.img
//     of the parent         parent/pages-1.img    pre-checkpoint/pages-1.img          pre-checkpoint/pages-1.img
//     of its parent         parent/parent/...     pre-checkpoint-2/...                pre-checkpoint-2/...
//     the link to a parent  parent (a file)       checkpoint/parent -> ../pre-...     parent -> pre-checkpoint
//     another file          config.dump           config.dump                         config.dump
//
// All of it may be below a directory, which names the set. Each spelling is understood in each form.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace critpipe::filters {

// In this order they stand in an archive.
enum class Rank : std::uint8_t { configuration, image, bulk, pages };

struct MemberPlace {
  std::string base;              // the directory of the set, with its slash; empty at the top
  std::uint32_t generation = 0;  // 1: of the parent; 2: of its parent
  std::string name;

  MemberPlace() = default;
  explicit MemberPlace(std::string_view path);

  // The file that says that a set has a parent; it holds what the link leads to.
  bool is_parent_link() const { return name == "parent"; }
  // Is it beside the images, wherever these are? Engines have statistics and configuration elsewhere.
  bool is_with_images() const;
  std::string in_stream() const;
  std::string in_archive() const;
  std::string in_directory() const;
  // The directories of the images, without a slash at the end; empty: the top.
  std::string images_in_archive() const;
  std::string images_in_directory() const;
};

Rank rank_of(std::string_view path);

// What a link in one directory says that leads to another.
std::string path_between(std::string_view from, std::string_view to);

}  // namespace critpipe::filters
