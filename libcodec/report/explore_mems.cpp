// mems: the mappings of each task.
#include <algorithm>
#include <unordered_map>

#include "report/explorers.hpp"

namespace critpipe {

namespace {

constexpr std::uint32_t regular = 1 << 0, stack = 1 << 1, vsyscall = 1 << 2, vdso = 1 << 3, file_private = 1 << 6,
                        file_shared = 1 << 7, anon_shared = 1 << 8, sysv = 1 << 10, socket = 1 << 11,
                        grows_down = 0x100;

// Shared objects are numbered from 1 as they are met, over all tasks.
class Numbers {
 public:
  std::uint64_t of(std::uint64_t shmid) { return numbers_.try_emplace(shmid, numbers_.size() + 1).first->second; }

 private:
  std::unordered_map<std::uint64_t, std::uint64_t> numbers_;
};

std::string file_resource(const Exploring& exploring, const Mapping& mapping) {
  std::string text =
      path_text(exploring, exploring.checkpoint.file_of(mapping), exploring.is_text() ? "unknown path" : "unknown");
  if (mapping.pgoff != 0) append_hex(text += " + 0x", mapping.pgoff);
  if (mapping.status & file_shared) text += " (s)";
  return text;
}

// What is mapped, as crit says it: the first that fits.
std::string resource_of(const Exploring& exploring, const Mapping& mapping, Numbers& numbers) {
  const std::uint32_t status = mapping.status;
  std::string text;
  if (status & sysv) text = format("ips[%lx]", numbers.of(mapping.shmid));
  else if (status & anon_shared) text = format("shmem[%lx]", numbers.of(mapping.shmid));
  else if (status & socket) text = format("packet[%lx]", numbers.of(mapping.shmid));
  else if (status & (file_private | file_shared)) text = file_resource(exploring, mapping);
  else if (status & stack) text = "[stack]";
  else if (status & vsyscall) text = "[vsyscall]";
  else if (status & vdso) text = "[vdso]";
  else if (mapping.flags & grows_down) text = "[stack?]";
  else if (exploring.options.detail && mapping.kind() != Mapping::Kind::anon)
    text = exploring.checkpoint.name_of(mapping);
  if (status & regular) return text;
  return exploring.is_text() && text.empty() ? "*" : text + " *";
}

void print_mappings(const Exploring& exploring, const Task& task, Numbers& numbers) {
  const File* exe = exploring.checkpoint.directory(task.memory.exe_id);
  exploring.write(format("%u\n", task.pid));
  if (!task.has_memory) return;
  exploring.write(format("\t%-36s    ", "exe") + path_text(exploring, exe, "unknown path") + "\n");
  std::string line;
  for (const Mapping& mapping : task.memory.mappings) {
    line.assign(1, '\t');
    append_hex(line, mapping.start, 8);
    line += '-';
    append_hex(line, mapping.end, 8);
    line.resize(std::max<std::size_t>(line.size(), 37), ' ');
    line += protection_of(mapping);
    const std::string resource = resource_of(exploring, mapping, numbers);
    if (!resource.empty()) line += ' ';
    line += resource;
    line += '\n';
    exploring.write(line);
  }
}

void put_mapping(Exploring& exploring, const Mapping& mapping, Numbers& numbers) {
  JsonWriter& json = exploring.json;
  json.key("start").hex(mapping.start).key("end").hex(mapping.end);
  json.key("protection").text(protection_of(mapping));
  const std::string resource = resource_of(exploring, mapping, numbers);
  if (!resource.empty()) put_name(json, "resource", resource);
  json.key("address").number(mapping.start).key("size").number(mapping.end - mapping.start);
  json.key("kind").text(name_of(mapping.kind())).key("shared").boolean(mapping.is_shared());
  if (const File* file = exploring.checkpoint.file_of(mapping)) {
    put_name(json, "path", exploring.checkpoint.path_of(*file));
    json.key("offset").number(mapping.pgoff);
    json.key("file_id").number(file->id);
  } else if (mapping.shmid != 0) {
    json.key("shmid").number(mapping.shmid).key("offset").number(mapping.pgoff);
  }
  if (!exploring.options.detail) return;
  json.key("prot").number(mapping.prot).key("flags").number(mapping.flags).key("status").number(mapping.status);
}

void put_task(Exploring& exploring, const Task& task, Numbers& numbers) {
  JsonWriter& json = exploring.json;
  exploring.put_pid(exploring.begin_line(), task);
  put_name(json, "exe", path_text(exploring, exploring.checkpoint.directory(task.memory.exe_id), "unknown"));
  if (!task.memory.mappings.empty()) {
    json.key("mems").begin('[');
    for (const Mapping& mapping : task.memory.mappings) {
      json.begin('{');
      put_mapping(exploring, mapping, numbers);
      json.end('}');
    }
    json.end(']');
  }
  json.end('}');
}

}  // namespace

void explore_mems(Exploring& exploring) {
  Numbers numbers;
  if (exploring.is_text()) {
    for (const Task& task : exploring.checkpoint.tasks())
      if (task.is_running()) print_mappings(exploring, task, numbers);
    return;
  }
  if (!exploring.is_lines()) exploring.begin_list();
  for (const Task& task : exploring.checkpoint.tasks()) {
    if (!task.is_running() || !task.has_memory) continue;
    if (!exploring.is_lines()) {
      put_task(exploring, task, numbers);
      continue;
    }
    for (const Mapping& mapping : task.memory.mappings) {
      exploring.put_pid(exploring.begin_line(), task);
      put_mapping(exploring, mapping, numbers);
      exploring.end_line();
    }
  }
  if (!exploring.is_lines()) exploring.end_list();
}

}  // namespace critpipe
