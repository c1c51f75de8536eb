// What rules look at: one set of images that has been read to its end. Internal.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "check/field_limits.hpp"
#include "check/files_beside.hpp"
#include "check/first_of_each.hpp"
#include "check/record.hpp"
#include "critpipe/check.hpp"
#include "model/page_size_of_set.hpp"

namespace critpipe {

// An image that is there.
struct SeenImage {
  const Kind* kind = nullptr;  // as its bytes say; null: raw and of no known name, or it could not be read
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;  // of raw images
  Head head = Head::none;
  bool is_damaged = false;
  bool is_other_kind = false;  // than its name says: nothing was taken from it
};

// What rules need of a core image.
struct SeenCore {
  std::uint32_t machine = 0, state = 0;
  bool has_registers = false, has_task = false, has_thread = false, has_ids = false;
  bool has_creds = false, has_timers = false, has_rlimits = false, has_actions = false;
  std::uint64_t task_cgroups = 0, thread_cgroups = 0;  // ids of sets; 0: none
  std::uint32_t seccomp_mode = 0, seccomp_filter = 0;
  // Where its code and its stack are; nothing: the machine has them in other fields.
  std::optional<std::uint64_t> code = {}, stack = {};
  bool has_comm = false;  // of the thread: CRIU 3.14 and later
  std::string lsm_profile = {};
  std::vector<std::uint32_t> timer_threads = {};  // whom POSIX timers wake
};

// A file of files.img, or of an image of its type.
struct SeenFile {
  std::uint32_t type = 0, id = 0;
  std::string_view image;  // name
  std::uint64_t entry = 0;
  Record record;  // of the type's own message
};

// The kinds whose entries rules look at, beside those of files.
constexpr std::string_view listed_kinds[] = {
    "INVENTORY",   "PSTREE",    "FILES", "REMAP_FPATH",    "PIPES_DATA", "FIFO_DATA",  "SK_QUEUES", "TTY_INFO",
    "TTY_DATA",    "IPCNS_SHM", "MNTS",  "NETNS",          "PIDNS",      "SECCOMP",    "CGROUP",    "FILE_LOCKS",
    "MEMFD_INODE", "NETDEV",    "STATS", "FILE_LOCKS_OLD", "AUTOFS",     "BPFMAP_DATA"};

// One of them: a rule about a kind that is not listed would never find anything, and does not compile.
struct ListedKind {
  consteval ListedKind(const char* kind) : name{kind} {
    for (const std::string_view one : listed_kinds)
      if (one == name) return;
    throw "this kind is not in listed_kinds";
  }
  std::string_view name;
};

struct SeenGhost {
  std::uint64_t size = 0, bytes = 0;
  bool has_size = false, has_chunks = false;
};

struct SeenMemory {
  Pagemap pagemap;
  std::uint64_t nr_parent = 0, nr_lazy_only = 0, nr_entries = 0;
  bool is_damaged = false, is_compressed = false;
};

class CheckedImages;

// Where the fault is.
struct FaultPlace {
  std::string image;  // name within the set; empty: the set
  std::uint64_t entry = Error::nowhere;
  std::string field = {};
  std::string beside = {};  // a file that stands beside the images, or beside their directory
};

// Takes the findings of one rule.
class Reporter {
 public:
  using Take = std::function<void(Finding&&)>;
  Reporter(const CheckedImages& images, const Rule& rule, const Take& take)
      : images_{images}, rule_{rule}, take_{take} {}
  void operator()(FaultPlace place, std::string reason) const {
    (*this)(std::move(place), std::move(reason), rule_.severity);
  }
  void operator()(FaultPlace place, std::string reason, Severity severity) const;
  // What a restore must be told: a warning, or of the rule's severity if it will be told nothing else.
  void need(FaultPlace place, std::string reason) const;

 private:
  const CheckedImages& images_;
  const Rule& rule_;
  const Take& take_;
};

// A rule and what finds it; null: the reader does, or the rules of pagemaps.
struct RuleRow {
  Rule rule;
  void (*check)(const CheckedImages& images, const Reporter& report) = nullptr;
};
using CheckRules = std::span<const RuleRow>();
// One for each file of rules/. Made by CMake.
extern CheckRules* const check_rules[];
extern const std::size_t nr_check_rules;

constexpr std::uint32_t new_pids = 0x20000000;  // CLONE_NEWPID

// By rule.
using FieldFaults = FirstOfEach<std::pair<std::string_view, Severity>, FieldFault, max_findings_of_rule>;
// Of pagemaps and blocks, found as they come: by name, tolerated or not.
using EarlyFaults = FirstOfEach<std::pair<std::string_view, bool>, PagesFault, max_findings_of_rule>;

// The blocks of a pages image, and how large their pages were taken to be: with another size nothing of it counts.
struct DecodedBlocks {
  std::uint64_t page_size = 0;
  EarlyFaults faults = {};
};

class CheckedImages final : public PageStore {
 public:
  explicit CheckedImages(const RestorePlan& plan);
  ~CheckedImages() override;

  // Filled by the reader.
  SetId id;
  std::string place;      // what precedes names of images
  std::string directory;  // empty: not in a directory
  bool is_set = false;    // false: an image by itself
  RestorePlan plan;
  Checkpoint checkpoint;
  std::map<std::string, SeenImage, std::less<>> images;
  std::map<std::uint32_t, SeenCore> cores;
  std::map<MemoryId, SeenMemory> memories;
  std::map<std::uint64_t, std::uint64_t> pages;  // pages_id -> bytes
  PagesToTry pages_to_try;
  std::map<std::uint64_t, DecodedBlocks> decoded;  // as they came, by pages_id
  std::map<std::uint32_t, SeenGhost> ghosts;
  FieldFaults field_faults;
  EarlyFaults early_faults;                   // their images are names within the set
  bool is_parent = false;                     // of a set that was read, too
  bool has_link = false;                      // to a parent, in an archive that need not hold it
  bool has_circle = false;                    // the links of an archive lead back to it
  const EngineFiles::Seen* beside = nullptr;  // null: no engine's files are beside the images
  bool is_cut = false;                        // the input ends early: what is missing may have stood behind
  bool has_tree_beside = false;               // another set of the inputs has tasks

  std::string place_of(std::string_view beside) const;  // of a file beside the images

  // Joins what was read.
  void finish();
  // Requires: it is finished, and has its parent.
  void learn_page_size();
  // A pages image comes, which `make` checks.
  std::unique_ptr<Sink> to_try(const Member& member, RoomToTry& room, PagesToTry::MakeSink make);

  bool has(std::string_view name) const { return images.contains(name); }
  bool is_damaged(std::string_view name) const;
  bool has_tasks() const { return has_tasks_; }  // pstree.img, or images of tasks
  bool has_whole_tree() const;                   // pstree.img, undamaged
  bool knows_all() const;                        // what all tasks have: then what nobody claims is nobody's
  std::uint64_t page_size() const { return checkpoint.page_size(); }

  // The entries of a kind with the name of their image and their number in it.
  template <typename Use>
  void each(ListedKind kind, Use use) const {
    each_of(kind.name, use);
  }
  // The first entry of an image of the kind; an empty record: there is none.
  Record first(ListedKind kind, std::uint32_t number = 0) const;

  const std::vector<SeenFile>& files() const { return files_; }
  const SeenFile* find_file(std::uint32_t type, std::uint32_t id) const;
  bool has_file(std::uint32_t file_id) const { return ids_.contains(file_id); }  // of any type
  // Has files.img that one, whatever its type is?
  bool is_listed(std::uint32_t type, std::uint32_t file_id) const { return listed_.contains({type, file_id}); }
  bool lacks_files(std::uint32_t type) const;  // an image that may have files of that type is damaged
  bool is_in_flight(std::uint32_t file_id) const { return in_flight_.contains(file_id); }  // in a unix socket
  // System V segments, and those whose bytes are in their own image.
  bool has_segment(std::uint32_t segment) const { return segments_.contains(segment); }
  bool has_segment_inline(std::uint32_t segment) const { return inline_segments_.contains(segment); }
  // Tasks of the tree that are neither dead nor zombies.
  const std::vector<const Task*>& running() const { return running_; }
  // Will the restore be given it with --inherit-fd fd[N]:KEY, or with --external TYPE[KEY]?
  bool is_inherited(std::string_view key) const { return has_inherited(plan.inherit_fd, key); }
  bool is_external(std::string_view type, std::string_view key) const {
    return external_value(plan.external, type, key).has_value();
  }
  // Does a descriptor, a mapping, a task or another file refer to it? A tun file and its path have one number.
  bool is_claimed(const SeenFile& file) const {
    return opened_ids_.contains(file.id) || is_in_flight(file.id) || claimed_.contains({file.type, file.id});
  }
  bool is_opened(std::uint32_t type, std::uint32_t id) const { return opened_.contains(std::pair{type, id}); }
  // Namespaces that the root task does not share with the CRIU that dumped it, as CLONE_NEW* bits.
  std::uint32_t own_namespaces() const { return own_namespaces_; }
  const Task* root_task() const { return root_; }
  // Will there be a task, a thread, a group or a session of that number, as the whole tree has it?
  bool has_pid(std::uint32_t pid) const { return pids_.contains(pid); }
  // Who has that number, if none of the tree has? In a pid namespace of the tree's own nobody.
  Severity severity_of_unknown_pid() const;
  // Is the dump of CRIU 3.14 or later?
  bool has_time_namespaces() const { return root_ && root_->ids.time_ns != 0; }
  // Of what belongs to no task: it is lost, unless there are signs that images of another dump lie among these.
  Severity severity_of_strangers() const { return has_other_dump_ ? Severity::warning : Severity::loss; }

  // PageStore.
  const Pagemap* pagemap(MemoryId memory) override;
  PageDirectory* page_directory() override;
  Held held(std::uint64_t pages_id, MemoryId memory, std::uint64_t with_page_size) override;
  std::unique_ptr<const PagesImage> stored_image(std::uint64_t pages_id) override {
    return pages_to_try.stored_image(pages_id);
  }
  std::optional<std::uint64_t> dump_uptime() override { return checkpoint.dump_uptime(); }
  std::optional<std::uint64_t> block_bytes() override { return checkpoint.block_bytes(); }
  std::uint64_t page_size_of_tasks() override { return told_page_size(checkpoint); }
  void close_directory() { directory_.reset(); }

 private:
  template <typename Use>
  void each_of(std::string_view kind, Use use) const {
    std::uint64_t entry = 0;
    std::uint32_t number = 0;
    for (const ImageMessage& message : checkpoint.messages(kind)) {
      entry = message.number == number ? entry : 0;
      number = message.number;
      use(image_name(kind, number), entry++, Record{*message.message, message.payload});
    }
  }
  void collect_files();
  void collect_objects();
  void claim_files();
  void find_namespaces();
  bool find_other_dump() const;

  bool has_tasks_ = false, has_other_dump_ = false;
  std::vector<SeenFile> files_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::size_t> file_index_;
  std::set<std::pair<std::uint32_t, std::uint32_t>> opened_, claimed_, listed_;
  std::set<std::uint32_t> ids_, opened_ids_, in_flight_, segments_, inline_segments_, pids_;
  std::vector<const Task*> running_;
  const Task* root_ = nullptr;
  std::uint32_t own_namespaces_ = 0;
  std::unique_ptr<PageDirectory> directory_;
};

// The kinds whose entries rules look at.
std::vector<std::string_view> kinds_of_rules();

std::uint32_t number_of(std::string_view image);  // in its name: 12 of "netns-12.img"; 0: none

// Which namespaces differ, but for those of cgroups, as CLONE_NEW* bits; one that is not known in either does not.
std::uint32_t differing_namespaces(const Ids& ids, const Ids& others);

std::string file_text(std::uint32_t type, std::uint32_t id);  // "REG 12"
std::string quoted(std::string_view text);                    // 'text', escaped

}  // namespace critpipe
