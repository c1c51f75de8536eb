// Where the images of a set stand in an input, and those of its parents. Internal.
#pragma once

#include <cstdint>
#include <string_view>

#include "critpipe/base.hpp"

namespace critpipe {

// The directory with the images of a container's checkpoint. A set is not named after it.
constexpr std::string_view usual_directory = "checkpoint";
// The directories with those of its parents: this one, or with "-2", "-3", ... behind it.
constexpr std::string_view earlier_directory = "pre-checkpoint";

// parent/parent/... still is a name. Further up they are sets like any other.
constexpr std::uint32_t max_generation = 500;

// How many parents of a directory are followed, one above the other: so many that the names of all of them may stand in
// one stream, "parent/", "parent/parent/", ...
constexpr std::uint32_t max_parents = 300;
static_assert(sizeof "parent" * max_parents * (max_parents + 1) / 2 < max_set_name_bytes);

// How many generations the last directory of a path leads up: "parent", "pre-checkpoint-2"; 0: none.
std::uint32_t generations_up(std::string_view directory);

// Do the images of a set, or of one of its parents, stand in a directory of that name?
bool is_images_directory(std::string_view name);

}  // namespace critpipe
