// crit-repack: a checkpoint in, the same memory out, stored in another way.
#include <algorithm>

#include "crit-repack/repack.hpp"

namespace critpipe::filters {

namespace {

constexpr Option rows[] = {
    Option{0, "compress", "[=BLOCK]", "Store pages in LZ4 blocks of BLOCK bytes (256K)."}.excludes("decompress"),
    {0, "decompress", nullptr, "Store all pages as they are."},
    {0, "flatten", nullptr, "Take the pages of parents in: the output has no parent."},
    Option{0, "rebase", "PARENT",
           "Store no page that the directory PARENT has with the same bytes, and refer to it instead.",
           Option::directories}
        .excludes("flatten"),
    {0, "drop-zero", nullptr, "Leave out pages of zeros in private anonymous memory, which is zero without them."},
    {0, "only-pages", "EXPR",
     "Leave out the pages of all mappings but those that match EXPR (see crit-grep); may be repeated."},
    {0, "drop", "EXPR", "Leave out the pages of the mappings that match EXPR; may be repeated."},
    Option{0, "plan", nullptr, "Write nothing; estimate from samples what --compress would save in each mapping."}
        .needs("compress")
        .excludes("into output stream format zstd force rewrite rebase drop-zero only-pages drop"),
    Option{0, "json", nullptr, "Print the estimate as one JSON object."}.needs("plan"),
    big_numbers_row.needs("json"),
    Option{0, "rewrite", nullptr,
           "Replace the pagemaps and pages of DIR itself, and say as crit does what became of them; the old ones are "
           "kept as NAME.bak."}
        .needs("compress|decompress")
        .excludes("into output stream format zstd force flatten rebase drop-zero only-pages drop"),
    Option{0, "no-bak", nullptr, "Keep no NAME.bak."}.needs("rewrite"),
    Option{0, "acceleration", "N", "Compress faster, and less: 1 to 65537 (1)."}.needs("compress"),
    Option{'j', "jobs", "N", "Read and compress pages with N threads (one a processor)."},
    page_size_row,
};
constexpr Option out_rows[] = {
    format_row, stream_row, into_row, force_into_row, zstd_row, threads_row, output_row, sync_row.needs("output|into"),
};
constexpr Option in_rows[] = {set_row, max_entry_row, max_size_row};
constexpr Options groups[] = {rows, out_rows, in_rows};
constexpr Example examples[] = {
    {"crit-repack --flatten DIR --into NEW", "a chain of pre-dumps becomes one checkpoint"},
    {"crit-repack --flatten LAST MIDDLE FIRST -o c.tar.zst", "with the parents named, the nearest first"},
    {"crit-repack --rebase PARENT DIR --into NEW", "only the pages that differ from the parent's"},
    {"crit-repack --compress --plan DIR", "what LZ4 blocks would save, by mapping"},
    {"crit-dump -t PID | crit-repack --compress -o c.tar", "store pages in LZ4 blocks, for CRIU 4.3 and later"},
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
      options_{program.has("flatten"), program.has("drop-zero"), program.has("decompress"), block_bytes_of(program)},
      chosen_{program} {}

int Repack::run() {
  const std::uint64_t acceleration = program_.number("acceleration", 1);
  if (acceleration < 1 || acceleration > 65537) program_.usage("--acceleration takes a number from 1 to 65537");
  constexpr const char* actions[] = {"compress", "decompress", "flatten", "rebase", "drop-zero", "only-pages", "drop"};
  if (std::ranges::none_of(actions, [this](const char* action) { return program_.has(action); }))
    program_.usage(
        "say what to do: --compress, --decompress, --flatten, --rebase, --drop-zero, --only-pages or --drop");
  if (program_.has("rewrite")) return rewrite();
  if (!open()) return exit_error;
  if (program_.has("plan")) return say_plan();
  images_ = images_out(program_);
  images_->set_parents_hint("--flatten, with the parent named behind the input, takes its pages in");
  pass_on();
  if (failed_ || !refuse_other_versions() || !link_parent() || !store() || !edited("stats-dump") ||
      !edited("inventory.img"))
    failed_ = true;
  const std::uint64_t dropped = process_.dropped + shared_.dropped;
  if (chosen_.leaves_out_any() && !failed_)
    program_.note(std::to_string(dropped) + " pages are left out: a restore gets zeros there, or what a file has");
  const int code = images_->commit();
  if (code == exit_done) drop_old_link();
  return code;
}

namespace {

int run(Program& program) { return Repack{program}.run(); }

}  // namespace

const Filter filter{
    "crit-repack", "store the memory of a checkpoint in another way", "[INPUT...]", examples, groups, run};

}  // namespace critpipe::filters
