// Failures of the search engine reach the caller.
#include "critpipe/search.hpp"

#include <gtest/gtest.h>
#include <hs/hs.h>

#include <string>

// The link sends calls of the library here.
namespace {
enum class Failing { nothing, scan_stream, reset_stream, scan } failing;
}
extern "C" {
hs_error_t __real_hs_scan_stream(hs_stream_t*, const char*, unsigned, unsigned, hs_scratch_t*, match_event_handler,
                                 void*);
hs_error_t __real_hs_reset_stream(hs_stream_t*, unsigned, hs_scratch_t*, match_event_handler, void*);
hs_error_t __real_hs_scan(const hs_database_t*, const char*, unsigned, unsigned, hs_scratch_t*, match_event_handler,
                          void*);
hs_error_t __wrap_hs_scan_stream(hs_stream_t* stream, const char* bytes, unsigned size, unsigned flags,
                                 hs_scratch_t* scratch, match_event_handler note, void* context) {
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

}  // namespace
}  // namespace critpipe
