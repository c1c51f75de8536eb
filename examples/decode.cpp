// decode IMAGE: its entries as JSON, a line each, and how many there are.
#include <critpipe/source.hpp>
#include <critpipe/json.hpp>

#include <cstdio>
#include <unistd.h>

using namespace critpipe;

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  struct Print : Sink {
    FileOutput output{STDOUT_FILENO, "standard output"};
    std::size_t count = 0;
    Step entry(const Entry& entry) override {
      ++count;
      print_message(output, *entry.message, entry.payload, {.pretty = true, .canonical = entry.canonical});
      output.write("\n");
      return output.step();
    }
  } print;
  const Error error = decode_image(argv[1], print);
  print.output.write(std::to_string(print.count) + " entries\n");
  (void)print.output.flush();
  if (error) std::fprintf(stderr, "decode: %s\n", to_string(error).c_str());
  return error ? 2 : 0;
}
