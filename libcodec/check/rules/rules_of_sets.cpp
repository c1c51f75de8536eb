// What there is: the set as a whole, and images that can't be read.
#include <algorithm>

#include "check/checked_images.hpp"

namespace critpipe {

namespace {

void find_other_kinds(const CheckedImages& set, const Reporter& report) {
  for (const auto& [name, image] : set.images)
    if (image.is_other_kind)
      report(
          {name},
          format("it holds an image of kind %.*s", static_cast<int>(image.kind->name.size()), image.kind->name.data()),
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
           format("version %llu; CRIU reads 1 to 3", static_cast<unsigned long long>(version)));
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
    report({"inventory.img", 0, "img_version"}, format("version %llu, but pages are compressed", version));
}

void find_compression(const CheckedImages& set, const Reporter& report) {
  constexpr std::uint64_t last_mode = 2;
  const Record inventory = set.first("INVENTORY");
  const std::uint64_t mode = inventory.number("compress");
  if (mode > last_mode)
    report({"inventory.img", 0, "compress"}, format("way %llu is not known", static_cast<unsigned long long>(mode)));
  const bool is_new = inventory.number("img_version") == version_of_blocks;
  if (inventory && is_new && mode == 0 && has_blocks(set))
    report({"inventory.img", 0, "compress"}, "it says that no pages are compressed, but some are", Severity::warning);
}

// CRIU takes the form of all heads from the inventory, whose own is the same in all versions.
void find_wrong_heads(const CheckedImages& set, const Reporter& report) {
  const std::uint64_t version = set.first("INVENTORY").number("img_version");
  if (version < 1 || version > version_of_blocks) return;
  for (const auto& [name, image] : set.images) {
    if (name == "inventory.img" || image.head == Head::none || image.head == Head::service) continue;
    if ((image.head == Head::bare) == (version == 1)) continue;
    report({name}, format("its head is of %s version than %llu, the inventory's",
                          version == 1 ? "a later" : "an earlier", static_cast<unsigned long long>(version)));
  }
}

// Images that development versions and forks write.
void find_unreleased(const CheckedImages& set, const Reporter& report) {
  constexpr std::pair<std::string_view, const char*> known[] = {
      {"luo-metadata.img", "what a live update of the kernel keeps"},
      {"cuda-gpu-inventory.img", "which GPUs a CUDA program used"}};
  for (const auto& [name, image] : set.images) {
    if (name == "cipher.img") report({name}, "the images are encrypted", Severity::error);
    if (name.starts_with("gpu-cs-") && name.ends_with(".img")) report({name}, "memory of a GPU");
    if (name.starts_with("pages-") && name.ends_with(".comp.img"))
      report({name}, "pages in one LZ4 frame, as CRaC's CRIU writes them: lz4 -d makes pages of it");
    for (const auto& [other, what] : known)
      if (name == other) report({name}, what);
  }
}

// A part of a checkpoint that is beside it in the inputs needs no word.
void find_pre_dump(const CheckedImages& set, const Reporter& report) {
  if (set.has_tasks() || (set.memories.empty() && !set.has("inventory.img")) || set.is_parent) return;
  const bool is_dump = set.has("inventory.img");
  const std::string what = is_dump ? "a pre-dump has memory only, no pstree and no tasks"
                                   : "pagemaps and pages only, as a page server writes them";
  report({}, what, set.has_tree_beside ? Severity::note : Severity::error);
}

void find_lone_images(const CheckedImages& set, const Reporter& report) {
  if (!set.has_tasks() && set.memories.empty() && !set.has("inventory.img"))
    report({}, "no inventory, no pstree and no pagemap: only what each image says was checked");
}

void find_pages_elsewhere(const CheckedImages& set, const Reporter& report) {
  if (!set.running().empty() && set.memories.empty() && set.pages.empty() && !set.is_cut)
    report.need({}, "there are no pagemaps and no pages: they went to a page server, or were left out");
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

// Blocks that came before what tells how they are stored went by unread.
void find_unread_blocks(const CheckedImages& set, const Reporter& report) {
  if (!set.directory.empty()) return;
  for (const auto& [id, memory] : set.memories) {
    const std::uint64_t pages_id = memory.pagemap.pages_id;
    if (!memory.is_compressed || !set.pages.contains(pages_id)) continue;
    const auto decoded = set.decoded.find(pages_id);
    if (decoded == set.decoded.end())
      report({pages_name(pages_id)}, "not looked at: its blocks, since it came before its pagemap");
    else if (decoded->second.page_size != set.page_size())
      report({pages_name(pages_id)}, "not looked at: its blocks, since it came before what tells how large pages are");
  }
}

void find_unseen(const CheckedImages& set, const Reporter& report) {
  find_unread_blocks(set, report);
  if (!set.has_tasks()) return;
  std::size_t threads = 0;
  for (const Task& task : set.checkpoint.tasks()) threads += task.threads.size();
  std::size_t regular = 0, sockets = 0, profiles = 0;
  for (const SeenFile& file : set.files()) {
    regular += type_name(file.type) == "REG";
    sockets += type_name(file.type) == "INETSK";
  }
  for (const auto& [tid, core] : set.cores) profiles += !core.lsm_profile.empty();
  report({}, format("not looked at: whether %zu %s free, and the processor has what the programs use", threads,
                    threads == 1 ? "pid is" : "pids are"));
  if (regular > 0)
    report({"files.img"},
           format("not looked at: whether %zu file%s there with %s size%s", regular, regular == 1 ? " is" : "s are",
                  regular == 1 ? "its" : "their", regular == 1 ? "" : "s"));
  if (sockets > 0)
    report({"files.img"}, format("not looked at: whether the addresses of %zu socket%s are there and free", sockets,
                                 sockets == 1 ? "" : "s"));
  if (profiles > 0)
    report({}, format("not looked at: whether the security module knows the profile%s of %zu thread%s",
                      profiles == 1 ? "" : "s", profiles, profiles == 1 ? "" : "s"));
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
    {{"inventory-compress", Severity::error, "The inventory says of compressed pages what is not so, or not known.",
      "Take the inventory from the dump as it was written."},
     find_compression},
    {{"image-head", Severity::error, "The head of an image is not of the version that the inventory says.",
      "Take all images from the same dump."},
     find_wrong_heads},
    {{"image-unreleased", Severity::warning, "An image of a kind that no release of CRIU up to 4.2.1 reads.",
      "Restore with the version of CRIU that dumped it."},
     find_unreleased},
    {{"needs-newer", Severity::warning, "Releases of CRIU up to 4.2.1 do not read the images.",
      "Restore with a newer one, or after crit-repack --decompress --flatten."},
     find_new_version},
    {{"pre-dump", Severity::error, "The set has memory and no tasks: it is a part of a checkpoint.",
      "Restore from the last dump, whose parent this is."},
     find_pre_dump},
    {{"images-alone", Severity::note, "The images are no set.", "Name the directory or the archive of a checkpoint."},
     find_lone_images},
    {{"pages-elsewhere", Severity::error, "A set with tasks has neither pagemaps nor pages.",
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
