// report: Explorers: a checkpoint as processes, descriptors, mappings, resident pages or sockets, for people and for
// programs.
//
//     ExploreOptions options{.form = ExploreOptions::Form::lines};
//     Checkpoint checkpoint = read_checkpoint("dump/", needs_of(Explorer::mems, options));
//     explore(checkpoint, Explorer::mems, output, options);
//
// Text is that of `crit x`, byte for byte where crit answers rightly; sk is ours. JSON has the keys of go-criu's
// explorers with the same values where those are right, and further ones after them; crit-x(1) lists all. Text that is
// no UTF-8 stands in JSON with U+FFFD for each bad byte.
//
// Sources of the facts: crit/crit/__main__.py, go-criu's crit/explore.go (the shapes of the answers).
//
// Statistics of dumps and restores, of any release: what an old CRIU did not write is absent, not zero.
//
//     StatisticsReader reader;
//     read_input("dump/", reader, {});
//     for (const Statistics& one : reader.statistics())
//       if (const auto frozen = one.value("frozen_time")) printf("%s: %lu us\n", one.set.text().c_str(), *frozen);
//
// Times are in microseconds, counts in pages. Sources of the facts: criu/stats.c, images/stats.proto.
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

enum class Explorer : std::uint8_t { ps, fds, mems, rss, sk };
std::optional<Explorer> explorer_named(std::string_view word);  // also go-criu's fd and mem

struct ExploreOptions {
  enum class Form : std::uint8_t {
    text,
    json,  // one document for a checkpoint
    lines  // one object a line: a task, a file, a mapping, a run of pages, a socket
  };
  Form form = Form::text;
  bool detail = false;     // more columns; files named for what they are; in JSON their whole messages
  bool threads = false;    // ps: a line a thread
  bool tree = false;       // ps: drawn
  bool unicode = false;    // drawn with lines of Unicode
  bool escape = false;     // text: control characters in names are escaped, as a terminal needs it
  SetId set = {};          // JSON: which checkpoint, in the first keys of objects
};

Needs needs_of(Explorer explorer, const ExploreOptions& options);

// Step::stop: the output has failed.
Step explore(const Checkpoint& checkpoint, Explorer explorer, Output& output, const ExploreOptions& options);

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

struct StatisticsField {
  enum class Unit : std::uint8_t { microseconds, pages, count };
  std::string_view name;    // in the message
  std::string_view label;   // for people
  std::string_view column;  // head of its column; empty: not in the table
  Unit unit;
};
std::span<const StatisticsField> fields_of(Statistics::Of of);

// Finds stats-dump and stats-restore in any input. The page size is that of the machine that was dumped, where an image
// of the input says it; else `page_size`.
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
// A line each, then totals and percentiles (nearest rank). Requires: all are of the same run, dump or restore.
void print_statistics_table(Output& output, std::span<const Statistics> all, Statistics::Of of);
// One object a line, or an array of them.
void print_statistics_json(Output& output, std::span<const Statistics> all, bool lines);

}  // namespace critpipe
#pragma GCC visibility pop
