// report: What people read of a checkpoint: its tasks, descriptors, mappings, resident pages and sockets, and the
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
// Text is that of `crit x`, byte for byte where crit answers rightly; sockets and statistics are ours. A name that
// would break its line, or is no UTF-8, is escaped. JSON has the keys of go-criu's explorers with the same values where
// those are right, and further ones after them; crit-x(1) lists all.
//
// Nothing throws but std::bad_alloc. Distinct objects may be used by distinct threads, and one Checkpoint by many.
//
// Sources of the facts: crit/crit/__main__.py, go-criu's crit/explore.go (the shapes of the answers), criu/stats.c,
// images/stats.proto.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "critpipe/checkpoint.hpp"
#include "critpipe/output.hpp"
#include "critpipe/source.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

// Tasks, descriptors, mappings, resident pages, sockets.
enum class Explorer : std::uint8_t { ps, fds, mems, rss, sk };
// "ps" and the other names, and go-criu's "fd" and "mem"; nothing: another word.
std::optional<Explorer> explorer_named(std::string_view word);

struct ExploreOptions {
  enum class Form : std::uint8_t {
    text,
    json,  // one document for a checkpoint
    lines  // one object a line: a task, a file, a mapping, a run of pages, a socket
  };
  Form form = Form::text;
  bool detail = false;   // more columns; files named for what they are; in JSON their whole messages
  bool threads = false;  // ps as text: a line for each thread
  bool tree = false;     // ps as text: a tree drawn with lines
  bool unicode = false;  // draws it with Unicode's lines
  SetId set = {};        // JSON: which checkpoint, in the first keys of objects
};

// What a checkpoint must be read with for that answer.
Needs needs_of(Explorer explorer, const ExploreOptions& options);

// Writes the answer. Requires: the checkpoint was read with needs_of(explorer, options). Step::stop: the output has
// failed, and its error() says how.
Step explore(const Checkpoint& checkpoint, Explorer explorer, Output& output, const ExploreOptions& options);

// The figures of one dump or restore. What an old CRIU did not write is absent, not zero.
struct Statistics {
  enum class Of : std::uint8_t { dump, restore };

  SetId set = {};
  Of of = Of::dump;
  std::uint64_t page_size = 4096;
  std::vector<std::optional<std::uint64_t>> values = {};  // in the order of fields_of(of)

  // By the name of the field in dump_stats_entry or restore_stats_entry; nothing: absent, or no such field.
  std::optional<std::uint64_t> value(std::string_view field) const;
  // Of the pages that the dump had to keep, the part whose contents it wrote: the others are in the parent, or lazy.
  // Nothing: there were none, or this is a restore.
  std::optional<double> share_written() const;
};

// A figure and how to show it. Views live as long as the program.
struct StatisticsField {
  enum class Unit : std::uint8_t { microseconds, pages, count };
  std::string_view name;    // in the message
  std::string_view label;   // for people
  std::string_view column;  // head of its column; empty: not in the table
  Unit unit;
};
// In the order of the message's fields.
std::span<const StatisticsField> fields_of(Statistics::Of of);

// Finds stats-dump and stats-restore in any input. Their page size is that of the machine that was dumped, where an
// image of the input says it; else `page_size`, in bytes. Views live until the next call.
class StatisticsReader final : public Decoding {
 public:
  explicit StatisticsReader(std::uint64_t page_size = 4096, const Limits& limits = {});
  bool wants(std::string_view path) override;
  bool wants_alone(std::string_view) override { return true; }
  std::unique_ptr<Sink> sink_for(const Member& member) override;
  void report(const Error& error) override { errors_.push_back(error); }

  // An input is at its end: its page size is known, and if it had no statistics that is an error.
  void finish(std::string_view input);
  std::span<const Statistics> statistics() const { return statistics_; }
  std::span<const Error> errors() const { return errors_; }

 private:
  class CRITPIPE_INNER Entries;
  class CRITPIPE_INNER AddressSpaces;

  std::uint64_t default_page_size_;
  std::optional<std::uint64_t> page_size_;  // of this input
  std::size_t first_ = 0;                   // of this input, in statistics_
  std::size_t nr_errors_ = 0;               // before this input
  std::vector<Statistics> statistics_;
  std::vector<Error> errors_;
};

// All figures, a line each.
void print_statistics(Output& output, std::span<const Statistics> all);
// Those of `all` that are dumps or restores as a table, a line each, then totals and percentiles (nearest rank).
void print_statistics_table(Output& output, std::span<const Statistics> all, Statistics::Of of);
// One object a line, or an array of them.
void print_statistics_json(Output& output, std::span<const Statistics> all, bool lines);

}  // namespace critpipe
#pragma GCC visibility pop
