#include "cli/input_lists.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <iterator>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>

#include "critpipe/schema.hpp"
#include "critpipe/source.hpp"

namespace critpipe::filters {

namespace {

constexpr std::size_t longest_name = 4096;
constexpr std::size_t longest_list = 64 << 20;

[[noreturn]] void fail(Program& program, const Error& error) {
  program.report(error);
  SignalCleanup::exit(program.exit_code());
}

Error error_of(const std::string& place, const char* why) {
  Error error{Reason::usage, place};
  error.name = why;
  return error;
}

[[noreturn]] void fail(Program& program, const std::string& place, const char* why) {
  fail(program, error_of(place, why));
}

// What a text is whose first line names nothing; null: a list.
const char* other_text(const std::string& first, std::string_view text) {
  if (access(first.c_str(), F_OK) == 0) return nullptr;
  constexpr std::size_t telling = 256;  // bytes of an image, or of a stream of them
  const auto is_control = [](char c) { return c > 0 && c < ' ' && c != '\t' && c != '\n' && c != '\r'; };
  if (std::ranges::any_of(text.substr(0, telling), is_control)) return "this is binary, no list of inputs";
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff"))
    return "this is UTF-16: iconv -f UTF-16 makes a list of it";
  if (first.starts_with("{\"") || first == "{" || first == "[" || first == "[{")
    return "this is JSON, no list of inputs: jq -r .checkpoint prints the names in its rows";
  if (first.ends_with('\r')) return "its lines end with CR and LF: tr -d '\\r' takes the CR out";
  return nullptr;
}

// One name a line; where there is a NUL, each name ends with one.
void read_list(Program& program, const std::string& path, std::vector<std::string>& inputs) {
  const bool is_stdin = path == "-";
  const int fd = is_stdin ? STDIN_FILENO : open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail(program, system_error(Reason::io_open, path, errno));
  std::string text;
  std::array<char, 65536> block;
  for (;;) {
    const ssize_t size = read(fd, block.data(), block.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) fail(program, system_error(Reason::io_read, path, errno));
    if (size == 0) break;
    text.append(block.data(), static_cast<std::size_t>(size));
    if (text.size() > longest_list) fail(program, path, "this list is longer than 64 MiB");
    const std::size_t last = text.find_last_of(std::string_view{"\n\0", 2});
    if (text.size() - (last == text.npos ? 0 : last) > longest_name) fail(program, path, "this is no list of inputs");
  }
  if (!is_stdin) close(fd);
  if (is_archive(std::as_bytes(std::span{text})))
    fail(program, path, "this is an archive, no list of inputs: name it without --files-from");
  constexpr std::string_view mark{"\xef\xbb\xbf"};  // of byte order, of UTF-8
  if (text.starts_with(mark)) text.erase(0, mark.size());
  const char end = text.find('\0') == text.npos ? '\n' : '\0';
  const std::size_t before = inputs.size();
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t size = std::min(rest.find(end), rest.size());
    if (size > 0) inputs.emplace_back(rest.substr(0, size));
    rest.remove_prefix(std::min(size + 1, rest.size()));
  }
  if (inputs.size() == before) fail(program, path, "this list names no input");
  if (const char* const why = other_text(inputs[before], text)) fail(program, path, why);
}

// How far a walk goes: the depths, below the directory that it begins in, of the deepest directory and archive.
struct Reach {
  int directories, archives;
  bool is_all;  // what lies deeper is missed, and that is an error
};
constexpr Reach everywhere{64, 64, true};
// DIR/1, and docker's containers/ID/checkpoints/NAME; archives in DIR itself.
constexpr Reach nearby{4, 0, false};

// The checkpoints in a directory and below.
class Walk {
 public:
  Walk(Program& program, Reach reach, std::vector<std::string>& found)
      : program_{program}, reach_{reach}, found_{found} {}
  // `images` of them are those of a container's directory above, which was found.
  enum class Images : std::uint8_t { own, of_container };
  void directory(const std::string& path, int depth, Images images = Images::own);

 private:
  struct Entry {
    std::string name;
    bool is_directory;
  };
  std::vector<Entry> entries(const std::string& path);
  static bool holds_images(const std::vector<Entry>& all);

  Program& program_;
  Reach reach_;
  std::vector<std::string>& found_;
};

std::vector<Walk::Entry> Walk::entries(const std::string& path) {
  std::vector<Entry> all;
  const int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::unique_ptr<DIR, int (*)(DIR*)> directory{fd < 0 ? nullptr : fdopendir(fd), closedir};
  if (!directory) {
    program_.report(system_error(Reason::io_open, path, errno));
    if (fd >= 0) close(fd);
    return all;
  }
  for (;;) {
    errno = 0;
    const dirent* const entry = readdir(directory.get());
    if (!entry && errno != 0) program_.report(system_error(Reason::io_read, path, errno));
    if (!entry) break;
    const std::string_view name = entry->d_name;
    struct stat status;
    if (name == "." || name == "..") continue;
    if (fstatat(fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) continue;  // it went meanwhile
      program_.report(system_error(Reason::io_read, path, errno));
      break;
    }
    if (S_ISDIR(status.st_mode) || S_ISREG(status.st_mode)) all.push_back({entry->d_name, S_ISDIR(status.st_mode)});
  }
  std::ranges::sort(all, [](const Entry& a, const Entry& b) { return strverscmp(a.name.c_str(), b.name.c_str()) < 0; });
  return all;
}

bool Walk::holds_images(const std::vector<Entry>& all) {
  return std::ranges::any_of(all, [](const Entry& one) { return !one.is_directory && one.name.ends_with(".img"); });
}

// What engines put beside the images of a container, and what is no checkpoint by itself.
bool is_rest_of_container(std::string_view name, bool is_directory) {
  if (is_directory) return name == "artifacts" || name == "volumes";
  return name == "rootfs-diff.tar" || name == "devshm-checkpoint.tar";
}

// A container's directory has its images in checkpoint/, that of a pre-dump in pre-checkpoint/, and is an input as a
// whole: configuration and statistics lie beside them.
void Walk::directory(const std::string& path, int depth, Images images) {
  if (is_container_image(path)) {
    found_.push_back(path);
    return;
  }
  const std::vector<Entry> all = entries(path);
  const auto has = [&](std::string_view name, bool is_directory) {
    return std::ranges::any_of(
        all, [&](const Entry& entry) { return entry.name == name && entry.is_directory == is_directory; });
  };
  const std::string prefix = path == "." ? "" : path.ends_with('/') ? path : path + "/";
  std::string images_below;  // a container's directory has them there
  for (const char* name : {"checkpoint", "pre-checkpoint"})
    if (images_below.empty() && !holds_images(all) && has(name, true) && holds_images(entries(prefix + name)))
      images_below = name;
  const bool is_container = !images_below.empty();
  const bool has_files = has("config.dump", false) || has("spec.dump", false);
  const bool is_engines = (is_container || holds_images(all)) && has_files;
  const auto is_image = [](const Entry& entry) { return !entry.is_directory && is_image_name(entry.name); };
  if (images == Images::own && (is_container || std::ranges::any_of(all, is_image))) found_.push_back(path);
  for (const Entry& entry : all) {
    if (is_engines && is_rest_of_container(entry.name, entry.is_directory)) continue;
    if (!entry.is_directory) {
      if (depth <= reach_.archives && is_archive_name(entry.name)) found_.push_back(prefix + entry.name);
      continue;
    }
    if (depth == reach_.directories && reach_.is_all) fail(program_, path, "directories are nested too deeply");
    if (depth == reach_.directories) continue;
    const bool is_its = is_container && entry.name == images_below;
    directory(prefix + entry.name, depth + 1, is_its ? Images::of_container : Images::own);
  }
}

bool is_directory(const std::string& path) {
  struct stat status;
  return path != "-" && stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

// The word of a filter such as "ps", which may be its first or its last argument.
bool is_word(const Filter& filter, const std::string& argument) {
  const std::string words = std::string{" "} + filter.words + " ";
  return !argument.empty() && words.find(" " + argument + " ") != words.npos;
}

}  // namespace

std::vector<std::string> listed_inputs(const Filter& filter, Program& program) {
  std::vector<std::string> arguments = program.arguments();
  const std::size_t before = filter.nr_before_inputs ? filter.nr_before_inputs(program) : 0;
  // The last argument is the word, else the first; the inputs of lists go between the two.
  const bool last = !arguments.empty() && is_word(filter, arguments.back());
  const bool first = !last && !arguments.empty() && is_word(filter, arguments.front());
  auto from = arguments.begin() + static_cast<std::ptrdiff_t>(std::min(before, arguments.size())) + (first ? 1 : 0);
  const std::vector<std::string> words{arguments.begin(), from};
  std::vector<std::string> inputs{from, arguments.end() - (last ? 1 : 0)};
  const std::vector<std::string> lists = program.values("files-from");
  if (std::ranges::count(lists, "-") + std::ranges::count(inputs, "-") > 1)
    program.usage("- is standard input, which can be read once");
  for (const std::string& list : lists) read_list(program, list, inputs);
  if (program.has("recursive")) {
    if (inputs.empty()) inputs.emplace_back(".");
    std::vector<std::string> found;
    for (const std::string& input : inputs) {
      const std::size_t nr_before = found.size();
      if (is_directory(input)) Walk{program, everywhere, found}.directory(input, 0);
      else found.push_back(input);
      if (found.size() == nr_before) program.report(error_of(input, "no checkpoint in this directory or below it"));
    }
    if (found.empty()) SignalCleanup::exit(program.exit_code());
    inputs = std::move(found);
  }
  inputs.insert(inputs.begin(), words.begin(), words.end());
  if (last) inputs.push_back(arguments.back());
  return inputs;
}

namespace {

std::vector<std::string> checkpoints_near(Program& program, const std::string& directory) {
  std::vector<std::string> found;
  if (is_directory(directory)) Walk{program, nearby, found}.directory(directory, 0);
  if (found.empty() || found.front() == directory) return {directory};
  return found;
}

}  // namespace

std::vector<std::string> checkpoints_in(Program& program) {
  std::vector<std::string> inputs;
  for (std::string& name : program.inputs()) {
    while (name.size() > 1 && name.ends_with('/')) name.pop_back();
    if (program.has("recursive") || program.has("set")) inputs.push_back(std::move(name));
    else std::ranges::move(checkpoints_near(program, name), std::back_inserter(inputs));
  }
  return inputs;
}

}  // namespace critpipe::filters
