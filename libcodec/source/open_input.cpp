// Opening an input, and finding out what it is.
#include "source/open_input.hpp"

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "critpipe/fields.hpp"
#include "source/input_form.hpp"

namespace critpipe {

namespace {

bool is_head(Bytes begin) {
  if (begin.size() < 4) return false;
  const std::uint32_t word = load_u32(begin.data());
  return word == common_magic || word == service_magic || find_kind(word);
}

std::unique_ptr<PeekReader> bounded(Reader below, const std::string& place, const SourceOptions& options) {
  if (options.max_bytes != Member::unknown)
    below = std::make_unique<BoundedReader>(std::move(below), options.max_bytes, place);
  return std::make_unique<PeekReader>(std::move(below));
}

// Unpacks as often as the input is packed. A name says that it is a raw image; a head, that it is another. Both end it
// with as few bytes as can be: a pipe may give the next ones much later.
bool unpack_all(Opened& opened, const SourceOptions& options) {
  auto& reader = opened.reader;
  for (int layers = 0; !is_raw_name(opened.name) && !is_head(reader->peek(4)); ++layers) {
    const Packing packing = packing_of(reader->peek(6));
    if (packing == Packing::none) return true;
    if (layers == max_packings) {
      opened.error = {Reason::limit_packing, opened.place, Error::nowhere, Error::nowhere, max_packings};
      return false;
    }
    reader = bounded(unpack(packing, std::move(reader), opened.place), opened.place, options);
    opened.size = Member::unknown;
    if (opened.name.ends_with(suffix_of(packing))) opened.name.erase(opened.name.size() - suffix_of(packing).size());
  }
  return true;
}

void recognise(Opened& opened) {
  PeekReader& reader = *opened.reader;
  opened.form = Opened::Form::image;
  if (is_raw_name(opened.name) || is_head(reader.peek(4))) return;
  if (is_stream(reader, opened.sequence)) opened.form = Opened::Form::stream;
  else if (is_tar(reader.peek(512))) opened.form = Opened::Form::tar;
}

void open_file(Opened& opened, OpenFile file, const SourceOptions& options) {
  auto plain = std::make_unique<FileReader>(std::move(file), opened.place);
  opened.size = plain->size();
  opened.reader = bounded(std::move(plain), opened.place, options);
}

}  // namespace

Opened open_input(const std::string& input, const std::string& short_name, const SourceOptions& options) {
  Opened opened;
  const bool is_stdin = input == "-";
  opened.place = input;
  opened.short_name = short_name;
  opened.name = is_stdin ? "-" : short_name;
  OpenFile file{is_stdin ? STDIN_FILENO : open(input.c_str(), O_RDONLY | O_CLOEXEC)};
  struct stat status;
  if (file.fd() < 0 || fstat(file.fd(), &status) != 0) {
    opened.error = system_error(Reason::io_open, opened.place, errno);
    return opened;
  }
  if (S_ISDIR(status.st_mode)) {
    opened.form = Opened::Form::directory;
    while (opened.place.size() > 1 && opened.place.back() == '/') opened.place.pop_back();
  } else if (S_ISREG(status.st_mode) && is_raw_name(opened.name)) {
    opened.form = Opened::Form::raw;
    opened.size = static_cast<std::uint64_t>(status.st_size);
  }
  if (opened.form != Opened::Form::failed) {
    opened.file = std::move(file);
    return opened;
  }
  open_file(opened, std::move(file), options);
  if (unpack_all(opened, options)) recognise(opened);
  return opened;
}

namespace {

class FailedReader final : public ByteReader {
 public:
  explicit FailedReader(Error error) { error_ = std::move(error); }
  Bytes read() override { return {}; }
};

}  // namespace

Reader open_bytes(const std::string& input, const SourceOptions& options) {
  Opened opened;
  opened.place = input;
  OpenFile file{input == "-" ? STDIN_FILENO : open(input.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd() < 0) return std::make_unique<FailedReader>(system_error(Reason::io_open, input, errno));
  if (is_raw_name(last_part(input))) return std::make_unique<FileReader>(std::move(file), input);
  open_file(opened, std::move(file), options);
  if (!unpack_all(opened, options)) return std::make_unique<FailedReader>(opened.error);
  return std::move(opened.reader);
}

}  // namespace critpipe
