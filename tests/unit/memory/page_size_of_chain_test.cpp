// The page size of a set without tasks, by its images and its parents.
#include <gtest/gtest.h>

#include "memory/page_size_of_chain.hpp"

namespace critpipe {
namespace {

constexpr MemoryId memory{.shmem = false, .id = 7};

struct Store final : PageStore {
  Pagemap map{.memory = memory, .pages_id = 1, .address_bits = 0x10000, .runs = {}, .is_complete = true};
  std::uint64_t bytes = 0, of_tasks = 0;
  int nr_asked = 0;

  const Pagemap* pagemap(MemoryId) override { return &map; }
  std::uint64_t page_size_of_tasks() override { return of_tasks; }
  std::unique_ptr<const PagesImage> stored_image(std::uint64_t) override {
    ++nr_asked;
    return std::make_unique<PagesImage>(PagesImage::Part{.size = bytes}, "p", smallest_page);
  }
};

// As a pre-dump has it.
std::uint64_t learned(PageStore& store) {
  Checkpoint checkpoint{{}};
  checkpoint.note("pagemap-7.img");
  checkpoint.note("pages-1.img");
  checkpoint.finish("", false);
  EXPECT_FALSE(checkpoint.pages_only().empty());
  learn_page_size(checkpoint, store, {memory});
  return checkpoint.page_size();
}

TEST(PageSizeOfChain, TheNearestThatTellsItCounts) {
  Store child, parent, above;
  child.give_parent(parent);
  parent.give_parent(above);
  above.map.nr_present = 2;
  above.bytes = 2 * 65536;
  EXPECT_EQ(learned(child), 65536u);
  parent.map.nr_present = 2;
  parent.bytes = 2 * 16384;
  above.nr_asked = 0;
  EXPECT_EQ(learned(child), 16384u);
  EXPECT_EQ(above.nr_asked, 0);
}

TEST(PageSizeOfChain, TasksOfAParentTellIt) {
  Store child, parent;
  child.give_parent(parent);
  parent.of_tasks = 65536;
  EXPECT_EQ(learned(child), 65536u);
  EXPECT_EQ(parent.nr_asked, 0);
}

TEST(PageSizeOfChain, NobodyTellsIt) {
  Store child, parent;
  EXPECT_EQ(learned(child), smallest_page);
  child.give_parent(parent);
  EXPECT_EQ(learned(child), smallest_page);
}

}  // namespace
}  // namespace critpipe
