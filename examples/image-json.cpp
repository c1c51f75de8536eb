// image-json IMAGE: the image as JSON.   image-json IMAGE JSON: the image in the file JSON takes the place of IMAGE.
#include <critpipe/json.hpp>

#include <cstdio>
#include <unistd.h>

using namespace critpipe;

int main(int argc, char** argv) {
  if (argc != 2 && argc != 3) return 2;
  Error error;
  if (argc == 2) {
    FileOutput output{STDOUT_FILENO, "standard output"};
    error = image_to_json(argv[1], output, {.pretty = true});
  } else {
    error = replace_file(argv[1], [&](Output& file) { return json_to_image(argv[2], file); });
  }
  if (error) std::fprintf(stderr, "image-json: %s\n", to_string(error).c_str());
  return error ? 2 : 0;
}
