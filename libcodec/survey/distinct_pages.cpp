// Counting different pages: a table of hashes, or a sketch where the table would be too large.
#include <algorithm>
#include <bit>
#include <cmath>
#include <new>
#include <sys/mman.h>

#include "survey/distinct_pages.hpp"

namespace critpipe {

namespace {

constexpr unsigned sketch_bits = 14;
constexpr std::size_t sketch_size = std::size_t{1} << sketch_bits;
constexpr std::size_t first_slots = 1 << 10;

void sketch(std::vector<std::uint8_t>& ranks, std::uint64_t hash) {
  const std::uint64_t index = hash >> (64 - sketch_bits);
  const std::uint64_t rest = hash << sketch_bits | std::uint64_t{1} << (sketch_bits - 1);
  const auto rank = static_cast<std::uint8_t>(std::countl_zero(rest) + 1);
  if (rank > ranks[index]) ranks[index] = rank;
}

}  // namespace

double distinct_error() { return 1.04 / std::sqrt(static_cast<double>(sketch_size)); }

DistinctPages::DistinctPages(std::uint64_t budget_bytes) : budget_bytes_{budget_bytes} { grow(first_slots); }

DistinctPages::~DistinctPages() { release(); }

void DistinctPages::release() {
  if (!slots_.empty()) munmap(slots_.data(), slots_.size_bytes());
  slots_ = {};
}

void DistinctPages::expect(std::uint64_t nr_pages) {
  if (!exact_ || nr_pages > max_pages) return;
  const std::uint64_t nr_slots = std::bit_ceil((used_ + nr_pages) * 4 / 3 + 1);
  if (nr_slots > slots_.size() && nr_slots * sizeof(Slot) <= budget_bytes_ / 2) grow(nr_slots);
}

void DistinctPages::begin(Group& group) {
  group.distinct = 0;
  group.sketch.assign(exact_ ? 0 : sketch_size, 0);
}

void DistinctPages::begin_set() {
  begin(set_);
  first_of_set_ = nr_members_ + 1;
}

void DistinctPages::begin_member() {
  begin(member_);
  shared_ = 0;
  ++nr_members_;
}

void DistinctPages::add(std::span<const PageFact> facts) {
  constexpr std::size_t ahead = 12;  // the table is larger than the caches
  for (std::size_t i = 0; i < facts.size(); ++i) {
    if (exact_) {
      __builtin_prefetch(&slots_[facts[std::min(i + ahead, facts.size() - 1)].low & (slots_.size() - 1)]);
      add(facts[i]);
    } else {
      for (Group* group : {&member_, &set_, &all_}) sketch(group->sketch, facts[i].low);
    }
  }
}

inline void DistinctPages::add(const PageFact& fact) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = fact.low & mask;
  while (slots_[at].member != 0 && (slots_[at].low != fact.low || slots_[at].high != fact.high)) at = (at + 1) & mask;
  Slot& slot = slots_[at];
  if (slot.member == nr_members_) return;
  ++member_.distinct;
  if (slot.member < first_of_set_) ++set_.distinct;
  if (slot.member != 0) {
    ++shared_;
    slot.member = nr_members_;
    return;
  }
  ++all_.distinct;
  slot = {fact.low, fact.high, nr_members_};
  if (++used_ * 4 > slots_.size() * 3) grow(slots_.size() * 2);
}

// Look-ups are at random places: large pages of the processor save most of their cost.
void DistinctPages::grow(std::uint64_t nr_slots) {
  // While it grows, the old table and the new one are there.
  if ((slots_.size() + nr_slots) * sizeof(Slot) > budget_bytes_) return give_up();
  const std::size_t size_bytes = nr_slots * sizeof(Slot);
  void* const memory = mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc{};
  madvise(memory, size_bytes, MADV_HUGEPAGE);
  const std::span<Slot> larger{static_cast<Slot*>(memory), nr_slots};
  const std::size_t mask = nr_slots - 1;
  for (const Slot& slot : slots_) {
    if (slot.member == 0) continue;
    std::size_t at = slot.low & mask;
    while (larger[at].member != 0) at = (at + 1) & mask;
    larger[at] = slot;
  }
  release();
  slots_ = larger;
}

void DistinctPages::give_up() {
  if (!exact_) return;
  exact_ = false;
  for (Group* group : {&member_, &set_, &all_}) group->sketch.assign(sketch_size, 0);
  for (const Slot& slot : slots_) {
    if (slot.member == 0) continue;
    sketch(all_.sketch, slot.low);
    if (slot.member >= first_of_set_) sketch(set_.sketch, slot.low);
    if (slot.member == nr_members_) sketch(member_.sketch, slot.low);
  }
  release();
}

DistinctPages::Count DistinctPages::member() const {
  Count result = count(member_);
  result.shared = shared_;
  return result;
}

DistinctPages::Count DistinctPages::count(const Group& group) {
  if (group.sketch.empty()) return {group.distinct, true, 0};
  constexpr auto m = static_cast<double>(sketch_size);
  double sum = 0;
  std::size_t empty = 0;
  for (const std::uint8_t rank : group.sketch) {
    sum += std::ldexp(1.0, -rank);
    empty += rank == 0;
  }
  double estimate = 0.7213 / (1 + 1.079 / m) * m * m / sum;
  if (estimate <= 2.5 * m && empty > 0) estimate = m * std::log(m / static_cast<double>(empty));
  return {static_cast<std::uint64_t>(std::llround(estimate)), false, 0};
}

}  // namespace critpipe
