// crit-fromjson: JSON to images, the same bytes that were decoded.
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/filter.hpp"
#include "common/images_out.hpp"
#include "critpipe/json.hpp"

namespace critpipe {

namespace {

constexpr Option rows[] = {
    {0, "pages-from", "DIR", "Take raw images (pages, ...) that the JSON only names from DIR.", Option::directories},
    {0, "max-entry", "SIZE", "Refuse messages larger than SIZE (256M)."},
};
constexpr Options groups[] = {rows, images_out_options, output_options};
constexpr Example examples[] = {
    {"crit-tojson fs-1.img | crit-fromjson -o fs-1.img", "decode and encode give the same bytes"},
    {"crit-tojson core-1.img | sed 's/old/new/' | crit-fromjson > new.img", "edit an image"},
    {"crit-tojson DIR | EDIT | crit-fromjson --pages-from DIR --into NEW", "edit a whole checkpoint"},
};

// Images as they come out of the JSON: one without a name is itself, named ones make a stream or a folder.
class FromJson final : public EncodeSink {
 public:
  FromJson(Program& program, ImagesOut& images) : program_{program}, images_{images} {}
  ~FromJson() override { (void)close(false); }

  Step begin(std::string_view name) override {
    const bool named = !name.empty() && name != "-";
    output_ = images_.open(std::string{named ? name : "-"}, kind_of_name(name), named ? OutForm::unknown : OutForm::image);
    return Step::go;
  }
  Step bytes(Bytes bytes) override {
    if (!output_) return Step::go;
    output_->write({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    return output_->step();
  }
  Step end() override { return close(true); }
  Step missing_raw(std::string_view name, std::uint64_t size) override;

 private:
  Step close(bool whole) {
    Output* const output = output_;
    output_ = nullptr;
    return output ? images_.close(output, whole) : Step::go;
  }

  Program& program_;
  ImagesOut& images_;
  Output* output_ = nullptr;
};

// Opens a raw image of the checkpoint that the JSON came from; -1: the error says why.
int open_raw(const std::optional<std::string>& folder, std::string_view name, std::uint64_t size, Error& error) {
  error = {Reason::raw_image, std::string{name}};
  if (!folder) {
    error.name = "its bytes are not in the JSON; crit-tojson --raw puts them there, or use --pages-from DIR";
    return -1;
  }
  const std::string path = *folder + "/" + std::string{name};
  const int fd = name.find('/') == name.npos ? open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
  struct stat status {};
  if (fd < 0 || fstat(fd, &status) != 0) error = system_error(Reason::io_open, path, errno);
  else if (!S_ISREG(status.st_mode)) error.name = path + " is no plain file";
  else if (static_cast<std::uint64_t>(status.st_size) != size)
    error.name = "the JSON says " + std::to_string(size) + " bytes, " + path + " has " + std::to_string(status.st_size);
  else return fd;
  if (fd >= 0) close(fd);
  return -1;
}

Step FromJson::missing_raw(std::string_view name, std::uint64_t size) {
  Error error;
  const int fd = open_raw(program_.value("pages-from"), name, size, error);
  if (fd < 0) {
    program_.report(error);
    return Step::go;
  }
  Step step = begin(name);
  std::uint64_t done = output_ ? output_->pass_file(fd, size) : size;
  std::vector<char> block(output_ && done < size ? block_bytes : 0);
  while (done < size && step == Step::go) {
    const ssize_t got = pread(fd, block.data(), block.size(), static_cast<off_t>(done));
    if (got <= 0) {
      program_.report(system_error(Reason::io_read, std::string{name}, got < 0 ? errno : EIO));
      break;
    }
    output_->write({block.data(), static_cast<std::size_t>(got)});
    step = output_->step();
    done += static_cast<std::uint64_t>(got);
  }
  ::close(fd);
  return close(done == size) == Step::stop ? Step::stop : step;
}

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
  const auto images = images_out(program);
  {
    FromJson sink{program, *images};
    for (const std::string& input : inputs) read_json(program, input, sink, limits);
  }
  return images->commit();
}

}  // namespace

const Filter filter{"crit-fromjson", "turn JSON into CRIU images", "[INPUT...]", examples, groups, run};

}  // namespace critpipe
