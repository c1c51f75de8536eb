// What stands behind a PageSurvey. Internal.
#pragma once

#include <set>

#include "model/page_size_of_set.hpp"
#include "pages/pagemaps.hpp"
#include "set/sets_of.hpp"
#include "source/cut_inputs.hpp"
#include "survey/compression_sample.hpp"
#include "survey/distinct_pages.hpp"
#include "survey/page_facts.hpp"

namespace critpipe {

struct SurveyedSet::State {
  std::unique_ptr<PageDirectory> page_directory;  // null: none yet
  std::set<std::uint64_t> left_out;               // pages images of memories that nobody wants
  PagemapIndex index;                             // of the memories
  PagesToTry pages_to_try;
  CompressionSample sample;
  std::map<std::uint64_t, CompressionSample> waiting;  // samples of images that a memory nobody wants may claim
  std::set<std::uint64_t> sampled;                     // images whose blocks are counted
  std::vector<Error> refused;                          // blocks
  bool again = false;                                  // its pages came before what says how they are stored
};

struct SurveyWork {
  SurveyWork(SurveyOptions with, std::function<void(const Error&)> to)
      : options{std::move(with)}, report{std::move(to)}, needed{needs()}, distinct{options.budget_bytes} {}

  // Facts of smallest pages that are there now; or all of them are zero.
  using TakeFacts = std::function<void(std::uint64_t first, std::uint64_t nr_parts, bool all_zero)>;

  Needs needs() const;  // of the checkpoints of the sets
  SurveyedSet& set_of(const Member& member);
  std::shared_ptr<const StoredPages> blocks_of(SurveyedSet& set, std::uint64_t pages_id) const;
  void finish(const std::set<SurveyedSet*>& parents);  // of others in the same input
  void finish(SurveyedSet& set);
  void learn_page_size(SurveyedSet& set) const;  // when all members came, and it has its parent
  void report_in(const SurveyedSet& set, Error error);
  void count(SurveyedSet& set, SurveyedMemory* memory, SurveyedPages& image);
  // Without a sample: its blocks are in it already.
  void scan_file(SurveyedSet& set, SurveyedPages& image, std::uint64_t nr_parts, DistinctPages& counter,
                 CompressionSample* sample, const TakeFacts& take);

  SurveyOptions options;
  std::function<void(const Error&)> report;
  const Checkpoint needed;  // empty: tells which images the others take
  SetsOf<SurveyedSet> sets;
  CutInputs cut;
  std::vector<std::unique_ptr<SurveyedSet>> ancestors;  // parents of sets that are in one input with them
  std::set<std::pair<SetId, std::uint64_t>> faulty;  // pages images that an error was reported of, while they are few
  DistinctPages distinct;
  Compressors compressors;
  std::uint64_t done_bytes = 0, all_bytes = 0;  // for progress
  RoomToTry room_to_try{options.page_size};
  ContentTotals contents;
};

}  // namespace critpipe
