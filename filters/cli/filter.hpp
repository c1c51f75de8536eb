// What every filter has in common. A filter is one file: options, what it does, and one Filter row; main() is here.
//
//     constexpr Option rows[] = {
//         {0, "json", nullptr, "Print JSON."},
//         Option{'z', "zero", nullptr, "End each line with NUL instead of a newline."}.excludes("json"),
//     };
//     int run(Program& program) { ... return program.exit_code(); }
//     const Filter filter{"crit-count", "count the entries of images", "[INPUT...]", examples, groups, run};
//
// --help, the OPTIONS of the manual and the shell completions are printed from these rows, and command lines that
// combine options as no row allows are refused before run() is called.
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
  const char* value;  // null: a switch; "FILE": what it takes; "[=LEVEL]": what it may take
  const char* help;   // one sentence; what it goes with and without is printed from the members below
  enum Values : std::uint8_t { none, files, directories } complete = none;
  // Names of options, separated by blanks. Of those joined by | one is enough: "memory", "into pages-from", "argv|env".
  const char* needed = "";
  const char* excluded = "";
  const char* words = "";  // for completions: the values that there are, or some, separated by blanks

  bool is_single = false;  // given twice, one of the two would be dropped: that is refused

  // "[=LEVEL]"
  constexpr bool has_optional_value() const { return value && value[0] == '['; }
  constexpr Option needs(const char* options) const {
    Option row = *this;
    row.needed = options;
    return row;
  }
  constexpr Option excludes(const char* options) const {
    Option row = *this;
    row.excluded = options;
    return row;
  }
  constexpr Option one_of(const char* values) const {
    Option row = *this;
    row.words = values;
    return row;
  }
  constexpr Option single() const {
    Option row = *this;
    row.is_single = true;
    return row;
  }
  constexpr Option without_letter() const {
    Option row = *this;
    row.letter = 0;
    return row;
  }
};

using Options = std::span<const Option>;

struct Example {
  const char* command;
  const char* does;
};

enum ExitCode : int { exit_done = 0, exit_no = 1, exit_error = 2, exit_own_error = 125 };

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
  // What an argument may be besides an input, separated by blanks: "ps fds". Where there are no inputs, it is the first
  // argument, and some have words that follow: "version cpuinfo:dump,check".
  const char* words = "";
  // How many arguments stand before the inputs; null: none.
  std::size_t (*nr_before_inputs)(const Program& program) = nullptr;
  // With this option the exit status is that of another program, and errors are exit_own_error. Null: there is none.
  const char* waits_with = nullptr;

  bool dispatches() const { return commands != nullptr; }
};

extern const Filter filter;  // the one row of each program

// Rows that several filters share.
inline constexpr Option output_row{'o', "output", "FILE",
                                   "Write to FILE, which is replaced only once the output is complete.", Option::files};
inline constexpr Option force_row{'f', "force", nullptr, "Write even to a file that other users can read."};
inline constexpr Option stream_row{0, "stream", nullptr, "Write an image stream even for a single image."};
inline constexpr Option max_entry_row{0, "max-entry", "SIZE", "Refuse messages larger than SIZE (256M)."};
inline constexpr Option max_size_row{0, "max-size", "SIZE",
                                     "Refuse inputs that unpack to more than SIZE; of a directory all images count."};
inline constexpr Option page_size_row{0, "page-size", "SIZE", "Assume pages of SIZE where the images do not tell."};
inline constexpr Option pid_row{'p', "pid", "PID", "Look at this process only; may be repeated."};
inline constexpr Option parent_row{
    0, "parent", "INPUT",
    "The pages of the parent are in INPUT, a directory or an archive; may be repeated, the nearest parent first.",
    Option::files};
inline constexpr Option sync_row{0, "no-sync", nullptr,
                                 "Do not wait until files are on disk: a power cut may then leave empty ones."};
inline constexpr Option set_row =
    Option{0, "set", "SET", "Read only the set of images in the directory SET of an input."}.single();
inline constexpr Option big_numbers_row{0,
                                        "big-numbers",
                                        "FORM",
                                        "Print fields of 64 bits as numbers (number) or in quotes (text), for readers "
                                        "that round numbers above 2^53, as jq before 1.7 does.",
                                        Option::none,
                                        "",
                                        "",
                                        "number text"};
inline constexpr Option files_from_row{
    0, "files-from", "LIST",
    "Read the inputs that LIST names, too: one a line, or each followed by NUL; - is standard input.", Option::files};
inline constexpr Option recursive_row{
    'r', "recursive", nullptr,
    "Of each directory, read the checkpoints in it and below: directories with images, and archives by their suffix."};
inline constexpr Option many_inputs_options[] = {files_from_row, recursive_row};
inline constexpr Option output_options[] = {output_row, sync_row.needs("output")};
inline constexpr Option force_options[] = {force_row.needs("output")};
inline constexpr Option limit_options[] = {max_entry_row, max_size_row};
inline constexpr Option input_options[] = {
    {0, "only", "GLOB", "Read only images whose path, or an end of it, matches; may be repeated."},
    {0, "except", "GLOB", "Skip images whose path, or an end of it, matches; may be repeated."},
    set_row,
    files_from_row,
    recursive_row,
    max_entry_row,
    max_size_row,
};
inline constexpr Option all_options[] = {
    {0, "all", nullptr, "Read the other files of archives and directories too (config.dump, ...)."},
};

// A parsed command line, and the place for messages.
class Program {
 public:
  const std::string& name() const { return name_; }  // as it was called
  bool has(std::string_view option) const;
  std::optional<std::string> value(std::string_view option) const;  // the last one given
  std::vector<std::string> values(std::string_view option) const;
  // A number with an optional K, M, G or T; usage error where it is none.
  std::uint64_t number(std::string_view option, std::uint64_t otherwise);
  const std::vector<std::string>& arguments() const { return arguments_; }
  void set_arguments(std::vector<std::string> arguments) { arguments_ = std::move(arguments); }
  // Takes the first argument away from the others; usage error with `missing` where there is none.
  std::string take_argument(const char* missing);
  // The arguments, or "-" where there is none; usage error where standard input is then a terminal.
  std::vector<std::string> inputs();

  // One line on stderr; sets the exit code.
  void report(const Error& error);
  // What errors begin with from now on, in place of the program's name.
  void introduce_errors(std::string words) { error_words_ = std::move(words); }
  void note(std::string_view message);                  // a line that changes no exit code
  [[noreturn]] void usage(const std::string& message);  // says what to do; exit 2
  // Usage error where one of the options was given: "--NAME why".
  void refuse(std::initializer_list<const char*> options, const std::string& why);
  int exit_code() const { return failed_ ? error_code_ : code_; }
  void set_error_code(int code) { error_code_ = code; }
  void set_exit_code(int code) { code_ = code; }
  bool failed() const { return failed_; }
  // Ends the output: a failed write is reported, unless nobody reads any more.
  int finish(Output& output);

  struct Given {
    std::string name, value;
  };
  // `called`: the program, or "crit NAME", whose help is then named.
  Program(const Filter& row, const std::string& called, std::vector<std::string> arguments, std::vector<Given> given)
      : name_{called.substr(0, called.find(' '))},
        help_of_{called == name_ ? row.name : called},
        arguments_{std::move(arguments)},
        given_{std::move(given)} {}

 private:
  std::string name_;  // as it was called
  std::string help_of_;
  std::string error_words_ = name_;
  std::vector<std::string> arguments_;
  std::vector<Given> given_;
  int code_ = exit_done, error_code_ = exit_error;
  bool failed_ = false;
};

Sync sync_of(const Program& program);  // as --no-sync says

// Standard output, or with -o FILE an AtomicFile that commit() puts in place.
class Destination {
 public:
  // Images and memory go into a file that only its owner may read; one that others may read is refused without --force,
  // unless it is named as an image that holds no memory.
  enum class Content : std::uint8_t { text, memory_text, binary, images };
  // Binary and images never go to a terminal: usage error with a hint. `option` is the one that names the file.
  Destination(Program& program, Content content, const char* option = "output");
  ~Destination();  // without commit(), an existing file stays as it was
  Output& output() { return file(); }
  int fd() const { return file().fd(); }
  bool is_named() const { return file_ != nullptr; }  // with -o
  enum class After : std::uint8_t { success, any };
  // Writes out; with -o the file is put in place if the program has not failed, or if a partial answer is of use: so
  // `after` says, or it is of several inputs. Returns the exit code.
  int commit(After after = After::success);

 private:
  FileOutput& file() const { return file_ ? file_->output() : *standard_output_; }

  Program& program_;
  const Content content_;
  std::unique_ptr<SignalCleanup> cleanup_;  // of its temporary file, which is gone before this is
  std::unique_ptr<AtomicFile> file_;
  std::unique_ptr<FileOutput> standard_output_;
};

}  // namespace critpipe::filters
