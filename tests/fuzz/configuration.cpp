// Any text as the configuration of a container: no crash, and what is refused has said nothing.
#include "critpipe/container.hpp"
#include "fuzz/fuzz.hpp"

namespace critpipe {
namespace {

void run(Bytes input) {
  constexpr std::string_view names[] = {"spec.dump",       "status.dump", "config.dump",    "config.v2.json",
                                        "hostconfig.json", "config.json", "network.status", "dump.log"};
  static const std::string blob(64, '0');
  const SetId id{"c.tar", "checkpoints/one"};
  ContainerFiles files;
  const unsigned first = take_byte(input);
  const std::string_view text{reinterpret_cast<const char*>(input.data()), input.size()};
  const std::string_view name = first % 9 < 8 ? names[first % 9] : blob;
  const bool is_refused = static_cast<bool>(files.add(id, name, text));
  const Container container = files.of(id);
  require(!is_refused || !container.is_known());
  // Another file beside it takes nothing away.
  const std::string known = container.hostname;
  (void)files.add(id, names[first / 9 % 8], text);
  require(is_refused || known.empty() || !files.of(id).hostname.empty());
}

}  // namespace
}  // namespace critpipe

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  critpipe::run(std::as_bytes(std::span{data, size}));
  return 0;
}
