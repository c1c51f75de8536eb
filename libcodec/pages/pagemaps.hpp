// The pagemaps of a set, by their memory and by the pages image that they name. Internal.
#pragma once

#include <iterator>
#include <map>
#include <memory>
#include <type_traits>

#include "critpipe/pages.hpp"

namespace critpipe {

// The pagemaps in a part of a map, in the order of its keys.
template <class At>
class PagemapRange {
 public:
  class Iterator {
   public:
    using value_type = Pagemap;
    using difference_type = std::ptrdiff_t;
    Iterator() = default;
    explicit Iterator(At at) : at_{at} {}
    Pagemap& operator*() const {
      if constexpr (std::is_pointer_v<typename std::iterator_traits<At>::value_type::second_type>) return *at_->second;
      else return at_->second;
    }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    Iterator operator++(int) { return Iterator{at_++}; }
    bool operator==(const Iterator&) const = default;

   private:
    At at_ = {};
  };

  PagemapRange(At begin, At end) : begin_{begin}, end_{end} {}
  Iterator begin() const { return Iterator{begin_}; }
  Iterator end() const { return Iterator{end_}; }
  bool empty() const { return begin_ == end_; }
  bool has_several() const { return !empty() && std::next(begin_) != end_; }

 private:
  At begin_, end_;
};

// Pagemaps by the pages image that they name, so that nobody looks through all of them for one image. Those that are in
// it must stay where they are.
class PagemapIndex {
 public:
  // Has the pagemap name that image, and no other any more.
  void name(Pagemap& pagemap, std::uint64_t pages_id);
  // Requires: it has been named. Null: its pages are plain.
  void lay_out(Pagemap& pagemap, std::shared_ptr<const PageLayout> layout);
  void remove(const Pagemap& pagemap);

  // Those that name the image, by memory.
  auto of(std::uint64_t pages_id) const {
    const auto end = pages_id == ~std::uint64_t{0} ? named_.end() : named_.lower_bound({pages_id + 1, {}});
    return PagemapRange{named_.lower_bound({pages_id, {}}), end};
  }
  bool has_any(std::uint64_t pages_id) const { return !of(pages_id).empty(); }
  bool has_several(std::uint64_t pages_id) const { return of(pages_id).has_several(); }

  // How the image is stored, as the first pagemap says that tells its blocks; null: plain, or none says it, or as the
  // error says, with the pagemap's name. Reasons: bad_blocks.
  std::shared_ptr<const StoredPages> blocks_of(std::uint64_t pages_id, std::uint64_t page_size, Error& error) const;
  // The error of an image whose pages were taken to be stored like that as they came, and are stored otherwise; none:
  // it is right. Reasons: limit_late_pagemap, limit_late_page_size, and those of blocks_of().
  Error came_before(std::uint64_t pages_id, std::uint64_t page_size, const StoredPages* taken, std::string place) const;
  static bool is_late(const Error& error);  // is it one of came_before() that reading again mends?
  // The error of an image of that size, which it would have if pages were larger than that; none: it has not, or
  // several pagemaps name it, whose pages it may have one after the other.
  Error larger_pages(std::uint64_t pages_id, StoredSize size, std::string place, std::uint64_t page_size) const;

 private:
  // The first of them that tells its blocks; null: none does.
  const Pagemap* with_blocks(std::uint64_t pages_id) const;

  using Named = std::map<std::pair<std::uint64_t, MemoryId>, Pagemap*>;
  Named named_;
  Named with_blocks_;
};

// All pagemaps of a set that have come.
class Pagemaps {
 public:
  using Report = std::function<void(const Error&)>;

  // Loads the pagemap of that memory, which is there from now on; it is in index() when its head has come. *this must
  // outlive the sink.
  std::unique_ptr<PagemapLoader> load(MemoryId memory, Report report);
  Pagemap* find(MemoryId memory);
  bool contains(MemoryId memory) const { return all_.contains(memory); }
  void erase(MemoryId memory);

  const PagemapIndex& index() const { return index_; }
  auto all() { return PagemapRange{all_.begin(), all_.end()}; }  // by memory

 private:
  class Loader;
  std::map<MemoryId, Pagemap> all_;
  PagemapIndex index_;
};

}  // namespace critpipe
