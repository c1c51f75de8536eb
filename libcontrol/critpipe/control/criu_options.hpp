// rpc: The options of CRIU, as the message criu_opts has them, and how each goes over the command line.
//
//     CriuOptions options;
//     Error error = options.set("pid", 12);
//     if (!error) error = options.assign("tcp_established=true");      // as crit-dump --set
//     if (!error) error = options.assign("ps.port=9000");
//     if (!error) error = options.assign("external=mnt[/data]:data");  // repeated: one more
//     std::vector<std::string> words;
//     error = options.command_line(CriuUse::dump_stream, words);       // a page server and a stream exclude each other
//     assert(error.reason == Reason::usage);
//
// The names, numbers and types are those of proto/rpc.proto: an option of a newer CRIU works once it has a field there.
// An object is for one thread at a time.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "critpipe/fields.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

// What a command line is for. Into a stream and out of one, not all options go.
enum class CriuUse : std::uint8_t { dump_stream, restore_stream, restore };

// How one field of criu_opts goes over the command line.
struct CriuOptionRow {
  std::string_view field;
  std::string_view flag;     // "--shell-job"; empty: it has none
  std::string_view refused;  // why it does not go into a stream; empty: it does
  std::string_view about;    // what the text of the value is, where it is not the value itself: "fd[N]:KEY"
  // A job sets it itself: dump_into() and its like.
  bool is_ours() const { return refused.starts_with("critpipe"); }
};

// All fields of criu_opts in the order of their numbers.
std::span<const CriuOptionRow> criu_option_rows();

class CriuOptions {
 public:
  CriuOptions();  // images_dir_fd = -1, which means none and which CRIU requires

  // Sets a field by its path, "pid" or "ps.port". Reasons: usage.
  [[nodiscard]] Error set(std::string_view path, const FieldValue& value);
  // Adds a value to a repeated field of texts. Reasons: usage.
  [[nodiscard]] Error add(std::string_view name, std::string_view value);
  // PATH=VALUE as people write it: true and false (or yes, no, 1, 0), numbers with K, M, G, names of enums in any case,
  // messages as JSON. Repeated fields get one value more. Reasons: usage.
  [[nodiscard]] Error assign(std::string_view assignment);

  bool has(std::string_view name) const;
  bool is_on(std::string_view name) const;  // a bool that is true
  std::uint64_t number(std::string_view name, std::uint64_t otherwise) const;
  std::string text(std::string_view name) const;        // of a string; empty: it is not set
  Bytes payload() const { return bytes_of(payload_); }  // of criu_opts

  // The words of a command line that say the same, without the directories and the log. Reasons: usage, for what has no
  // such form; all of it that does is appended.
  [[nodiscard]] Error command_line(CriuUse use, std::vector<std::string>& words) const;

 private:
  std::string payload_;
};

}  // namespace critpipe
#pragma GCC visibility pop
