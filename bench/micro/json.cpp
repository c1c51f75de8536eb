// Framing alone, and images to JSON and back in memory, against protobuf's JSON printer and simdjson's parser.
#include <benchmark/benchmark.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/type_resolver_util.h>
#include <simdjson.h>

#include "critpipe/json.hpp"
#include "json/parse/value_scanner.hpp"
#include "micro/samples.hpp"

namespace critpipe::bench {

namespace {

class NoSink final : public Sink {
 public:
  Step entry(const Entry& entry) override {
    benchmark::DoNotOptimize(entry.payload.data());
    return Step::go;
  }
};

class NoOutput final : public Output {
  bool drain(const char* bytes, std::size_t) override {
    benchmark::DoNotOptimize(bytes);
    return true;
  }
};

class NoImage final : public EncodeSink {
 public:
  Step begin(const Begin&) override { return Step::go; }
  Step bytes(Bytes bytes) override {
    benchmark::DoNotOptimize(bytes.data());
    return Step::go;
  }
  Step end() override { return Step::go; }
  Step missing_raw(std::string_view, std::uint64_t) override { return Step::go; }
};

// Bytes of images, whichever way; entries are counted too.
void count(benchmark::State& state, std::size_t size) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(size));
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(payloads().size()));
}

void framing_critpipe(benchmark::State& state) {
  const std::string text = image();
  for (auto _ : state) {
    NoSink sink;
    Decoder decoder{sink, "pagemap-1.img"};
    benchmark::DoNotOptimize(decoder.feed(bytes_of(text)));
  }
  count(state, text.size());
}
BENCHMARK(framing_critpipe);

void decode_critpipe(benchmark::State& state) {
  const std::string text = image();
  NoOutput output;
  for (auto _ : state) {
    JsonSink sink{output, {}};
    Decoder decoder{sink, "pagemap-1.img"};
    benchmark::DoNotOptimize(decoder.feed(bytes_of(text)));
    benchmark::DoNotOptimize(decoder.finish());
  }
  count(state, text.size());
}
BENCHMARK(decode_critpipe);

void decode_protobuf(benchmark::State& state) {
  namespace pb = google::protobuf;
  const std::unique_ptr<pb::util::TypeResolver> types{
      pb::util::NewTypeResolverForDescriptorPool("type.googleapis.com", pb::DescriptorPool::generated_pool())};
  pb::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  const auto all = payloads();
  for (auto _ : state)
    for (const std::string& payload : all) {
      std::string json;
      const auto status = pb::util::BinaryToJsonString(types.get(), "type.googleapis.com/critpipe.oracle.pagemap_entry",
                                                       payload, &json, options);
      benchmark::DoNotOptimize(status.ok());
    }
  count(state, image().size());
}
BENCHMARK(decode_protobuf);

std::string json_text() {
  StringOutput output;
  JsonSink sink{output, {}};
  Decoder decoder{sink, "pagemap-1.img"};
  (void)decoder.feed(bytes_of(image()));
  (void)decoder.finish();
  return output.take();
}

// From here on bytes are those of the JSON.
void encode_critpipe(benchmark::State& state) {
  const std::string text = json_text();
  NoImage sink;
  for (auto _ : state) {
    JsonEncoder encoder{sink, "-"};
    benchmark::DoNotOptimize(encoder.feed(bytes_of(text)));
    benchmark::DoNotOptimize(encoder.finish());
  }
  count(state, text.size());
}
BENCHMARK(encode_critpipe);

void json_dom_simdjson(benchmark::State& state) {
  const simdjson::padded_string text{json_text()};
  simdjson::dom::parser parser;
  for (auto _ : state) benchmark::DoNotOptimize(parser.parse(text).error());
  count(state, text.size());
}
BENCHMARK(json_dom_simdjson);

void json_cut_critpipe(benchmark::State& state) {
  std::string text = json_text();
  const std::size_t begin = text.find('[') + 1;
  const std::size_t size = text.size() - begin;
  text.resize(text.size() + 64);
  for (auto _ : state) {
    ValueScanner scanner;
    benchmark::DoNotOptimize(scanner.scan(text.data() + begin, text.data() + begin + size, ValueScanner::Until::last));
  }
  count(state, size);
}
BENCHMARK(json_cut_critpipe);

}  // namespace

}  // namespace critpipe::bench
