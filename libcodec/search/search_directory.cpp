// Directories: every memory in address order, wherever its pages are.
#include <algorithm>

#include "critpipe/survey.hpp"
#include "search/memory_search_work.hpp"

namespace critpipe {

using namespace search;

namespace {

constexpr std::size_t read_bytes = 1 << 20;

// One memory. What lies together in a pages image is read at once, however many runs it is cut into.
class MemoryFeed {
 public:
  MemoryFeed(MemorySearch::Work& work, PageDirectory& directory, MemoryId memory, std::uint64_t page_size,
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
  std::vector<PlacedBytes> parts_;
  std::uint64_t missing_ = 0;
};

Step MemoryFeed::run(const Ranges& wanted) {
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
  work_.fault(error);
  return Step::go;
}

Step MemoryFeed::take(const Stretch& stretch, const MemoryFilter::Range& range) {
  const std::uint64_t begin = std::max(stretch.vaddr, range.begin);
  const std::uint64_t end = std::min(stretch.end(page_size_), range.end);
  const PlacedBytes part = PlacedBytes::of(stretch.page, stretch.vaddr, page_size_, begin, end);
  const bool joins = !parts_.empty() && level_ == stretch.level && pages_id_ == stretch.pages_id &&
                     parts_.back().end() == part.position;
  if (!joins && flush() == Step::stop) return Step::stop;
  level_ = stretch.level;
  pages_id_ = stretch.pages_id;
  parts_.push_back(part);
  return part.end() - parts_.front().position >= read_bytes ? flush() : Step::go;
}

Step MemoryFeed::flush() {
  if (parts_.empty()) return Step::go;
  buffer_.resize(read_bytes);
  const std::uint64_t end = parts_.back().end();
  auto part = parts_.begin();
  for (std::uint64_t at = parts_.front().position; at < end;) {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(end - at, read_bytes));
    Error error;
    const PagesImage* image = directory_.ancestor(level_).image(pages_id_, page_size_, error);
    if (image) error = image->read_content(at, {buffer_.data(), size});
    if (error) {
      work_.fault(error);
      parts_.clear();
      return feeder_.end();
    }
    for (std::size_t done = 0; done < size;) {
      const std::uint64_t skip = at + done - part->position;
      const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(part->size - skip, size - done));
      if (feeder_.feed(part->address + skip, Bytes{buffer_}.subspan(done, piece)) == Step::stop) return Step::stop;
      done += piece;
      if (skip + piece == part->size) ++part;
    }
    at += size;
  }
  parts_.clear();
  return Step::go;
}

// Tasks in the order of their tree, then what belongs to none, then shared memory.
std::vector<MemoryId> in_order(const SurveyedSet& set) {
  std::vector<MemoryId> order;
  for (const auto& branch : set.checkpoint->tree()) {
    const MemoryId memory{false, branch.task->pid};
    if (set.memories.contains(memory)) order.push_back(memory);
  }
  for (const auto& [memory, surveyed] : set.memories)
    if (surveyed.named && std::ranges::find(order, memory) == order.end()) order.push_back(memory);
  return order;
}

}  // namespace

Step MemorySearch::Work::search_directory(const std::string& path) {
  SurveyOptions survey_options;
  survey_options.page_size = options.page_size;
  survey_options.limits = options.limits;
  PageSurvey survey{survey_options, fault};
  auto& sets = survey.read({path}, {});
  for (const auto& set : sets) {
    PageDirectory* directory = set->page_directory();
    if (!directory) continue;
    Places places{set->id, *set->checkpoint, options};
    std::size_t nr_errors = 0;
    for (const MemoryId memory : in_order(*set)) {
      const Ranges wanted = places.wanted(memory);
      if (wanted.empty()) continue;
      Search search{patterns, options.context,
                    [&](const Found& found) { return places.report(memory, found, report); }};
      MemoryFeed feed{*this, *directory, memory, set->page_size, search};
      const Step step = feed.run(wanted);
      report_failure(search, path);
      directory->forget(memory);
      for (; nr_errors < directory->errors().size(); ++nr_errors) fault(directory->errors()[nr_errors]);
      if (step == Step::stop) return Step::stop;
    }
    // Pages that no pagemap names are searched as they stand.
    for (const auto& [pages_id, image] : set->images)
      if (!image.claimed && image.on_disk && search_inputs({image.place}, {}) == Step::stop) return Step::stop;
  }
  return Step::go;
}

}  // namespace critpipe
