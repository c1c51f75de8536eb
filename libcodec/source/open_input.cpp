// Opening an input, and finding out what it is.
#include "source/open_input.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "base/descriptors.hpp"
#include "source/input_form.hpp"
#include "source/packing.hpp"

namespace critpipe {

namespace {

std::unique_ptr<PeekReader> bounded(Reader below, const std::string& place, const SourceOptions& options) {
  if (options.max_bytes != Member::unknown)
    below = std::make_unique<BoundedReader>(std::move(below), options.max_bytes, place);
  return std::make_unique<PeekReader>(std::move(below));
}

// Threads that unpack: more than a few wait for whoever reads what they unpack.
std::size_t threads_of(const SourceOptions& options) {
  constexpr unsigned usual = 8, most = 64;
  return options.threads == 0 ? std::min(nr_processors(), usual) : std::min(options.threads, most);
}

// Unpacks as often as the input is packed. A name says that it is a raw image; a head, that it is another. Both end it
// with as few bytes as can be: a pipe may give the next ones much later.
bool unpack_all(OpenedInput& opened, const SourceOptions& options) {
  auto& reader = opened.reader;
  for (int layers = 0; !is_raw_name(opened.name) && !is_image_head(reader->peek(4)); ++layers) {
    const Packing* packing = packing_of(*reader);
    if (!packing) return true;
    if (layers == max_packings) {
      opened.error = {Reason::limit_packing, opened.place, Error::nowhere, Error::nowhere, max_packings};
      return false;
    }
    Reader below = std::move(reader);
    Reader above;
    if (const InputFile* file = std::exchange(opened.packed, nullptr); file && packing->by_frames)
      above = packing->by_frames(*file, opened.packed_begin, below, opened.place, threads_of(options));
    if (!above) above = unpack(*packing, std::move(below), opened.place);
    reader = bounded(std::move(above), opened.place, options);
    opened.size = Member::unknown;
    for (std::string* name : {&opened.name, &opened.path})
      if (name->ends_with(packing->suffix)) name->erase(name->size() - packing->suffix.size());
  }
  return true;
}

std::vector<const InputForm*> forms_in_order() {
  std::vector<const InputForm*> forms(input_forms, input_forms + nr_input_forms);
  std::ranges::stable_sort(forms, {}, &InputForm::head_bytes);
  return forms;
}

void recognise(OpenedInput& opened) {
  static const std::vector<const InputForm*> forms = forms_in_order();
  const auto form = std::ranges::find_if(forms, [&](const InputForm* form) { return form->recognise(opened); });
  opened.form = form == forms.end() ? &image_form : *form;
}

constexpr std::string_view descriptors = "/dev/fd/";

int open_descriptor(const std::string& input, const SourceOptions& options) {
  if (input != "-") {
    const int fd = open(input.c_str(), O_RDONLY | O_CLOEXEC);
    // A socket cannot be opened again.
    const std::string_view number = std::string_view{input}.substr(std::min(input.size(), descriptors.size()));
    if (fd >= 0 || errno != ENXIO || !input.starts_with(descriptors)) return fd;
    int open_fd = -1;
    const auto parsed = std::from_chars(number.data(), number.data() + number.size(), open_fd);
    const int copy = parsed.ptr == number.data() + number.size() ? fcntl(open_fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (copy < 0) errno = ENXIO;
    return copy;
  }
  if (options.stdin_offset != Member::unknown) lseek(STDIN_FILENO, static_cast<off_t>(options.stdin_offset), SEEK_SET);
  return STDIN_FILENO;
}

class FailedReader final : public ByteReader {
 public:
  explicit FailedReader(Error error) { error_ = std::move(error); }
  Bytes read() override { return {}; }
};

}  // namespace

std::uint64_t stdin_offset() {
  struct stat status;
  if (fstat(STDIN_FILENO, &status) != 0 || !S_ISREG(status.st_mode)) return Member::unknown;
  const off_t at = lseek(STDIN_FILENO, 0, SEEK_CUR);
  return at < 0 ? Member::unknown : static_cast<std::uint64_t>(at);
}

void read_from(OpenedInput& opened, InputFile file, const SourceOptions& options) {
  auto plain = std::make_unique<FileReader>(std::move(file));
  opened.size = plain->size();
  if (opened.size != Member::unknown) {
    opened.packed = &plain->file();
    opened.packed_begin = opened.packed->size() - opened.size;
  }
  opened.reader = bounded(std::move(plain), opened.place, options);
}

void look_into(OpenedInput& opened, const SourceOptions& options) {
  if (unpack_all(opened, options)) recognise(opened);
}

bool can_read_again(const std::string& input, const SourceOptions& options) {
  if (input == "-") return options.stdin_offset != Member::unknown;
  struct stat status;
  return stat(input.c_str(), &status) != 0 || S_ISREG(status.st_mode) || S_ISDIR(status.st_mode);
}

OpenedInput open_input(InputName called, const SourceOptions& options) {
  OpenedInput opened{std::move(called)};
  opened.place = opened.called.input;
  opened.name = last_part(opened.place);
  opened.path = opened.called.path();
  const int fd = open_descriptor(opened.place, options);
  struct stat status;
  if (fd < 0 || fstat(fd, &status) != 0) {
    opened.error = open_fault(opened.place, errno);
    return opened;
  }
  if (S_ISDIR(status.st_mode)) {
    // Others may list standard input, too: each has a position of its own.
    const bool is_shared = fd == STDIN_FILENO;
    opened.directory = {is_shared ? openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : fd, opened.place};
    if (!opened.directory.is_open()) opened.error = system_error(Reason::io_read, opened.place, errno);
    return opened;
  }
  InputFile file{fd, opened.place};
  if (S_ISREG(status.st_mode) && is_raw_name(opened.name)) {
    opened.form = &image_form;
    opened.size = static_cast<std::uint64_t>(status.st_size);
    opened.file = std::move(file);
    return opened;
  }
  read_from(opened, std::move(file), options);
  look_into(opened, options);
  return opened;
}

Reader open_bytes(const std::string& input, const SourceOptions& options) {
  OpenedInput opened;
  opened.place = input;
  InputFile file{open_descriptor(input, options), input};
  if (!file.is_open()) return std::make_unique<FailedReader>(open_fault(input, errno));
  opened.name = last_part(input);
  read_from(opened, std::move(file), options);
  if (!unpack_all(opened, options)) return std::make_unique<FailedReader>(opened.error);
  return std::move(opened.reader);
}

}  // namespace critpipe
