// report: Shows people what a checkpoint holds: tasks, descriptors, mappings, resident pages and sockets, and the
// statistics of dumps and restores; as text, as a JSON document or as JSON lines.
//
//     ExploreOptions options{.form = ExploreOptions::Form::lines};
//     Checkpoint checkpoint = read_checkpoint("dump/", needs_of(Explorer::mems, options));
//     if (explore(checkpoint, Explorer::mems, output, options) == Step::stop) return;
//
//     StatisticsReader reader;
//     if (read_input("dump/", reader, {}) == Step::stop) return;
//     reader.finish("dump/");
//     for (const Statistics& run : reader.statistics())
//       if (const auto frozen = run.value("frozen_time")) printf("%s: %lu us\n", run.set.text().c_str(), *frozen);
//
// The text of ps, fds, mems and rss is that of Python's `crit x`, byte for byte except for crit's errors. Control
// characters and invalid UTF-8 in names are escaped. JSON has the keys and values of go-criu's explorers, except for
// their errors, followed by more keys; crit-x(1) lists all.
//
// Nothing throws except std::bad_alloc. Distinct objects may be used by distinct threads, and one Checkpoint by many.
//
// Sources of the facts: crit/crit/__main__.py, go-criu's crit/explore.go (the shapes of the answers), criu/stats.c,
// images/stats.proto.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "critpipe/checkpoint.hpp"
#include "critpipe/json.hpp"
#include "critpipe/output.hpp"
#include "critpipe/source.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

// What to show: tasks, descriptors, mappings, resident pages, sockets.
enum class Explorer : std::uint8_t { ps, fds, mems, rss, sk };
// The explorer with that name, "ps", or with go-criu's name for it, "fd" and "mem"; nothing: there is none.
std::optional<Explorer> explorer_named(std::string_view word);

struct Inspection;  // inspect.hpp

// How to show it.
struct ExploreOptions {
  enum class Form : std::uint8_t {
    text,
    json,  // one document
    lines  // one object a line: a task, a file, a mapping, a run of pages, a socket
  };
  Form form = Form::text;
  bool detail = false;   // more columns, and files with their type; in JSON, their messages
  bool threads = false;  // text of ps: a line for each thread
  bool tree = false;     // text of ps: a tree drawn with lines
  bool unicode = false;  // draw it with Unicode's line characters instead of ASCII
  SetId set = {};        // JSON: which checkpoint, for the first keys of each object
  BigNumbers big_numbers = BigNumbers::number;
  JsonWriter* list = nullptr;  // JSON: of several checkpoints, whose one list the caller begins and ends; null: of one
  const Inspection* inspection = nullptr;  // JSON of ps: users, programs, command lines and resident memory, too
};

// What a checkpoint must be read with to be shown.
Needs needs_of(Explorer explorer, const ExploreOptions& options);

// Shows a checkpoint. Requires: it was read with needs_of(explorer, options). Step::stop: the output has failed, and
// its error() says how.
Step explore(const Checkpoint& checkpoint, Explorer explorer, Output& output, const ExploreOptions& options);

// The statistics of one dump or restore. What an old CRIU did not write is absent, not zero.
struct Statistics {
  enum class Of : std::uint8_t { dump, restore };

  SetId set = {};
  Of of = Of::dump;
  std::uint64_t page_size = 4096;
  std::vector<std::optional<std::uint64_t>> values = {};  // in the order of fields_of(of)

  // By the field's name in dump_stats_entry or restore_stats_entry; nothing: it is absent, or there is no such field.
  std::optional<std::uint64_t> value(std::string_view field) const;
  // The share of the dump's pages that it wrote, from 0 to 1; the other pages are in the parent, or lazy. Nothing:
  // there were no pages, or this is a restore.
  std::optional<double> share_written() const;
};

// A field of the statistics, and how to show it. Views live as long as the program.
struct StatisticsField {
  enum class Unit : std::uint8_t { microseconds, pages, count };
  std::string_view name;    // in the message
  std::string_view label;   // for people
  std::string_view column;  // for people, the head of its column; empty: not in the table
  Unit unit;
};
// In the order of the message's fields.
std::span<const StatisticsField> fields_of(Statistics::Of of);

// Finds stats-dump and stats-restore in inputs of any form. The page size is that of the dumped machine if an image of
// the set says it, or else `page_size`, in bytes; 0: the usual one of its architecture. Views live until the next call.
// For one thread at a time.
class StatisticsReader final : public Decoding {
 public:
  explicit StatisticsReader(std::uint64_t page_size = 0, const Limits& limits = {});
  ~StatisticsReader() override;
  bool wants(const Member& member) override;
  std::unique_ptr<Sink> sink_for(const Member& member) override;
  void report(const Error& error) override;

  // Call after each group of inputs, with the name of its first. Sets its page size; an error if it had no statistics.
  void finish(std::string_view input);
  std::span<const Statistics> statistics() const;
  // max_kept_errors at the most, behind which one counts the others.
  std::span<const Error> errors() const;

 private:
  struct CRITPIPE_INNER Work;
  std::unique_ptr<Work> work_;
};

// Writes all statistics, a line for each field. This and the following report failures through the output's error().
void print_statistics(Output& output, std::span<const Statistics> all);
// Writes a table of the dumps or of the restores among them, then totals and percentiles (nearest rank).
void print_statistics_table(Output& output, std::span<const Statistics> all, Statistics::Of of);
// Writes a JSON array of objects; and one object a line.
void print_statistics_json(Output& output, std::span<const Statistics> all,
                           BigNumbers big_numbers = BigNumbers::number);
void print_statistics_lines(Output& output, std::span<const Statistics> all,
                            BigNumbers big_numbers = BigNumbers::number);

// Columns of a terminal that a text of valid UTF-8 takes: two for characters of East Asia and pictures, none for those
// that are drawn over the one before.
std::size_t width_of(std::string_view text);
// As much of its begin, or of its end, as fits into so many columns.
std::string_view begin_within(std::string_view text, std::size_t columns);
std::string_view end_within(std::string_view text, std::size_t columns);

}  // namespace critpipe
#pragma GCC visibility pop
