// report: What a checkpoint is and was doing: facts about one container or process tree, gathered in one pass over its
// images, the configuration beside them and the few bytes of memory that hold command lines. Printers are apart.
//
//     InspectionReader reader{{"c1.tar.zst"}};
//     for (const Inspection& found : reader.read()) {
//       printf("%s: %zu processes\n", found.id.text().c_str(), found.processes.size());
//       print_inspection(output, found, {.columns = 80});
//     }
//
// Pages are not read but for those that hold command lines and environments: of directories and plain archives by
// position; of others as they come by, for which the images of the task must come before its pages, as CRIU and the
// engines order them. Where they do not, the end of each pages image is kept, which is where a stack is.
//
// Text is from a checkpoint and may be anything; the printers escape it. Nothing throws except std::bad_alloc. Distinct
// objects may be used by distinct threads.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "critpipe/checkpoint.hpp"
#include "critpipe/container.hpp"
#include "critpipe/json.hpp"
#include "critpipe/output.hpp"
#include "critpipe/report.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

// A process, and what is known beyond its Task.
struct InspectedProcess {
  const Task* task = nullptr;
  std::size_t depth = 0;  // in the tree
  std::string executable = {};
  bool executable_is_deleted = false;
  std::string working_directory = {}, root = {};  // empty: not known
  bool working_directory_is_deleted = false;
  // Nothing: their bytes are not in the checkpoint, or not in reach.
  std::optional<std::vector<std::string>> arguments = {}, environment = {};
  std::uint64_t resident_bytes = 0;  // of the pages that its pagemap lists, wherever their content is
  std::uint64_t stored_bytes = 0;    // of those whose content is in this checkpoint
};

// A descriptor that leads to something.
struct Owner {
  std::uint32_t pid = 0, fd = 0;
};

// An open file that is not a socket.
struct InspectedFile {
  std::string path;                          // empty: it has none
  std::string type;                          // "REG", "MEMFD", "FIFO", "TTY", "PIPE", "EVENTFD", as crit names them
  std::string about = {};                    // what else it is: "eventfd[3]"; empty for regular files and memfds
  bool is_written = false, is_read = false;  // as it was opened
  bool is_deleted = false;
  std::optional<std::uint32_t> flags = {};  // nothing: no image says how it was opened
  std::uint64_t position = 0;
  std::optional<std::uint64_t> size = {};  // nothing: not known, or of neither of the two
  std::vector<Owner> owners = {};
};

struct InspectedSocket {  // a socket of the checkpoint
  Socket socket;
  std::uint32_t type = 0;          // of the File
  std::vector<Owner> owners = {};  // who has it open
  std::vector<Owner> peers = {};   // who has the other end, if that is in the checkpoint
  bool is_listening() const;       // a TCP socket that takes connections
};

struct InspectedMount {  // a mount of one of the mount namespaces
  std::string mountpoint, type, source, root, options;
  std::string host_source = {};  // as the engine's configuration has it
  bool is_external = false, is_read_only = false;
  std::uint32_t ns = 0;  // the number of its mount namespace
};

struct InspectedNamespace {           // a namespace, and which processes are in it
  std::string_view kind;              // "pid"
  std::uint32_t id = 0;               // as CRIU numbers it
  std::optional<bool> is_hosts = {};  // is it the one that CRIU ran in? Nothing: not known
  std::size_t nr_processes = 0;
};

// Bytes. What is not known is 0.
struct InspectedSizes {
  std::uint64_t input = 0;                                  // the file of an archive as it is
  bool is_of_pipe = false;                                  // an overview has not read all of it
  std::uint64_t total = 0;                                  // of all files of the set, unpacked
  std::uint64_t images = 0;                                 // of its images
  std::uint64_t pages = 0;                                  // of memory in pages images
  std::map<std::string, std::uint64_t> pages_by_kind = {};  // "heap", "file", ...: what processes map; "shared"
  std::uint64_t parent_pages = 0, lazy_pages = 0;           // of memory that is elsewhere
  std::uint64_t root_difference = 0;                        // of the container's root file system
  std::uint64_t shared_files = 0, volumes = 0;              // /dev/shm, and volumes
  std::uint64_t directory = 0;                              // of the files beside the images, and of these
  std::uint64_t gpu = 0;
};

// Something that deserves a look.
struct Attention {
  std::string_view code;  // "writable-executable"
  std::string text;       // for people; escaped where it has names from the checkpoint
  std::vector<std::uint32_t> pids = {};
  // Of what the text goes on with, and of which processes each is: names of variables. Empty pids: of the container.
  struct Part {
    std::string text;
    std::vector<std::uint32_t> pids = {};
  };
  std::vector<Part> parts = {};
};

// One checkpoint. Pointers and views live as long as it does.
struct Inspection {
  SetId id;
  std::string text_id;  // of the set among others in the input, for people
  bool is_directory = false;
  std::shared_ptr<Checkpoint> checkpoint;  // never null
  Container container;
  std::string hostname;                     // of its uts namespace, else of the configuration
  std::optional<Statistics> statistics;     // of the dump
  std::vector<InspectedProcess> processes;  // in the order of the tree
  std::size_t nr_processes = 0;             // their number; of a pre-dump (those with pages) an overview has only that
  bool knows_processes() const;             // false: nr_processes says nothing, as of a pre-dump without pages
  std::optional<std::size_t> nr_threads;    // nothing: a pre-dump does not say
  std::vector<InspectedFile> files;
  std::vector<InspectedSocket> sockets;
  std::vector<InspectedMount> mounts;
  std::vector<InspectedNamespace> namespaces;
  InspectedSizes sizes;
  std::vector<Attention> attention;
  std::size_t nr_parents = 0;  // sets of earlier dumps that are in the same input, or were given
  bool has_parent = false;     // pages are in one
  std::vector<Error> errors;

  // Is there anything to show? Else errors say why there is not.
  bool has_anything() const;
  // The first of the tree; null: there are no processes.
  const InspectedProcess* root() const { return processes.empty() ? nullptr : &processes.front(); }
  std::string comm_of(std::uint32_t pid) const;  // empty: there is no such process
};

struct InspectOptions {   // what to read, and of what
  bool overview = false;  // only what a table shows: no memory, files and mounts
  // Inputs that the pages of parents are in, the nearest first. Requires: the inputs have one checkpoint.
  std::vector<std::string> parents = {};
  Limits limits = {};
  SourceOptions source = {};
};

// Reads one input of any form, or a group of them as group_inputs() gives, into inspections, one for each checkpoint
// that they hold. Pre-dumps beside a checkpoint that they belong to are none.
class InspectionReader {
 public:
  explicit InspectionReader(std::vector<std::string> inputs, InspectOptions options = {});
  ~InspectionReader();
  std::vector<Inspection> read();  // call once

 private:
  struct CRITPIPE_INNER Work;
  std::unique_ptr<Work> work_;
};

// What to show as text.
struct InspectionText {
  enum Section : std::uint32_t {
    summary = 1,
    processes = 2,
    sockets = 4,
    files = 8,
    mounts = 16,
    memory = 32,
    statistics = 64,
    configuration = 128,
    environment = 256,
    everything = 511
  };
  std::uint32_t sections = 0;  // 0: one screen of all, cut
  std::size_t columns = 80, rows = 24;
  bool unicode = false;                  // draw with Unicode's characters
  bool is_cut = true;                    // long lines to the width
  std::vector<std::uint32_t> pids = {};  // only these processes and what is theirs; empty: all
};

// Writes the report. These report failures through the output's error().
void print_inspection(Output& output, const Inspection& inspection, const InspectionText& options);

struct InspectionJson {
  bool environment = false;  // with the values of the environment
  BigNumbers big_numbers = BigNumbers::number;
  std::vector<std::uint32_t> pids = {};
};
// One document of any number of inspections, each written when it is added; the output must outlive it.
class InspectionDocument {
 public:
  enum class Keys : std::uint8_t {
    own,           // {"schema": 1, "checkpoints": [...]}, as schemas/crit-inspect.json describes it
    checkpointctl  // an array with the keys of checkpointctl 1.6's `inspect --format json`
  };
  InspectionDocument(Output& output, Keys keys, InspectionJson options);
  void add(const Inspection& inspection);  // in the order of the calls
  void end();                              // without it the document is cut

 private:
  Output& output_;
  Keys keys_;
  InspectionJson options_;
  JsonWriter json_;
};
// The same facts as flat objects, one a line; "record" says of what.
void print_inspection_lines(Output& output, const Inspection& inspection, const InspectionJson& options);

// A line of a table.
struct InspectionRow {
  SetId id;
  std::string text_id;
  std::string pod_namespace, pod, container, image, engine, created, criu;
  std::string_view what, remark;            // "pre-dump"; for people, "a pre-dump"
  std::optional<std::uint64_t> size_bytes;  // nothing: a pipe, which was read as far as was needed
  std::optional<std::size_t> nr_processes;  // nothing: a pre-dump whose pages went elsewhere
};
InspectionRow row_of(const Inspection& inspection);  // owns what it has of it
// Sorts by a column, times by their instants: "namespace", "pod", "container", "image", "engine", "created", "size",
// "processes", "criu", "input". False: there is no such column.
bool sort_rows(std::vector<InspectionRow>& rows, std::string_view key);
void print_table(Output& output, std::span<const InspectionRow> rows);

}  // namespace critpipe
#pragma GCC visibility pop
