// Messages: the check of a payload and the walk over its fields, against protozero's walk and protobuf's parser.
#include <benchmark/benchmark.h>
#include <pagemap.pb.h>

#include "micro/samples.hpp"
#ifdef HAVE_PROTOZERO
#include <protozero/pbf_reader.hpp>
#endif

namespace critpipe::bench {

namespace {

// Runs `use` for each payload; a rate is entries a second.
template <typename Use>
void each(benchmark::State& state, Use use) {
  const std::vector<std::string> all = payloads();
  for (auto _ : state)
    for (const std::string& payload : all) use(payload);
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(all.size()));
}

void check_critpipe(benchmark::State& state) {
  const Message& message = *find_message("pagemap_entry");
  each(state, [&](const std::string& payload) {
    Checked checked;
    benchmark::DoNotOptimize(check(message, bytes_of(payload), checked));
  });
}
BENCHMARK(check_critpipe);

void fields_critpipe(benchmark::State& state) {
  const Message& message = *find_message("pagemap_entry");
  each(state, [&](const std::string& payload) {
    std::uint64_t sum = 0;
    for (Fields fields{message, bytes_of(payload)}; fields.next();) sum += fields.value().integer;
    benchmark::DoNotOptimize(sum);
  });
}
BENCHMARK(fields_critpipe);

#ifdef HAVE_PROTOZERO
void fields_protozero(benchmark::State& state) {
  each(state, [&](const std::string& payload) {
    std::uint64_t sum = 0;
    for (protozero::pbf_reader reader{payload}; reader.next();) sum += reader.get_uint64();
    benchmark::DoNotOptimize(sum);
  });
}
BENCHMARK(fields_protozero);
#endif

void fields_protobuf(benchmark::State& state) {
  oracle::pagemap_entry entry;
  each(state, [&](const std::string& payload) { benchmark::DoNotOptimize(entry.ParseFromString(payload)); });
}
BENCHMARK(fields_protobuf);

}  // namespace

}  // namespace critpipe::bench
