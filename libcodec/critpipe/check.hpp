// check: Is a checkpoint whole and consistent? What would make its restore fail, or leave something out?
//
//     CheckReader reader{{.tcp_established = true}};
//     (void)read_input("c1.tar.zst", reader);
//     for (const CheckedSet& set : reader.finish())
//       for (const Finding& finding : set.findings)
//         if (finding.severity == Severity::error) puts(to_string(finding).c_str());
//
// The rules are one list, all_rules(): a finding is data and names its rule. They see images and what the restore will
// be told, and nothing of the machine: files, free pids, addresses and processors are for others to look at. Inputs are
// read once, in any form and order; what is held is proportional to tasks, files, mappings and runs of pages, not to
// the pages. After a fault in an image, rules that would need the rest of it stay silent rather than accuse others.
//
// Nothing throws except std::bad_alloc. A reader is for one thread at a time.
//
// Sources of the facts: what CRIU 4.2 does with damaged sets, criu/pstree.c, criu/files.c, criu/mem.c, criu/mount.c,
// criu/sk-inet.c, criu/sk-unix.c, criu/tty.c.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "critpipe/checkpoint.hpp"
#include "critpipe/memory.hpp"
#include "critpipe/source.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

// What becomes of a restore, the worst first.
enum class Severity : std::uint8_t {
  error,    // it will fail
  loss,     // it works, with something missing
  warning,  // it depends on what is not known here, or something is odd
  note      // what to know
};
std::string_view name_of(Severity severity);                    // "error"
std::optional<Severity> severity_named(std::string_view word);  // nothing: there is none of that name

// A rule. Views live as long as the program; names are stable.
struct Rule {
  std::string_view name;    // "core-missing"
  Severity severity;        // of its findings, unless they say something else
  std::string_view what;    // what is wrong, in general
  std::string_view advice;  // what to do
};
std::span<const Rule> all_rules();             // by subject
const Rule* find_rule(std::string_view name);  // null: there is none

// What a rule has found.
struct Finding {
  const Rule* rule = nullptr;
  Severity severity = Severity::error;
  std::string image = {};  // its place: "dump/core-1.img"; the set's or the input's where no image is at fault
  std::uint64_t entry = Error::nowhere;  // 0-based
  std::string field = {};                // "vmas[3].shmid"; empty: none
  std::string reason = {};               // a sentence without a period; text from images is escaped
  std::uint32_t pid = 0;                 // of which process, where no image is at fault; 0: of none
};
std::string to_string(const Finding& finding);  // one line: "error: core-1.img: entry 0: field: reason [rule]"

// What the restore will be told. What it needs and is not told here is a warning, or with `is_complete` an error.
struct RestorePlan {
  bool tcp_established = false, tcp_close = false, shell_job = false, ext_unix_sk = false, file_locks = false;
  bool lazy_pages = false;
  bool has_root = false;                     // --root
  bool is_complete = false;                  // nothing else will be told
  std::vector<std::string> external = {};    // as for criu: "mnt[KEY]:PATH", "file[...]"
  std::vector<std::string> inherit_fd = {};  // "fd[3]:KEY"
};

// What such a list gives: the PATH of "TYPE[KEY]:PATH", which may be empty; and whether there is an "fd[N]:KEY".
std::optional<std::string_view> external_value(std::span<const std::string> given, std::string_view type,
                                               std::string_view key);
bool has_inherited(std::span<const std::string> given, std::string_view key);

// A set of images and what was found.
struct CheckedSet {
  SetId id;
  std::string text;               // for people: the input, and the set if there are several
  std::vector<Finding> findings;  // the worst first, then as rules are listed; at most max_findings
  std::uint64_t nr_errors = 0, nr_losses = 0, nr_warnings = 0, nr_notes = 0;  // of all, kept or not
  std::uint64_t nr_unread = 0;  // errors that kept images from being looked at: in CheckReader::errors()
  std::string kind;             // "checkpoint", "pre-dump", "pages", "images"
};
constexpr std::size_t max_findings = 2000;         // that are kept of a set
constexpr std::size_t max_findings_of_rule = 100;  // and of one severity

// What is known of inputs that other readers read.
struct KnownInputs {
  std::vector<Directory::Identity> parents = {};  // to which their links lead
  bool lack_pages = false;                        // one has tasks and no pages: a page server may have got them
};
// Looks at those of the inputs that are directories.
KnownInputs look_at_directories(std::span<const std::string> inputs);

// Reads inputs, each completely, and checks their sets. With SourceOptions::all_members it knows of the link to a
// parent that an archive holds.
class CheckReader final : public Decoding {
 public:
  explicit CheckReader(RestorePlan plan = {}, const Limits& limits = {});
  ~CheckReader() override;
  bool wants(const Member& member) override;
  std::unique_ptr<Sink> sink_for(const Member& member) override;
  bool reads_raw() const override { return false; }
  void report(const Error& error) override;

  // What is read from here on is an input that holds the pages of a parent: that of the only set that was read before,
  // or of the parent that was begun last. Of its images only pagemaps and pages images are looked at.
  void begin_parent(const std::string& input);
  // Call once, after the last input. One for each set except parents begun with begin_parent(), in the order in which
  // they begin. A set that is part of a checkpoint is no fault if `known` has the other parts.
  std::vector<CheckedSet> finish(const KnownInputs& known = {});
  // Why inputs could not be looked at, max_kept_errors at the most. Damage is not among them, but a finding.
  std::span<const Error> errors() const;
  // After finish(): keys of the plan that nothing in the images has, with their options. Those of --external only where
  // they are of mounts.
  std::vector<std::string> unused_keys() const;

 private:
  struct CRITPIPE_INNER Work;
  std::unique_ptr<Work> work_;
};

// The rules of pagemaps, for those who have read them already.

constexpr std::string_view pages_fault_names[] = {"empty",   "alignment", "flags",   "order",     "overlap",
                                                  "missing", "size",      "claimed", "unclaimed", "mapping",
                                                  "owner",   "parent",    "block"};
// One of them, which are stable words and those of rules: "pagemap-overlap", "pages-size". Others do not compile.
struct PagesFaultName : std::string_view {
#if defined(__clang__) && __clang_major__ < 17  // which ends with a crash where a class has a consteval constructor
  constexpr PagesFaultName(const char* word) : std::string_view{word} {}  // one of pages_fault_names
#else
  consteval PagesFaultName(const char* word) : std::string_view{word} {  // one of pages_fault_names
    for (const std::string_view name : pages_fault_names)
      if (name == word) return;
    throw "this name is not in pages_fault_names";
  }
#endif
};

// What is wrong with a pagemap or a pages image.
struct PagesFault {
  PagesFaultName name;
  std::string image = {};
  std::uint64_t entry = Error::nowhere;
  std::optional<std::uint64_t> vaddr = {};
  std::string text = {};
  bool is_tolerated = false;  // a restore does not mind
};
using ReportPages = std::function<void(const PagesFault&)>;

// The entries of one pagemap, as they come. As long as the page size is not known, it is the smallest.
class EntryCheck {
 public:
  EntryCheck(ReportPages report, std::string image, std::uint64_t page_size = smallest_page);
  EntryCheck(EntryCheck&&) noexcept;
  ~EntryCheck();
  void runs(std::span<const PageRun> runs);  // of the pagemap, in their order

 private:
  struct CRITPIPE_INNER Work;
  std::unique_ptr<Work> work_;
};

// The pagemaps and pages images of a set.
struct PagesView {
  struct OneMemory {  // a pagemap
    MemoryId id;
    std::string place = {};
    std::uint64_t pages_id = 0, nr_parent = 0, nr_entries = 0;
    std::uint64_t stored_bytes = 0;  // what its pages image should have
    std::uint64_t address_bits = 0;  // as Pagemap has them
    bool is_named = true, is_alone = false, is_complete = true, is_compressed = false;
  };
  struct OneImage {  // a pages image
    std::uint64_t pages_id = 0;
    std::string place = {};
    std::uint64_t size_bytes = 0;
    bool is_claimed = false;  // a pagemap names it
  };
  std::string place = {};  // what precedes the names of its images
  std::uint64_t page_size = smallest_page;
  const Checkpoint* checkpoint = nullptr;
  PageStore* store = nullptr;
  bool may_have_parents = true;  // false: an archive, which has none
  std::vector<OneMemory> memories = {};
  std::vector<OneImage> images = {};
  std::function<const Pagemap*(MemoryId)> pagemap = {};  // with its runs
  std::function<bool(MemoryId)> is_chosen = {};          // empty: all are
};
// Says where pagemaps, pages images, parents and mappings do not agree, and which blocks of a directory do not decode.
void check_pages(const PagesView& view, const ReportPages& report);

}  // namespace critpipe
#pragma GCC visibility pop
