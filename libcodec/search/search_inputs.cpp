// Archives, streams and single images: pages are searched as they come, by address if everything that tells their
// addresses has come before; else matches wait for it. Where waiting is not exact, or takes too much memory, an image
// is searched in a second pass if the inputs are files.
#include <algorithm>
#include <set>

#include "critpipe/checkpoint.hpp"
#include "search/waiting_matches.hpp"
#include "search/memory_search_work.hpp"
#include "set/sets_of.hpp"

namespace critpipe {

using namespace search;

namespace {

struct LoadedPagemap {
  Pagemap pagemap;
  bool whole = false;
};

// A pages image, and the matches in it that wait for their addresses.
struct SearchedPages {
  std::string name;
  std::string path;
  std::string place;
  std::uint64_t seen_bytes = 0;
  bool is_damaged = false;         // which was reported
  bool is_decoded = false;         // its blocks, where it has any
  std::optional<MemoryId> memory;  // known from the start
  std::vector<PlacedBytes> extents;
  std::unique_ptr<WaitingMatches> waiting;
  bool again = false;  // to be searched in the second pass
};

struct SearchedSet {
  SetId id;
  std::string place;  // before the names of its images
  Checkpoint checkpoint{Needs{.mappings = true}};
  std::set<std::string> whole;  // names of images that came to their end
  std::map<MemoryId, LoadedPagemap> pagemaps;
  std::map<std::uint64_t, SearchedPages> pages;
  std::uint64_t page_size(const MemorySearchOptions& options) const {
    return options.page_size != 0 ? options.page_size : checkpoint.page_size();
  }
};

std::string_view file_of(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// Records that an image was read to its end.
class EndRecorder final : public Stage {
 public:
  EndRecorder(std::unique_ptr<Sink> to, SearchedSet& set, std::string name)
      : Stage{to.get()}, to_{std::move(to)}, set_{set}, name_{std::move(name)} {}
  Step end() override {
    const Step step = Stage::end();
    set_.whole.insert(name_);
    return step;
  }

 private:
  std::unique_ptr<Sink> to_;
  SearchedSet& set_;
  std::string name_;
};

enum class Rereadable : bool { no, yes };

class InputSearch final : public Decoding {
 public:
  InputSearch(MemorySearch::Work& work, Rereadable rereadable)
      : Decoding{work.options.limits}, work_{work}, rereadable_{rereadable == Rereadable::yes} {}

  bool wants(std::string_view name) override;
  std::unique_ptr<Sink> sink_for(const Member& member) override;
  void report(const Error& error) override {
    if (!is_second_pass_) work_.on_error(error);
  }
  Step finish();
  // After finish().
  bool maps_unlinked() const {
    return std::ranges::any_of(sets_.all(), [](const auto& set) { return critpipe::maps_unlinked(set->checkpoint); });
  }
  bool is_rereadable() const { return rereadable_; }
  // After finish(): is there anything to be read again? Then all inputs are.
  bool begin_second_pass();

 private:
  class ImageSearch;
  SearchedSet& set_of(const Member& member);
  Step finish(SearchedSet& set, MemoryOwners& owners, MemoryId memory, LoadedPagemap& loaded);
  Step finish_unclaimed(SearchedSet& set);
  Step report_unclaimed(const SearchedSet& set, const SearchedPages& pages, const Match& found) const;
  void check_size(const SearchedPages& pages, const std::vector<PlacedBytes>& extents);
  bool is_told(const SearchedSet& set, MemoryId memory) const;
  // Does a range begin or end inside a page, so that any match may turn out to be cut?
  bool cuts_inside_pages() const {
    return std::ranges::any_of(work_.options.filter.ranges, [](const MemoryFilter::Range& range) {
      return range.begin % smallest_page != 0 || range.end % smallest_page != 0;
    });
  }
  // A filter asks for memory of known owners only.
  bool takes_unclaimed() const { return work_.options.filter.is_empty(); }

  MemorySearch::Work& work_;
  const bool rereadable_;
  bool is_second_pass_ = false;
  WaitingBudget budget_;
  SetsOf<SearchedSet> sets_;
  bool stopped_ = false;
  const Checkpoint needed_{Needs{.mappings = true}};  // empty: tells which images the others take
};

// Searches a pages image as it comes.
class InputSearch::ImageSearch final : public PagesSink {
 public:
  ImageSearch(InputSearch& inputs, SearchedSet& set, std::uint64_t pages_id, SearchedPages& pages);
  void refused(const Error& error) override {
    Error placed = error;
    placed.image = pages_.place;
    inputs_.work_.on_error(placed);
    fail(placed);
  }
  void fail(const Error&) override {
    pages_.is_damaged = true;
    if (cut_page() == Step::go) (void)finish();
  }

 protected:
  Step pages(std::uint64_t first, Bytes bytes) override;
  Step done(std::uint64_t) override { return finish(); }

 private:
  Step found(const Match& found);
  Step finish();

  void place(MemoryId memory, LoadedPagemap& loaded);
  bool is_idle() const { return pages_.again || failed_; }
  Step settle(Step step);

  InputSearch& inputs_;
  SearchedSet& set_;
  SearchedPages& pages_;
  std::unique_ptr<MemoryOwners> owners_;  // matches go out at once
  std::unique_ptr<Search> search_;
  std::unique_ptr<Feeder> feeder_;
  std::vector<PlacedBytes>::const_iterator extent_;
  std::uint64_t seen_bytes_ = 0;
  bool full_ = false;
  bool failed_ = false;  // the search of this image
};

bool InputSearch::wants(std::string_view name) {
  const std::string_view file = file_of(name);
  if (is_second_pass_) return pages_id_of_name(file).has_value();
  const Kind* kind = kind_of_name(file);
  return !kind || memory_of_name(file) || is_pages_name(file) || needed_.wants(file);
}

SearchedSet& InputSearch::set_of(const Member& member) {
  return sets_.of(member, [&] {
    if (work_.options.on_set) work_.options.on_set(*member.set);
    return std::make_unique<SearchedSet>();
  });
}

std::unique_ptr<Sink> InputSearch::sink_for(const Member& member) {
  if (!member.is_image || stopped_) return nullptr;
  SearchedSet& set = set_of(member);
  const std::string& file = member.name;
  if (const auto pages_id = pages_id_of_name(file)) {
    SearchedPages& pages = set.pages[*pages_id];
    if (is_second_pass_ && !std::exchange(pages.again, false)) return nullptr;
    pages.name = member.name;
    pages.path = member.path;
    pages.place = member.place;
    return std::make_unique<ImageSearch>(*this, set, *pages_id, pages);
  }
  if (is_second_pass_) return nullptr;
  if (const Error error = fault_of_pages(member)) report(error);
  std::unique_ptr<Sink> to;
  if (const auto memory = memory_of_name(file)) {
    LoadedPagemap& loaded = set.pagemaps[*memory];
    loaded.pagemap.memory = *memory;
    to = std::make_unique<PagemapLoader>(loaded.pagemap, [this, place = member.place](Error error) {
      error.image = place;
      report(error);
    });
  } else if (set.checkpoint.wants(file)) {
    to = set.checkpoint.sink_for(file);
  }
  if (!to) return nullptr;
  return std::make_unique<EndRecorder>(std::move(to), set, file);
}

bool InputSearch::is_told(const SearchedSet& set, MemoryId memory) const {
  const auto is_read = [&](const std::string& name) { return set.whole.contains(name); };
  return is_second_pass_ || (is_read(pagemap_name(memory)) && search::is_told(set.checkpoint, memory, is_read));
}

InputSearch::ImageSearch::ImageSearch(InputSearch& inputs, SearchedSet& set, std::uint64_t pages_id,
                                      SearchedPages& pages)
    : inputs_{inputs}, set_{set}, pages_{pages} {
  const MemorySearch::Work& work = inputs.work_;
  for (auto& [memory, loaded] : set.pagemaps)
    if (loaded.pagemap.pages_id == pages_id && inputs.is_told(set, memory)) place(memory, loaded);
  std::size_t context = work.options.context;
  if (!owners_ && !inputs.is_second_pass_) {
    // What a pattern sees beside a match may turn out to be a gap, and a match there would be missed.
    pages.again = inputs.rereadable_ && work.patterns.see_neighbours();
    if (pages.again) return;
    const auto around = inputs.cuts_inside_pages() ? WaitingMatches::Around::all : WaitingMatches::Around::page_borders;
    pages.waiting = std::make_unique<WaitingMatches>(work.patterns, context, around, inputs.budget_);
    context = std::max(context, around_bytes);
  }
  search_ = std::make_unique<Search>(work.patterns, context, [this](const Match& match) { return found(match); });
  feeder_ = std::make_unique<Feeder>(*search_);
  extent_ = pages.extents.begin();
}

void InputSearch::ImageSearch::place(MemoryId memory, LoadedPagemap& loaded) {
  const MemorySearchOptions& options = inputs_.work_.options;
  owners_ = std::make_unique<MemoryOwners>(set_.id, set_.checkpoint, options);
  loaded.pagemap.seal();
  pages_.memory = memory;
  pages_.extents = stored_extents(loaded.pagemap, set_.page_size(options), owners_->wanted(memory));
  if (!loaded.pagemap.layout) return;
  pages_.is_decoded = true;
  Error error;
  auto blocks = loaded.pagemap.layout->placed(set_.page_size(options), error);
  if (blocks) return stored_as(std::move(blocks));
  error.image = set_.place + pagemap_name(memory);
  inputs_.work_.on_error(error);
  failed_ = pages_.is_damaged = true;
}

Step InputSearch::ImageSearch::found(const Match& found) {
  const MemorySearch::Work& work = inputs_.work_;
  if (owners_) return owners_->report(*pages_.memory, found, work.on_match);
  if (inputs_.is_second_pass_) return inputs_.report_unclaimed(set_, pages_, found);
  if (full_ || pages_.waiting->add(found)) return Step::go;
  full_ = true;
  if (inputs_.rereadable_) {
    pages_.again = true;
    pages_.waiting.reset();
    return Step::go;
  }
  Error error{Reason::limit_waiting, pages_.place, found.address};
  error.want = max_waiting_bytes;
  work.on_error(error);
  return Step::go;
}

Step InputSearch::ImageSearch::pages(std::uint64_t first, Bytes bytes) {
  Step step = Step::go;
  const std::uint64_t at = content_position(first, smallest_page);
  const std::uint64_t end = seen_bytes_ = at + bytes.size();
  if (is_idle()) return step;
  if (!owners_) step = feeder_->feed(at, bytes);
  for (; extent_ != pages_.extents.end() && step == Step::go; ++extent_) {
    const std::uint64_t from = std::max(at, extent_->position), to = std::min(end, extent_->end());
    if (from < to)
      step = feeder_->feed(extent_->address + (from - extent_->position),
                           bytes.subspan(static_cast<std::size_t>(from - at), static_cast<std::size_t>(to - from)));
    if (end < extent_->end()) break;
  }
  return settle(step);
}

Step InputSearch::ImageSearch::finish() {
  pages_.seen_bytes = seen_bytes_;
  return is_idle() ? Step::go : settle(feeder_->end());
}

// A failure ends the search of this image only; what was found before it counts.
Step InputSearch::ImageSearch::settle(Step step) {
  if (step == Step::go) return step;
  step = inputs_.work_.step_behind(*search_, pages_.place);
  (step == Step::go ? failed_ : inputs_.stopped_) = true;
  return step;
}

// Does the image have all pages that the pagemap claims?
void InputSearch::check_size(const SearchedPages& pages, const std::vector<PlacedBytes>& extents) {
  std::uint64_t claimed = 0;
  for (const PlacedBytes& extent : extents) claimed = std::max(claimed, extent.end());
  if (pages.is_damaged || pages.seen_bytes >= claimed) return;
  Error error{Reason::cut_pages, pages.place, pages.seen_bytes};
  error.want = claimed;
  error.have = pages.seen_bytes;
  work_.on_error(error);
}

// Reports what waited for this pagemap.
Step InputSearch::finish(SearchedSet& set, MemoryOwners& owners, MemoryId memory, LoadedPagemap& loaded) {
  loaded.pagemap.seal();
  std::uint64_t in_parent = 0;
  for (const PageRun& run : loaded.pagemap.runs) in_parent += run.is_parent() ? run.nr_pages : 0;
  if (in_parent > 0) {
    Error error{Reason::unsearched_pages, set.place + pagemap_name(memory)};
    error.have = in_parent;
    work_.on_error(error);
  }
  const auto extents = stored_extents(loaded.pagemap, set.page_size(work_.options), owners.wanted(memory));
  work_.use.add(memory, &loaded.pagemap, set.page_size(work_.options));
  if (!extents.empty()) work_.use.add_stored();
  const auto pages = set.pages.find(loaded.pagemap.pages_id);
  if (pages == set.pages.end()) {
    if (!extents.empty()) work_.on_error({Reason::missing_image, set.place + pages_name(loaded.pagemap.pages_id)});
    return Step::go;
  }
  if (loaded.pagemap.layout && !pages->second.is_decoded) {
    pages->second.waiting.reset();
    const StoredSize there{pages->second.seen_bytes};
    if (!pages->second.is_damaged && there.bytes < loaded.pagemap.stored(set.page_size(work_.options)).bytes)
      work_.on_error(loaded.pagemap.cut(there, pages->second.place, set.page_size(work_.options)));
    pages->second.again = rereadable_;
    if (rereadable_) return Step::go;
    Error error{Reason::late_pagemap, pages->second.place};
    error.name = pagemap_name(memory);
    work_.on_error(error);
    return Step::go;
  }
  check_size(pages->second, extents);
  if (!pages->second.waiting) return Step::go;
  if (rereadable_ && pages->second.waiting->any_is_cut(extents)) {
    pages->second.again = true;
    pages->second.waiting.reset();
    return Step::go;
  }
  const auto give = [&](const Match& found) { return owners.report(memory, found, work_.on_match); };
  const auto lost = [&](Error error) {
    error.image = pages->second.place;
    work_.on_error(error);
  };
  const Step step = pages->second.waiting->resolve(extents, give, lost);
  pages->second.waiting.reset();
  return step;
}

Step InputSearch::report_unclaimed(const SearchedSet& set, const SearchedPages& pages, const Match& found) const {
  return work_.on_match({.set = set.id,
                         .pid = {},
                         .memory = {},
                         .address = found.address,
                         .length = found.length,
                         .pattern = found.pattern,
                         .mapping = nullptr,
                         .mapping_name = {},
                         .image = pages.place,
                         .before = found.before,
                         .match = found.match,
                         .after = found.after});
}

Step InputSearch::finish_unclaimed(SearchedSet& set) {
  for (auto& entry : set.pages) {
    SearchedPages& pages = entry.second;
    if (!takes_unclaimed()) pages.waiting.reset();
    if (!pages.waiting) continue;
    const auto give = [&](const Match& found) { return report_unclaimed(set, pages, found); };
    if (pages.waiting->resolve_without_pagemap(give) == Step::stop) return Step::stop;
    pages.waiting.reset();
  }
  return Step::go;
}

Step InputSearch::finish() {
  if (stopped_) return Step::stop;
  for (const auto& set : sets_.all()) {
    set->checkpoint.finish(set->place);
    MemoryOwners owners{set->id, set->checkpoint, work_.options};
    work_.use.add(set->checkpoint);
    if (!set->pages.empty()) work_.use.add_pages_image();
    for (auto& [memory, loaded] : set->pagemaps)
      if (finish(*set, owners, memory, loaded) == Step::stop) return Step::stop;
    if (finish_unclaimed(*set) == Step::stop) return Step::stop;
  }
  return Step::go;
}

bool InputSearch::begin_second_pass() {
  is_second_pass_ = true;
  bool any = false;
  for (const auto& set : sets_.all()) {
    if (!takes_unclaimed())
      for (auto& [id, pages] : set->pages) {
        const auto claims = [id = id](const auto& row) { return row.second.pagemap.pages_id == id; };
        pages.again = pages.again && std::ranges::any_of(set->pagemaps, claims);
      }
    any = any || std::ranges::any_of(set->pages, [](const auto& row) { return row.second.again; });
  }
  return any;
}

}  // namespace

Step MemorySearch::Work::search_inputs(const std::vector<std::string>& inputs, const SourceOptions& source_options) {
  const bool all =
      std::ranges::all_of(inputs, [&](const std::string& input) { return can_read_again(input, source_options); });
  InputSearch receiver{*this, all ? Rereadable::yes : Rereadable::no};
  if (read_inputs(inputs, receiver, source_options) == Step::stop || receiver.finish() == Step::stop) return Step::stop;
  if (receiver.begin_second_pass() && read_inputs(inputs, receiver, source_options) == Step::stop) return Step::stop;
  if (!receiver.maps_unlinked()) return Step::go;
  if (receiver.is_rereadable()) return search_unlinked(inputs, source_options);
  on_error({.reason = Reason::no_bytes,
            .name = "unlinked files that are mapped were not searched: give the archive itself, not a pipe"});
  return Step::go;
}

Step MemorySearch::Work::step_behind(const Search& search, const std::string& place) const {
  if (!search.error()) return Step::stop;
  Error error = search.error();
  error.image = place;
  on_error(error);
  return Step::go;
}

}  // namespace critpipe
