// crit-fromjson: JSON to images, the same bytes that were decoded.
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

#include "common/filter.hpp"
#include "critpipe/json.hpp"

namespace critpipe {

namespace {

constexpr Option rows[] = {
    {0, "max-entry", "SIZE", "Refuse messages larger than SIZE (256M)."},
};
constexpr Options groups[] = {output_options, rows};
constexpr Example examples[] = {
    {"crit-tojson fs-1.img | crit-fromjson -o fs-1.img", "decode and encode give the same bytes"},
    {"crit-tojson core-1.img | sed 's/old/new/' | crit-fromjson > new.img", "edit an image"},
};

// One image goes out as itself.
class OneImage final : public EncodeSink {
 public:
  OneImage(Program& program, Output& output) : program_{program}, output_{output} {}
  Step begin(std::string_view) override { return Step::go; }
  Step bytes(Bytes bytes) override {
    output_.write({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    return output_.step();
  }
  Step end() override { return Step::go; }
  Step missing_raw(std::string_view name, std::uint64_t) override {
    Error error{Reason::raw_image, std::string{name}};
    error.name = "its bytes are not in the JSON; crit-tojson --raw puts them there";
    program_.report(error);
    return Step::go;
  }

 private:
  Program& program_;
  Output& output_;
};

void read_json(Program& program, const std::string& input, EncodeSink& sink, const Limits& limits) {
  const int fd = input == "-" ? STDIN_FILENO : open(input.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return program.report(system_error(Reason::io_open, input, errno));
  JsonEncoder encoder{sink, input, limits};
  std::vector<std::byte> block(block_bytes);
  ssize_t size = 0;
  Step step = Step::go;
  while (step == Step::go && ((size = read(fd, block.data(), block.size())) > 0 || (size < 0 && errno == EINTR)))
    if (size > 0) step = encoder.feed({block.data(), static_cast<std::size_t>(size)});
  if (step == Step::go && size < 0) program.report(system_error(Reason::io_read, input, errno));
  if (step == Step::go) step = encoder.finish();
  if (step == Step::stop && encoder.error()) program.report(encoder.error());
  if (fd != STDIN_FILENO) close(fd);
}

int run(Program& program) {
  Limits limits;
  limits.entry_bytes = program.number("max-entry", limits.entry_bytes);
  const auto inputs = program.inputs();
  Destination destination{program, Destination::Content::binary};
  OneImage sink{program, destination.output()};
  for (const std::string& input : inputs) read_json(program, input, sink, limits);
  return destination.commit();
}

}  // namespace

const Filter filter{"crit-fromjson", "turn JSON into CRIU images", "[INPUT...]", examples, groups, run};

}  // namespace critpipe
