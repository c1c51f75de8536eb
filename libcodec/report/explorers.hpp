// What the explorers share. Internal.
#pragma once

#include <cstdarg>
#include <span>
#include <string>

#include "critpipe/json.hpp"
#include "model/model.hpp"
#include "critpipe/report.hpp"

namespace critpipe {

// A key whose value is a list or an object, which `put` writes. A line is a row of columns: there it is JSON in a text.
template <typename Put>
void put_nested(JsonWriter& json, std::string_view key, bool is_line, Put put,
                BigNumbers big_numbers = BigNumbers::number) {
  constexpr std::size_t most_bytes = 256;  // of a text that may be one of millions
  if (!is_line) return (void)put(json.key(key));
  StringOutput text{most_bytes};
  JsonWriter inside{text, false, big_numbers};
  put(inside);
  json.key(key).text(text.take());
}

// A question that is being answered: what is asked, of what, and where the answer goes.
struct Exploring {
  const Checkpoint& checkpoint;
  const ExploreOptions& options;
  Output& output;
  JsonWriter& json;

  bool is_text() const { return options.form == ExploreOptions::Form::text; }
  bool is_lines() const { return options.form == ExploreOptions::Form::lines; }
  // A name from an image: in text escaped where it would break its line or is no UTF-8.
  std::string shown(std::string_view name) const;
  // A head goes before rows, and not before errors alone.
  bool has_head(std::size_t nr_rows) const { return nr_rows > 0 || checkpoint.errors().empty(); }
  void write(std::string_view text) const { output.write(text); }
  // Opens the object of a line; the caller closes it.
  JsonWriter& begin_line();
  // The task that something belongs to, by its pid and name.
  JsonWriter& put_pid(JsonWriter& at, const Task& task) {
    at.key("pid").number(task.pid);
    if (has_name(task)) put_name(at, "comm", task.comm);
    return at;
  }
  // Without its core image, which is what says the state, too, a task has no name.
  static bool has_name(const Task& task) { return task.state != TaskState::unknown || !task.comm.empty(); }
  void end_line() { json.end('}').line_end(); }
  template <typename Put>
  void put_nested(std::string_view key, Put put) {
    critpipe::put_nested(json, key, is_lines(), put, options.big_numbers);
  }
  // Around the elements of a document that is a list.
  void begin_list() {
    if (!options.list) json.begin('[');
  }
  void end_list() {
    if (!options.list) json.end(']').line_end();
  }
};

using Explore = void(Exploring& exploring);
Explore explore_ps, explore_fds, explore_mems, explore_rss, explore_sk;

// Words as a shell takes them.
std::string shell_text(std::span<const std::string> words);
std::string joined(std::initializer_list<std::string_view> parts);
void append_hex(std::string& text, std::uint64_t value, std::size_t width = 1);  // zeros up to the width, 16 at most

// Names of files as crit prints them, and as go-criu does. unknown: the word where there is none.
std::string file_text(const Exploring& exploring, std::uint32_t type, std::uint32_t id);
std::string path_text(const Exploring& exploring, const File* file, std::string_view unknown);
// What the file is, for people: "tcp[127.0.0.1:80 LISTEN]".
std::string detailed_text(const Exploring& exploring, std::uint32_t type, std::uint32_t id);

// "127.0.0.1:80", "[::1]:*"
std::string endpoint(const std::string& address, std::uint32_t port);
// Of a socket of that type of file: "inet", "inet6", "unix", "netlink", "packet".
std::string_view domain_of(std::uint32_t type, std::uint32_t family);

}  // namespace critpipe
