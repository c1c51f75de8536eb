// What there is: the set as a whole, and images that can't be read.
#include <algorithm>

#include "check/check_text.hpp"
#include "check/checked_images.hpp"

namespace critpipe {

namespace {

void find_other_kinds(const CheckedImages& set, const Reporter& report) {
  for (const auto& [name, image] : set.images)
    if (image.is_other_kind)
      report({name},
             sentence("it holds a %.*s image", static_cast<int>(image.kind->name.size()), image.kind->name.data()),
             name.starts_with("stats-") || name == "irmap-cache" ? Severity::warning : Severity::error);
}

// CRIU wants an entry of these kinds where there is an image.
void find_empty_images(const CheckedImages& set, const Reporter& report) {
  constexpr std::string_view kinds[] = {"INVENTORY",  "CORE",       "IDS",           "MM",    "FS",
                                        "GHOST_FILE", "PAGEMAP",    "MNTS",          "UTSNS", "IPC_VAR",
                                        "USERNS",     "TCP_STREAM", "SHMEM_PAGEMAP", "NETNS"};
  for (const auto& [name, image] : set.images) {
    if (image.entries > 0 || !image.kind || set.is_damaged(name)) continue;
    if (std::ranges::find(kinds, image.kind->name) != std::end(kinds)) report({name}, "it has no entry");
    if (image.kind->name == "TIMENS" || image.kind->name == "NETDEV") report({name}, "it has no entry", Severity::loss);
  }
}

void find_missing_inventory(const CheckedImages& set, const Reporter& report) {
  if (set.has_tasks() && !set.has("inventory.img") && !set.is_cut)
    report({"inventory.img"},
           "this image is missing: CRIU writes it last, so the dump failed, or the copy is incomplete");
}

void find_old_inventory(const CheckedImages& set, const Reporter& report) {
  const Record inventory = set.first("INVENTORY");
  if (!inventory || !set.has_tasks()) return;
  const std::uint64_t version = inventory.number("img_version");
  if (version < 1 || version > 3)
    report({"inventory.img", 0, "img_version"},
           sentence("version %llu; CRIU reads 1 to 3", static_cast<unsigned long long>(version)));
  if (inventory.number("fdinfo_per_id") == 0)
    report({"inventory.img", 0, "fdinfo_per_id"}, "it is not set, as before CRIU 1.0: \"Too old image\"");
}

constexpr std::uint64_t version_of_blocks = 3;

bool has_blocks(const CheckedImages& set) {
  return std::ranges::any_of(set.memories, [](const auto& one) { return one.second.is_compressed; });
}

void find_new_version(const CheckedImages& set, const Reporter& report) {
  const bool is_new = set.first("INVENTORY").number("img_version") == version_of_blocks;
  if (is_new || has_blocks(set))
    report(
        {is_new ? "inventory.img" : "", is_new ? 0 : Error::nowhere, is_new ? "img_version" : ""},
        has_blocks(set) ? "pages are compressed" : "the version of sets with compressed pages, or with such a parent");
}

void find_wrong_version(const CheckedImages& set, const Reporter& report) {
  const Record inventory = set.first("INVENTORY");
  if (!inventory || inventory.number("img_version") == version_of_blocks) return;
  const auto version = static_cast<unsigned long long>(inventory.number("img_version"));
  if (inventory.number("compress") != 0 || has_blocks(set))
    report({"inventory.img", 0, "img_version"}, sentence("version %llu, but pages are compressed", version));
}

// A part of a checkpoint that is beside it in the inputs needs no word.
void find_pre_dump(const CheckedImages& set, const Reporter& report) {
  if (set.has_tasks() || (set.memories.empty() && !set.has("inventory.img")) || set.is_parent) return;
  const bool is_dump = set.has("inventory.img");
  const std::string what = is_dump ? "a pre-dump has memory only, no pstree and no tasks"
                                   : "pagemaps and pages only, as a page server writes them";
  // An archive of a pre-dump says by the name of its directory that it is no more.
  const bool is_part = set.has_tree_beside || generation_of(set.id.set).number > 0;
  report({}, what, is_part ? Severity::note : Severity::error);
}

void find_lone_images(const CheckedImages& set, const Reporter& report) {
  if (!set.has_tasks() && set.memories.empty() && !set.has("inventory.img"))
    report({}, "no inventory, no pstree and no pagemap: only what each image says was checked");
}

void find_pages_elsewhere(const CheckedImages& set, const Reporter& report) {
  if (!set.running().empty() && set.memories.empty() && set.pages.empty() && !set.is_cut)
    report({}, "there are no pagemaps and no pages: they went to a page server, or were left out");
}

void find_plugins(const CheckedImages& set, const Reporter& report) {
  std::string names;
  const Record plugins = set.first("INVENTORY").inner("plugins_entry");
  plugins.each_text("plugins", [&](std::string_view name) {
    if (!names.empty()) names += ", ";
    names += quoted(name);
  });
  if (!names.empty()) report({"inventory.img", 0, "plugins_entry.plugins"}, "CRIU must find its plugins " + names);
}

void find_unseen(const CheckedImages& set, const Reporter& report) {
  if (!set.has_tasks()) return;
  std::size_t threads = 0;
  for (const Task& task : set.checkpoint.tasks()) threads += task.threads.size();
  std::size_t regular = 0, sockets = 0, profiles = 0;
  for (const SeenFile& file : set.files()) {
    regular += type_name(file.type) == "REG";
    sockets += type_name(file.type) == "INETSK";
  }
  for (const auto& [tid, core] : set.cores) profiles += !core.lsm_profile.empty();
  report({},
         sentence("not looked at: whether %zu pids are free, and the processor has what the programs use", threads));
  if (regular > 0)
    report({"files.img"}, sentence("not looked at: whether %zu files are there with their sizes", regular));
  if (sockets > 0)
    report({"files.img"}, sentence("not looked at: whether the addresses of %zu sockets are there and free", sockets));
  if (profiles > 0)
    report({}, sentence("not looked at: whether the security module knows the profiles of %zu threads", profiles));
}

constexpr RuleRow rows[] = {
    {{"damaged", Severity::error, "An image, an archive or its compression is cut short or damaged.",
      "Copy it again from where the dump was written; nothing can be read behind the damage."}},
    {{"image-kind", Severity::error, "An image holds another kind than its name says.",
      "Put the right image in its place; CRIU refuses the magic."},
     find_other_kinds},
    {{"image-empty", Severity::error, "An image that has an entry in every dump has none.",
      "Take the image from the dump as it was written."},
     find_empty_images},
    {{"image-unknown", Severity::note, "A file named *.img is no image that CRIU knows.",
      "Nothing, unless a plugin should read it: CRIU passes it over."}},
    {{"inventory-missing", Severity::error, "There is no inventory, which CRIU reads first and writes last.",
      "Dump again, or copy what is missing: without an inventory the dump did not finish."},
     find_missing_inventory},
    {{"inventory-old", Severity::error, "The images have a version that CRIU does not read.",
      "Restore with the release of CRIU that dumped them."},
     find_old_inventory},
    {{"inventory-version", Severity::error, "Pages are compressed, and the version of the images is older.",
      "Take the inventory from the dump as it was written."},
     find_wrong_version},
    {{"needs-newer", Severity::warning, "Releases of CRIU up to 4.2.1 do not read the images.",
      "Restore with a newer one, or after crit-repack --decompress --flatten."},
     find_new_version},
    {{"pre-dump", Severity::error, "The set has memory and no tasks: it is a part of a checkpoint.",
      "Restore from the last dump, whose parent this is."},
     find_pre_dump},
    {{"images-alone", Severity::note, "The images are no set.", "Name the directory or the archive of a checkpoint."},
     find_lone_images},
    {{"pages-elsewhere", Severity::warning, "A set with tasks has neither pagemaps nor pages.",
      "Put the images of the page server beside the others before a restore."},
     find_pages_elsewhere},
    {{"needs-plugins", Severity::warning, "The dump used plugins, which the restore needs, too.",
      "Install them where CRIU looks for them (criu --lib)."},
     find_plugins},
    {{"unseen", Severity::note, "What the images do not tell.",
      "Look at it on the machine where the checkpoint will be restored."},
     find_unseen},
};

}  // namespace

std::span<const RuleRow> sets_rules() { return rows; }

}  // namespace critpipe
