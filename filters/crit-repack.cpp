// crit-repack: a checkpoint in, the same memory out, stored in another way.
#include <algorithm>
#include <filesystem>
#include <map>

#include "cli/filter.hpp"
#include "cli/images_out.hpp"
#include "cli/inputs.hpp"
#include "cli/parent_sets.hpp"
#include "critpipe/image_writer.hpp"
#include "critpipe/pages_writer.hpp"
#include "critpipe/stored_image.hpp"
#include "critpipe/survey.hpp"

namespace critpipe::filters {

namespace {

constexpr Option rows[] = {
    Option{0, "compress", "[=BLOCK]", "Store pages in LZ4 blocks of BLOCK bytes (256K)."}.excludes("decompress"),
    {0, "decompress", nullptr, "Store all pages as they are."},
    {0, "flatten", nullptr, "Take the pages of parents in: the output has no parent."},
    {0, "drop-zero", nullptr, "Leave out pages of zeros in private anonymous memory, which is zero without them."},
    page_size_row,
};
constexpr Option out_rows[] = {
    format_row,
    stream_row,
    Option{0, "into", "DIR", "Write the images as files into DIR, which is new or empty.", Option::directories}
        .excludes("output zstd stream"),
    Option{'f', "force", nullptr,
           "Write into a directory that is not empty, and replace its files; or into a file that others may read."}
        .needs("into|output"),
    zstd_row,
    threads_row,
    output_row,
    sync_row.needs("output|into"),
};
constexpr Options groups[] = {rows, out_rows, limit_options};
constexpr Example examples[] = {
    {"crit-repack --flatten DIR --into NEW", "a chain of pre-dumps becomes one checkpoint"},
    {"crit-repack --flatten LAST MIDDLE FIRST -o c.tar.zst", "with the parents named, the nearest first"},
    {"crit-repack --compress DIR --into NEW", "store pages in LZ4 blocks, for CRIU 4.3 and later"},
    {"crit-repack --decompress --drop-zero DIR --into NEW", "plain pages, without those of zeros"},
};

constexpr std::uint64_t default_block_bytes = 256 << 10;
constexpr std::uint32_t map_hugetlb = 0x40000;     // flags
constexpr std::uint32_t status_hugetlb = 1u << 27;

// How many pages were written, skipped for the parent, and dropped; of processes or of shared objects.
struct Counts {
  std::uint64_t written = 0, in_parent = 0, dropped = 0;
};

class Repack {
 public:
  explicit Repack(Program& program);
  int run();

 private:
  class PassOn;
  struct Plan {
    bool flatten, drop_zero, decompress;
    std::uint64_t block_bytes;  // 0: as it is stored now, unless decompress
  };
  bool open();
  bool refuse_children();
  void pass_on();
  bool memory(MemoryId id);
  bool run_of(MemoryId id, const PageRun& run, PagesWriter& writer, Counts& counts);
  bool stretch_of(MemoryId id, const Stretch& stretch, PagesWriter& writer, Counts& counts);
  Step pages(const Stretch& at, std::uint64_t vaddr, Bytes bytes, PagesWriter& writer, Counts& counts);
  const Mapping* mapping_at(std::uint64_t vaddr) const { return mappings_.at(vaddr); }
  bool edited(const std::string& name);
  bool edit_inventory(StoredImage& image);
  bool edit_statistics(StoredImage& image);
  bool fail(Error error) {
    program_.report(error);
    failed_ = true;
    return false;
  }

  Program& program_;
  Plan plan_;
  std::unique_ptr<ImagesOut> images_;
  std::unique_ptr<PageSurvey> survey_;
  SurveyedSet* set_ = nullptr;
  PageDirectory* directory_ = nullptr;
  std::vector<std::unique_ptr<PageDirectory>> parents_;  // that were given
  MappingIndex mappings_;
  bool is_shared_ = false;  // the memory
  Counts process_, shared_;
  bool has_blocks_ = false, refers_ = false;
  bool failed_ = false;
};

std::uint64_t block_bytes_of(Program& program) {
  if (!program.has("compress")) return 0;
  const std::string text = program.value("compress").value_or("");
  const std::uint64_t bytes = text.empty() ? default_block_bytes : program.number("compress", default_block_bytes);
  if (bytes == 0 || bytes > max_block_bytes || bytes % smallest_page != 0)
    program.usage("--compress takes a multiple of 4K, up to 4M");
  return bytes;
}

Repack::Repack(Program& program)
    : program_{program},
      plan_{program.has("flatten"), program.has("drop-zero"), program.has("decompress"), block_bytes_of(program)} {}

bool Repack::open() {
  const std::vector<std::string> inputs = program_.inputs();
  if (inputs.size() > 1 && !plan_.flatten) program_.usage("several inputs are a set and its parents: --flatten");
  survey_ = std::make_unique<PageSurvey>(
      SurveyOptions{.page_size = page_size_of(program_).value_or(0), .limits = limits_of(program_)},
      [this](const Error& error) { (void)fail(error); });
  auto& sets = survey_->read({inputs.front()});
  if (failed_) return false;
  if (sets.size() != 1 || sets.front()->directory.empty()) {
    Error error{Reason::usage, inputs.front()};
    error.name = "no directory of one set of images: crit-cat INPUT --into DIR makes one";
    return fail(error);
  }
  set_ = sets.front().get();
  directory_ = set_->page_directory();
  PageStore* child = directory_;
  for (std::size_t i = 1; i < inputs.size(); ++i) {
    parents_.push_back(std::make_unique<PageDirectory>(inputs[i]));
    child->give_parent(*parents_.back());
    child = parents_.back().get();
  }
  if (plan_.block_bytes % set_->page_size != 0) program_.usage("--compress takes a multiple of the page size");
  if (inputs.size() > 1) {
    std::vector<MemoryId> memories;
    for (const auto& [id, memory] : set_->memories) memories.push_back(id);
    check_parents(*directory_, memories, set_->page_size, std::vector<std::string>{inputs.begin() + 1, inputs.end()},
                  [this](const Error& error) { (void)fail(error); });
  }
  return !failed_ && refuse_children();
}

// A set beside it whose link leads here would lose what it refers to, were it given this set in place of the old one.
bool Repack::refuse_children() {
  namespace fs = std::filesystem;
  std::error_code fault;
  const fs::path own = fs::canonical(set_->directory, fault);
  if (fault) return true;
  for (fs::directory_iterator next{own.parent_path(), fault}, end; !fault && next != end; next.increment(fault)) {
    std::error_code none;
    const fs::path link = next->path() / "parent";
    if (!fs::is_symlink(link, none) || fs::canonical(link, none) != own || none) continue;
    Error error{Reason::usage, set_->directory};
    error.name = "it is the parent of " + next->path().filename().string() +
                 ", which would not fit to what is made of it: repack that one with --flatten";
    return fail(error);
  }
  return true;
}

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

bool Repack::memory(MemoryId id) {
  const Pagemap* const pagemap = directory_->pagemap(id);
  if (!pagemap) return fail({Reason::missing_image, set_->place + pagemap_name(id)});
  StoredImage old;
  if (Error error = old.load(set_->directory + "/" + pagemap_name(id))) return fail(error);
  const bool old_counts = std::ranges::all_of(old.entries.begin() + !old.entries.empty(), old.entries.end(),
                                              [](const StoredEntry& entry) { return entry.integer("nr_pages") == 0; });
  const Task* const task = id.shmem ? nullptr : set_->checkpoint->find_task(static_cast<std::uint32_t>(id.id));
  mappings_ = task ? MappingIndex{task->memory.mappings} : MappingIndex{};
  is_shared_ = id.shmem;
  Output* const output = images_->open(pages_name(pagemap->pages_id), nullptr, OutForm::stream);
  if (!output) return false;
  std::uint64_t block_bytes = plan_.block_bytes;
  if (block_bytes == 0 && !plan_.decompress && pagemap->layout) block_bytes = default_block_bytes;
  PagesWriter writer{*output, {.page_size = set_->page_size, .block_bytes = block_bytes, .old_counts = old_counts}};
  Counts& counts = id.shmem ? shared_ : process_;
  const std::vector<PageRun> runs = pagemap->runs;
  bool good = true;
  for (const PageRun& run : runs)
    if (!(good = run_of(id, run, writer, counts))) break;
  good = writer.finish() == Step::go && good;
  if (images_->close(output, good) == Step::stop || !good) return false;
  counts.written += writer.nr_pages();
  has_blocks_ |= writer.has_blocks();
  Output* const map = images_->open(pagemap_name(id), nullptr, OutForm::stream);
  good = map && writer.write_pagemap(pagemap->pages_id, *map) == Step::go;
  if (map) good = images_->close(map, good) == Step::go && good;
  directory_->forget(id);
  return good;
}

bool Repack::run_of(MemoryId id, const PageRun& run, PagesWriter& writer, Counts& counts) {
  if (run.is_parent() && !plan_.flatten) {
    counts.in_parent += run.nr_pages;
    refers_ = true;
    return writer.refer(run) == Step::go;
  }
  if (!run.is_parent() && !run.is_present()) return writer.refer(run) == Step::go;
  return visit_stretches(*directory_, id, set_->page_size, run.vaddr, run.end(set_->page_size),
                         [&](const Stretch& stretch) {
                           return stretch_of(id, stretch, writer, counts) ? Step::go : Step::stop;
                         });
}

bool Repack::stretch_of(MemoryId id, const Stretch& stretch, PagesWriter& writer, Counts& counts) {
  if (stretch.where != Stretch::Where::stored) {
    if (stretch.where == Stretch::Where::hole && stretch.level == 0) return true;
    Error error{Reason::no_bytes, set_->place + pagemap_name(id)};
    char text[120];
    std::snprintf(text, sizeof text, "%llu pages at 0x%llx should be in a parent that is not here, or lacks them",
                  static_cast<unsigned long long>(stretch.nr_pages), static_cast<unsigned long long>(stretch.vaddr));
    error.name = text;
    return fail(error);
  }
  PageDirectory& holder = *directory_->ancestor(stretch.level).page_directory();
  const std::uint64_t size = bytes_of_pages(stretch.nr_pages, set_->page_size);
  std::vector<std::byte> bytes(std::min<std::uint64_t>(size, 1 << 20));
  for (std::uint64_t done = 0; done < size;) {
    const std::span<std::byte> here{bytes.data(), std::min<std::uint64_t>(bytes.size(), size - done)};
    if (Error error = holder.read(stretch, set_->page_size, done, here)) return fail(error);
    if (pages(stretch, stretch.vaddr + done, here, writer, counts) == Step::stop) return false;
    done += here.size();
  }
  return true;
}

bool is_droppable(const Mapping* mapping) {
  if (!mapping || mapping->is_shared()) return false;
  const Mapping::Kind kind = mapping->kind();
  return kind == Mapping::Kind::anon || kind == Mapping::Kind::heap || kind == Mapping::Kind::stack;
}

bool is_huge(const Mapping* mapping) {
  return mapping && ((mapping->flags & map_hugetlb) || (mapping->status & status_hugetlb));
}

// What follows each other and is stored alike goes out at once.
Step Repack::pages(const Stretch& at, std::uint64_t vaddr, Bytes bytes, PagesWriter& writer, Counts& counts) {
  const std::uint32_t flags = PageRun::present | (at.flags & PageRun::lazy);
  const std::size_t size = set_->page_size;
  const auto store_of = [&](std::uint64_t address) {
    return is_shared_ || is_huge(mapping_at(address)) ? PagesWriter::Store::plain : PagesWriter::Store::blocks;
  };
  const auto is_dropped = [&](std::size_t offset) {
    if (!plan_.drop_zero || is_shared_) return false;
    const Bytes page = bytes.subspan(offset, size);
    const bool zero = std::ranges::all_of(page, [](std::byte one) { return one == std::byte{0}; });
    const Mapping* const mapping = zero ? mapping_at(vaddr + offset) : nullptr;
    return is_droppable(mapping) && !is_huge(mapping);
  };
  for (std::size_t begin = 0; begin < bytes.size();) {
    if (is_dropped(begin)) {
      ++counts.dropped;
      begin += size;
      continue;
    }
    const PagesWriter::Store store = store_of(vaddr + begin);
    std::size_t end = begin + size;
    while (end < bytes.size() && store_of(vaddr + end) == store && !is_dropped(end)) end += size;
    if (writer.add(vaddr + begin, flags, store, bytes.subspan(begin, end - begin)) == Step::stop) return Step::stop;
    begin = end;
  }
  return Step::go;
}

// A message without two of its fields.
void remove_fields(StoredEntry& entry, std::uint32_t one, std::uint32_t other) {
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

int Repack::run() {
  if (!plan_.flatten && !plan_.drop_zero && !plan_.decompress && plan_.block_bytes == 0)
    program_.usage("say what to do: --compress, --decompress, --flatten or --drop-zero");
  if (!open()) return exit_error;
  images_ = images_out(program_);
  pass_on();
  bool good = !failed_;
  for (auto next = set_->memories.begin(); good && next != set_->memories.end(); ++next) good = memory(next->first);
  for (const Error& error : directory_->new_errors()) good = fail(error) && good;
  good = good && edited("stats-dump") && edited("inventory.img");
  return images_->commit();
}

int run(Program& program) { return Repack{program}.run(); }

}  // namespace

const Filter filter{"crit-repack", "store the memory of a checkpoint in another way", "[INPUT...]", examples, groups, run};

}  // namespace critpipe::filters
