// Varints: ours, which know that they end, against those of protozero and protobuf, which do not.
#include <benchmark/benchmark.h>
#include <google/protobuf/io/coded_stream.h>

#include "micro/samples.hpp"
#ifdef HAVE_PROTOZERO
#include <protozero/varint.hpp>
#endif

namespace critpipe::bench {

namespace {

std::string varints() {
  std::string all;
  for (const std::uint64_t number : numbers()) append_varint(all, number);
  return all;
}

void count(benchmark::State& state, std::size_t size) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(size));
}

void varint_critpipe(benchmark::State& state) {
  const std::string text = varints();
  for (auto _ : state) {
    const std::byte* at = bytes_of(text).data();
    const std::byte* const end = at + text.size();
    std::uint64_t sum = 0;
    while (at != end) sum += trusted_varint(at, end);
    benchmark::DoNotOptimize(sum);
  }
  count(state, text.size());
}
BENCHMARK(varint_critpipe);

#ifdef HAVE_PROTOZERO
void varint_protozero(benchmark::State& state) {
  const std::string text = varints();
  for (auto _ : state) {
    const char* at = text.data();
    const char* const end = at + text.size();
    std::uint64_t sum = 0;
    while (at != end) sum += protozero::decode_varint(&at, end);
    benchmark::DoNotOptimize(sum);
  }
  count(state, text.size());
}
BENCHMARK(varint_protozero);
#endif

void varint_protobuf(benchmark::State& state) {
  const std::string text = varints();
  for (auto _ : state) {
    google::protobuf::io::CodedInputStream stream{reinterpret_cast<const std::uint8_t*>(text.data()),
                                                  static_cast<int>(text.size())};
    std::uint64_t sum = 0;
    for (std::uint64_t value; stream.ReadVarint64(&value);) sum += value;
    benchmark::DoNotOptimize(sum);
  }
  count(state, text.size());
}
BENCHMARK(varint_protobuf);

}  // namespace

}  // namespace critpipe::bench
