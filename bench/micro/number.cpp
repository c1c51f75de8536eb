// Numbers as text against std::to_chars.
#include <benchmark/benchmark.h>

#include <charconv>

#include "micro/samples.hpp"
#include "base/decimal.hpp"

namespace critpipe::bench {

namespace {

template <typename Put>
void print_all(benchmark::State& state, Put put) {
  const std::vector<std::uint64_t> all = numbers();
  std::vector<char> room(all.size() * max_number_text + 64);
  for (auto _ : state) {
    char* at = room.data();
    for (const std::uint64_t number : all) at = put(at, number);
    benchmark::DoNotOptimize(at);
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(all.size()));
}

void number_critpipe(benchmark::State& state) {
  print_all(state, [](char* at, std::uint64_t number) { return put_decimal(at, number); });
}
BENCHMARK(number_critpipe);

void number_to_chars(benchmark::State& state) {
  print_all(state, [](char* at, std::uint64_t number) { return std::to_chars(at, at + max_number_text, number).ptr; });
}
BENCHMARK(number_to_chars);

}  // namespace

}  // namespace critpipe::bench
