// What the engine of a container wants beside the images.
#include <algorithm>

#include "check/checked_images.hpp"
#include "check/files_beside.hpp"

namespace critpipe {

namespace {

// Where there are no images of tasks, it is a part of a checkpoint, or what stands beside many.
bool lacks(const CheckedImages& set, const std::string& name) {
  return set.beside && set.has_tasks() && !set.is_cut && !set.beside->has(name);
}

void find_unreadable(const CheckedImages& set, const Reporter& report) {
  if (!set.beside) return;
  for (const auto& [name, why] : set.beside->unreadable) report({.image = {}, .beside = name}, why);
}

void find_missing(const CheckedImages& set, const Reporter& report) {
  constexpr const char* names[] = {"config.dump", "spec.dump"};
  const bool has_one =
      set.beside && std::ranges::any_of(names, [&](const char* name) { return set.beside->has(name); });
  for (const char* const name : names)
    if (lacks(set, name))
      report({.image = {}, .beside = name}, "it is missing: the engine that made the checkpoint does not restore it",
             has_one ? Severity::loss : Severity::warning);
}

void find_no_difference(const CheckedImages& set, const Reporter& report) {
  if (!lacks(set, "rootfs-diff.tar")) return;
  report({.image = {}, .beside = "rootfs-diff.tar"},
         "it is not there: the container changed no file, or its files were left out or are lost");
}

constexpr RuleRow rows[] = {
    {{"engine-unreadable", Severity::loss, "The configuration of the container can't be read.",
      "Copy it again: the images alone can be restored, but not by the engine."},
     find_unreadable},
    {{"engine-missing", Severity::loss, "The configuration of the container is not there.",
      "Copy it again: the images alone can be restored, but not by the engine."},
     find_missing},
    {{"engine-files", Severity::note, "The files that the container changed are not there.",
      "Nothing, where it changed none or they were left out; else copy rootfs-diff.tar again."},
     find_no_difference},
};

}  // namespace

std::span<const RuleRow> engines_rules() { return rows; }

}  // namespace critpipe
