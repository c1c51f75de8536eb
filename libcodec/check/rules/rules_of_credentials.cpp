// Credentials, seccomp filters, control groups, and the settings that older releases kept in images of their own.
#include <algorithm>

#include "check/checked_images.hpp"

namespace critpipe {

namespace {

constexpr std::uint32_t filter_mode = 2;

std::string core_name(std::uint32_t tid) { return image_name("CORE", tid); }

void find_missing_settings(const CheckedImages& set, const Reporter& report) {
  if (set.is_cut) return;
  for (const Task* const task : set.running()) {
    const SeenCore& core = set.cores.at(task->pid);
    if (!core.has_thread || set.is_damaged(core_name(task->pid))) continue;
    const auto want = [&](bool has, const char* kind, const char* what, Severity severity) {
      const std::string name = image_name(kind, task->pid);
      if (!has && !set.has(name))
        report(
            {name},
            format("this image is missing, and %s has no %s of task %u", core_name(task->pid).c_str(), what, task->pid),
            severity);
    };
    want(core.has_creds, "CREDS", "credentials", Severity::error);
    want(core.has_actions, "SIGACT", "signal actions", Severity::error);
    want(core.has_timers, "ITIMERS", "timers", Severity::error);
    want(core.has_rlimits, "RLIMIT", "resource limits", Severity::loss);
  }
}

void find_filters(const CheckedImages& set, const Reporter& report) {
  const Record filters = set.first("SECCOMP");
  std::uint64_t count = 0;
  filters.each("seccomp_filters", [&](const Record& filter) {
    if (filter.has("prev") && filter.number("prev") >= count)
      report({"seccomp.img", 0, format("seccomp_filters[%llu].prev", static_cast<unsigned long long>(count))},
             "it comes behind itself");
    ++count;
  });
  if (set.is_damaged("seccomp.img")) return;
  for (const auto& [tid, core] : set.cores)
    if (core.seccomp_mode == filter_mode && core.seccomp_filter >= count)
      report({core_name(tid), 0, "thread_core.seccomp_filter"},
             format("filter %u of thread %u is not in seccomp.img, which has %llu", core.seccomp_filter, tid,
                    static_cast<unsigned long long>(count)));
}

void find_no_filters(const CheckedImages& set, const Reporter& report) {
  if (set.running().empty() || set.has("seccomp.img") || set.is_cut) return;
  const SeenCore& core = set.cores.at(set.running().front()->pid);
  const auto has_filter = [](const auto& one) { return one.second.seccomp_mode == filter_mode; };
  if (core.has_comm && std::ranges::none_of(set.cores, has_filter))
    report({"seccomp.img"}, "this image is missing; no task has a filter, so nothing is lost");
}

void find_control_groups(const CheckedImages& set, const Reporter& report) {
  const std::uint64_t own = set.first("INVENTORY").number("root_cg_set");
  if (set.is_damaged("cgroup.img") || !set.first("INVENTORY")) return;
  std::set<std::uint64_t> known;
  set.first("CGROUP").each("sets", [&](const Record& one) { known.insert(one.number("id")); });
  for (const auto& [tid, core] : set.cores)
    for (const std::uint64_t id : {core.task_cgroups, core.thread_cgroups})
      if (id != 0 && id != own && !known.contains(id)) {
        report({core_name(tid), 0, "cg_set"},
               format("cgroup.img has no set %llu of control groups", static_cast<unsigned long long>(id)));
        break;
      }
}

constexpr RuleRow rows[] = {
    {{"settings-missing", Severity::error, "A task has no credentials, signal actions, timers or resource limits.",
      "Copy the images again, or dump again."},
     find_missing_settings},
    {{"seccomp-filter", Severity::error, "A seccomp filter is not in the images.",
      "Take the core images and seccomp.img from the same dump."},
     find_filters},
    {{"seccomp-missing", Severity::warning, "There is no seccomp.img, which CRIU has written since 3.14.",
      "Copy the image again if it can be had."},
     find_no_filters},
    {{"cgroup-set", Severity::error, "A set of control groups is not in the images.",
      "Take the core images and cgroup.img from the same dump."},
     find_control_groups},
};

}  // namespace

std::span<const RuleRow> credentials_rules() { return rows; }

}  // namespace critpipe
