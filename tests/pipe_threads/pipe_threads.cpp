// pipe_threads: passes standard input on as crit-dump does its images: through a compressor (--zstd), then through
// memory, with a thread each; or into a file in DIR, which is compressed as it grows. tests/threads runs it, under the
// thread sanitizer, too.
//
// usage: pipe_threads BYTES [--zstd]        BYTES: that may wait in memory
//        pipe_threads --ahead DIR           standard input: a frame of 4 MiB at least
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <thread>
#include <vector>

#include "crit-dump/pages_ahead.hpp"
#include "crit-dump/pipe_buffer.hpp"
#include "crit-dump/pipe_packer.hpp"
#include "critpipe/error.hpp"
#include "critpipe/output.hpp"

namespace critpipe::filters {
namespace {

int fail(const Error& error) {
  std::fprintf(stderr, "pipe_threads: %s\n", to_string(error).c_str());
  return 2;
}

// Waits in turns for what is in memory, and for what is out.
Error settle(PipePacker* packer, PipeBuffer& buffer, std::uint64_t written, bool is_out) {
  std::uint64_t bytes = written;
  if (packer)
    if (Error error = packer->settle(written, -1, bytes)) return error;
  return is_out ? buffer.wait_sent(bytes, -1) : buffer.wait_held(bytes, -1);
}

int run(std::uint64_t most, bool packs) {
  Error error;
  std::unique_ptr<PipePacker> packer;  // ends when nobody reads: it is destroyed behind the buffer
  PipeBuffer buffer{STDOUT_FILENO, "standard output", most, 1 << 20, error};
  if (packs && !error)
    packer = std::make_unique<PipePacker>(
        buffer.fd(), [](Output& below) { return std::make_unique<ZstdOutput>(below, 3, 2); }, error);
  const int to = packer ? packer->fd() : buffer.fd();
  std::vector<char> block(50000);
  std::uint64_t written = 0;
  for (unsigned turn = 1; !error; ++turn) {
    const ssize_t got = read(STDIN_FILENO, block.data(), block.size());
    if (got <= 0) break;
    for (ssize_t done = 0; done < got;) {
      const ssize_t size = write(to, block.data() + done, static_cast<std::size_t>(got - done));
      if (size <= 0) return 2;
      done += size;
    }
    written += static_cast<std::uint64_t>(got);
    if (turn % 40 == 0) error = settle(packer.get(), buffer, written, turn % 80 == 0);
  }
  const auto goes_on = [] { return false; };
  if (packer && !error) error = packer->finish(goes_on);
  if (!error) error = buffer.finish(goes_on);
  return error ? fail(error) : 0;
}

int run_ahead(const std::string& directory) {
  const int file = open((directory + "/pages-1.img").c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  FileOutput below{STDOUT_FILENO, "standard output"};
  ZstdOutput packer{below, 3, 2};
  std::uint64_t size = 0;
  {
    const PagesAhead ahead{packer.ahead(directory), directory};
    std::vector<std::byte> block(50000);
    for (ssize_t got; (got = read(STDIN_FILENO, block.data(), block.size())) > 0;)
      if (Error error = write_at(file, size, Bytes{block}.first(static_cast<std::size_t>(got)), directory))
        return fail(error);
    while (ahead.nr_packed() == 0) std::this_thread::sleep_for(std::chrono::milliseconds{1});  // others may come first
  }
  packer.part_begins(size);
  const bool is_whole = packer.pass_file(file, size) == size && packer.finish() == Step::go;
  if (packer.ahead(directory).nr_used() == 0) std::fprintf(stderr, "pipe_threads: nothing was compressed ahead\n");
  return is_whole && below.flush() == Step::go ? 0 : 2;
}

}  // namespace
}  // namespace critpipe::filters

int main(int argc, char** argv) {
  if (argc == 3 && argv[1] == std::string_view{"--ahead"}) return critpipe::filters::run_ahead(argv[2]);
  if (argc < 2) return 2;
  return critpipe::filters::run(std::strtoull(argv[1], nullptr, 10), argc > 2 && argv[2] == std::string_view{"--zstd"});
}
