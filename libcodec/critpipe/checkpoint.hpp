// model: A checkpoint as a whole: tasks with their mappings, descriptors, files and pages, joined from all images.
//
//     Checkpoint checkpoint = read_checkpoint("c1.tar.zst", {.mappings = true});
//     for (const Task& task : checkpoint.tasks())
//       for (const Mapping& mapping : task.memory.mappings)
//         printf("%u %lx %s\n", task.pid, mapping.start, checkpoint.name_of(mapping).c_str());
//
// Needs say which images to read; all others are skipped. Images may come in any order, from any source, and from any
// release of CRIU: with files in one image or one image for each type, with mappings in mm-N or in vmas-N. Damaged and
// missing images are in errors(), and the model holds the rest. Memory is proportional to what was asked for.
// messages() gives what the model has no fields for, as it is in the images.
//
// Views and pointers live as long as the Checkpoint, even if it is moved. Nothing throws except std::bad_alloc. A
// finished Checkpoint may be used by any number of threads.
//
// Sources of the facts: criu/pstree.c, criu/files.c, criu/mem.c.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "critpipe/source.hpp"
#include "critpipe/task.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

// What a Checkpoint reads. The pids, names and states of tasks are always read.
struct Needs {
  bool ids = false;                          // which kernel objects and namespaces tasks share
  bool threads = false;                      // names of threads
  bool descriptors = false;                  // descriptor tables, working and root directories, all files
  bool mappings = false;                     // address spaces, and the files that are mapped
  bool pagemaps = false;                     // which pages of tasks are stored
  bool credentials = false;                  // users, capabilities and seccomp modes of tasks
  bool queues = false;                       // how many bytes wait in sockets
  std::vector<std::string_view> kinds = {};  // "UTSNS": kinds whose entries to keep for messages()
};

// An entry as it is in its image. The view lives as long as the Checkpoint.
struct ImageMessage {
  std::uint32_t number;    // the one in the image's name; 0: there is none
  const Message* message;  // a field table, for Fields and print_message()
  Bytes payload;           // checked
};

class Checkpoint;

// What a set of images is, as far as the names of those tell that were read or noted.
enum class SetKind : std::uint8_t {
  checkpoint,  // it has images of tasks
  pre_dump,    // an inventory, and no tasks: its pages are here or went to a page server
  pages,       // pagemaps alone, as a page server writes them
  images,      // neither of them
  aside        // at most statistics and caches: no set, but what a dump left beside the directory with its images
};
std::string_view name_of(SetKind kind);  // "checkpoint", "pre-dump", "pages", "images"

// Internal.
struct CRITPIPE_INNER Model;
CRITPIPE_INNER const Model& model_of(const Checkpoint& checkpoint);

// One checkpoint. read_checkpoint() and CheckpointReader fill it.
class Checkpoint {
 public:
  explicit Checkpoint(const Needs& needs);
  ~Checkpoint();
  Checkpoint(Checkpoint&&) noexcept;
  Checkpoint& operator=(Checkpoint&&) noexcept;

  // For readers that have other uses for the images, too: pass each wanted image to its sink, then call finish(). A
  // name is that of the image without a directory; "-": it has none.
  bool wants(std::string_view name) const;
  // A sink for one image; null: it is not wanted. Destroy the sink before *this is moved or destroyed.
  std::unique_ptr<Sink> sink_for(std::string_view name);
  void report(const Error& error);  // adds to errors()
  // An image that is there but not read. Tell it of pagemaps, see pages_only(), and of pages images.
  void note(std::string_view name);
  // Joins the images. If they are a whole set, each missing image is an error, whose image is `place` and its name.
  void finish(std::string_view place, bool is_whole = true);

  // In the order of pstree.img. Without that image, the tasks that other images belong to.
  std::span<const Task> tasks() const;
  const Task* find_task(std::uint32_t pid) const;  // null: there is none
  // Those of the tree that run or are stopped, as their core images say, each pid once.
  std::vector<const Task*> running() const;
  // What the CRIU that dumped it was in, as far as the inventory says. Requires: Needs::kinds has "INVENTORY".
  std::optional<Ids> ids_of_dumper() const;
  // When it was dumped: microseconds since its machine started. Requires the same.
  std::optional<std::uint64_t> dump_uptime() const;
  // The size of the blocks in which its pages are compressed, in bytes, as the inventory says. Requires the same.
  std::optional<std::uint64_t> block_bytes() const;
  struct TreeNode {
    const Task* task;
    std::size_t depth;  // 0: a root
  };
  // All tasks, depth first, with children in the order of pstree.img. A task whose parent is missing, or that is its
  // own ancestor, is a root.
  std::vector<TreeNode> tree() const;

  // The task's descriptors, in the order of the image. Tasks may share a table.
  std::span<const Descriptor> descriptors(const Task& task) const;
  // The file that a Descriptor names; null: it is not in the images.
  const File* find_file(std::uint32_t type, std::uint32_t id) const;
  const File* file_of(const Mapping& mapping) const;  // null also if no file is mapped
  // The image "ghost-file-1.img" that has the bytes of a mapped file, since it was unlinked; empty: none has.
  std::string ghost_of(const Mapping& mapping) const;
  const File* directory(std::uint32_t id) const;            // by Task::cwd_id, root_id or AddressSpace::exe_id
  std::string path_of(const File& file) const;              // of a memfd "memfd:name"; empty: it has none
  bool is_deleted(const File& file) const;                  // is its name gone?
  std::optional<Socket> socket_of(const File& file) const;  // nothing: it is no socket
  // What a mapping is called: "/usr/bin/cat", "[heap]", "[stack]", "memfd:name", "shmem:14684"; empty for anonymous
  // memory.
  std::string name_of(const Mapping& mapping) const;
  // Of the dumped machine, in bytes: from an auxiliary vector; or else `supplied`, unless it is 0; or else what
  // the pages images of a set without tasks tell; or else the usual one of its architecture.
  std::uint64_t page_size(std::uint64_t supplied = 0) const;
  void learn_page_size(std::uint64_t size);  // internal: what the pages images tell; 0: nothing

  // The entries of a kind that Needs::kinds names, without their extras, by the number in the image's name and then in
  // the order of the image; with `number`, of that image only. Empty: there are none, or they were not asked for.
  std::span<const ImageMessage> messages(std::string_view kind) const;
  std::span<const ImageMessage> messages(std::string_view kind, std::uint32_t number) const;

  SetKind kind() const;  // of the images that came so far
  // What a set is that has nothing but pages: "a pre-dump: pages only, no pstree". Empty: it is a checkpoint, or
  // nothing tells what it is.
  std::string_view pages_only() const;
  // What is damaged, missing or contradictory: max_kept_errors at the most, behind which one error counts the others.
  std::span<const Error> errors() const;

 private:
  friend const Model& model_of(const Checkpoint& checkpoint);
  friend class CheckpointReader;

  std::unique_ptr<Model> model_;
};

// A checkpoint of an input that may hold several.
struct SetCheckpoint {
  SetId id;
  std::string place;  // for messages, what precedes the names of its images: "dump/", "c1.tar.zst:checkpoint/"
  Checkpoint checkpoint;
  bool is_set = false;    // false: it is one image by itself
  bool has_tree() const;  // does pstree.img have any task?
};

// Reads inputs of any form into checkpoints, one for each set of images, in the order in which the sets begin. For one
// thread at a time.
class CheckpointReader : public Decoding {
 public:
  explicit CheckpointReader(const Needs& needs, const Limits& limits = {});
  ~CheckpointReader() override;
  bool wants(const Member& member) override;
  std::unique_ptr<Sink> sink_for(const Member& member) override;
  bool reads_raw() const override { return false; }
  void report(const Error& error) override;
  // A checkpoint that is not finished; null: nothing of it has come.
  const Checkpoint* begun(const SetId& id) const;
  // Call after the last input. Gives at least one: an empty checkpoint of `input` if there was nothing to read.
  std::vector<SetCheckpoint>& finish(std::string_view input);

 private:
  struct CRITPIPE_INNER Work;
  std::unique_ptr<Work> work_;
};

// Which of the sets are checkpoints of their own, in their order: those with a tree of tasks; of an input without any,
// those with pages, such as pre-dumps, or errors; else all. What a pre-dump has left beside a checkpoint is none, and
// nor is what stands beside the directory with the images.
std::vector<const SetCheckpoint*> checkpoints_among(std::span<const SetCheckpoint> all);

// Reads one input; "-" is standard input. If it holds several checkpoints, gives the first of checkpoints_among().
// All errors, even those of the input itself, are in errors().
Checkpoint read_checkpoint(const std::string& input, const Needs& needs, const Limits& limits = {});

}  // namespace critpipe
#pragma GCC visibility pop
