// What is not memory: passed on, or changed where it says how memory is stored.
#include "cli/inputs.hpp"
#include "cli/parent_sets.hpp"
#include "crit-repack/repack.hpp"
#include "critpipe/image_writer.hpp"

namespace critpipe::filters {

// All other members, as they are.
class Repack::PassOn final : public Decoding {
 public:
  explicit PassOn(Repack& repack) : Decoding{limits_of(repack.program_)}, repack_{repack} {}
  bool wants(std::string_view path) override { return !memory_of_name(path) && !is_pages_name(path); }
  std::unique_ptr<Sink> sink_for(const Member& member) override;
  void report(const Error& error) override { (void)repack_.fail(error); }

 private:
  class One;
  Repack& repack_;
};

class Repack::PassOn::One final : public ImageSink {
 public:
  One(ImagesOut& images, const Member& member)
      : ImageSink{nullptr}, images_{images}, name_{member.name}, size_{member.size} {}
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

std::unique_ptr<Sink> Repack::PassOn::sink_for(const Member& member) {
  if (member.name == "inventory.img" || member.name == "stats-dump") return nullptr;  // edited()
  if (is_parent_link(member) && repack_.plan_.flatten) return nullptr;
  return std::make_unique<One>(*repack_.images_, member);
}

void Repack::pass_on() {
  PassOn others{*this};
  SourceOptions options;
  options.all_members = true;
  (void)critpipe::read_input(set_->directory, others, options);
}

// A message without two of its fields.
static void remove_fields(StoredEntry& entry, std::uint32_t one, std::uint32_t other) {
  const Bytes payload = entry.bytes();
  std::string kept;
  const std::byte* begin = payload.data();
  for (Fields fields{*entry.message, payload}; fields.next(); begin = fields.at())
    if (fields.value().number != one && fields.value().number != other)
      kept.append(reinterpret_cast<const char*>(begin), static_cast<std::size_t>(fields.at() - begin));
  entry.payload = std::move(kept);
}

bool Repack::edit_inventory(StoredImage& image) {
  StoredEntry& entry = image.entries.front();
  const bool was_compressed = entry.integer("compress") != 0;
  remove_fields(entry, 15, 16);
  Error error;
  if (has_blocks_) {
    error = entry.set("img_version", 3);
    if (!error) error = entry.set("compress", 1);
    const std::uint64_t block_bytes = plan_.block_bytes != 0 ? plan_.block_bytes : default_block_bytes;
    if (!error) error = entry.set("compress_block_size", block_bytes);
  } else if (was_compressed && !refers_ && !(directory_->has_parent_link() && !plan_.flatten)) {
    error = entry.set("img_version", 2);
  }
  return error ? fail(error) : true;
}

bool Repack::edit_statistics(StoredImage& image) {
  StoredEntry& entry = image.entries.front();
  Error error = entry.set("dump.pages_written", process_.written);
  if (!error) error = entry.set("dump.pages_skipped_parent", process_.in_parent);
  if (error || shared_.written + shared_.in_parent == 0) return error ? fail(error) : true;
  error = entry.set("dump.shpages_written", shared_.written);
  if (!error) error = entry.set("dump.shpages_skipped_parent", shared_.in_parent);
  return error ? fail(error) : true;
}

// The members that say how much was stored, and how.
bool Repack::edited(const std::string& name) {
  Error error;
  { const InputFile file = directory_->open(name, error); }
  if (error) return error.reason == Reason::io_open || error.reason == Reason::missing_image ? true : fail(error);
  StoredImage image;
  if ((error = image.load(set_->directory + "/" + name))) return fail(error);
  if (!image.entries.empty() && !(name == "stats-dump" ? edit_statistics(image) : edit_inventory(image))) return false;
  Output* const output = images_->open(name, image.kind, OutForm::stream);
  if (!output) return false;
  return images_->close(output, image.write(*output) == Step::go) == Step::go;
}

}  // namespace critpipe::filters
