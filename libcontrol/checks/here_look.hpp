// A check of a restore on this machine is one function and one row.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "critpipe/checkpoint.hpp"
#include "critpipe/control/checks.hpp"

namespace critpipe {

// Fields of a message of an image.
std::uint64_t entry_number(const Message& message, Bytes payload, std::string_view name, std::uint64_t otherwise = 0);
std::string entry_text(const Message& message, Bytes payload, std::string_view name);
std::vector<std::uint32_t> entry_numbers(const Message& message, Bytes payload, std::string_view name);
struct EntryPart {
  const Message* message;
  Bytes payload;
};
std::vector<EntryPart> entry_parts(const Message& message, Bytes payload, std::string_view name);
std::vector<std::string> entry_texts(const Message& message, Bytes payload, std::string_view name);

// What a check looks at, and where it says what it has found.
class HereLook {
 public:
  HereLook(const Checkpoint& checkpoint, const CriuOptions& options);
  const Checkpoint& checkpoint;
  const CriuOptions& options;
  std::vector<std::string> external;   // the options' values
  std::vector<std::string> inherited;  // keys

  const Task* root() const { return root_; }  // null: the images have no tree
  // As Checkpoint::running().
  const std::vector<const Task*>& running() const { return running_; }
  // Does the tree bring a namespace of its own? "net", "user", ... as in Ids.
  bool brings(std::uint32_t Ids::*space) const;
  // Are connections left out, as the dump or the restore was told?
  bool closes_connections() const { return closes_connections_; }
  // The value for a KEY in --external TYPE[KEY]:VALUE.
  std::optional<std::string> external_value(std::string_view type, std::string_view key) const;

  // The files that tasks of the tree have open, mapped or as their directories, each once. `by` is one of the tasks.
  struct UsedFile {
    const File* file;
    const Task* by;
  };
  const std::vector<UsedFile>& files() const { return files_; }

  // A regular file that is to be here, and what is here: nothing if nothing is. Looked up once for all checks.
  struct PlacedFile {
    const UsedFile* used;
    std::string path;  // below root
    std::optional<struct stat> there;
  };
  std::optional<std::vector<PlacedFile>> placed = {};

  void find(Severity severity, std::string text, std::string advice = {}, std::uint32_t pid = 0);

  std::string_view check;  // that is being made
  std::vector<MachineFinding> findings;

 private:
  void collect_files();

  const Task* root_ = nullptr;
  std::vector<const Task*> running_;
  bool closes_connections_ = false;
  Ids dumped_by_;  // those of the CRIU that dumped it
  std::vector<UsedFile> files_;
};

// A program, "process 12 (server)".
std::string text_of(const Task& task);
// "processes 12, 13 and 5 more"
std::string text_of(const std::vector<const Task*>& tasks);

using HereCheck = void (*)(HereLook& look);
struct HereCheckRow {
  CheckRow row;
  HereCheck make;
};

// The rows of each file.
std::span<const HereCheckRow> here_task_checks();
std::span<const HereCheckRow> here_file_checks();
std::span<const HereCheckRow> here_socket_checks();
std::span<const HereCheckRow> here_machine_checks();
std::span<const HereCheckRow> here_demands();

}  // namespace critpipe
