// fds: the descriptors of each task, with its working and root directories.
#include "report/explorers.hpp"

namespace critpipe {

namespace {

std::string shown_file(const Exploring& exploring, std::uint32_t type, std::uint32_t id) {
  return exploring.options.detail ? detailed_text(exploring, type, id) : file_text(exploring, type, id);
}

struct Directory {
  const char* name;
  std::uint32_t Task::*id;
};
constexpr Directory directories[] = {{"cwd", &Task::cwd_id}, {"root", &Task::root_id}};

void print_files(const Exploring& exploring, const Task& task) {
  exploring.write(format("%u\n", task.pid));
  for (const Descriptor& descriptor : exploring.checkpoint.descriptors(task))
    exploring.write(format("\t%7u: ", descriptor.fd) + shown_file(exploring, descriptor.type, descriptor.file_id) +
                    "\n");
  if (!task.has_directories) return;
  for (const Directory& directory : directories)
    exploring.write(format("\t%7s: ", directory.name) + shown_file(exploring, type_reg, task.*directory.id) + "\n");
}

// What is known of the file beyond go-criu's keys.
void put_file(Exploring& exploring, std::uint32_t type, std::uint32_t id) {
  JsonWriter& json = exploring.json;
  const File* file = exploring.checkpoint.find_file(type, id);
  const bool has_name = file && type != type_unix;  // a socket's is no path
  const std::string path = has_name ? exploring.checkpoint.path_of(*file) : std::string{};
  put_name(json, "path", path.empty() ? file_text(exploring, type, id) : path);
  json.key("id").number(id);
  if (!file) return;
  if (exploring.checkpoint.is_deleted(*file)) json.key("deleted").boolean(true);
  if (type != type_reg && type != type_pipe && type != type_unix)
    put_name(json, "about", detailed_text(exploring, type, id));
  if (exploring.options.detail)
    exploring.put_nested("file", [&](JsonWriter& inside) { inside.message(*file->message, file->payload); });
}

void put_descriptor(Exploring& exploring, const Descriptor& descriptor) {
  JsonWriter& json = exploring.json;
  const std::string_view type = type_name(descriptor.type);
  json.key("fd").number(descriptor.fd);
  json.key("fd_type").text(type.empty() ? std::to_string(descriptor.type) : type);
  put_file(exploring, descriptor.type, descriptor.file_id);
  json.key("fd_flags").number(descriptor.flags);
}

void put_directory(Exploring& exploring, const Task& task, const Directory& directory) {
  exploring.json.key("directory").text(directory.name);
  put_file(exploring, type_reg, task.*directory.id);
}

void put_lines(Exploring& exploring, const Task& task) {
  for (const Descriptor& descriptor : exploring.checkpoint.descriptors(task)) {
    exploring.put_pid(exploring.begin_line(), task);
    put_descriptor(exploring, descriptor);
    exploring.end_line();
  }
  if (!task.has_directories) return;
  for (const Directory& directory : directories) {
    exploring.put_pid(exploring.begin_line(), task);
    put_directory(exploring, task, directory);
    exploring.end_line();
  }
}

void put_task(Exploring& exploring, const Task& task) {
  JsonWriter& json = exploring.json;
  const auto descriptors = exploring.checkpoint.descriptors(task);
  exploring.put_pid(exploring.begin_line(), task);
  const bool any = !descriptors.empty() || task.has_directories;
  if (any) json.key("files").begin('[');
  for (const Descriptor& descriptor : descriptors) {
    json.begin('{');
    put_descriptor(exploring, descriptor);
    json.end('}');
  }
  if (task.has_directories)
    for (const Directory& directory : directories) {
      json.begin('{');
      put_directory(exploring, task, directory);
      json.end('}');
    }
  if (any) json.end(']');
  json.end('}');
}

}  // namespace

void explore_fds(Exploring& exploring) {
  const bool document = !exploring.is_text() && !exploring.is_lines();
  if (document) exploring.begin_list();
  for (const Task& task : exploring.checkpoint.tasks()) {
    if (!task.is_running()) continue;
    if (exploring.is_text()) print_files(exploring, task);
    else if (exploring.is_lines()) put_lines(exploring, task);
    else put_task(exploring, task);
  }
  if (document) exploring.end_list();
}

}  // namespace critpipe
