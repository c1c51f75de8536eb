// Archives, streams and single images: pages are searched as they come, at their addresses where all that tells these
// has come before. Else matches wait for it. Images for which that is not exact, or too much, are searched in a second
// pass where the inputs are files.
#include <sys/stat.h>

#include <algorithm>
#include <set>

#include "critpipe/checkpoint.hpp"
#include "search/waiting_matches.hpp"
#include "search/memory_search_work.hpp"

namespace critpipe {

using namespace search;

namespace {

struct LoadedPagemap {
  Pagemap pagemap;
  bool whole = false;
};

// A pages image: what was found in it, at addresses if these were known, else waiting.
struct SearchedPages {
  std::string name;
  std::string path;
  std::string place;
  std::uint64_t seen_bytes = 0;
  bool is_damaged = false;         // and that was said
  std::optional<MemoryId> memory;  // known from the start
  std::vector<PlacedBytes> parts;
  std::unique_ptr<WaitingMatches> waiting;
  bool again = false;  // to be searched in the second pass
};

struct Set {
  std::shared_ptr<const SetId> id;
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

// Notes when an image has come to its end.
class NotesEnd final : public Stage {
 public:
  NotesEnd(std::unique_ptr<Sink> to, Set& set, std::string name)
      : Stage{to.get()}, to_{std::move(to)}, set_{set}, name_{std::move(name)} {}
  Step end() override {
    const Step step = Stage::end();
    set_.whole.insert(name_);
    return step;
  }

 private:
  std::unique_ptr<Sink> to_;
  Set& set_;
  std::string name_;
};

enum class Rereadable : bool { no, yes };

class Inputs final : public Decoding {
 public:
  Inputs(MemorySearch::Work& work, Rereadable rereadable)
      : Decoding{work.options.limits}, work_{work}, rereadable_{rereadable == Rereadable::yes} {}

  bool wants(std::string_view name) override;
  std::unique_ptr<Sink> sink_for(const Member& member) override;
  void report(const Error& error) override {
    if (!is_second_pass_) work_.fault(error);
  }
  Step finish();
  // After finish(): is there anything to be read again? Then all inputs are.
  bool begin_second_pass();

 private:
  class SearchPages;
  Set& set_of(const Member& member);
  Step finish(Set& set, Places& places, MemoryId memory, LoadedPagemap& loaded);
  Step finish_unclaimed(Set& set);
  Step report_unclaimed(const Set& set, const SearchedPages& pages, const Found& found) const;
  void check_size(const SearchedPages& pages, const std::vector<PlacedBytes>& parts);
  bool is_told(const Set& set, MemoryId memory) const;
  // Do ranges begin or end inside of pages, so that any match may turn out to be cut?
  bool cuts_inside_pages() const {
    return std::ranges::any_of(work_.options.filter.ranges, [](const MemoryFilter::Range& range) {
      return range.begin % smallest_page != 0 || range.end % smallest_page != 0;
    });
  }
  // Memory that nobody is known to have is not what a filter asks for.
  bool takes_unclaimed() const {
    const MemoryFilter& filter = work_.options.filter;
    return filter.pids.empty() && filter.ranges.empty() && filter.areas.empty() && filter.protection.empty();
  }

  MemorySearch::Work& work_;
  const bool rereadable_;
  bool is_second_pass_ = false;
  WaitingRoom room_;
  std::map<SetId, std::unique_ptr<Set>> sets_;
  bool stopped_ = false;
};

// A pages image on its way.
class Inputs::SearchPages final : public PagesSink {
 public:
  SearchPages(Inputs& inputs, Set& set, std::uint64_t pages_id, SearchedPages& pages);
  void fail(const Error&) override {
    pages_.is_damaged = true;
    if (cut_page() == Step::go) (void)finish();
  }

 protected:
  Step pages(std::uint64_t first, Bytes bytes) override;
  Step done(std::uint64_t) override { return finish(); }

 private:
  Step found(const Found& found);
  Step finish();

  void place(MemoryId memory, LoadedPagemap& loaded);
  void stop() {
    inputs_.stopped_ = true;
    inputs_.work_.report_failure(*search_, pages_.place);
  }

  Inputs& inputs_;
  Set& set_;
  SearchedPages& pages_;
  std::unique_ptr<Places> places_;  // matches go out at once
  std::unique_ptr<Search> search_;
  std::unique_ptr<Feeder> feeder_;
  std::vector<PlacedBytes>::const_iterator part_;
  std::uint64_t seen_bytes_ = 0;
  bool full_ = false;
};

bool Inputs::wants(std::string_view name) {
  const std::string_view file = file_of(name);
  if (is_second_pass_) return pages_id_of_name(file).has_value();
  const Kind* kind = kind_of_name(file);
  return !kind || memory_of_name(file) || pages_id_of_name(file) || Checkpoint{Needs{.mappings = true}}.wants(file);
}

Set& Inputs::set_of(const Member& member) {
  auto& set = sets_[*member.set];
  if (!set) {
    set = std::make_unique<Set>();
    set->id = member.set;
    set->place = place_beside(member, {});
  }
  return *set;
}

std::unique_ptr<Sink> Inputs::sink_for(const Member& member) {
  if (!member.is_image) return nullptr;
  Set& set = set_of(member);
  const std::string& file = member.name;
  if (const auto pages_id = pages_id_of_name(file)) {
    SearchedPages& pages = set.pages[*pages_id];
    if (is_second_pass_ && !std::exchange(pages.again, false)) return nullptr;
    pages.name = member.name;
    pages.path = member.path;
    pages.place = member.place;
    return std::make_unique<SearchPages>(*this, set, *pages_id, pages);
  }
  if (is_second_pass_) return nullptr;
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
  return std::make_unique<NotesEnd>(std::move(to), set, file);
}

bool Inputs::is_told(const Set& set, MemoryId memory) const {
  const auto is_read = [&](const std::string& name) { return set.whole.contains(name); };
  return is_second_pass_ || (is_read(pagemap_name(memory)) && search::is_told(set.checkpoint, memory, is_read));
}

Inputs::SearchPages::SearchPages(Inputs& inputs, Set& set, std::uint64_t pages_id, SearchedPages& pages)
    : inputs_{inputs}, set_{set}, pages_{pages} {
  const MemorySearch::Work& work = inputs.work_;
  for (auto& [memory, loaded] : set.pagemaps)
    if (loaded.pagemap.pages_id == pages_id && inputs.is_told(set, memory)) place(memory, loaded);
  std::size_t context = work.options.context;
  if (!places_ && !inputs.is_second_pass_) {
    // What a pattern sees beside a match may be a gap, so that no match is found where there is one.
    pages.again = inputs.rereadable_ && work.patterns.see_neighbours();
    if (pages.again) return;
    const auto around = inputs.cuts_inside_pages() ? WaitingMatches::Around::all : WaitingMatches::Around::page_borders;
    pages.waiting = std::make_unique<WaitingMatches>(work.patterns, context, around, inputs.room_);
    context = std::max(context, around_bytes);
  }
  search_ = std::make_unique<Search>(work.patterns, context, [this](const Found& match) { return found(match); });
  feeder_ = std::make_unique<Feeder>(*search_);
  part_ = pages.parts.begin();
}

void Inputs::SearchPages::place(MemoryId memory, LoadedPagemap& loaded) {
  const MemorySearchOptions& options = inputs_.work_.options;
  places_ = std::make_unique<Places>(*set_.id, set_.checkpoint, options);
  loaded.pagemap.seal();
  pages_.memory = memory;
  pages_.parts = parts_of(loaded.pagemap, set_.page_size(options), places_->wanted(memory));
}

Step Inputs::SearchPages::found(const Found& found) {
  const MemorySearch::Work& work = inputs_.work_;
  if (places_) return places_->report(*pages_.memory, found, work.report);
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
  work.fault(error);
  return Step::go;
}

Step Inputs::SearchPages::pages(std::uint64_t first, Bytes bytes) {
  Step step = Step::go;
  const std::uint64_t at = content_position(first, smallest_page);
  const std::uint64_t end = seen_bytes_ = at + bytes.size();
  if (pages_.again) return step;
  if (!places_) step = feeder_->feed(at, bytes);
  for (; part_ != pages_.parts.end() && step == Step::go; ++part_) {
    const std::uint64_t from = std::max(at, part_->position), to = std::min(end, part_->end());
    if (from < to)
      step = feeder_->feed(part_->address + (from - part_->position),
                           bytes.subspan(static_cast<std::size_t>(from - at), static_cast<std::size_t>(to - from)));
    if (end < part_->end()) break;
  }
  if (step == Step::stop) stop();
  return step;
}

Step Inputs::SearchPages::finish() {
  pages_.seen_bytes = seen_bytes_;
  const Step step = pages_.again ? Step::go : feeder_->end();
  if (step == Step::stop) stop();
  return step;
}

// Are the bytes there that the pagemap says?
void Inputs::check_size(const SearchedPages& pages, const std::vector<PlacedBytes>& parts) {
  std::uint64_t claimed = 0;
  for (const PlacedBytes& part : parts) claimed = std::max(claimed, part.end());
  if (pages.is_damaged || pages.seen_bytes >= claimed) return;
  Error error{Reason::cut_pages, pages.place, pages.seen_bytes};
  error.want = claimed;
  error.have = pages.seen_bytes;
  work_.fault(error);
}

// What waited, in the order of addresses.
Step Inputs::finish(Set& set, Places& places, MemoryId memory, LoadedPagemap& loaded) {
  loaded.pagemap.seal();
  std::uint64_t in_parent = 0;
  for (const PageRun& run : loaded.pagemap.runs) in_parent += run.is_parent() ? run.nr_pages : 0;
  if (in_parent > 0) {
    Error error{Reason::unsearched_pages, set.place + pagemap_name(memory)};
    error.have = in_parent;
    work_.fault(error);
  }
  const auto parts = parts_of(loaded.pagemap, set.page_size(work_.options), places.wanted(memory));
  const auto pages = set.pages.find(loaded.pagemap.pages_id);
  if (pages == set.pages.end()) {
    if (!parts.empty()) work_.fault({Reason::missing_image, set.place + pages_name(loaded.pagemap.pages_id)});
    return Step::go;
  }
  check_size(pages->second, parts);
  if (!pages->second.waiting) return Step::go;
  if (rereadable_ && pages->second.waiting->any_is_cut(parts)) {
    pages->second.again = true;
    pages->second.waiting.reset();
    return Step::go;
  }
  const auto give = [&](const Found& found) { return places.report(memory, found, work_.report); };
  const auto lost = [&](std::uint64_t length) {
    Error error{Reason::limit_match, pages->second.place};
    error.have = length;
    work_.fault(error);
  };
  const Step step = pages->second.waiting->resolve(parts, give, lost);
  pages->second.waiting.reset();
  return step;
}

Step Inputs::report_unclaimed(const Set& set, const SearchedPages& pages, const Found& found) const {
  return work_.report({*set.id,
                       {},
                       {},
                       found.address,
                       found.length,
                       found.pattern,
                       nullptr,
                       {},
                       pages.place,
                       found.before,
                       found.match,
                       found.after});
}

Step Inputs::finish_unclaimed(Set& set) {
  for (auto& [id, pages] : set.pages) {
    if (!takes_unclaimed()) pages.waiting.reset();
    if (!pages.waiting) continue;
    const auto give = [&](const Found& found) { return report_unclaimed(set, pages, found); };
    if (pages.waiting->as_they_stand(give) == Step::stop) return Step::stop;
    pages.waiting.reset();
  }
  return Step::go;
}

Step Inputs::finish() {
  if (stopped_) return Step::stop;
  for (auto& [id, set] : sets_) {
    set->checkpoint.finish(set->place);
    Places places{id, set->checkpoint, work_.options};
    for (auto& [memory, loaded] : set->pagemaps)
      if (finish(*set, places, memory, loaded) == Step::stop) return Step::stop;
    if (finish_unclaimed(*set) == Step::stop) return Step::stop;
  }
  return Step::go;
}

bool Inputs::begin_second_pass() {
  is_second_pass_ = true;
  bool any = false;
  for (auto& [folder, set] : sets_) {
    if (!takes_unclaimed())
      for (auto& [id, pages] : set->pages) {
        const auto claims = [id = id](const auto& row) { return row.second.pagemap.pages_id == id; };
        pages.again = pages.again && std::ranges::any_of(set->pagemaps, claims);
      }
    any = any || std::ranges::any_of(set->pages, [](const auto& row) { return row.second.again; });
  }
  return any;
}

bool is_file(const std::string& path) {
  struct stat status;
  return stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode);
}

Step read_all(Receiver& receiver, const std::vector<std::string>& inputs, const SourceOptions& options) {
  Pieces pieces{inputs, options};
  while (const auto piece = pieces.next())
    if (piece->read(receiver) == Step::stop) return Step::stop;
  return Step::go;
}

}  // namespace

Step MemorySearch::Work::search_inputs(const std::vector<std::string>& inputs, const SourceOptions& source_options) {
  Inputs receiver{*this, std::ranges::all_of(inputs, is_file) ? Rereadable::yes : Rereadable::no};
  if (read_all(receiver, inputs, source_options) == Step::stop || receiver.finish() == Step::stop) return Step::stop;
  return receiver.begin_second_pass() ? read_all(receiver, inputs, source_options) : Step::go;
}

void MemorySearch::Work::report_failure(const Search& search, const std::string& place) const {
  if (!search.error()) return;
  Error error = search.error();
  error.image = place;
  fault(error);
}

}  // namespace critpipe
