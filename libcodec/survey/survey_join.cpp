// The pages of directories, and the join of pages with pagemaps.
#include <algorithm>
#include <array>
#include <utility>

#include "memory/page_size_of_chain.hpp"
#include "survey/file_scan.hpp"
#include "survey/survey_work.hpp"

namespace critpipe {

namespace {

// A file of the set's directory, or one that the user named: that may be a link. Images without blocks stay open in
// their directory.
const PagesImage* open_image(SurveyedSet& set, const SurveyedPages& image, std::shared_ptr<const StoredPages> blocks,
                             std::optional<PagesImage>& alone, Error& error) {
  PageDirectory* const directory = set.page_directory();
  if (directory && !blocks) return directory->image(image.pages_id, smallest_page, error);
  InputFile file = directory ? directory->open(pages_name(image.pages_id), error) : InputFile::at(image.place, error);
  return error ? nullptr : &alone.emplace(std::move(file), smallest_page, std::move(blocks));
}

}  // namespace

void SurveyWork::learn_page_size(SurveyedSet& set) const {
  std::vector<MemoryId> ids;
  for (const auto& [id, memory] : set.memories) ids.push_back(id);
  if (!set.checkpoint->pages_only().empty()) set.checkpoint->learn_page_size(options.page_size_of_parents);
  critpipe::learn_page_size(*set.checkpoint, set, ids, [&set](MemoryId id) { return &set.memories.at(id).pagemap; });
}

void SurveyWork::report_in(const SurveyedSet& set, Error error) {
  error.set = std::make_shared<const SetId>(set.id);
  report(error);
}

void SurveyWork::scan_file(SurveyedSet& set, SurveyedPages& image, std::uint64_t nr_parts, DistinctPages& counter,
                           CompressionSample* sample, const TakeFacts& take) {
  Error error;
  std::optional<PagesImage> alone;
  const PagesImage* file = open_image(set, image, blocks_of(set, image.pages_id), alone, error);
  if (!file) {
    image.complete = false;
    return report_in(set, std::move(error));
  }
  FileScan scan{*file, nr_parts, options.nr_threads, image.facts.chunks(), sample, image.pages_id};
  error = scan.run([&](std::uint64_t nr_stored) { counter.expect(nr_stored); },
                   [&](std::uint64_t first, std::uint64_t count, std::uint64_t nr_holes) {
                     image.contents.holes += nr_holes;
                     take(first, count, nr_holes == count);
                     if (!options.keep_facts) image.facts.chunks().drop(first / PageFacts::Chunks::chunk_pages);
                     done_bytes += bytes_of_pages(count, smallest_page);
                     if (options.progress) options.progress(done_bytes, all_bytes);
                   });
  if (!error) return;
  image.complete = false;
  report_in(set, std::move(error));
}

namespace {

// Of an image that came in a stream: of which blocks were sampled before it was known how much of it counts.
void count_blocks(SurveyedPages& image, std::uint64_t nr_parts, CompressionSample& sample) {
  constexpr std::uint64_t parts_of_block = pages_in(CompressionSample::block_bytes, smallest_page);
  const PageFacts::Chunks& chunks = image.facts.chunks();
  const std::uint64_t nr_blocks = pages_touched(nr_parts, parts_of_block);
  std::uint64_t nr_filled = 0;
  for (std::uint64_t part = 0; part < nr_parts;) {
    if (const std::uint64_t nr_zero = chunks.nr_zero(part); nr_zero > 0) {
      part += nr_zero;
    } else if (chunks.page(part, 1).is_zero()) {
      ++part;
    } else {
      ++nr_filled;
      part = (part / parts_of_block + 1) * parts_of_block;
    }
  }
  sample.count(nr_blocks, nr_filled);
  sample.cut(image.pages_id, nr_blocks);
}

}  // namespace

// Facts of one image to sums: those of the pages that the pagemap claims; without one, of all.
void SurveyWork::count(SurveyedSet& set, SurveyedMemory* memory, SurveyedPages& image) {
  const std::uint64_t page_size = set.page_size;
  const std::uint64_t parts = pages_in(page_size, smallest_page);
  std::uint64_t content_bytes = image.content_bytes;
  if (image.on_disk)
    content_bytes = memory ? memory->pagemap.content_bytes_in({image.size_bytes}, page_size) : image.size_bytes;
  const std::uint64_t there = pages_in(content_bytes, page_size);
  const std::uint64_t nr_pages = memory ? std::min(memory->pagemap.nr_present, there) : there;
  ContentTotals totals;
  DistinctPages alone{options.budget_bytes};  // what nobody claims is not compared with the others
  DistinctPages& counter = memory ? distinct : alone;
  counter.begin_member();
  std::vector<PageFact> pages;
  const auto take = [&](std::uint64_t first, std::uint64_t nr_parts, bool all_zero) {
    const std::uint64_t end = (first + nr_parts) / parts;
    if (all_zero && first / parts < end) {  // any number of them
      totals.classes[0] += end - first / parts;
      totals.scanned += end - first / parts;
      counter.add(std::array{PageFact{}});
      return;
    }
    for (std::uint64_t page = first / parts; page < end;) {
      const std::uint64_t next = std::min(page + 256, end);
      pages.clear();
      for (; page < next; ++page)
        if (const PageFact fact = image.facts.chunks().page(page, parts); !fact.is_lost) pages.push_back(fact);
      for (const PageFact& fact : pages) ++totals.classes[static_cast<std::size_t>(fact.page_class)];
      totals.scanned += pages.size();
      counter.add(pages);
    }
  };
  if (memory && image.complete && there < memory->pagemap.nr_present)
    report_in(set, memory->pagemap.cut({image.size_bytes}, image.place, page_size));
  const bool is_first = set.state().sampled.insert(image.pages_id).second;
  CompressionSample* const sample = is_first ? &set.state().sample : nullptr;
  if (image.on_disk) {
    scan_file(set, image, nr_pages * parts, counter, sample, take);
  } else {
    take(0, nr_pages * parts, false);
    if (sample) count_blocks(image, nr_pages * parts, *sample);
  }
  const auto count = counter.member();
  totals.zero = totals.classes[0];
  totals.holes = image.contents.holes;
  totals.distinct = std::min(count.pages, totals.scanned);
  totals.exact = count.exact;
  totals.shared = count.shared;
  if (!memory) {
    image.contents = totals;
    return;
  }
  memory->contents = totals;
  set.contents.add(totals);
}

void SurveyWork::finish(SurveyedSet& set) {
  set.checkpoint->finish(set.place, !cut.may_lack(set.id, !set.directory.empty()));
  set.page_size = set.checkpoint->page_size(options.page_size);
  for (auto& [id, memory] : set.memories) {
    set.totals.add(memory.totals);
    Error error;
    if (!memory.pagemap.blocks(set.page_size, error) && error) {
      memory.complete = false;
      error.image = memory.place;
      report_in(set, std::move(error));
    }
    const auto image = set.images.find(memory.pagemap.pages_id);
    if (image != set.images.end()) image->second.claimed = true;
  }
  if (!options.contents) return;
  for (const auto& [pages_id, sample] : std::exchange(set.state().waiting, {}))
    if (set.images.contains(pages_id)) set.state().sample.merge(sample);
  distinct.begin_set();
  for (auto& [id, memory] : set.memories) {
    const auto image = set.images.find(memory.pagemap.pages_id);
    if (image != set.images.end()) {
      count(set, &memory, image->second);
    } else {
      memory.contents.emplace();
      if (memory.pagemap.nr_present == 0) continue;
      if (faulty.contains({set.id, memory.pagemap.pages_id})) continue;  // refused, and reported
      report_in(set, {Reason::missing_image, set.place + pages_name(memory.pagemap.pages_id)});
    }
  }
  const auto all = distinct.set();
  set.contents.distinct = std::min(all.pages, set.contents.scanned);
  set.contents.exact = all.exact;
  contents.add(set.contents);
  for (auto& [pages_id, image] : set.images)
    if (!image.claimed) count(set, nullptr, image);
  CompressionSample& sample = set.state().sample;
  sample.compress(compressors);
  set.zstd = sample.zstd();
  set.lz4 = sample.lz4();
  if (options.keep_facts) return;
  for (auto& [pages_id, image] : set.images) image.facts = {};
}

}  // namespace critpipe
