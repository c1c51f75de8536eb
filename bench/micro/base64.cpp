// Base64 both ways, in blocks of 256 KiB, against OpenSSL's. Ours breaks lines as crit does.
#include <benchmark/benchmark.h>

#include <cstring>

#include "micro/samples.hpp"
#include "base/base64.hpp"
#ifdef HAVE_OPENSSL
#include <openssl/evp.h>
#endif

namespace critpipe::bench {

namespace {

constexpr std::size_t size = 256 << 10;

std::string noise() {
  std::string bytes(size, '\0');
  std::uint64_t state = 7;
  for (std::size_t i = 0; i < size; i += 8) {
    state = state * 6364136223846793005 + 1442695040888963407;
    std::memcpy(bytes.data() + i, &state, 8);
  }
  return bytes;
}

std::string encoded() {
  std::string text(Base64Encoder::json_room(size), '\0');
  Base64Encoder encoder;
  const std::string bytes = noise();
  char* end = encoder.finish(encoder.feed(bytes_of(bytes), text.data()));
  text.resize(static_cast<std::size_t>(end - text.data()));
  return text;
}

// Bytes are those that are not base64.
void count(benchmark::State& state) { state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(size)); }

void base64_to_critpipe(benchmark::State& state) {
  const std::string bytes = noise();
  std::string text(Base64Encoder::json_room(size), '\0');
  for (auto _ : state) {
    Base64Encoder encoder;
    benchmark::DoNotOptimize(encoder.finish(encoder.feed(bytes_of(bytes), text.data())));
    benchmark::ClobberMemory();
  }
  count(state);
}
BENCHMARK(base64_to_critpipe);

void base64_from_critpipe(benchmark::State& state) {
  const std::string text = encoded();
  std::vector<std::byte> bytes(Base64Decoder::room(text.size()));
  for (auto _ : state) {
    Base64Decoder decoder{Base64Decoder::Text::json};
    benchmark::DoNotOptimize(decoder.finish(decoder.feed(text, bytes.data())));
    benchmark::ClobberMemory();
  }
  count(state);
}
BENCHMARK(base64_from_critpipe);

#ifdef HAVE_OPENSSL
const unsigned char* unsigned_of(const std::string& text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

void base64_to_openssl(benchmark::State& state) {
  const std::string bytes = noise();
  std::vector<unsigned char> text(2 * size);
  for (auto _ : state) {
    benchmark::DoNotOptimize(EVP_EncodeBlock(text.data(), unsigned_of(bytes), static_cast<int>(size)));
    benchmark::ClobberMemory();
  }
  count(state);
}
BENCHMARK(base64_to_openssl);

void base64_from_openssl(benchmark::State& state) {
  const std::string bytes = noise();
  std::vector<unsigned char> text(2 * size);
  const int length = EVP_EncodeBlock(text.data(), unsigned_of(bytes), static_cast<int>(size));
  std::vector<unsigned char> back(2 * size);
  for (auto _ : state) {
    benchmark::DoNotOptimize(EVP_DecodeBlock(back.data(), text.data(), length));
    benchmark::ClobberMemory();
  }
  count(state);
}
BENCHMARK(base64_from_openssl);
#endif

void memcpy_same(benchmark::State& state) {
  const std::string bytes = noise();
  std::string to(size, '\0');
  for (auto _ : state) {
    std::memcpy(to.data(), bytes.data(), size);
    benchmark::ClobberMemory();
  }
  count(state);
}
BENCHMARK(memcpy_same);

}  // namespace

}  // namespace critpipe::bench
