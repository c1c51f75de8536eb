// Directories: every memory in address order, wherever its pages are.
#include <algorithm>

#include "critpipe/survey.hpp"
#include "search/memory_search_work.hpp"

namespace critpipe {

using namespace search;

namespace {

constexpr std::size_t read_bytes = 1 << 20;

// Searches one memory. What is adjacent in a pages image is read at once, however many runs it is cut into.
class StoredSearch {
 public:
  StoredSearch(MemorySearch::Work& work, PageDirectory& directory, MemoryId memory, std::uint64_t page_size,
               Search& search)
      : work_{work}, directory_{directory}, memory_{memory}, page_size_{page_size}, feeder_{search} {}

  Step run(const Ranges& wanted);

 private:
  Step take(const Stretch& stretch, const MemoryFilter::Range& range);
  Step flush();

  MemorySearch::Work& work_;
  PageDirectory& directory_;
  MemoryId memory_;
  std::uint64_t page_size_;
  Feeder feeder_;
  std::vector<std::byte> buffer_;
  std::uint32_t level_ = 0;  // of what waits to be read
  std::uint64_t pages_id_ = 0;
  std::vector<PlacedBytes> extents_;
  std::uint64_t missing_ = 0;
};

Step StoredSearch::run(const Ranges& wanted) {
  for (const auto& range : wanted) {
    const bool all =
        visit_stretches(directory_, memory_, page_size_, range.begin, range.end, [&](const Stretch& stretch) {
          if (stretch.where == Stretch::Where::missing) missing_ += stretch.nr_pages;
          return stretch.where == Stretch::Where::stored ? take(stretch, range) : Step::go;
        });
    if (!all) return Step::stop;
  }
  if (flush() == Step::stop || feeder_.end() == Step::stop) return Step::stop;
  if (missing_ == 0) return Step::go;
  Error error{Reason::unsearched_pages, directory_.path()};
  error.have = missing_;
  work_.on_error(error);
  return Step::go;
}

Step StoredSearch::take(const Stretch& stretch, const MemoryFilter::Range& range) {
  const std::uint64_t begin = std::max(stretch.vaddr, range.begin);
  const std::uint64_t end = std::min(stretch.end(page_size_), range.end);
  const PlacedBytes extent = PlacedBytes::of(stretch.page, stretch.vaddr, page_size_, begin, end);
  const bool joins = !extents_.empty() && level_ == stretch.level && pages_id_ == stretch.pages_id &&
                     extents_.back().end() == extent.position;
  if (!joins && flush() == Step::stop) return Step::stop;
  level_ = stretch.level;
  pages_id_ = stretch.pages_id;
  extents_.push_back(extent);
  work_.use.add_stored();
  return extent.end() - extents_.front().position >= read_bytes ? flush() : Step::go;
}

Step StoredSearch::flush() {
  if (extents_.empty()) return Step::go;
  buffer_.resize(read_bytes);
  const std::uint64_t end = extents_.back().end();
  auto extent = extents_.begin();
  for (std::uint64_t at = extents_.front().position; at < end;) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(end - at, read_bytes));
    Error error;
    PageDirectory& holder = *directory_.ancestor(level_).page_directory();
    const PagesImage* image = holder.image(pages_id_, page_size_, error);
    if (image) error = image->read_content(at, {buffer_.data(), size});
    if (error) {
      work_.on_error(error);
      extents_.clear();
      return feeder_.end();
    }
    for (std::size_t done = 0; done < size;) {
      const std::uint64_t skip = at + done - extent->position;
      const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(extent->size - skip, size - done));
      if (feeder_.feed(extent->address + skip, Bytes{buffer_}.subspan(done, piece)) == Step::stop) return Step::stop;
      done += piece;
      if (skip + piece == extent->size) ++extent;
    }
    at += size;
  }
  extents_.clear();
  return Step::go;
}

std::set<MemoryId> named_memories(const SurveyedSet& set) {
  std::set<MemoryId> memories;
  for (const auto& [memory, surveyed] : set.memories)
    if (surveyed.named) memories.insert(memory);
  return memories;
}

}  // namespace

Step MemorySearch::Work::search_directory(const std::string& path, const SourceOptions& source_options) {
  SurveyOptions survey_options;
  survey_options.page_size = options.page_size;
  survey_options.limits = options.limits;
  PageSurvey survey{survey_options, on_error};
  auto& sets = survey.read({path}, source_options);
  for (const auto& set : sets)
    if (options.on_set) options.on_set(set->id);
  for (const auto& set : sets) {
    PageDirectory* directory = set->page_directory();
    if (!directory) continue;
    MemoryOwners owners{set->id, *set->checkpoint, options};
    use.add(*set->checkpoint);
    for (const MemoryId memory : in_order(*set->checkpoint, named_memories(*set))) {
      const Ranges wanted = owners.wanted(memory);
      use.add(memory, wanted.empty() || options.filter.ranges.empty() ? nullptr : directory->pagemap(memory),
              set->page_size);
      if (wanted.empty()) continue;
      Search search{patterns, options.context,
                    [&](const Match& found) { return owners.report(memory, found, on_match); }};
      StoredSearch stored{*this, *directory, memory, set->page_size, search};
      const Step step = stored.run(wanted) == Step::go ? Step::go : step_behind(search, path);
      directory->forget(memory);
      for (const Error& error : directory->new_errors()) on_error(error);
      if (step == Step::stop) return Step::stop;
    }
    // Pages that no pagemap names are searched as they stand.
    if (!set->images.empty()) use.add_pages_image();
    for (const auto& [pages_id, image] : set->images)
      if (!image.claimed && image.on_disk && search_inputs({image.place}, {}) == Step::stop) return Step::stop;
  }
  const bool any = std::ranges::any_of(sets, [](const auto& set) { return maps_unlinked(*set->checkpoint); });
  return any ? search_unlinked({path}, {}) : Step::go;
}

}  // namespace critpipe
