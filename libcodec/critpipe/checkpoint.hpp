// model: A checkpoint as a whole: its tasks with their mappings, descriptors, files and pages, joined over all images.
//
//     Checkpoint checkpoint = read_checkpoint("c1.tar.zst", {.mappings = true});
//     for (const Task& task : checkpoint.tasks())
//       for (const Mapping& mapping : task.memory.mappings)
//         printf("%u %lx %s\n", task.pid, mapping.start, checkpoint.name_of(mapping).c_str());
//
// Needs say which images are read; the others are passed over. Images may come in any order, from any source and of any
// release: files in one image or one image a kind, mappings in mm-N or vmas-N. errors() says what is damaged or
// missing; the rest stands. Memory is in proportion to what was asked for. What the model has no fields for, messages()
// gives as it stands in the images.
//
// Views and pointers live as long as the Checkpoint, also when it is moved. Nothing throws but std::bad_alloc. Distinct
// objects may be used by distinct threads; a finished Checkpoint by many.
//
// Sources of the facts: criu/pstree.c, criu/files.c, criu/mem.c.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "critpipe/source.hpp"
#include "critpipe/task.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

// What a Checkpoint is read for. The tasks' pids, names and states are always there.
struct Needs {
  bool ids = false;                          // which objects and namespaces tasks share
  bool threads = false;                      // names of threads
  bool descriptors = false;                  // descriptor tables, working and root directories, files of all types
  bool mappings = false;                     // address spaces, and the files that are mapped
  bool pagemaps = false;                     // which pages of tasks are stored
  bool queues = false;                       // bytes waiting in sockets
  std::vector<std::string_view> kinds = {};  // "UTSNS": kinds whose messages are kept as they are, for messages()
};

// An entry of an image, as it is. The views live as long as the Checkpoint.
struct ImageMessage {
  std::uint32_t number;    // in the image's name; 0: it has none
  const Message* message;  // a field table, for Fields and print_message()
  Bytes payload;           // checked
};

class Checkpoint;

// Internal.
struct CRITPIPE_INNER Model;
CRITPIPE_INNER const Model& model_of(const Checkpoint& checkpoint);

class Checkpoint {
 public:
  explicit Checkpoint(const Needs& needs);
  ~Checkpoint();
  Checkpoint(Checkpoint&&) noexcept;
  Checkpoint& operator=(Checkpoint&&) noexcept;

  // For readers that look at the images in other ways, too: fill with sink_for(), then finish(). Names are those of
  // images, without a directory; "-" is an image without a name.
  bool wants(std::string_view name) const;
  // Null: not wanted. The sink must be destroyed before *this is moved or destroyed.
  std::unique_ptr<Sink> sink_for(std::string_view name);
  void report(const Error& error);  // an image could not be read to its end
  // Joins what the images said. In a whole set, images that should be there and are not become errors; `folder` goes
  // before their names.
  void finish(std::string_view folder, bool is_whole = true);

  // In the order of pstree.img; where that image is missing, the tasks that have images of their own.
  std::span<const Task> tasks() const;
  const Task* find_task(std::uint32_t pid) const;  // null: there is none
  struct TreeNode {
    const Task* task;
    std::size_t depth;  // 0: a root
  };
  // Depth first, children in the order of pstree.img. Every task is there once: one whose parent is missing, or that is
  // its own ancestor, is a root.
  std::vector<TreeNode> tree() const;

  // In the order of the image; the same for tasks that share their table.
  std::span<const Descriptor> descriptors(const Task& task) const;
  // Null: it is not in the images.
  const File* find_file(std::uint32_t type, std::uint32_t id) const;
  const File* file_of(const Mapping& mapping) const;        // null also where no file is mapped
  const File* directory(std::uint32_t id) const;            // cwd_id, root_id, exe_id
  std::string path_of(const File& file) const;              // a memfd's is "memfd:name"; empty: it has none
  std::optional<Socket> socket_of(const File& file) const;  // nothing: it is no socket
  // "/usr/bin/cat", "[heap]", "[stack]", "memfd:name", "shmem:14684"; empty for anonymous memory.
  std::string name_of(const Mapping& mapping) const;
  // In bytes, of the machine that was dumped: what an auxiliary vector says, else what is usual for its architecture.
  std::uint64_t page_size() const;

  // The messages of a kind that Needs::kinds names, by the number in the image's name and then as they stand in it; of
  // one image if `number` is given. Without the extras that follow them. Empty: there are none, or they were not asked
  // for.
  std::span<const ImageMessage> messages(std::string_view kind) const;
  std::span<const ImageMessage> messages(std::string_view kind, std::uint32_t number) const;

  // What is damaged, missing or contradicts itself.
  std::span<const Error> errors() const;

 private:
  friend const Model& model_of(const Checkpoint& checkpoint);

  std::unique_ptr<Model> model_;
};

// Reads inputs into checkpoints: one for each set of images, in the order in which they were met.
class CheckpointReader : public Decoding {
 public:
  explicit CheckpointReader(const Needs& needs, const Limits& limits = {});
  bool wants(std::string_view path) override;
  bool wants_alone(std::string_view) override { return true; }
  std::unique_ptr<Sink> sink_for(const Member& member) override;
  bool reads_raw() const override { return false; }
  void report(const Error& error) override;
  // Call after the last input. There is at least one, that of `input` if there was nothing to read.
  struct Found {
    SetId id;
    std::string place;  // for messages, before the names of its images: "dump/", "c1.tar.zst:checkpoint/"
    Checkpoint checkpoint;
    bool is_set = false;    // not one image by itself
    bool has_tree() const;  // is there any task of pstree.img?
  };
  std::vector<Found>& finish(std::string_view input);

 private:
  Found& at(const SetId& id);

  Needs needs_;
  std::vector<Found> found_;
  std::vector<Error> homeless_;  // of no set that is known
};

// Reads one input as one checkpoint: where it holds several, the one with a tree of tasks. Errors, also those of the
// input itself, are in errors().
Checkpoint read_checkpoint(const std::string& input, const Needs& needs, const Limits& limits = {});

}  // namespace critpipe
#pragma GCC visibility pop
