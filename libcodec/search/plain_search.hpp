// One search by the caller's thread. Internal.
#pragma once

#include "search/fed_search.hpp"

namespace critpipe::search {

class PlainSearch final : public FedSearch {
 public:
  explicit PlainSearch(Search& search, OnReadError on_read_error = {})
      : search_{search}, on_read_error_{std::move(on_read_error)} {}
  PlainSearch(std::unique_ptr<Search> search, OnReadError on_read_error)
      : own_{std::move(search)}, search_{*own_}, on_read_error_{std::move(on_read_error)} {}

  void begin(std::uint64_t address) override {
    address_ = address;
    begins_ = true;
  }
  Step feed(Bytes bytes) override;
  Step end() override { return search_.end(); }
  std::optional<std::size_t> reach_into_zeros() const override { return search_.reach_into_zeros(); }
  const Error& error() const override { return search_.error(); }
  Step read(const PagesImage& image, std::uint64_t position, std::size_t size) override;
  Step feed_read(std::size_t size) override;
  void wait_for_reads() override {}
  Step finish() override { return search_.end(); }

 private:
  std::unique_ptr<Search> own_;
  Search& search_;
  OnReadError on_read_error_;
  bool begins_ = false;
  std::uint64_t address_ = 0;  // of the next bytes
  struct Lost {
    std::size_t begin, end;
  };
  std::vector<std::byte> read_;
  std::vector<Lost> lost_;     // of them
  std::size_t nr_fed_ = 0;     // of them
  std::size_t next_lost_ = 0;  // that ends behind what was fed
};

}  // namespace critpipe::search
