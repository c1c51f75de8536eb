// Prints the hosts of a checkpoint through the public headers. Nothing here names the kind to the reader.
#include <cstdio>

#include "critpipe/checkpoint.hpp"
#include "critpipe/json.hpp"
#include "critpipe/output.hpp"
#include <unistd.h>

int main(int count, char** arguments) {
  using namespace critpipe;
  if (count != 2) return 2;
  FileOutput output{STDOUT_FILENO, "standard output"};
  const Checkpoint checkpoint = read_checkpoint(arguments[1], {.ids = true});
  for (const ImageMessage& host : checkpoint.messages("UTSNS")) {
    JsonWriter json{output, false};
    json.begin('{').key("number").number(host.number).key("host").message(*host.message, host.payload).end('}');
    json.line_end();
  }
  for (const Error& error : checkpoint.errors()) output.write(to_string(error) + "\n");
  return output.flush() == Step::go ? 0 : 2;
}
