// The two forms of a summary.
#pragma once

#include "crit-pages/modes.hpp"

namespace critpipe::filters {

// Bytes of the pages that were read.
inline std::uint64_t scanned_bytes(const SurveyedSet& set) {
  return bytes_of_pages(set.contents.scanned, set.page_size);
}

// Present pages, what they take in pages images, and in how many blocks; 0 blocks: they are plain.
struct StoredTotals {
  std::uint64_t pages = 0, bytes = 0, blocks = 0;
  void add(const SurveyedMemory& memory, std::uint64_t page_size) {
    pages += memory.totals.present;
    bytes += memory.pagemap.stored(page_size).bytes;
    Error refused;
    if (memory.pagemap.blocks(page_size, refused)) blocks += memory.pagemap.all_blocks().count;
  }
};
inline StoredTotals stored_totals(const SurveyedSet& set) {
  StoredTotals all;
  for (const auto& [id, memory] : set.memories) all.add(memory, set.page_size);
  return all;
}

using SurveyedSets = std::vector<std::unique_ptr<SurveyedSet>>;
void print_json_summary(const SurveyedSets& sets, const PageSurvey& survey, bool contents, JsonWriter& json);
void print_text_summary(const SurveyedSets& sets, const PageSurvey& survey, bool contents, Output& output);

}  // namespace critpipe::filters
