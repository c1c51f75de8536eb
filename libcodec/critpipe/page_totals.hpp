// survey: Sums over the runs of pagemaps, and over what pages hold.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "critpipe/page_facts.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

struct PageTotals {
  std::uint64_t entries = 0, pages = 0;
  std::uint64_t present = 0, parent = 0, lazy = 0;     // pages with that flag; one page may have several
  std::uint64_t absent = 0;                            // neither present nor in the parent
  std::uint64_t present_parent = 0, present_lazy = 0;  // with both flags
  PageRun first = {}, last = {};                       // lowest and highest; Requires: entries > 0
  std::array<std::uint64_t, 46> lengths = {};          // entries by bit width of nr_pages
  std::array<PageRun, 4> largest = {};                 // nr_pages 0: there are fewer
  bool ascending = true;

  void add(std::span<const PageRun> runs);
  void add(const PageTotals& other);  // all but first, last and ascending
};

struct ContentTotals {
  std::uint64_t scanned = 0;  // pages that were there to read; the counts below are of these
  std::uint64_t zero = 0;
  std::uint64_t holes = 0;     // of the zero pages: those that take no room in the file. Smallest pages
  std::uint64_t distinct = 0;  // different contents; the zero page is one
  std::uint64_t shared = 0;    // of them: those that a memory counted earlier has too
  bool exact = true;           // of distinct and shared
  std::array<std::uint64_t, nr_page_classes> classes = {};

  std::uint64_t duplicate() const { return scanned - std::min(distinct, scanned); }
  void add(const ContentTotals& other);  // all but distinct, shared, exact
};

}  // namespace critpipe
#pragma GCC visibility pop
