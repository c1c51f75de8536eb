// statistics CHECKPOINT...: how long processes stood still while they were dumped, and how much was written.
#include <critpipe/report.hpp>

#include <cinttypes>
#include <cstdio>

using namespace critpipe;

int main(int argc, char** argv) {
  StatisticsReader reader;
  for (int i = 1; i < argc; ++i) {
    (void)read_input(argv[i], reader);
    reader.finish(argv[i]);
  }
  for (const Statistics& one : reader.statistics()) {
    if (one.of == Statistics::Of::restore) continue;
    std::printf("%s:", one.set.text().c_str());
    if (const auto frozen = one.value("frozen_time")) std::printf(" frozen for %" PRIu64 " us", *frozen);
    if (const auto pages = one.value("pages_written")) std::printf(" %" PRIu64 " bytes", *pages * one.page_size);
    if (const auto share = one.share_written()) std::printf(" %.0f %% of the pages", *share * 100);
    std::printf("\n");
  }
  for (const Error& error : reader.errors()) std::fprintf(stderr, "statistics: %s\n", to_string(error).c_str());
  return reader.errors().empty() ? 0 : 2;
}
