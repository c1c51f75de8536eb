#include "source/directory_list.hpp"

#include <algorithm>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <iterator>
#include <sys/stat.h>
#include <unistd.h>

#include "source/what_lies_below.hpp"

namespace critpipe {

namespace {

struct Close {
  void operator()(DIR* stream) const { closedir(stream); }
};

using DirectoryStream = std::unique_ptr<DIR, Close>;

DirectoryStream open_stream(int at, const char* path, int flags) {
  const int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | flags);
  DIR* const stream = fd < 0 ? nullptr : fdopendir(fd);
  if (fd >= 0 && !stream) {
    const int why = errno;
    close(fd);
    errno = why;
  }
  return DirectoryStream{stream};
}

// Adds the names of one directory; false: errno says why not.
bool list(DirectoryStream stream, bool below, const SourceOptions& options,
          std::vector<DirectoryList::Entry>& entries) {
  if (!stream) return false;
  errno = 0;
  while (const dirent* entry = readdir(stream.get())) {
    const std::string name = entry->d_name;
    const bool is_image = is_image_name(name);
    // Links and directories with an image's name stay: reading them says what they are.
    if (is_image || (options.all_members && is_regular(dirfd(stream.get()), entry->d_name, entry->d_type)))
      entries.push_back({name, below, is_image});
    errno = 0;
  }
  return errno == 0;
}

}  // namespace

bool is_regular(int directory, const char* name, unsigned char type) {
  struct stat status;
  if (type != DT_UNKNOWN) return type == DT_REG;
  return fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode);
}

// Its members together are an input, as those of an archive are.
void DirectoryList::bound(std::uint64_t max_bytes) {
  std::uint64_t left = max_bytes;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    Entry& entry = entries[i];
    struct stat status;
    const std::string path = (entry.below ? "checkpoint/" : "") + entry.name;
    const bool is_file =
        fstatat(directory.fd(), path.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode);
    const std::uint64_t size = is_file ? static_cast<std::uint64_t>(status.st_size) : 0;
    entry.bound = {left, max_bytes};
    entry.passes_bound = size > left;
    if (entry.passes_bound) entries.resize(i + 1);
    left -= std::min(size, left);
  }
}

bool DirectoryNames::read(const Directory& directory) {
  const DirectoryStream stream = open_stream(directory.fd(), ".", 0);
  if (!stream) return false;
  errno = 0;
  while (const dirent* entry = readdir(stream.get())) {
    const std::string_view name = entry->d_name;
    if (is_regular(dirfd(stream.get()), entry->d_name, entry->d_type)) files.emplace_back(name);
    else if (entry->d_type != DT_LNK && name != "." && name != "..") directories.emplace_back(name);
    errno = 0;
  }
  std::ranges::sort(files, natural_less);
  std::ranges::sort(directories, natural_less);
  return errno == 0;
}

std::vector<std::string> layers_in(const Directory& directory) {
  DirectoryNames top;
  std::vector<std::string> layers;
  if (!top.read(directory)) return layers;
  std::ranges::copy_if(top.files, std::back_inserter(layers), is_layer_name);
  const auto add_below = [&](const std::string& name, const auto& takes) {
    Error error;
    const Directory below = directory.below(name, error);
    DirectoryNames names;
    if (error || !names.read(below)) return;
    for (const std::string& file : names.files)
      if (takes(file)) layers.push_back(name + "/" + file);
  };
  for (const std::string& name : top.directories) {
    Error error;
    DirectoryNames algorithms;
    if (name != "blobs") add_below(name, [](const std::string& file) { return file == "layer.tar"; });
    else if (const Directory blobs = directory.below(name, error); !error && algorithms.read(blobs))
      for (const std::string& algorithm : algorithms.directories)
        add_below("blobs/" + algorithm, [](const std::string&) { return true; });
  }
  return layers;
}

Error DirectoryList::read(const SourceOptions& options) {
  const std::string& place = directory.place();
  if (!list(open_stream(directory.fd(), ".", 0), false, options, entries))
    return system_error(Reason::io_read, place, errno);
  const bool has_set = std::ranges::any_of(entries, [](const Entry& entry) { return entry.name.ends_with(".img"); });
  if (!has_set && !list(open_stream(directory.fd(), "checkpoint", O_NOFOLLOW), true, options, entries) &&
      errno != ENOENT && errno != ENOTDIR)
    return system_error(Reason::io_read, place + "/checkpoint", errno);
  std::ranges::sort(entries, [](const auto& left, const auto& right) { return natural_less(left.name, right.name); });
  if (std::ranges::none_of(entries, &Entry::is_image)) layers = layers_in(directory);
  if (!layers.empty()) return {};
  if (options.set && !options.set->empty()) return named_error(Reason::no_set, place, *options.set);
  if (entries.empty()) return named_error(Reason::no_images, place, "directory: " + what_lies_below(directory));
  if (options.max_bytes != Member::unknown) bound(options.max_bytes);
  return {};
}

Step read_entry(const DirectoryList& list, const DirectoryList::Entry& entry, std::uint64_t id, Receiver& receiver) {
  Member member;
  member.path = list.prefix + entry.name;
  if (!receiver.wants(member.path)) {
    if (!entry.passes_bound) return Step::go;
    Error error{Reason::limit_size, list.directory.place(), Error::nowhere, Error::nowhere, entry.bound.limit};
    error.set = std::make_shared<const SetId>(SetId{list.set->checkpoint, {}, true});
    receiver.fail(nullptr, error);
    return Step::go;
  }
  member.name = entry.name;
  member.set = list.set;
  member.id = id;
  member.in_set = member.in_directory = true;
  member.is_image = entry.is_image;
  Error error;
  InputFile file = list.directory.open(entry.below ? "checkpoint/" + entry.name : entry.name, error);
  if (error) {
    member.place = error.image;
    receiver.fail(&member, error);
    return Step::go;
  }
  member.place = file.place();
  member.size = file.size();
  return read_file(std::move(file), member, receiver, entry.bound);
}

}  // namespace critpipe
