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
inline constexpr Option output_row{'o', "output", "FILE",
                                   "Write to FILE, which is replaced only once the output is complete.", Option::files};
inline constexpr Option stream_row{0, "stream", nullptr, "Write an image stream even for a single image."};
inline constexpr Option max_entry_row{0, "max-entry", "SIZE", "Refuse messages larger than SIZE (256M)."};
inline constexpr Option max_size_row{0, "max-size", "SIZE", "Refuse inputs that unpack to more than SIZE."};
inline constexpr Option page_size_row{0, "page-size", "SIZE", "Assume pages of SIZE where the images do not tell."};
inline constexpr Option pid_row{'p', "pid", "PID", "Look at this process only; may be repeated."};
inline constexpr Option output_options[] = {output_row};
inline constexpr Option limit_options[] = {max_entry_row, max_size_row};
inline constexpr Option input_options[] = {
    {0, "only", "GLOB", "Read only images whose name matches; may be repeated."},
    {0, "except", "GLOB", "Skip images whose name matches; may be repeated."},
    {0, "all", nullptr, "Read the other files of archives and directories too (config.dump, ...)."},
    max_entry_row,
    max_size_row,
};

// A parsed command line, and the place for messages.
class Program {
 public:
  bool has(std::string_view option) const;
  std::optional<std::string> value(std::string_view option) const;  // the last one given
  std::vector<std::string> values(std::string_view option) const;
  // A number with an optional K, M, G or T; usage error where it is none.
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

// Standard output, or with -o FILE a new file beside it that takes its name when commit() says that it is complete.
class Destination {
 public:
  enum class Content : std::uint8_t { text, binary };
  // Binary never goes to a terminal: usage error with a hint.
  // `option` names the file.
  Destination(Program& program, Content content, const char* option = "output");
  ~Destination();  // without commit() the new file is removed
  Output& output() { return *output_; }
  int fd() const { return output_->fd(); }
  // Writes out; with -o the file is put in place unless the program has failed, or also then where a part is of use.
  // Returns the exit code.
  int commit(bool also_in_part = false);

 private:
  Program& program_;
  std::string path_;
  std::string temporary_;
  std::unique_ptr<Leftover> leftover_;  // temporary_
  std::unique_ptr<FileOutput> output_;
};

}  // namespace critpipe::filters
