// Counting different contents: exactly while a table of hashes fits in the budget, then with HyperLogLog. Internal.
//
//     DistinctPages pages{budget_bytes};
//     pages.begin_set();
//     pages.begin_member();
//     pages.add(facts);
//     use(pages.member().pages, pages.set().pages, pages.in_all().pages);
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "critpipe/survey.hpp"

namespace critpipe {

// Pages belong to a member (a process), members to a set (a checkpoint). One of each is counted at a time.
class DistinctPages {
 public:
  struct Count {
    std::uint64_t pages = 0;
    bool exact = true;
    std::uint64_t shared = 0;  // of a member: contents that an earlier member has too; only while exact
  };

  explicit DistinctPages(std::uint64_t budget_bytes = ~std::uint64_t{0});
  ~DistinctPages();
  DistinctPages(const DistinctPages&) = delete;
  DistinctPages& operator=(const DistinctPages&) = delete;

  void expect(std::uint64_t nr_pages);  // so many more may come: the table grows once
  void begin_set();
  void begin_member();
  void add(std::span<const PageFact> facts);  // to the member, its set and all

  Count member() const;
  Count set() const { return count(set_); }
  Count in_all() const { return count(all_); }

 private:
  struct Slot {
    std::uint64_t low;
    std::uint32_t high;
    std::uint32_t member;  // the last one that had it; 0: the slot is free
  };
  struct Group {
    std::uint64_t distinct = 0;
    std::vector<std::uint8_t> sketch = {};  // empty while exact
  };

  static Count count(const Group& group);
  void begin(Group& group);
  void add(const PageFact& fact);
  void grow(std::uint64_t nr_slots);
  void give_up();  // estimates from here on, also of what came before
  void release();

  std::uint64_t budget_bytes_;
  std::span<Slot> slots_;  // a power of two, three quarters full at most
  std::uint64_t used_ = 0;
  std::uint32_t nr_members_ = 0;  // the current one's number
  std::uint32_t first_of_set_ = 1;
  std::uint64_t shared_ = 0;  // of the current member
  bool exact_ = true;
  Group member_, set_, all_;
};

}  // namespace critpipe
