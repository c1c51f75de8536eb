// What is not memory: passed on, or kept to be changed where it says how memory is stored.
#include <algorithm>

#include "cli/inputs.hpp"
#include "cli/parent_sets.hpp"
#include "crit-repack/repack.hpp"
#include "critpipe/image_writer.hpp"

namespace critpipe::filters {

// All members but the pages of the set, each with a sink of its own.
class Repack::PassOn final : public Decoding {
 public:
  explicit PassOn(Repack& repack) : Decoding{limits_of(repack.program_)}, repack_{repack} {}
  std::unique_ptr<Sink> sink_for(const Member& member) override;
  void report(const Error& error) override { (void)repack_.fail(error); }

 private:
  class One;
  class Keep;
  class LookAtForm;
  bool is_parent(const Member& member) const;

  Repack& repack_;
};

class Repack::PassOn::One final : public ImageSink {
 public:
  One(ImagesOut& images, const Member& member)
      : ImageSink{nullptr}, images_{images}, name_{member.path}, size_{member.size} {}
  ~One() override {
    if (output_) (void)images_.close(output_, false);
  }
  Step begin(const Image& image) override {
    output_ = images_.open(name_, image.kind, OutForm::stream, size_);
    write_to(output_);
    return ImageSink::begin(image);
  }
  Step end() override { return output_ ? images_.close(std::exchange(output_, nullptr), true) : Step::go; }

 private:
  ImagesOut& images_;
  std::string name_;
  std::uint64_t size_;
  Output* output_ = nullptr;
};

// A small image, as its bytes.
class Repack::PassOn::Keep final : public ImageSink {
 public:
  Keep(std::string& kept) : ImageSink{&output_}, kept_{kept} {}
  Step end() override {
    kept_ = output_.take();
    return Step::go;
  }

 private:
  std::string& kept_;
  StringOutput output_;
};

// Which release wrote a pagemap?
class Repack::PassOn::LookAtForm final : public Sink {
 public:
  explicit LookAtForm(PagemapForm& form) : form_{form} {}
  Step begin(const Image& image) override {
    form_.head = image.head;
    return Step::go;
  }
  Step entry(const Entry& entry) override {
    if (entry.index == 0) return Step::go;
    // Development versions had other messages than the releases, and one set may have both.
    const Field& compat = *entry.message->find("compat_nr_pages");
    const Field& pages = *entry.message->find("nr_pages");
    const Field& flags = *entry.message->find("flags");
    if (integer_or(pages, *entry.message, entry.payload, 0) != 0 &&
        integer_or(compat, *entry.message, entry.payload, 0) == 0)
      form_.old_counts = false;
    if (find_value(flags, *entry.message, entry.payload)) form_.no_flags = false;
    return Step::go;
  }

 private:
  PagemapForm& form_;
};

// The old image of one that was replaced?
bool is_bak(std::string_view name) {
  constexpr std::string_view suffix = ".bak";
  if (!name.ends_with(suffix)) return false;
  name.remove_suffix(suffix.size());
  return name == "inventory.img" || memory_of_name(name) || pages_id_of_name(name);
}

bool Repack::PassOn::is_parent(const Member& member) const {
  const Generation own = generation_of(repack_.set_.id->set), other = generation_of(member.set->set);
  return own.base == other.base && other.number > own.number;
}

std::unique_ptr<Sink> Repack::PassOn::sink_for(const Member& member) {
  Repack& all = repack_;
  const bool passes = !all.program_.has("rewrite");
  if (*member.set != *all.set_.id) {
    const bool is_left = all.resolves() && is_parent(member);
    return passes && !is_left ? std::make_unique<One>(*all.images_, member) : nullptr;
  }
  if (is_parent_link(member)) {
    all.has_link_ = true;
    const bool is_new = all.resolves() || !all.directory().empty();
    all.writes_link_ |= !is_new;
    return passes && !is_new ? std::make_unique<One>(*all.images_, member) : nullptr;
  }
  if (member.name == "inventory.img" || member.name == "stats-dump") {
    all.paths_[member.name] = member.path;
    return std::make_unique<Keep>(all.kept_[member.name]);
  }
  if (const auto memory = memory_of_name(member.name)) {
    if (std::ranges::find(all.set_.memories, *memory) != all.set_.memories.end())
      return std::make_unique<LookAtForm>(all.forms_[*memory]);
  } else if (const auto pages_id = pages_id_of_name(member.name)) {
    if (std::ranges::find(all.set_.pages_ids, *pages_id) != all.set_.pages_ids.end()) return nullptr;
  }
  if (passes && is_bak(member.name)) {
    if (!std::exchange(all.leaves_baks_, true))
      all.program_.note(visible(member.place) + ": what crit compress kept is left out");
    return nullptr;
  }
  return passes ? std::make_unique<One>(*all.images_, member) : nullptr;
}

void Repack::pass_on() {
  PassOn others{*this};
  SourceOptions options = source_options(program_);
  options.all_members = true;
  options.stdin_offset = stdin_offset_;
  (void)critpipe::read_input(inputs_.front(), others, options);
}

namespace {

// A number of an inventory's; 0: it has none, or cannot be read.
std::int64_t number_in(const StoredImage& inventory, std::string_view field) {
  return inventory.entries.empty() ? 0 : inventory.entries.front().integer(field);
}

}  // namespace

std::int64_t Repack::kept_inventory(std::string_view field) const {
  const auto kept = kept_.find("inventory.img");
  StoredImage inventory;
  if (kept == kept_.end() || inventory.load(std::as_bytes(std::span{kept->second}), kept->first)) return 0;
  return number_in(inventory, field);
}

// Is any parent compressed that the new set refers to?
bool Repack::is_compressed_above() {
  if (options_.flatten || (base_ && !refers_)) return false;
  for (PageStore* above = base_ ? base_.get() : set_.store->parent(); above; above = above->parent()) {
    StoredImage inventory;
    PageDirectory* const directory = above->page_directory();
    if (directory && !inventory.load(directory->path() + "/inventory.img") && number_in(inventory, "compress") != 0)
      return true;
    for (const MemoryId memory : set_.memories) {
      const Pagemap* const pagemap = above->pagemap(memory);
      if (pagemap && pagemap->layout) return true;
      if (directory) directory->forget(memory);
    }
  }
  return false;
}

// Nobody knows how a parent that is not here is stored.
bool Repack::keeps_version() { return !resolves() && (has_link_ || refers_) && !set_.store->parent(); }

// A release that reads blocks wants other heads than those of the first version. One of a later version may store
// memory in a way that nobody knows here.
bool Repack::refuse_other_versions() {
  const std::string place = std::string{set_.place} + "inventory.img";
  if (const std::int64_t version = kept_inventory("img_version"); version > version_of_blocks)
    return fail(place, "image version " + std::to_string(version) + ", of which nothing is known here: the latest is " +
                           std::to_string(version_of_blocks));
  if (options_.block_bytes == 0) return true;
  if (!kept_.contains("inventory.img")) return fail({Reason::missing_image, place});
  return kept_inventory("img_version") != version_of_heads ||  // of one that cannot be read, edited() says so
         fail(place, "a set of the first image version, which no release that reads compressed pages restores");
}

bool Repack::edit_inventory(StoredImage& image) {
  StoredEntry& entry = image.entries.front();
  const bool is_marked = entry.integer("img_version") == version_of_blocks;
  for (const char* name : {"compress", "compress_block_size"})
    entry.payload = without(*entry.message, entry.bytes(), *entry.message->find(name));
  Error error;
  if (has_blocks_) {
    error = entry.set("img_version", version_of_blocks);
    if (!error) error = entry.set("compress", 1);
    if (!error) error = entry.set("compress_block_size", block_bytes_);
  } else if (is_compressed_above()) {
    error = entry.set("img_version", version_of_blocks);
  } else if (is_marked && !keeps_version()) {
    // A pre-dump, which has no tasks and so no ids of namespaces, says no version.
    const bool is_predump =
        !set_.checkpoint->pages_only().empty() && !value_at(*entry.message, entry.bytes(), "root_ids").value;
    error = entry.set("img_version", is_predump ? 0 : version_of_plain);
  }
  return error ? fail(error) : true;
}

bool Repack::edit_statistics(StoredImage& image) {
  StoredEntry& entry = image.entries.front();
  Error error = entry.set("dump.pages_written", process_.written);
  if (!error) error = entry.set("dump.pages_skipped_parent", process_.in_parent);
  const bool has_shared = value_at(*entry.message, entry.bytes(), "dump.shpages_written").value.has_value();
  const bool any_shared = has_shared || shared_.written + shared_.in_parent > 0;
  if (error || !any_shared) return error ? fail(error) : true;
  error = entry.set("dump.shpages_written", shared_.written);
  if (!error) error = entry.set("dump.shpages_skipped_parent", shared_.in_parent);
  return error ? fail(error) : true;
}

// The members that say how much was stored, and how.
bool Repack::edited(const char* name) {
  const auto kept = kept_.find(name);
  if (kept == kept_.end()) return true;
  StoredImage image;
  Error error = image.load(std::as_bytes(std::span{kept->second}), name);
  if (error) {
    error.image = std::string{set_.place} + name;
    return fail(std::move(error));
  }
  const bool is_inventory = std::string_view{name} == "inventory.img";
  if (!image.entries.empty() && !(is_inventory ? edit_inventory(image) : edit_statistics(image))) return false;
  Output* const output = images_->open(paths_[name], image.kind, OutForm::stream);
  if (!output) return false;
  if (program_.has("rewrite")) {
    Error none;
    keep_identity(output, set_.store->page_directory()->open(name, none), name);
  }
  return images_->close(output, image.write(*output) == Step::go) == Step::go;
}

}  // namespace critpipe::filters
