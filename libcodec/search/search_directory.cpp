// Directories: every memory in address order, wherever its pages are.
#include <algorithm>

#include "search/memory_search_work.hpp"
#include "survey/survey_work.hpp"

namespace critpipe {

using namespace search;

namespace {

constexpr std::size_t read_bytes = chunk_bytes;
constexpr std::size_t most_images = 12;  // that may wait to be read: a PageDirectory keeps 15 open

// Reads by position. What is adjacent in a pages image is read at once, however many runs it is cut into.
class PositionReader final : public StoredReader {
 public:
  PositionReader(MemorySearch::Work& work, PageDirectory& directory, std::uint64_t page_size)
      : work_{work}, directory_{directory}, page_size_{page_size} {}

  Step take(const Stretch& stretch, std::uint64_t begin, std::uint64_t end, Feeder& feeder) override;
  Step finish(Feeder& feeder) override;

 private:
  const PagesImage* image(Feeder& feeder, Error& error);
  template <typename Feed>
  static Step each_part(std::vector<PlacedBytes>::const_iterator& extent, std::uint64_t at, std::uint64_t size,
                        Feed feed);

  MemorySearch::Work& work_;
  PageDirectory& directory_;
  std::uint64_t page_size_;
  std::uint32_t level_ = 0;  // of what waits to be read
  std::uint64_t pages_id_ = 0;
  std::vector<PlacedBytes> extents_;
  std::vector<const PagesImage*> images_;  // that wait to be read
};

Step PositionReader::take(const Stretch& stretch, std::uint64_t begin, std::uint64_t end, Feeder& feeder) {
  const PlacedBytes extent = PlacedBytes::of(stretch.page, stretch.vaddr, page_size_, begin, end);
  const bool joins = !extents_.empty() && level_ == stretch.level && pages_id_ == stretch.pages_id &&
                     extents_.back().end() == extent.position;
  if (!joins && finish(feeder) == Step::stop) return Step::stop;
  level_ = stretch.level;
  pages_id_ = stretch.pages_id;
  extents_.push_back(extent);
  return extent.end() - extents_.front().position >= read_bytes ? finish(feeder) : Step::go;
}

// Calls feed(address, size) with each part of the content from a position on, which lies in that extent.
template <typename Feed>
Step PositionReader::each_part(std::vector<PlacedBytes>::const_iterator& extent, std::uint64_t at, std::uint64_t size,
                               Feed feed) {
  for (std::uint64_t done = 0; done < size;) {
    const std::uint64_t skip = at + done - extent->position;
    const std::uint64_t piece = std::min(extent->size - skip, size - done);
    if (feed(extent->address + skip, piece) == Step::stop) return Step::stop;
    done += piece;
    if (skip + piece == extent->size) ++extent;
  }
  return Step::go;
}

const PagesImage* PositionReader::image(Feeder& feeder, Error& error) {
  const bool is_room = images_.size() < most_images;
  if (!is_room) {
    feeder.search().wait_for_reads();
    images_.clear();
  }
  const PagesImage* image = directory_.ancestor(level_).page_directory()->image(pages_id_, page_size_, error);
  if (image && std::ranges::find(images_, image) == images_.end()) images_.push_back(image);
  return image;
}

Step PositionReader::finish(Feeder& feeder) {
  const std::uint64_t end = extents_.empty() ? 0 : extents_.back().end();
  auto extent = extents_.cbegin();
  for (std::uint64_t at = extents_.empty() ? 0 : extents_.front().position; at < end;) {
    Error error;
    const PagesImage* image = this->image(feeder, error);
    if (error) {
      work_.report_once(error);
      extents_.clear();
      return feeder.end();
    }
    // A run may claim far more than the image has. What is there is searched; one read behind its end says so.
    const std::uint64_t content_end = image->content_bytes();
    Step step = Step::go;
    std::uint64_t size = image->hole_at(at, end);
    if (size > 0) {
      step = each_part(extent, at, size,
                       [&](std::uint64_t address, std::uint64_t part) { return feeder.feed_zeros(address, part); });
    } else {
      size = std::min<std::uint64_t>(end - at, read_bytes);
      if (at < content_end) size = std::min(size, content_end - at);
      step = feeder.search().read(*image, at, static_cast<std::size_t>(size));
      if (step == Step::go)
        step = each_part(extent, at, size, [&](std::uint64_t address, std::uint64_t part) {
          return feeder.feed_read(address, static_cast<std::size_t>(part));
        });
    }
    if (step == Step::stop) return Step::stop;
    at += size;
    if (at > content_end) break;
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

bool MemorySearch::Work::may_have_larger_pages(const Checkpoint& checkpoint) const {
  return options.page_size == 0 && !checkpoint.pages_only().empty();
}

void MemorySearch::Work::report_larger_pages(SurveyedSet& set, MemoryId memory, MemoryOwners& owners) {
  const SurveyedMemory& surveyed = set.memories.at(memory);
  const SurveyedPages* const image = set.image_of(surveyed);
  const Pagemap* const pagemap = set.pagemap(memory);
  if (!image || !pagemap || stored_extents(*pagemap, set.page_size, owners.wanted(memory)).empty()) return;
  if (Error error = set.state().index.larger_pages(image->pages_id, {image->size_bytes}, image->place, set.page_size))
    on_error(error);
}

Step MemorySearch::Work::search_directory(const std::string& path, const SourceOptions& source_options) {
  SurveyOptions survey_options;
  survey_options.page_size = options.page_size;
  survey_options.limits = options.limits;
  const auto& pids = options.filter.pids;
  if (!pids.empty())
    survey_options.memories = [&](MemoryId memory) {
      return memory.shmem || std::ranges::find(pids, memory.id) != pids.end();
    };
  PageSurvey survey{survey_options, on_error};
  auto& sets = survey.read({path}, source_options);
  for (const auto& set : sets)
    if (options.on_set) options.on_set(set->id);
  for (const auto& set : sets) {
    PageDirectory* directory = set->page_directory();
    if (!directory) continue;
    MemoryOwners owners{set->id, *set->checkpoint, options};
    use.add(*set->checkpoint);
    report_missing(*set->checkpoint, set->place, [&](MemoryId memory) { return set->memories.contains(memory); });
    for (const MemoryId memory : in_order(*set->checkpoint, named_memories(*set))) {
      PositionReader reader{*this, *directory, set->page_size};
      const Step step = search_stored({*directory, memory, set->page_size, owners, directory->path()}, reader);
      if (step == Step::go && may_have_larger_pages(*set->checkpoint)) report_larger_pages(*set, memory, owners);
      directory->forget(memory);
      for (const Error& error : directory->new_errors()) on_error(error);
      if (step == Step::stop) return Step::stop;
    }
    // Pages that no pagemap names are searched as they stand.
    if (!set->images.empty()) use.add_pages_image();
    else if (set->memories.empty()) use.add_without_memory(set->id);
    for (const auto& [pages_id, image] : set->images)
      if (!image.claimed && image.on_disk && search_inputs({image.place}, {}) == Step::stop) return Step::stop;
  }
  const bool any =
      std::ranges::any_of(sets, [this](const auto& set) { return maps_unlinked(*set->checkpoint, set->id, options); });
  return any ? search_unlinked({path}, source_options) : Step::go;
}

}  // namespace critpipe
