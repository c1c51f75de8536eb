// Failures of the search engine reach the caller.
#include "critpipe/search.hpp"

#include <gtest/gtest.h>
#include <hs/hs.h>

#include <atomic>
#include <string>

#include "unit/scratch_directory.hpp"
#include "unit/testing.hpp"

// The link sends calls of the library here.
namespace {
enum class Failing { nothing, scan_stream, first_scan_stream, reset_stream, scan } failing;
int nr_opened_until_failure = -1;  // negative: opening does not fail
std::atomic<int> nr_open = 0;      // by the threads of other tests, too
}
extern "C" {
hs_error_t __real_hs_open_stream(const hs_database_t*, unsigned, hs_stream_t**);
hs_error_t __real_hs_close_stream(hs_stream_t*, hs_scratch_t*, match_event_handler, void*);
hs_error_t __real_hs_scan_stream(hs_stream_t*, const char*, unsigned, unsigned, hs_scratch_t*, match_event_handler,
                                 void*);
hs_error_t __real_hs_reset_stream(hs_stream_t*, unsigned, hs_scratch_t*, match_event_handler, void*);
hs_error_t __real_hs_scan(const hs_database_t*, const char*, unsigned, unsigned, hs_scratch_t*, match_event_handler,
                          void*);
hs_error_t __wrap_hs_open_stream(const hs_database_t* database, unsigned flags, hs_stream_t** stream) {
  if (nr_opened_until_failure >= 0 && nr_open >= nr_opened_until_failure) return HS_NOMEM;
  ++nr_open;
  return __real_hs_open_stream(database, flags, stream);
}
hs_error_t __wrap_hs_close_stream(hs_stream_t* stream, hs_scratch_t* scratch, match_event_handler note, void* context) {
  --nr_open;
  return __real_hs_close_stream(stream, scratch, note, context);
}
hs_error_t __wrap_hs_scan_stream(hs_stream_t* stream, const char* bytes, unsigned size, unsigned flags,
                                 hs_scratch_t* scratch, match_event_handler note, void* context) {
  if (failing == Failing::first_scan_stream) {
    failing = Failing::nothing;
    return HS_SCRATCH_IN_USE;
  }
  if (failing == Failing::scan_stream) return HS_SCRATCH_IN_USE;
  return __real_hs_scan_stream(stream, bytes, size, flags, scratch, note, context);
}
hs_error_t __wrap_hs_reset_stream(hs_stream_t* stream, unsigned flags, hs_scratch_t* scratch, match_event_handler note,
                                  void* context) {
  if (failing == Failing::reset_stream) return HS_INVALID;
  return __real_hs_reset_stream(stream, flags, scratch, note, context);
}
hs_error_t __wrap_hs_scan(const hs_database_t* database, const char* bytes, unsigned size, unsigned flags,
                          hs_scratch_t* scratch, match_event_handler note, void* context) {
  if (failing == Failing::scan) return HS_UNKNOWN_ERROR;
  return __real_hs_scan(database, bytes, size, flags, scratch, note, context);
}
}

namespace critpipe {
namespace {

namespace fs = std::filesystem;

struct Outcome {
  int matches = 0;
  Step step = Step::go;
  Reason reason = Reason::none;
};

Outcome search(const std::string& text, Failing what) {
  Patterns patterns;
  EXPECT_FALSE(patterns.add({.text = text}));
  EXPECT_FALSE(patterns.compile());
  Outcome outcome;
  Search search{patterns, 0, [&](const auto&) {
                  ++outcome.matches;
                  return Step::go;
                }};
  failing = what;
  search.begin(0x1000);
  outcome.step = search.feed(bytes_of("a needle, and one neeedle"));
  if (outcome.step == Step::go) outcome.step = search.end();
  failing = Failing::nothing;
  outcome.reason = search.error().reason;
  return outcome;
}

TEST(Search, FailuresOfTheEngineAreErrors) {
  EXPECT_EQ(search("ne{2,3}dle", Failing::nothing).matches, 2);
  EXPECT_EQ(search("ne{2,3}dle", Failing::nothing).step, Step::go);
  for (const Failing what : {Failing::scan_stream, Failing::reset_stream, Failing::scan}) {
    const Outcome outcome = search("ne{2,3}dle", what);
    EXPECT_EQ(outcome.step, Step::stop);
    EXPECT_EQ(outcome.reason, Reason::no_search);
  }
  EXPECT_EQ(search("ne+dle", Failing::scan_stream).reason, Reason::no_search);
}

TEST(Search, StreamsCloseWhereOneCannotBeOpened) {
  Patterns patterns;
  ASSERT_FALSE(patterns.add({.text = "ne{2,3}dle"}));
  ASSERT_FALSE(patterns.add({.text = "hay.*stack"}));
  ASSERT_FALSE(patterns.compile());
  const auto make = [&] { Search{patterns, 0, [](const Match&) { return Step::go; }}; };
  nr_opened_until_failure = 1;
  EXPECT_THROW(make(), std::bad_alloc);
  EXPECT_EQ(nr_open, 0);
  nr_opened_until_failure = -1;
  make();
  EXPECT_EQ(nr_open, 0);
}

// Two pages images, and the search of the first one fails.
class FailingMemorySearch : public ::testing::Test {
 protected:
  FailingMemorySearch() {
    for (int id = 1; id <= 2; ++id) {
      std::string page = "needle" + std::to_string(id);
      page.resize(4096, '.');
      put("pages-" + std::to_string(id) + ".img", page);
    }
    EXPECT_FALSE(patterns_.add({.text = "needle[0-9]{1,2}"}));
    EXPECT_FALSE(patterns_.compile());
  }

  void put(const std::string& name, const std::string& bytes) {
    std::ofstream{directory_ / name, std::ios::binary} << bytes;
  }
  void put_pagemap(int id) {
    using namespace testing;
    std::string head_payload, run_payload;
    EXPECT_FALSE(
        encode_message(*find_message("pagemap_head"), "{\"pages_id\": " + std::to_string(id) + "}", head_payload));
    EXPECT_FALSE(encode_message(*find_message("pagemap_entry"), R"({"vaddr": 65536, "compat_nr_pages": 1, "flags": 4})",
                                run_payload));
    put("pagemap-" + std::to_string(id) + ".img", head("PAGEMAP") + framed(head_payload) + framed(run_payload));
  }
  std::string image(int id) const { return directory_ / ("pages-" + std::to_string(id) + ".img"); }

  template <typename Run>
  void run(Run run) {
    failing = Failing::first_scan_stream;
    MemorySearch search{patterns_,
                        {},
                        [&](const MemoryMatch& found) {
                          matches_.emplace_back(reinterpret_cast<const char*>(found.match.data()), found.match.size());
                          return Step::go;
                        },
                        [&](const Error& error) { reasons_.push_back(error.reason); }};
    EXPECT_EQ(run(search), Step::go);
    EXPECT_EQ(failing, Failing::nothing);
    failing = Failing::nothing;
    EXPECT_EQ(std::ranges::count(reasons_, Reason::no_search), 1);
    EXPECT_EQ(matches_, std::vector<std::string>{"needle2"});
  }

  const testing::ScratchDirectory scratch_;
  const fs::path& directory_ = scratch_.path();
  Patterns patterns_;
  std::vector<std::string> matches_;
  std::vector<Reason> reasons_;
};

TEST_F(FailingMemorySearch, OfOneMemoryLeavesTheOthers) {
  put_pagemap(1);
  put_pagemap(2);
  run([this](MemorySearch& search) { return search.directory(directory_); });
}

TEST_F(FailingMemorySearch, OfOneImageLeavesTheOthers) {
  run([this](MemorySearch& search) { return search.inputs({image(1), image(2)}, {}); });
}

}  // namespace
}  // namespace critpipe
