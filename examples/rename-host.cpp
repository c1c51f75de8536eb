// rename-host UTSNS-IMAGE NAME: the image with another host name, on standard output.
#include <critpipe/stored_image.hpp>

#include <cstdio>
#include <unistd.h>

using namespace critpipe;

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  StoredImage image;
  Error error = image.load(argv[1]);
  for (StoredEntry& entry : image.entries)
    if (!error) error = entry.set("nodename", argv[2]);
  FileOutput output{STDOUT_FILENO, "standard output"};
  if (!error && image.write(output) == Step::stop) error = output.error();
  if (error) std::fprintf(stderr, "rename-host: %s\n", to_string(error).c_str());
  return error ? 2 : 0;
}
