// What --map and --html draw: mappings, and the stretches of pages in them that are alike.
#pragma once

#include "crit-pages/difference.hpp"

namespace critpipe::filters {

enum class PageState : std::uint8_t { hole, file, zero, present, shared, parent, lazy, missing };
constexpr std::size_t nr_page_states = 8;
struct PageStateRow {
  const char* name;
  const char* colour;    // of the page
  const char* terminal;  // SGR
  const char* block;     // UTF-8
  char letter;           // without it
};
const PageStateRow& row_of(PageState state);

// A mapping, or runs that are near each other where mappings are not known.
struct Row {
  std::uint64_t start = 0, end = 0;
  std::string text;
  struct Segment {
    std::uint64_t nr_pages = 0;
    PageState state = PageState::hole;
    std::uint32_t flags = 0;
  };
  std::vector<Segment> segments;              // without gaps
  std::uint64_t counts[nr_page_states] = {};  // pages
};

// The rows of a memory, in address order, one at a time.
void picture(SurveyedSet& set, MemoryId memory, const std::function<void(const Row&)>& draw);

}  // namespace critpipe::filters
