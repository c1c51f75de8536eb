// What stands behind a Checkpoint. Internal.
#pragma once

#include <map>
#include <memory>
#include <utility>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/kept_errors.hpp"
#include "model/file_types.hpp"
#include "critpipe/checkpoint.hpp"

namespace critpipe {

// Copies of payloads; they stay where they are.
class Arena {
 public:
  Bytes keep(Bytes bytes);

 private:
  std::vector<std::unique_ptr<std::byte[]>> blocks_;
  std::byte* at_ = nullptr;
  std::size_t left_ = 0;
};

// What memfd.img and tty-info.img say about the files that refer to them.
struct MemfdInode {
  std::uint64_t inode_id = 0, size = 0;
  std::uint32_t shmid = 0, seals = 0;
  std::string name = {};

  // Shared anonymous memory, which CRIU dumps as a memfd under the name that the kernel gives its file.
  bool is_anonymous() const { return name == "/dev/zero" || name == "/anon_hugepage"; }
};

struct TtyInfo {
  std::uint32_t id = 0, type = 0, index = 0, sid = 0, pgrp = 0;
};

struct TcpQueue {
  std::uint64_t received = 0, sent = 0;  // bytes
};

// Where the entry stands that is being collected.
struct EntryPlace {
  const std::string* image = nullptr;
  std::uint64_t offset = 0, index = 0;
};

struct Model {
  explicit Model(const Needs& what) : needs{what} {}

  Needs needs;
  std::vector<Task> tasks;                                    // of pstree.img, then those without it
  std::unordered_map<std::uint32_t, std::size_t> task_index;  // pid -> the first of that pid
  std::unordered_map<std::uint32_t, Task> collected;          // while filling: what other images say
  std::unordered_map<std::uint32_t, PagemapReader> pagemaps;  // while filling, by pid
  EntryPlace entry;                                           // while filling
  std::unordered_map<std::uint32_t, std::string> thread_names;
  std::unordered_map<std::uint32_t, std::vector<Descriptor>> tables;     // by files id
  std::unordered_map<std::uint64_t, File> files;                         // by file_key
  std::map<std::pair<const Kind*, std::uint32_t>, std::size_t> watches;  // entries of a kind by file id
  std::unordered_map<std::uint64_t, MemfdInode> memfds;
  std::unordered_map<std::uint32_t, TtyInfo> ttys;
  std::unordered_map<std::uint32_t, std::uint32_t> ghosts;              // by file id: N of ghost-file-N
  std::unordered_set<std::uint32_t> unlinked;                           // ids of files whose names are gone
  std::unordered_map<std::uint32_t, std::uint64_t> unix_queues;         // by file id: bytes waiting to be received
  std::unordered_map<std::uint32_t, TcpQueue> tcp_queues;               // by inode
  std::unordered_set<std::string> seen;                                 // names of images
  std::unordered_map<const Kind*, std::vector<ImageMessage>> messages;  // of the kinds that needs.kinds names
  std::vector<Error> errors;
  std::shared_ptr<std::size_t> room_for_errors = std::make_shared<std::size_t>(max_kept_errors);
  std::vector<Error> contradictions;  // while filling: errors whose images are named without their directory
  // What of a set is there: pstree or core images, pagemaps, pages images as far as it was told of them, the inventory,
  // anything but statistics and caches.
  bool has_tasks = false, has_pagemaps = false, has_pages = false, has_inventory = false, has_images = false;
  bool is_whole = true;                  // false: what is missing may have stood behind the end of an input
  std::uint64_t page_size = 0;           // AT_PAGESZ of a task; 0: not known
  std::uint64_t usual_page_size = 4096;  // of the architecture
  std::string called;                    // the set, where that is known: "dump (app)"
  Arena arena;

  void add_file(const FileType& row, std::uint32_t id, Bytes payload);
  const File* find(std::uint32_t type, std::uint32_t id) const;
  void report(Error error) { keep_error(errors, std::move(error), *room_for_errors); }
  void contradict(Error error) { keep_error(contradictions, std::move(error), *room_for_errors); }
  // The entry that is being collected contradicts others.
  void contradict(Reason reason, std::uint64_t have);
  bool has_image(std::string_view name) const { return seen.contains(std::string{name}); }
  // An image is there, whether it is read or not.
  void note(std::string_view name);
  // As Checkpoint has them.
  SetKind kind() const;
  std::string_view pages_only() const;
};

// Is it an image that a dump of tasks has, and a pre-dump has not?
bool is_of_tasks(std::string_view name);

inline const Model& model_of(const Checkpoint& checkpoint) { return *checkpoint.model_; }

// Newer releases of CRIU dump shared anonymous memory as a memfd: makes it what Mapping::status says of it. Needs the
// images of files and memfds.
void find_anonymous(const Model& model, Mapping& mapping);

// Of a field that the file's message has, by name.
std::uint64_t number_of(const File& file, std::string_view field);   // 0 where it is absent
std::string_view text_of(const File& file, std::string_view field);  // of a string or bytes field

constexpr std::uint64_t file_key(std::uint32_t type, std::uint32_t id) { return std::uint64_t{type} << 32 | id; }

}  // namespace critpipe
