#include "source/directory_list.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <iterator>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptors.hpp"
#include "base/directory_entries.hpp"
#include "source/set_places.hpp"
#include "source/what_lies_below.hpp"

namespace critpipe {

namespace {

constexpr int max_tree_depth = 16;
constexpr int directory_flags = O_RDONLY | O_DIRECTORY;

// Why what cannot be opened is none, rather than one that cannot be read.
bool is_no_directory(int number) { return number == ENOENT || number == ENOTDIR || number == ELOOP; }

// Adds the names of one directory; false: errno says why not.
bool list(const Directory& directory, bool below, const SourceOptions& options,
          std::vector<DirectoryList::Entry>& entries) {
  if (!directory.is_open()) return false;
  DirectoryEntries listed{directory.fd()};
  while (const dirent64* entry = listed.next()) {
    const std::string_view name = entry->d_name;
    const bool is_image = is_image_name(name);
    // Links and directories with an image's name stay: reading them says what they are.
    if (is_image || (options.all_members && is_regular(directory.fd(), entry->d_name, entry->d_type)))
      entries.push_back({std::string{name}, below, is_image});
    else if (options.all_members && is_parent_link(name)) entries.push_back({std::string{name}, below, false, true});
  }
  return errno == 0;
}

// The files below a directory that a container's checkpoint has beside its images.
bool list_tree(int top, const std::string& path, int depth, std::vector<DirectoryList::Entry>& entries) {
  const Directory opened{open_beneath(top, path, directory_flags), path};
  if (!opened.is_open()) return is_no_directory(errno);
  std::vector<std::string> deeper;
  DirectoryEntries listed{opened.fd()};
  while (const dirent64* entry = listed.next()) {
    const std::string name = entry->d_name;
    if (is_regular(opened.fd(), entry->d_name, entry->d_type)) entries.push_back({path + "/" + name, false, false});
    else if (name != "." && name != "..") deeper.push_back(name);
  }
  if (errno != 0) return false;
  for (const std::string& name : deeper)
    if (depth > 0 && !list_tree(top, path + "/" + name, depth - 1, entries)) return false;
  return true;
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
    const std::string path = path_of(entry);
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
  if (lseek(directory.fd(), 0, SEEK_SET) < 0) return false;
  DirectoryEntries listed{directory.fd()};
  while (const dirent64* entry = listed.next()) {
    const std::string_view name = entry->d_name;
    if (is_regular(directory.fd(), entry->d_name, entry->d_type)) files.emplace_back(name);
    else if (entry->d_type != DT_LNK && name != "." && name != "..") directories.emplace_back(name);
  }
  const bool is_whole = errno == 0;
  std::ranges::sort(files, natural_less);
  std::ranges::sort(directories, natural_less);
  return is_whole;
}

std::vector<std::string> layers_in(const Directory& directory, Error& error) {
  std::vector<std::string> layers;
  const auto names_in = [&](const std::string& path) {
    DirectoryNames names;
    const Directory below{open_beneath(directory.fd(), path, directory_flags), directory.place_of(path)};
    const bool is_none = !below.is_open() && is_no_directory(errno);
    if (!is_none && (!below.is_open() || !names.read(below)) && !error)
      error = system_error(Reason::io_read, below.place(), errno);
    return names;
  };
  const auto add = [&](const std::string& path, const auto& takes) {
    for (const std::string& file : names_in(path).files)
      if (takes(file)) layers.push_back(path + "/" + file);
  };
  DirectoryNames top;
  if (!top.read(directory)) error = system_error(Reason::io_read, directory.place(), errno);
  std::ranges::copy_if(top.files, std::back_inserter(layers), is_layer_name);
  for (const std::string& name : top.directories) {
    if (name != "blobs") add(name, [](const std::string& file) { return file == "layer.tar"; });
    else
      for (const std::string& algorithm : names_in(name).directories)
        add("blobs/" + algorithm, [](const std::string&) { return true; });
  }
  return layers;
}

// Each set of an archive that was unpacked stands in a directory of its own. As in archives, no set is named after the
// usual directory.
bool DirectoryList::enter(const SourceOptions& options) {
  if (last_part(*options.set) == usual_directory) return false;
  SourceOptions all = options;
  all.set = std::string{};
  Error error;
  DirectoryList in{directory.below(*options.set, error)};
  if (error || in.read(all) || std::ranges::none_of(in.entries, &Entry::is_image)) return false;
  in.prefix = std::move(prefix);
  in.below = *options.set;
  *this = std::move(in);
  return true;
}

// Statistics stand beside the images' directory.
bool DirectoryList::has_images() const {
  return std::ranges::any_of(entries, [](const Entry& entry) { return entry.name.ends_with(".img"); });
}

// A level below, if there are none here: in the usual directory, or else in that of a pre-dump, which is a set of that
// name.
Error DirectoryList::list_images(const SourceOptions& options) {
  for (const std::string_view name : {usual_directory, earlier_directory}) {
    const bool is_earlier = name == earlier_directory;
    if (has_images() || (is_earlier && (options.set || !images.empty()))) break;
    const std::size_t before = entries.size();
    const std::string place = directory.place_of(name);
    const Directory in{open_beneath(directory.fd(), std::string{name}, directory_flags), place};
    if (!list(in, true, options, entries)) {
      if (errno == ENOENT || errno == ENOTDIR) continue;
      return system_error(Reason::io_read, place, errno);
    }
    if (entries.size() == before) continue;
    images = name;
    if (is_earlier) below = name;
  }
  return {};
}

Error DirectoryList::read(const SourceOptions& options) {
  if (options.set && !options.set->empty() && enter(options)) return {};
  const std::string& place = directory.place();
  if (!list(directory, false, options, entries)) return system_error(Reason::io_read, place, errno);
  if (Error error = list_images(options)) return error;
  const bool is_container = std::ranges::any_of(entries, [](const Entry& entry) {
    return !entry.below && (entry.name == "config.dump" || entry.name == "spec.dump");
  });
  for (const char* tree : {"artifacts", "volumes"})
    if (is_container && !list_tree(directory.fd(), tree, max_tree_depth, entries))
      return system_error(Reason::io_read, place + "/" + tree, errno);
  // The link comes first: who does not want a set without its parent need not read it.
  std::ranges::sort(entries, [](const Entry& left, const Entry& right) {
    return left.is_parent_link != right.is_parent_link ? left.is_parent_link : natural_less(left.name, right.name);
  });
  if (std::ranges::none_of(entries, &Entry::is_image)) {
    layers = layers_in(directory, layers_fault);
    if (layers.empty() && layers_fault) return layers_fault;
  }
  if (!layers.empty()) return {};
  if (options.set && !options.set->empty()) return named_error(Reason::no_set, place, *options.set);
  const bool has_image = std::ranges::any_of(entries, &Entry::is_image);
  if (entries.empty() || (!has_image && !options.any_file))
    return named_error(Reason::no_images, place, "directory: " + what_lies_below(directory));
  if (options.max_bytes != Member::unknown) bound(options.max_bytes);
  return {};
}

namespace {

Step read_parent_link(const DirectoryList& list, const DirectoryList::Entry& entry, Member& member,
                      Receiver& receiver) {
  const std::string name = list.path_of(entry);
  char text[max_name_bytes + 1];
  const ssize_t size = readlinkat(list.directory.fd(), name.c_str(), text, sizeof text);
  // A directory serves CRIU as well.
  return read_text(size < 0 ? std::string_view{entry.name} : std::string_view{text, static_cast<std::size_t>(size)},
                   member, receiver);
}

}  // namespace

Member DirectoryList::member(const Entry& entry) const {
  Member member;
  member.name = entry.name;
  member.path = prefix + entry.name;
  member.set = set;
  member.in_set = true;
  member.directory = entry.below ? directory.place_of(images) : directory.place();
  member.set_place = member.directory + (member.directory.ends_with('/') ? "" : "/");
  member.place = member.set_place + member.name;
  member.is_image = entry.is_image;
  return member;
}

Step read_entry(const DirectoryList& list, const DirectoryList::Entry& entry, std::uint64_t id, Receiver& receiver) {
  Member member = list.member(entry);
  member.id = id;
  if (!receiver.wants(member)) {
    if (!entry.passes_bound) return Step::go;
    Error error{Reason::limit_size, list.directory.place(), Error::nowhere, Error::nowhere, entry.bound.limit};
    error.set = input_id(list.set->checkpoint);
    receiver.fail(nullptr, error);
    return Step::go;
  }
  if (entry.is_parent_link) return read_parent_link(list, entry, member, receiver);
  Error error;
  InputFile file = list.directory.open(list.path_of(entry), error);
  if (error) {
    receiver.fail(&member, error);
    return Step::go;
  }
  member.size = file.size();
  return read_file(std::move(file), member, receiver, entry.bound);
}

}  // namespace critpipe
