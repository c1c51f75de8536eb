// Where the runs of a pagemap are in its pages image.
#include <gtest/gtest.h>

#include <array>

#include "search/memory_owners.hpp"

namespace critpipe::search {
namespace {

using Rows = std::vector<std::array<std::uint64_t, 3>>;  // position, size, address

Rows extents(const std::vector<PageRun>& runs, const Ranges& wanted) {
  Pagemap pagemap;
  pagemap.runs = runs;
  Rows rows;
  for (const PlacedBytes& one : stored_extents(pagemap, 4096, wanted))
    rows.push_back({one.position, one.size, one.address});
  return rows;
}

// Runs that continue one another are one extent, however many: who looks up a match walks over none of them.
TEST(StoredExtents, JoinsWhatIsAdjacentInImageAndMemory) {
  std::vector<PageRun> runs;
  for (std::uint64_t i = 0; i < 1000; ++i) runs.push_back({0x10000 + i * 4096, 1, i, PageRun::present});
  runs.push_back({0x900000, 2, 1000, PageRun::present});  // adjacent in the image only
  runs.push_back({0x902000, 1, 1002, PageRun::parent});
  runs.push_back({0x903000, 1, 1002, PageRun::present});
  EXPECT_EQ(extents(runs, {{0, ~std::uint64_t{0}}}),
            (Rows{{0, 1000 * 4096, 0x10000}, {1000 * 4096, 0x2000, 0x900000}, {1002 * 4096, 0x1000, 0x903000}}));
  EXPECT_EQ(extents(runs, {{0x10800, 0x11800}, {0x11900, 0x12000}}),
            (Rows{{0x800, 0x1000, 0x10800}, {0x1900, 0x700, 0x11900}}));
}

}  // namespace
}  // namespace critpipe::search
