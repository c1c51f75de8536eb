// Pages images that come in their own order, one by one.
#include <algorithm>

#include "search/searched_set.hpp"

namespace critpipe::search {

const Pagemap* SearchedSet::pagemap(MemoryId memory) { return pagemaps.find(memory); }

std::shared_ptr<const StoredPages> SearchedSet::blocks_of(std::uint64_t pages_id, const MemorySearchOptions& options,
                                                          Error& error) const {
  auto blocks = pagemaps.index().blocks_of(pages_id, page_size(options), error);
  if (error) error.image = place + error.image;
  return blocks;
}

// Of shared memory all tasks are asked, so that the answer is kept until there is more to ask.
bool SearchedSet::tells(MemoryId memory) {
  const auto is_read = [this](const std::string& name) { return whole.contains(name); };
  if (!memory.shmem) return is_told(checkpoint, memory, is_read);
  if (!tells_shared_ && nr_whole_then_ != whole.size()) {
    nr_whole_then_ = whole.size();
    tells_shared_ = is_told(checkpoint, memory, is_read);
  }
  return tells_shared_;
}

std::unique_ptr<Sink> SearchedSet::to_try(const Member& member, RoomToTry& room, PagesToTry::MakeSink make) {
  return pages_to_try.sink_for(member, checkpoint.kind() == SetKind::checkpoint, room, std::move(make),
                               early_of(pagemaps.index(), checkpoint));
}

bool SearchedSet::has_pages_in_parent(const Pagemap& pagemap) {
  return std::ranges::any_of(pagemap.runs, [](const PageRun& run) { return run.is_parent() && run.nr_pages > 0; });
}

bool SearchPass::knows(SearchedSet& set, const Pagemap& pagemap) const {
  if (is_second) return !set.is_joined(pagemap);
  if (set.may_be_parent() || (is_rereadable && SearchedSet::has_pages_in_parent(pagemap))) return false;
  // Where plain pages are in the image does not depend on their size: matches can wait for that.
  if (set.may_learn_page_size(work.options) && (is_rereadable || !pagemap.layout)) return false;
  return set.whole_pagemaps.contains(pagemap.memory) && set.tells(pagemap.memory);
}

bool SearchPass::defers(const SearchedSet& set, std::uint64_t pages_id) const {
  if (!is_rereadable) return false;
  // What a pattern sees beside a match may turn out to be a gap, and a match there would be missed.
  if (work.patterns.see_neighbours() || set.may_be_parent()) return true;
  return std::ranges::any_of(set.pagemaps.index().of(pages_id), SearchedSet::has_pages_in_parent);
}

Step SearchPass::report_unclaimed(const SearchedSet& set, const SearchedPages& pages, const Match& found) const {
  return work.on_match({.set = set.id,
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

// The search of the image for one memory, or of the image as it stands.
struct ImageSearch::Lane {
  std::unique_ptr<MemoryOwners> owners = {};  // null: as it stands
  std::vector<PlacedBytes> extents = {};
  std::size_t next = 0;  // of the extents
  std::unique_ptr<FedSearch> search = {};
  std::unique_ptr<Feeder> feeder = {};
  bool has_failed = false;

  Step feed(std::uint64_t at, Bytes bytes);
};

Step ImageSearch::Lane::feed(std::uint64_t at, Bytes bytes) {
  if (!owners) return feeder->feed(at, bytes);
  const std::uint64_t end = at + bytes.size();
  for (; next < extents.size(); ++next) {
    const PlacedBytes& extent = extents[next];
    const std::uint64_t from = std::max(at, extent.position), to = std::min(end, extent.end());
    if (from < to && feeder->feed(extent.address + (from - extent.position),
                                  bytes.subspan(static_cast<std::size_t>(from - at),
                                                static_cast<std::size_t>(to - from))) == Step::stop)
      return Step::stop;
    if (end < extent.end()) break;
  }
  return Step::go;
}

ImageSearch::ImageSearch(SearchPass& pass, SearchedSet& set, std::uint64_t pages_id)
    : pass_{pass}, set_{set}, pages_{set.pages[pages_id]} {
  Error error;
  pages_.page_size = set.page_size(pass.work.options);
  pages_.blocks = set.blocks_of(pages_id, pass.work.options, error);
  if (error) return;  // which is reported at the end
  stored_as(pages_.blocks);
  for (Pagemap& pagemap : set.pagemaps.index().of(pages_id)) {
    if (pages_.searched.contains(pagemap.memory) || !pass.knows(set, pagemap)) continue;
    pagemap.seal();
    pages_.searched.insert(pagemap.memory);
    add(pagemap);
  }
  if (!lanes_.empty()) return;
  if (pass.is_second) {
    if (!set.pagemaps.index().has_any(pages_id)) add_unplaced();
    return;
  }
  const bool may_be_larger = pages_.blocks && set.may_learn_page_size(pass.work.options);
  pages_.again = pass.defers(set, pages_id) || (pass.is_rereadable && may_be_larger);
  if (!pages_.again) add_unplaced();
}

ImageSearch::~ImageSearch() = default;

void ImageSearch::add(const Pagemap& pagemap) {
  const MemorySearch::Work& work = pass_.work;
  auto lane = std::make_unique<Lane>();
  lane->owners = std::make_unique<MemoryOwners>(set_.id, set_.checkpoint, work.options, set_.sharers);
  lane->extents = stored_extents(pagemap, set_.page_size(work.options), lane->owners->wanted(pagemap.memory));
  lane->search = pass_.work.new_search(
      work.options.context, [&work, owners = lane->owners.get(), memory = pagemap.memory](const Match& found) {
        return owners->report(memory, found, work.on_match);
      });
  lane->feeder = std::make_unique<Feeder>(*lane->search);
  lanes_.push_back(std::move(lane));
}

namespace {

// Does a range begin or end inside a page, so that any match may turn out to be cut?
bool cuts_inside_pages(const MemoryFilter& filter) {
  return std::ranges::any_of(filter.ranges, [](const MemoryFilter::Range& range) {
    return range.begin % smallest_page != 0 || range.end % smallest_page != 0;
  });
}

}  // namespace

void ImageSearch::add_unplaced() {
  const MemorySearch::Work& work = pass_.work;
  std::size_t context = work.options.context;
  if (!pass_.is_second) {
    const auto around =
        cuts_inside_pages(work.options.filter) ? WaitingMatches::Around::all : WaitingMatches::Around::page_borders;
    pages_.waiting = std::make_unique<WaitingMatches>(work.patterns, context, around, pass_.budget);
    context = std::max(context, around_bytes);
  }
  auto lane = std::make_unique<Lane>();
  lane->search = pass_.work.new_search(context, [this](const Match& found) {
    return pass_.is_second ? pass_.report_unclaimed(set_, pages_, found) : wait(found);
  });
  lane->feeder = std::make_unique<Feeder>(*lane->search);
  lanes_.push_back(std::move(lane));
}

Step ImageSearch::wait(const Match& found) {
  if (full_ || pages_.waiting->add(found)) return Step::go;
  full_ = true;
  if (pass_.is_rereadable) {
    pages_.again = true;
    pages_.waiting.reset();
    lanes_.front()->has_failed = true;
    return Step::go;
  }
  Error error{Reason::limit_waiting, pages_.place, found.address};
  error.want = max_waiting_bytes;
  pass_.work.on_error(error);
  return Step::go;
}

Step ImageSearch::pass_over(std::uint64_t size_bytes) {
  if (!lanes_.empty()) return Step::stop;
  pages_.seen_bytes = size_bytes;
  return Step::go;
}

Step ImageSearch::pages(std::uint64_t first, Bytes bytes) {
  const std::uint64_t at = content_position(first, smallest_page);
  for (const auto& lane : lanes_)
    if (!lane->has_failed && settle(*lane, lane->feed(at, bytes)) == Step::stop) return Step::stop;
  return Step::go;
}

void ImageSearch::fail(const Error&) {
  pages_.is_damaged = true;
  if (cut_page() == Step::go) (void)finish();
}

void ImageSearch::refused(const Error& error) {
  Error placed = error;
  placed.image = pages_.place;
  const bool may_be_larger = !pass_.is_second && set_.may_learn_page_size(pass_.work.options);
  if (!may_be_larger) pass_.work.report_once(placed);
  else if (!pages_.refused) pages_.refused = std::move(placed);
}

Step ImageSearch::finish() {
  pages_.seen_bytes = std::max(pages_.seen_bytes, stored_bytes());
  for (const auto& lane : lanes_)
    if (!lane->has_failed && settle(*lane, lane->search->finish()) == Step::stop) return Step::stop;
  return Step::go;
}

// A failure ends this search only; what was found before it counts.
Step ImageSearch::settle(Lane& lane, Step step) {
  if (step == Step::go) return step;
  step = pass_.work.step_behind(*lane.search, pages_.place);
  (step == Step::go ? lane.has_failed : pass_.stopped) = true;
  return step;
}

}  // namespace critpipe::search
