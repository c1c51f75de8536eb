// What every filter has in common. A filter is one file: options, what it does, and one Filter row; main() is here.
//
//     const Option options[] = {{'z', "zero", nullptr, "End each line with NUL instead of newline."}};
//     int run(Program& program) { ... return program.exit_code(); }
//     const Filter filter{"crit-count", "count the entries of images", "[INPUT...]", examples, groups, run};
//
// --help, the OPTIONS of the manual and the shell completions are all printed from these rows.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/cleanup.hpp"
#include "critpipe/error.hpp"
#include "critpipe/output.hpp"

namespace critpipe::filters {

struct Option {
  char letter;        // 0: none
  const char* name;   // without --
  const char* value;  // null: a switch; else what it takes: "FILE"
  const char* help;   // one sentence
  enum Values : std::uint8_t { none, files, directories } complete = none;
};

using Options = std::span<const Option>;

struct Example {
  const char* command;
  const char* does;
};

enum ExitCode : int { exit_done = 0, exit_no = 1, exit_error = 2 };

class Program;

struct Filter {
  const char* name;
  const char* purpose;    // one line
  const char* arguments;  // "[INPUT...]"
  std::span<const Example> examples;
  std::span<const Options> options;  // groups: its own first, then shared ones
  int (*run)(Program& program);
  const Filter* commands = nullptr;  // the first word names one of these, or another program
  std::size_t nr_commands = 0;

  bool dispatches() const { return commands != nullptr; }
};

extern const Filter filter;  // the one row of each program

// Rows that several filters share.
inline constexpr Option output_options[] = {
    {'o', "output", "FILE", "Write to FILE, which appears only when it is complete.", Option::files},
    {0, "no-sync", nullptr, "Do not wait until files are on disk: a power cut may then leave empty ones."},
};
inline constexpr Option input_options[] = {
    {0, "only", "GLOB", "Read only images whose name fits; may be given again."},
    {0, "except", "GLOB", "Pass over images whose name fits; may be given again."},
    {0, "all", nullptr, "Of archives and directories, read also files that are no images (config.dump, ...)."},
    {0, "max-entry", "SIZE", "Refuse messages larger than SIZE (256M)."},
    {0, "max-size", "SIZE", "Refuse inputs that are larger than SIZE when they are unpacked."},
};

// A parsed command line, and the place for messages.
class Program {
 public:
  bool has(std::string_view option) const;
  std::optional<std::string> value(std::string_view option) const;  // the last one given
  std::vector<std::string> values(std::string_view option) const;
  // A number with an optional K, M, G, T; usage error and exit where it is none.
  std::uint64_t number(std::string_view option, std::uint64_t otherwise);
  const std::vector<std::string>& arguments() const { return arguments_; }
  // Takes the first argument away from the others; usage error with `missing` where there is none.
  std::string take_argument(const char* missing);
  // The arguments, or "-" where there is none; usage error where standard input is then a terminal.
  std::vector<std::string> inputs();

  // One line on stderr; sets the exit code.
  void report(const Error& error);
  void note(std::string_view message);                  // a line that changes no exit code
  [[noreturn]] void usage(const std::string& message);  // says what to do; exit 2
  // Usage error where one of the options was given: "--NAME why".
  void refuse(std::initializer_list<const char*> options, const std::string& why);
  int exit_code() const { return failed_ ? exit_error : code_; }
  void set_exit_code(int code) { code_ = code; }
  bool failed() const { return failed_; }
  // Ends the output: a failed write is reported, unless nobody reads any more.
  int finish(Output& output);

  struct Given {
    std::string name, value;
  };
  Program(const Filter& row, std::string name, std::vector<std::string> arguments, std::vector<Given> given)
      : row_{row}, name_{std::move(name)}, arguments_{std::move(arguments)}, given_{std::move(given)} {}

 private:
  const Filter& row_;
  std::string name_;  // as it was called
  std::vector<std::string> arguments_;
  std::vector<Given> given_;
  int code_ = exit_done;
  bool failed_ = false;
};

Sync sync_of(const Program& program);  // as --no-sync says

// Standard output, or with -o FILE an AtomicFile that commit() puts in place.
class Destination {
 public:
  enum class Content : std::uint8_t { text, binary };
  // Binary never goes to a terminal: usage error with a hint. `option` is the one that names the file.
  Destination(Program& program, Content content, const char* option = "output");
  ~Destination();  // without commit(), an existing file stays as it was
  Output& output() { return file(); }
  int fd() const { return file().fd(); }
  enum class After : std::uint8_t { success, any };
  // Writes out; with -o the file is put in place, if the program has not failed or `after` says that a part of the
  // answer is of use. Returns the exit code.
  int commit(After after = After::success);

 private:
  FileOutput& file() const { return file_ ? file_->output() : *standard_output_; }

  Program& program_;
  std::unique_ptr<AtomicFile> file_;
  std::unique_ptr<SignalCleanup> cleanup_;  // of its temporary file
  std::unique_ptr<FileOutput> standard_output_;
};

}  // namespace critpipe::filters
