// Statistics out of their images.
#include "critpipe/report.hpp"

#include <algorithm>

#include "base/kept_errors.hpp"
#include "memory/join_parents.hpp"
#include "memory/page_size_of_chain.hpp"
#include "model/auxiliary_vector.hpp"
#include "model/message_reader.hpp"
#include "model/page_size_of_set.hpp"
#include "set/sets_of.hpp"
#include "source/cut_inputs.hpp"

namespace critpipe {

namespace {

using Unit = StatisticsField::Unit;

constexpr StatisticsField dump_fields[] = {
    {"freezing_time", "freezing", "FREEZING", Unit::microseconds},
    {"frozen_time", "frozen (downtime)", "FROZEN", Unit::microseconds},
    {"memdump_time", "memory dump", "MEMDUMP", Unit::microseconds},
    {"memwrite_time", "memory write", "MEMWRITE", Unit::microseconds},
    {"irmap_resolve", "irmap resolve", "", Unit::microseconds},
    {"pages_scanned", "pages scanned", "SCANNED", Unit::pages},
    {"pages_skipped_parent", "pages in the parent", "PARENT", Unit::pages},
    {"pages_lazy", "pages lazy", "LAZY", Unit::pages},
    {"pages_written", "pages written", "WRITTEN", Unit::pages},
    {"shpages_scanned", "shared pages scanned", "", Unit::pages},
    {"shpages_skipped_parent", "shared pages in the parent", "", Unit::pages},
    {"shpages_written", "shared pages written", "SHWRITTEN", Unit::pages},
    {"page_pipes", "page pipes", "", Unit::count},
    {"page_pipe_bufs", "buffers of page pipes", "", Unit::count},
};

constexpr StatisticsField restore_fields[] = {
    {"forking_time", "forking", "FORKING", Unit::microseconds},
    {"restore_time", "restore", "RESTORE", Unit::microseconds},
    {"pages_compared", "pages compared", "COMPARED", Unit::pages},
    {"pages_skipped_cow", "pages shared (COW)", "COW", Unit::pages},
    {"pages_restored", "pages restored", "RESTORED", Unit::pages},
};

const Message& message_of(Statistics::Of of) {
  return *find_message(of == Statistics::Of::dump ? "dump_stats_entry" : "restore_stats_entry");
}

Statistics read_statistics(Statistics::Of of, Bytes payload) {
  Statistics one{.of = of};
  const auto fields = fields_of(of);
  one.values.resize(fields.size());
  for (Fields all{message_of(of), payload}; all.next();) {
    if (!all.value().field) continue;
    const auto field = std::ranges::find(fields, all.value().field->name(), &StatisticsField::name);
    if (field != fields.end()) one.values[static_cast<std::size_t>(field - fields.begin())] = integer_of(all.value());
  }
  return one;
}

}  // namespace

std::span<const StatisticsField> fields_of(Statistics::Of of) {
  if (of == Statistics::Of::dump) return dump_fields;
  return restore_fields;
}

std::optional<std::uint64_t> Statistics::value(std::string_view field) const {
  const auto fields = fields_of(of);
  const auto found = std::ranges::find(fields, field, &StatisticsField::name);
  return found == fields.end() ? std::nullopt : values[static_cast<std::size_t>(found - fields.begin())];
}

std::optional<double> Statistics::share_written() const {
  if (of != Of::dump) return std::nullopt;
  const auto sum = [&](std::initializer_list<std::string_view> fields) {
    double pages = 0;
    for (const std::string_view field : fields) pages += static_cast<double>(value(field).value_or(0));
    return pages;
  };
  const double written = sum({"pages_written", "shpages_written"});
  const double others = sum({"pages_skipped_parent", "pages_lazy", "shpages_skipped_parent"});
  if (written + others == 0) return std::nullopt;
  return written / (written + others);
}

namespace {

// What tells the page size of a set: an auxiliary vector, or else the architecture in one core image; or else, without
// tasks, the pages images of its pagemaps.
struct PageSizeOfSet final : PageStore {
  SetId id = {};
  std::string place = {};
  std::optional<std::uint64_t> known = {};
  Checkpoint checkpoint{Needs{.pagemaps = true}};
  PagesToTry pages = {};
  std::string directory = {};
  bool has_core = false;
  bool needs(const Kind& kind) const {
    if (kind.name == "MM") return !known;
    return kind.name == "CORE" ? !has_core : is_of_pages(kind) && !has_tasks();
  }
  bool has_tasks() const { return checkpoint.kind() == SetKind::checkpoint; }
  static bool is_of_pages(const Kind& kind) {
    return kind.name == "PAGEMAP" || kind.name == "PAGES" || kind.name == "INVENTORY";
  }

  const Pagemap* pagemap(MemoryId memory) override {
    const Task* const task = memory.shmem ? nullptr : checkpoint.find_task(static_cast<std::uint32_t>(memory.id));
    return task && task->has_pagemap ? &(last_ = pagemap_of(checkpoint, *task)) : nullptr;
  }
  PageDirectory* page_directory() override {
    if (!opened_ && !directory.empty())
      opened_ = std::make_unique<PageDirectory>(directory, Limits{}, PageDirectory::ErrorsOf::parents);
    return opened_.get();
  }
  std::optional<std::uint64_t> block_bytes() override { return checkpoint.block_bytes(); }
  std::uint64_t page_size_of_tasks() override { return known.value_or(0); }
  std::unique_ptr<const PagesImage> stored_image(std::uint64_t pages_id) override {
    return pages.stored_image(pages_id);
  }
  void learn() {
    std::vector<MemoryId> memories;
    for (const Task& task : checkpoint.tasks()) memories.push_back({.shmem = false, .id = task.pid});
    learn_page_size(checkpoint, *this, memories);
  }

 private:
  Pagemap last_ = {};
  std::unique_ptr<PageDirectory> opened_;
};

}  // namespace

struct StatisticsReader::Work {
  std::uint64_t default_page_size;
  // Of this input.
  SetsOf<PageSizeOfSet> sets = {};
  RoomToTry room_to_try{default_page_size};
  std::size_t first = 0;  // in statistics
  bool has_failed = false;
  bool is_of_sets = false;
  std::size_t room_for_errors = max_kept_errors;
  std::vector<Statistics> statistics = {};
  std::vector<Error> errors = {};
};

namespace {

class EntriesSink final : public Sink {
 public:
  EntriesSink(std::vector<Statistics>& all, SetId set) : all_{all}, set_{std::move(set)} {}
  Step begin(const Image& image) override {
    is_statistics_ = !image.is_raw() && image.kind->name == "STATS";
    return Step::go;
  }
  Step entry(const Entry& entry) override {
    if (!is_statistics_) return Step::go;
    for (Fields fields{*entry.message, entry.payload}; fields.next();) {
      const Value& value = fields.value();
      if (!value.field) continue;
      const auto of = value.field->name() == "dump" ? Statistics::Of::dump : Statistics::Of::restore;
      all_.push_back(read_statistics(of, value.bytes));
      all_.back().set = set_;
    }
    return Step::go;
  }

 private:
  std::vector<Statistics>& all_;
  SetId set_;
  bool is_statistics_ = false;
};

class PageSizeSink final : public Sink {
 public:
  explicit PageSizeSink(std::optional<std::uint64_t>& page_size) : page_size_{page_size} {}
  Step entry(const Entry& entry) override {
    const std::uint64_t size = page_size_in(auxiliary_vector_in(*entry.message, entry.payload));
    if (size != 0) page_size_ = size;
    return Step::go;
  }

 private:
  std::optional<std::uint64_t>& page_size_;
};

}  // namespace

StatisticsReader::StatisticsReader(std::uint64_t page_size, const Limits& limits)
    : Decoding{limits}, work_{new Work{page_size}} {}
StatisticsReader::~StatisticsReader() = default;

bool StatisticsReader::wants(const Member& member) {
  if (!member.in_set) return true;
  work_->is_of_sets = true;
  const Kind* kind = kind_of_name(member.name);
  if (!kind || kind->name == "STATS") return kind != nullptr;
  const PageSizeOfSet* const set = work_->sets.find(*member.set);
  return set ? set->needs(*kind) : PageSizeOfSet{}.needs(*kind);
}

// What an image by itself is, its bytes say.
std::unique_ptr<Sink> StatisticsReader::sink_for(const Member& member) {
  const Kind* kind = kind_of_name(member.name);
  const bool may_be_any = !member.in_set && !(kind && kind->name == "MM");
  if (may_be_any || (kind && kind->name == "STATS"))
    return std::make_unique<EntriesSink>(work_->statistics, *member.set);
  if (!kind) return nullptr;
  PageSizeOfSet& set = work_->sets.of(member);
  if (!set.needs(*kind)) return nullptr;
  set.checkpoint.note(member.name);
  set.directory = member.directory;
  if (kind->name == "MM") return std::make_unique<PageSizeSink>(set.known);
  if (kind->name == "PAGES") return set.pages.sink_for(member, set.has_tasks(), work_->room_to_try);
  set.has_core |= kind->name == "CORE";
  return set.checkpoint.sink_for(member.name);
}

// A core image is only asked for the architecture, and pages for their size.
void StatisticsReader::report(const Error& error) {
  const Kind* kind = kind_of_name(error.member);
  if (kind && kind->name == "CORE" && work_->is_of_sets) return;
  if (kind && PageSizeOfSet::is_of_pages(*kind) && work_->is_of_sets && !CutInputs::ends_input(error)) {
    if (PageSizeOfSet* const set = work_->sets.find(error)) set->checkpoint.report(error);
    return;
  }
  work_->has_failed = true;
  keep_error(work_->errors, error, work_->room_for_errors);
}

std::span<const Statistics> StatisticsReader::statistics() const { return work_->statistics; }
std::span<const Error> StatisticsReader::errors() const { return work_->errors; }

void StatisticsReader::finish(std::string_view input) {
  std::vector<Statistics>& all = work_->statistics;
  std::size_t& first = work_->first;
  if (first == all.size() && !work_->has_failed) report({Reason::no_statistics, std::string{input}});
  // Engines put those of a set into its directory, or into the one above.
  const auto has_some = [&](const SetId& set) {
    return std::ranges::any_of(all.begin() + static_cast<std::ptrdiff_t>(first), all.end(), [&](const Statistics& one) {
      const std::string& place = one.set.set;
      return set.set == place || place.empty() || set.set.starts_with(place + "/");
    });
  };
  if (first < all.size() && !work_->has_failed)
    for (const auto& set : work_->sets.all())
      if (set->has_tasks() && !has_some(set->id)) report({Reason::no_statistics, set->id.text()});
  work_->has_failed = false;
  for (const auto& set : work_->sets.all())
    if (!set->has_tasks()) set->checkpoint.finish(set->place, false);
  (void)join_parents(work_->sets, {});
  for (const auto& set : work_->sets.all())
    if (!set->has_tasks()) set->learn();
  const std::uint64_t unknown = work_->default_page_size;
  for (; first < all.size(); ++first) {
    const PageSizeOfSet* const set = work_->sets.find(all[first].set);
    const std::uint64_t usual = unknown != 0 ? unknown : set ? set->checkpoint.page_size() : smallest_page;
    all[first].page_size = set ? set->known.value_or(usual) : usual;
  }
  work_->sets = {};
  work_->is_of_sets = false;
}

}  // namespace critpipe
