// Files, mounts and other places on the disk that a restore needs.
#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <set>
#include <vector>

#include "checks/here_look.hpp"

namespace critpipe {

namespace {

// Part by part: "/" of a link is the root, and ".." of the root is the root.
OwnedDescriptor walk_within(int root, std::string rest, bool follows_last) {
  constexpr int most_links = 40;
  std::vector<OwnedDescriptor> way;
  for (int nr_links = 0;;) {
    const int at = way.empty() ? root : way.back().fd();
    const std::size_t begin = rest.find_first_not_of('/');
    if (begin == rest.npos) return OwnedDescriptor{openat(at, ".", O_PATH | O_CLOEXEC)};
    const std::size_t end = std::min(rest.find('/', begin), rest.size());
    const std::string name = rest.substr(begin, end - begin);
    rest.erase(0, end);
    if (name == ".." && !way.empty()) way.pop_back();
    if (name == "." || name == "..") continue;
    OwnedDescriptor next{openat(at, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)};
    struct stat status;
    if (!next || fstat(next.fd(), &status) != 0) return {};
    const bool is_last = rest.find_first_not_of('/') == rest.npos;
    if (is_last && !(S_ISLNK(status.st_mode) && follows_last)) return next;
    if (!S_ISLNK(status.st_mode)) {
      way.push_back(std::move(next));
      continue;
    }
    std::array<char, PATH_MAX> target;
    const ssize_t size = readlinkat(next.fd(), "", target.data(), target.size());
    if (size <= 0 || ++nr_links > most_links) return {};
    if (target[0] == '/') way.clear();
    rest.insert(0, "/").insert(0, target.data(), static_cast<std::size_t>(size));
  }
}

// Opens a path below a root directory, out of which no link leads. It is neither read nor waited for. `flags`:
// O_NOFOLLOW, or none.
OwnedDescriptor open_within(int root, const std::string& path, std::uint64_t flags = 0) {
  open_how how = {};
  how.flags = O_PATH | O_CLOEXEC | flags;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  OwnedDescriptor file{static_cast<int>(syscall(SYS_openat2, root, path.c_str(), &how, sizeof how))};
  if (file || (errno != ENOSYS && errno != EPERM)) return file;
  return walk_within(root, path, flags == 0);  // the kernel has no openat2, or a filter of system calls hides it
}

// The identity that a linker gave a program or a library; empty: it has none.
template <typename Header, typename Segment>
std::string build_id_in(int file, std::size_t size) {
  Header header;
  if (pread(file, &header, sizeof header, 0) != static_cast<ssize_t>(sizeof header)) return {};
  if (header.e_phentsize != sizeof(Segment)) return {};
  constexpr std::size_t most = 64 << 10;
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    Segment segment;
    const auto at = static_cast<off_t>(header.e_phoff + std::uint64_t{i} * sizeof segment);
    if (pread(file, &segment, sizeof segment, at) != static_cast<ssize_t>(sizeof segment)) return {};
    if (segment.p_type != PT_NOTE || segment.p_offset > size) continue;
    std::string notes(std::min<std::size_t>(segment.p_filesz, most), '\0');
    const ssize_t got = pread(file, notes.data(), notes.size(), static_cast<off_t>(segment.p_offset));
    notes.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    const auto padded = [](std::size_t length) { return (length + 3) & ~std::size_t{3}; };
    for (std::size_t note = 0; note + sizeof(Elf64_Nhdr) <= notes.size();) {
      Elf64_Nhdr head;
      std::memcpy(&head, notes.data() + note, sizeof head);
      const std::size_t name = note + sizeof head, data = name + padded(head.n_namesz);
      const std::size_t end = data + padded(head.n_descsz);
      if (head.n_namesz > notes.size() || head.n_descsz > notes.size() || end > notes.size()) break;
      if (head.n_type == NT_GNU_BUILD_ID &&
          std::string_view{notes}.substr(name, head.n_namesz) == std::string_view{ELF_NOTE_GNU, sizeof ELF_NOTE_GNU})
        return notes.substr(data, head.n_descsz);
      note = end;
    }
  }
  return {};
}

std::string build_id_of(int path_fd) {
  const OwnedDescriptor file{open(descriptor_path(path_fd).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
  std::array<unsigned char, EI_NIDENT> ident;
  struct stat status;
  if (!file || fstat(file.fd(), &status) != 0 || !S_ISREG(status.st_mode) ||
      pread(file.fd(), ident.data(), ident.size(), 0) != static_cast<ssize_t>(ident.size()) ||
      std::memcmp(ident.data(), ELFMAG, SELFMAG) != 0)
    return {};
  const auto size = static_cast<std::size_t>(status.st_size);
  return ident[EI_CLASS] == ELFCLASS64 ? build_id_in<Elf64_Ehdr, Elf64_Phdr>(file.fd(), size)
                                       : build_id_in<Elf32_Ehdr, Elf32_Phdr>(file.fd(), size);
}

OwnedDescriptor open_root(const HereLook& look) {
  std::string root = look.options.text("root");
  if (root.empty()) root = "/";
  return OwnedDescriptor{open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
}

// Which files are on this machine where the images name them.
class Places {
 public:
  explicit Places(HereLook& look) : look_{look}, root_{open_root(look)} {
    for (const ImageMessage& mount : look.checkpoint.messages("MNTS")) {
      const auto id = static_cast<std::uint32_t>(entry_number(*mount.message, mount.payload, "mnt_id"));
      mounts_[id] = {entry_text(*mount.message, mount.payload, "mountpoint"),
                     entry_text(*mount.message, mount.payload, "ext_key")};
    }
    for (const ImageMessage& remap : look.checkpoint.messages("REMAP_FPATH")) {
      const auto entry = [&](const char* name) { return entry_number(*remap.message, remap.payload, name); };
      // Images without types mark ghosts in the id.
      constexpr std::uint64_t ghost_mark = std::uint64_t{1} << 31;
      carried_[static_cast<std::uint32_t>(entry("orig_id"))] = {
          entry("remap_type") == linked && !(entry("remap_id") & ghost_mark),
          static_cast<std::uint32_t>(entry("remap_id"))};
    }
  }

  bool has_root() const { return static_cast<bool>(root_); }
  int root() const { return root_.fd(); }

  // False: the restore makes the file, or is given it.
  bool is_to_be_here(const File& file) const {
    const std::string path = look_.checkpoint.path_of(file);
    if (!path.starts_with('/') || carried_.contains(file.id)) return false;
    return std::find(look_.inherited.begin(), look_.inherited.end(), path.substr(1)) == look_.inherited.end();
  }

  // Where a file of the images is to be looked for, below root(). Nothing: it is not to be here, or the restore makes
  // the mount that it is on, or it is not known where that comes from.
  std::optional<std::string> place_of(const File& file) const {
    const std::string path = look_.checkpoint.path_of(file);
    if (!is_to_be_here(file)) return std::nullopt;
    if (mounts_.empty()) return path;
    // In a mount namespace of its own, paths mean something else here, but for those on its root below --root.
    const auto mount = mounts_.find(static_cast<std::uint32_t>(entry_number(*file.message, file.payload, "mnt_id")));
    const bool is_on_root = mount != mounts_.end() && (mount->second.point == "/" || mount->second.point == ".");
    if (!look_.options.has("root") || !is_on_root) return std::nullopt;
    return path;
  }

  // The temporary name that --link-remap gave a file; empty: it was given none.
  std::string link_of(const File& file) const {
    const auto found = carried_.find(file.id);
    if (found == carried_.end() || !found->second.is_linked || !mounts_.empty()) return {};
    constexpr std::uint32_t regular = 1;
    const File* const other = look_.checkpoint.find_file(regular, found->second.id);
    return other ? look_.checkpoint.path_of(*other) : std::string{};
  }

 private:
  struct Mount {
    std::string point, key;
  };
  static constexpr std::uint64_t linked = 0;  // and that is what an entry without a type is
  struct Remap {
    bool is_linked;
    std::uint32_t id;
  };
  HereLook& look_;
  OwnedDescriptor root_;
  std::map<std::uint32_t, Mount> mounts_;
  std::map<std::uint32_t, Remap> carried_;
};

bool is_regular(const File& file) { return type_name(file.type) == "REG"; }

// What /proc has of a process comes with the process.
bool is_of_process(std::string_view path) {
  constexpr std::string_view proc = "/proc/";
  return path.starts_with(proc) && path.size() > proc.size() && path[proc.size()] >= '0' && path[proc.size()] <= '9';
}

// Looks for each file that is to be here, and says of how many it does not know where they are to be.
void look_for_files(HereLook& look, const Places& places) {
  std::vector<HereLook::PlacedFile>& placed = look.placed.emplace();
  std::size_t nr_elsewhere = 0;
  for (const HereLook::UsedFile& used : look.files()) {
    if (!is_regular(*used.file)) continue;
    const auto place = places.has_root() ? places.place_of(*used.file) : std::nullopt;
    nr_elsewhere += !place && places.is_to_be_here(*used.file);
    if (!place || is_of_process(*place)) continue;
    // A link that was open itself is to be here itself.
    const std::uint64_t flags = entry_number(*used.file->message, used.file->payload, "flags") & O_NOFOLLOW;
    const OwnedDescriptor there = open_within(places.root(), *place, flags);
    struct stat status;
    const bool is_there = there && fstat(there.fd(), &status) == 0;
    placed.push_back({&used, *place, is_there ? std::optional{status} : std::nullopt});
  }
  if (nr_elsewhere > 0)
    look.find(Severity::note,
              "not looked at: whether " + std::to_string(nr_elsewhere) +
                  " files are there with their sizes: they are on mounts of the tree's own",
              look.options.has("root") ? "" : "--root DIR says where those of its root are");
}

// Calls `use` with each file that is to be here, and with what is there: null if nothing is.
template <typename Use>
void each_place(HereLook& look, Use use) {
  if (!look.placed) return;
  for (const HereLook::PlacedFile& one : *look.placed) use(*one.used, one.path, one.there ? &*one.there : nullptr);
}

// The first of the checks of files.
void check_there(HereLook& look) {
  const Places places{look};
  look_for_files(look, places);
  std::set<std::string> seen;
  each_place(look, [&](const HereLook::UsedFile& used, const std::string& path, const struct stat* status) {
    if (!status && seen.insert(path).second)
      look.find(Severity::error, "the file " + visible(path) + " is not here; " + text_of(*used.by) + " uses it",
                "put it there", used.by->pid);
  });
  for (const HereLook::UsedFile& used : look.files()) {
    const std::string link = is_regular(*used.file) ? places.link_of(*used.file) : std::string{};
    if (link.empty() || open_within(places.root(), link) || !seen.insert(link).second) continue;
    look.find(Severity::error,
              "the name " + visible(link) + ", which the dump gave the unlinked file " +
                  visible(look.checkpoint.path_of(*used.file)) + ", is not here",
              "restore on the same file system, once after each dump", used.by->pid);
  }
}

void check_sizes(HereLook& look) {
  std::set<std::string> seen;
  each_place(look, [&](const HereLook::UsedFile& used, const std::string& path, const struct stat* status) {
    const Field* const field = used.file->message->find("size");
    const auto size = field ? find_value(*field, *used.file->message, used.file->payload) : std::nullopt;
    if (!status || !size || !S_ISREG(status->st_mode)) return;
    if (size->integer == static_cast<std::uint64_t>(status->st_size) || !seen.insert(path).second) return;
    const bool has_grown = static_cast<std::uint64_t>(status->st_size) > size->integer;
    look.find(Severity::error,
              "the file " + visible(path) + " has " + std::to_string(status->st_size) + " bytes here, and had " +
                  std::to_string(size->integer),
              has_grown ? "put the same file there; a log that has only grown may be cut to the size that it had"
                        : "put the same file there",
              used.by->pid);
  });
}

void check_modes(HereLook& look) {
  const bool skips = look.options.is_on("skip_file_rwx_check");
  constexpr mode_t permissions = 0777;
  std::set<std::string> seen;
  each_place(look, [&](const HereLook::UsedFile& used, const std::string& path, const struct stat* status) {
    const auto had = static_cast<mode_t>(entry_number(*used.file->message, used.file->payload, "mode"));
    if (!status || had == 0) return;
    const mode_t differs = (had ^ status->st_mode) & ~(skips ? permissions : 0);
    if (differs == 0 || !seen.insert(path).second) return;
    const std::string text = format(" has the mode %o here, and had %o", status->st_mode, had);
    look.find(Severity::error, "the file " + visible(path) + text,
              differs & ~permissions ? "put the same file there" : "--skip-file-rwx-check, or give it that mode",
              used.by->pid);
  });
}

void check_build_ids(HereLook& look) {
  const OwnedDescriptor root = open_root(look);
  std::set<std::string> seen;
  each_place(look, [&](const HereLook::UsedFile& used, const std::string& path, const struct stat* status) {
    const auto words = entry_numbers(*used.file->message, used.file->payload, "build_id");
    const Field* const size = used.file->message->find("size");
    const auto had_size = size ? find_value(*size, *used.file->message, used.file->payload) : std::nullopt;
    // A file of another size has been found already.
    if (!status || words.empty() || !had_size || had_size->integer != static_cast<std::uint64_t>(status->st_size))
      return;
    if (!seen.insert(path).second) return;
    const std::string here = build_id_of(open_within(root.fd(), path).fd());
    std::string had{reinterpret_cast<const char*>(words.data()), words.size() * sizeof words[0]};
    if (here.empty() || (had.size() - here.size() < sizeof words[0] && had.starts_with(here))) return;
    look.find(Severity::error, "the file " + visible(path) + " is another build than the one that was in use",
              "put the same file there, of the same version of its package", used.by->pid);
  });
}

bool is_mount_root(const std::string& path) {
  struct statx status;
  return statx(AT_FDCWD, path.c_str(), 0, STATX_TYPE, &status) == 0 &&
         (!(status.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) || (status.stx_attributes & STATX_ATTR_MOUNT_ROOT));
}

void check_root(HereLook& look) {
  const std::string root = look.options.text("root");
  if (root.empty()) return;
  struct stat status;
  if (stat(root.c_str(), &status) != 0 || !S_ISDIR(status.st_mode))
    look.find(Severity::error, "the root directory " + visible(root) + " is not here",
              "make it, and put the files there");
  else if (look.brings(&Ids::mnt_ns) && !is_mount_root(root))
    look.find(Severity::error, "the root directory " + visible(root) + " is no mount point",
              "mount --bind " + visible(root) + " " + visible(root));
}

// What --external says of where mounts come from.
void check_mounts(HereLook& look) {
  for (const ImageMessage& mount : look.checkpoint.messages("MNTS")) {
    const std::string key = entry_text(*mount.message, mount.payload, "ext_key");
    const auto value = key.empty() ? std::nullopt : look.external_value("mnt", key);
    if (!value) continue;
    struct stat status;
    if (stat(value->c_str(), &status) != 0)
      look.find(Severity::error,
                "the mount " + visible(entry_text(*mount.message, mount.payload, "mountpoint")) + " is to come from " +
                    visible(*value) + ", which is not here",
                "make it, or name another one: --external 'mnt[" + visible(key) + "]:PATH'");
  }
}

constexpr HereCheckRow rows[] = {
    {{"file-missing", "the files of the images are here", "Can't open file P on restore: No such file"}, check_there},
    {{"file-size", "files have the size that they had", "File P has bad size A (expect B)"}, check_sizes},
    {{"file-mode", "files have the mode that they had", "File P has bad mode A (expect B)"}, check_modes},
    {{"file-build", "programs and libraries are the same builds", "File P has bad build-ID"}, check_build_ids},
    {{"root", "the root directory is here and a mount point", "New root and old root are the same"}, check_root},
    {{"external-mount", "what mounts from outside come from is here", "Failed to open_tree P"}, check_mounts},
};

}  // namespace

std::span<const HereCheckRow> here_file_checks() { return rows; }

}  // namespace critpipe
