// crit-repack: a checkpoint in, the same memory out, stored in another way.
#include <algorithm>
#include <filesystem>

#include "cli/inputs.hpp"
#include "crit-repack/repack.hpp"

namespace critpipe::filters {

namespace {

constexpr Option rows[] = {
    Option{0, "compress", "[=BLOCK]", "Store pages in LZ4 blocks of BLOCK bytes (256K)."}.excludes("decompress"),
    {0, "decompress", nullptr, "Store all pages as they are."},
    {0, "flatten", nullptr, "Take the pages of parents in: the output has no parent."},
    {0, "drop-zero", nullptr, "Leave out pages of zeros in private anonymous memory, which is zero without them."},
    Option{0, "rewrite", nullptr,
           "Replace the pagemaps and pages of DIR itself, and say as crit does what became of them; the old ones are "
           "kept as NAME.bak."}
        .needs("compress|decompress")
        .excludes("into output stream format zstd force flatten drop-zero"),
    Option{0, "no-bak", nullptr, "Keep no NAME.bak."}.needs("rewrite"),
    Option{0, "acceleration", "N", "Compress faster, and less: 1 to 65537 (1)."}.needs("compress"),
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

std::uint64_t block_bytes_of(Program& program) {
  if (!program.has("compress")) return 0;
  const std::string text = program.value("compress").value_or("");
  const std::uint64_t bytes = text.empty() ? default_block_bytes : program.number("compress", default_block_bytes);
  if (bytes == 0 || bytes > max_block_bytes || bytes % smallest_page != 0)
    program.usage("--compress takes a multiple of 4K, up to 4M");
  return bytes;
}

}  // namespace

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

int Repack::run() {
  const std::uint64_t acceleration = program_.number("acceleration", 1);
  if (acceleration < 1 || acceleration > 65537) program_.usage("--acceleration takes a number from 1 to 65537");
  if (!plan_.flatten && !plan_.drop_zero && !plan_.decompress && plan_.block_bytes == 0)
    program_.usage("say what to do: --compress, --decompress, --flatten or --drop-zero");
  if (!open()) return exit_error;
  const bool rewrites = program_.has("rewrite");
  const std::string where = "checkpoint in " + visible(program_.inputs().front());
  if (rewrites && set_->memories.empty()) {
    Error error{Reason::usage, set_->directory};
    error.name = "No pagemap files found";
    fail(error);
    return exit_error;
  }
  if (rewrites && is_as_wanted()) {
    say("Checkpoint in " + visible(program_.inputs().front()) +
        (plan_.decompress ? " is not compressed" : " is already compressed"));
    return exit_done;
  }
  if (rewrites) {
    say((plan_.decompress ? "Decompressing " : "Compressing ") + where);
    images_ = std::make_unique<ImagesOut>(program_, to_directory(program_, set_->directory, true));
  } else {
    images_ = images_out(program_);
    pass_on();
  }
  bool good = !failed_;
  for (auto next = set_->memories.begin(); good && next != set_->memories.end(); ++next) good = memory(next->first);
  for (const Error& error : directory_->new_errors()) good = fail(error) && good;
  good = good && (rewrites || edited("stats-dump")) && edited("inventory.img");
  if (!rewrites) return images_->commit();
  if (!good || !rewrite()) return exit_error;
  say("Done");
  return program_.exit_code();
}

namespace {

int run(Program& program) { return Repack{program}.run(); }

}  // namespace

const Filter filter{
    "crit-repack", "store the memory of a checkpoint in another way", "[INPUT...]", examples, groups, run};

}  // namespace critpipe::filters
