// LXC: its commands.
#include <charconv>

#include "engines/engine.hpp"
#include "engines/run_command.hpp"
#include "process/program_path.hpp"
#include "engines/troubles.hpp"

namespace critpipe {

namespace {

constexpr std::string_view who = "lxc";

// The value of a line "KEY  VALUE" or "KEY = VALUE".
std::string value_of(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (!line.starts_with(key)) continue;
    line.remove_prefix(key.size());
    const std::size_t first = line.find_first_not_of(" \t=:"), last = line.find_last_not_of(" \t");
    return first == line.npos ? std::string{} : std::string{line.substr(first, last - first + 1)};
  }
  return {};
}

void ask(const std::string& name, const ContainerQuery& query, std::vector<RunningContainer>& found) {
  RunningContainer container;
  container.engine = container.runtime = who;
  container.id = container.name = name;
  const std::string text = run_command({"lxc-info", "-n", name, "-s", "-p", "-i"}).output;
  container.state = lower(value_of(text, "State:"));
  const std::string pid = value_of(text, "PID:");
  std::from_chars(pid.data(), pid.data() + pid.size(), container.pid);
  if (container.pid <= 0 || !is_process(container.pid, container.start_time)) container.pid = 0;
  if (container.state == "frozen") container.state = "paused";
  std::string root = value_of(run_command({"lxc-info", "-n", name, "-c", "lxc.rootfs.path"}).output, "lxc.rootfs.path");
  container.root = root.substr(root.starts_with("dir:") ? 4 : 0);
  if (std::string address = value_of(text, "IP:"); !address.empty())
    container.networks.push_back({.network = {}, .interface = {}, .addresses = {address}, .gateways = {}, .mac = {}});
  if (container.pid || query.all) found.push_back(std::move(container));
}

void list(const ContainerQuery& query, EngineAnswer& answer, std::vector<RunningContainer>& found) {
  if (!has_program("lxc-ls") || !has_program("lxc-info")) return;
  answer.is_here = true;
  const CommandAnswer names = run_command({"lxc-ls", "-1"});
  answer.error = names.error;
  std::string_view rest = names.output;
  while (!rest.empty() && found.size() < most_containers) {
    const std::string name{rest.substr(0, rest.find('\n'))};
    rest.remove_prefix(std::min(name.size() + 1, rest.size()));
    if (const std::size_t last = name.find_last_not_of(" \t"); last != name.npos)
      ask(name.substr(0, last + 1), query, found);
  }
}

MachineFinding against(const RunningContainer&, const DumpWish& wish) {
  if (wish.pre_dump) return trouble("lxc-pre-dump");
  return has_program("lxc-checkpoint") ? MachineFinding{} : trouble("engine-program", "lxc-checkpoint");
}

Error dump(const RunningContainer& container, const EngineDump& dump, EngineDumpResult&) {
  std::vector<std::string> words{"lxc-checkpoint", "-n", container.name, "-D", dump.directory};
  if (!dump.wish.leave_running) words.emplace_back("-s");
  return run_command(words, {.seconds = 0, .stop_fd = dump.stop_fd}).error;
}

Error restore(const RunningContainer& container, const EngineRestore& restore, int& tries) {
  tries = 1;
  return run_command({"lxc-checkpoint", "-r", "-n", container.name, "-D", restore.directory},
                     {.seconds = 0, .stop_fd = restore.stop_fd})
      .error;
}

}  // namespace

constinit const Engine lxc_engine{{who, "lxc-ls and lxc-info"}, list, against, dump, restore, nullptr};

}  // namespace critpipe
