// walk-pagemap PAGEMAP: its runs, from a pagemap of any size, in the same memory.
#include <critpipe/source.hpp>
#include <critpipe/pages.hpp>

#include <cinttypes>
#include <cstdio>

using namespace critpipe;

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  struct Walk : PagemapSink {
    std::uint64_t present = 0;
    Error wrong;
    Step runs(std::span<const PageRun> runs) override {
      for (const PageRun& run : runs) {
        std::printf("0x%" PRIx64 " %" PRIu64 "%s%s%s\n", run.vaddr, run.nr_pages, run.is_present() ? " present" : "",
                    run.is_parent() ? " parent" : "", run.is_lazy() ? " lazy" : "");
        if (run.is_present()) present += run.nr_pages;
      }
      return Step::go;
    }
    void refused(const Error& error) override { wrong = error; }
  } walk;
  Error error = decode_image(argv[1], walk);
  if (!error) error = walk.wrong;
  std::printf("%" PRIu64 " pages in pages-%" PRIu64 ".img\n", walk.present, walk.reader().pages_id());
  if (error) std::fprintf(stderr, "walk-pagemap: %s\n", to_string(error).c_str());
  return error ? 2 : 0;
}
