// Files as text: as crit prints them, as go-criu does, and in detail.
#include <algorithm>

#include "report/file_details.hpp"
#include "model/message_reader.hpp"
#include "base/quoted_printable.hpp"

namespace critpipe {

namespace {

// One {part} of a row's text.
std::string part_text(const Exploring& exploring, const File& file, const FileDetail& detail, std::string_view part) {
  if (part == "*") return detail.part(exploring, file);
  const bool hex = part.ends_with(":x");
  const Field* field = file.message->find(hex ? part.substr(0, part.size() - 2) : part);
  if (!field->is_integer()) return exploring.shown(text_of(file, field->name()));
  const std::uint64_t number = number_of(file, field->name());
  return hex ? format("%lx", number) : format("%ld", static_cast<std::int64_t>(number));
}

std::string filled(const Exploring& exploring, const File& file, const FileDetail& detail) {
  std::string text;
  std::string_view row = detail.text;
  while (!row.empty()) {
    const std::size_t open = std::min(row.find('{'), row.size());
    text += row.substr(0, open);
    row.remove_prefix(open);
    if (row.empty()) break;
    const std::size_t close = row.find('}');
    text += part_text(exploring, file, detail, row.substr(1, close - 1));
    row.remove_prefix(close + 1);
  }
  return text;
}

std::string unix_text(const Exploring& exploring, const File& file) {
  const std::string_view name = text_of(file, "name");
  const std::string begin = format("unix[%lu (%lu)", number_of(file, "ino"), number_of(file, "peer"));
  if (!exploring.is_text()) return joined({begin, " ", name, "]"});
  std::string quoted;
  append_quoted(std::as_bytes(std::span{name}), quoted);
  return joined({begin, quoted.empty() ? "" : " ", exploring.shown(quoted), "]"});
}

}  // namespace

std::string path_text(const Exploring& exploring, const File* file, std::string_view unknown) {
  const std::string path = file ? exploring.checkpoint.path_of(*file) : std::string{};
  return path.empty() ? std::string{unknown} : exploring.shown(path);
}

std::string file_text(const Exploring& exploring, std::uint32_t type, std::uint32_t id) {
  const File* file = exploring.checkpoint.find_file(type, id);
  switch (type) {
    case type_reg: return path_text(exploring, file, exploring.is_text() ? "unknown path" : "unknown");
    case type_pipe: return file ? format("pipe[%lu]", number_of(*file, "pipe_id")) : "pipe[?]";
    case type_unix: return file ? unix_text(exploring, *file) : "unix[?]";
    default: break;
  }
  const std::string_view name = type_name(type);
  return joined({name.empty() ? std::to_string(type) : name, ".", std::to_string(id)});
}

std::string detailed_text(const Exploring& exploring, std::uint32_t type, std::uint32_t id) {
  const FileDetail* detail = detail_of(type);
  const File* file = exploring.checkpoint.find_file(type, id);
  return file && detail ? filled(exploring, *file, *detail) : file_text(exploring, type, id);
}

}  // namespace critpipe
