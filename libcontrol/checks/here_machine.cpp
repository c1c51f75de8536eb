// Processor, security modules, capabilities and control groups of a restore.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

#include "checks/capabilities.hpp"
#include "checks/here_look.hpp"
#include "process/proc_text.hpp"

namespace critpipe {

namespace {

#if defined(__x86_64__) || defined(__i386__)

// Instructions that programs choose when they start. The images have the words of features in the order of the kernel.
struct Feature {
  unsigned word, bit;
  const char* name;
};
constexpr Feature features[] = {
    {0, 15, "cmov"},       {0, 25, "sse"},        {0, 26, "sse2"},     {4, 0, "sse3"},      {4, 1, "pclmulqdq"},
    {4, 9, "ssse3"},       {4, 12, "fma"},        {4, 13, "cx16"},     {4, 19, "sse4_1"},   {4, 20, "sse4_2"},
    {4, 22, "movbe"},      {4, 23, "popcnt"},     {4, 25, "aes"},      {4, 26, "xsave"},    {4, 28, "avx"},
    {4, 29, "f16c"},       {4, 30, "rdrand"},     {6, 0, "lahf_lm"},   {6, 5, "abm"},       {6, 6, "sse4a"},
    {6, 11, "xop"},        {6, 16, "fma4"},       {6, 21, "tbm"},      {9, 0, "fsgsbase"},  {9, 3, "bmi1"},
    {9, 4, "hle"},         {9, 5, "avx2"},        {9, 8, "bmi2"},      {9, 9, "erms"},      {9, 11, "rtm"},
    {9, 14, "mpx"},        {9, 16, "avx512f"},    {9, 17, "avx512dq"}, {9, 18, "rdseed"},   {9, 19, "adx"},
    {9, 21, "avx512ifma"}, {9, 23, "clflushopt"}, {9, 24, "clwb"},     {9, 26, "avx512pf"}, {9, 27, "avx512er"},
    {9, 28, "avx512cd"},   {9, 29, "sha_ni"},     {9, 30, "avx512bw"}, {9, 31, "avx512vl"},
};

std::array<std::uint32_t, 10> features_here() {
  std::array<std::uint32_t, 10> words = {};
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d)) {
    words[0] = d;
    words[4] = c;
  }
  if (__get_cpuid(0x80000001, &a, &b, &c, &d)) words[6] = c;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) words[9] = b;
  return words;
}

// The parts of a processor's state that the kernel saves.
std::uint64_t states_here() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid_count(0xd, 0, &a, &b, &c, &d)) return 0;
  return (std::uint64_t{d} << 32) | a;
}

std::string missing_here(const EntryPart& image) {
  const auto had = entry_numbers(*image.message, image.payload, "capability");
  const auto here = features_here();
  std::string names;
  for (const Feature& one : features) {
    const std::uint32_t bit = std::uint32_t{1} << one.bit;
    if (one.word < had.size() && (had[one.word] & bit) && !(here[one.word] & bit))
      names.append(names.empty() ? "" : ", ").append(one.name);
  }
  return names;
}

void check_processor(HereLook& look) {
  // CRIU compares processors only where it is told to.
  constexpr std::uint64_t processor = 1, instructions = 4, none_told = 0xffffffff;
  const std::uint64_t told = look.options.number("cpu_cap", none_told);
  const bool compares = told != none_told && (told & (processor | instructions));
  for (const ImageMessage& entry : look.checkpoint.messages("CPUINFO"))
    for (const EntryPart& image : entry_parts(*entry.message, entry.payload, "x86_entry")) {
      if (const std::string names = missing_here(image); !names.empty())
        look.find(compares ? Severity::error : Severity::warning,
                  "this processor lacks instructions of the dumped machine's: " + names,
                  "a program that uses them dies of SIGILL: restore on a machine that has them");
      const std::uint64_t lost = entry_number(*image.message, image.payload, "xfeatures_mask") & ~states_here();
      if (lost != 0)
        look.find(compares ? Severity::error : Severity::warning,
                  format("this processor does not save parts of the state that the dumped machine's did: %#llx",
                         static_cast<unsigned long long>(lost)),
                  "restore on a machine that has them");
    }
}

#else

void check_processor(HereLook&) {}

#endif

std::string machine_here() {
#if defined(__x86_64__) || defined(__i386__)
  return "X86_64";
#elif defined(__aarch64__)
  return "AARCH64";
#elif defined(__arm__)
  return "ARM";
#elif defined(__powerpc64__)
  return "PPC64";
#elif defined(__s390x__)
  return "S390";
#elif defined(__mips__)
  return "MIPS";
#elif defined(__riscv)
  return "RISCV64";
#elif defined(__loongarch64)
  return "LOONGARCH64";
#else
  return "";
#endif
}

void check_architecture(HereLook& look) {
  const std::string here = machine_here();
  for (const Task* task : look.running()) {
    if (task->machine.empty() || here.empty() || task->machine == here) continue;
    return look.find(Severity::error,
                     text_of(*task) + " was dumped on another kind of machine, " + std::string{task->machine} +
                         ", and this is " + here,
                     "restore on such a machine", task->pid);
  }
}

std::string contents_of(const char* path) {
  std::string text;
  FILE* const file = fopen(path, "re");
  if (!file) return text;
  char block[4096];
  for (std::size_t got; text.size() < (1 << 20) && (got = fread(block, 1, sizeof block, file)) > 0;)
    text.append(block, got);
  fclose(file);
  return text;
}

constexpr const char* apparmor_directory = "/sys/kernel/security/apparmor";

// By CRIU's numbers of them: 1 SELinux, 2 AppArmor.
std::uint64_t security_module_here() {
  if (access(apparmor_directory, F_OK) == 0) return 2;
  return access("/sys/fs/selinux/enforce", F_OK) == 0 ? 1 : 0;
}
constexpr const char* module_names[] = {"no security module", "SELinux", "AppArmor"};

void check_profiles(HereLook& look) {
  std::uint64_t had = 0;
  for (const ImageMessage& inventory : look.checkpoint.messages("INVENTORY"))
    had = entry_number(*inventory.message, inventory.payload, "lsmtype");
  std::map<std::string, std::vector<const Task*>> profiles;
  for (const Task* task : look.running())
    if (!task->credentials.lsm_profile.empty()) profiles[task->credentials.lsm_profile].push_back(task);
  const std::uint64_t here = security_module_here();
  if (profiles.empty() || look.options.has("lsm_profile")) return;
  if (had != here && had <= 2) {
    const auto& [profile, tasks] = *profiles.begin();
    return look.find(Severity::error,
                     text_of(tasks) + (tasks.size() == 1 ? " has" : " have") + " the profile " + visible(profile) +
                         " of " + module_names[had] + ", and this machine has " + module_names[here],
                     "--lsm-profile none: leaves them without one", tasks[0]->pid);
  }
  constexpr std::uint64_t apparmor = 2;
  const std::string list = here == apparmor ? contents_of("/sys/kernel/security/apparmor/profiles") : "";
  if (list.empty()) return;
  for (const auto& [profile, tasks] : profiles) {
    const std::string name = profile.substr(0, profile.find(" ("));
    bool is_loaded = false;
    for (const std::string_view line : lines_of(list))
      is_loaded = is_loaded || line.substr(0, line.rfind(" (")) == name;
    if (!is_loaded)
      look.find(Severity::error,
                "the AppArmor profile " + visible(name) + " of " + text_of(tasks) + " is not loaded here",
                "load it, or --lsm-profile apparmor:NAME with one that is", tasks[0]->pid);
  }
}

void check_capabilities(HereLook& look) {
  if (look.brings(&Ids::user_ns)) return;
  const Capabilities ours = capabilities_of(getpid());
  std::map<std::uint64_t, std::vector<const Task*>> lacking, losing;
  for (const Task* task : look.running()) {
    const Credentials& had = task->credentials;
    if (!had.is_known) continue;
    if (const std::uint64_t lacks = (had.permitted | had.effective | had.inheritable) & ~ours.bounding)
      lacking[lacks].push_back(task);
    else if (const std::uint64_t loses = had.bounding & ~ours.bounding) losing[loses].push_back(task);
  }
  for (const auto& [set, tasks] : lacking)
    look.find(Severity::error,
              text_of(tasks) + (tasks.size() == 1 ? " has" : " have") +
                  " capabilities that we may not give: " + capability_list(set),
              "restore from where the bounding set has them", tasks[0]->pid);
  for (const auto& [set, tasks] : losing)
    look.find(Severity::loss,
              text_of(tasks) + (tasks.size() == 1 ? " loses" : " lose") +
                  " capabilities of the bounding set: " + capability_list(set),
              "restore from where the bounding set has them", tasks[0]->pid);
}

// What we may do ourselves.
void check_privileges(HereLook& look) {
  const Capabilities ours = capabilities_of(getpid());
  if (ours.has(Capabilities::sys_admin)) return;
  if (!ours.has(Capabilities::checkpoint_restore))
    return look.find(Severity::error, "we have neither CAP_SYS_ADMIN nor CAP_CHECKPOINT_RESTORE",
                     "restore as root, or give criu that capability: setcap cap_checkpoint_restore+eip");
  for (const auto& [space, name] : {std::pair{&Ids::net_ns, "network"}, std::pair{&Ids::mnt_ns, "mount"},
                                    std::pair{&Ids::pid_ns, "pid"}, std::pair{&Ids::ipc_ns, "ipc"}})
    if (look.brings(space))
      look.find(Severity::error,
                std::string{"the tree has a "} + name + " namespace of its own, which needs CAP_SYS_ADMIN",
                "restore as root");
  for (const Task* task : look.running())
    if (task->credentials.is_known && task->credentials.uid != geteuid())
      return look.find(
          Severity::error,
          text_of(*task) + " runs as user " + std::to_string(task->credentials.uid) + ", and we are not root",
          "restore as root", task->pid);
}

// Kernels have had time namespaces since 5.6, and CRIU puts every tree into one.
void check_time(HereLook& look) {
  bool has_time = false;
  for (const Task* task : look.running()) has_time = has_time || task->ids.time_ns != 0;
  if (has_time && access("/proc/self/ns/time", F_OK) != 0)
    look.find(Severity::error, "this kernel has no time namespaces, and the images have one",
              "restore on a kernel of 5.6 or later that has them");
}

void check_control_groups(HereLook& look) {
  constexpr std::uint64_t ignores = 0, none = 1;
  const std::uint64_t mode = look.options.number("manage_cgroups_mode", ignores);
  if (mode == ignores || mode == none) return;
  const std::string known = contents_of("/proc/cgroups"), ours = contents_of("/proc/self/cgroup");
  const auto is_here = [&](const std::string& name) {
    if (name.empty()) return ours.find("0::") != std::string::npos;
    if (name.starts_with("name=")) return true;  // CRIU mounts it
    for (const std::string_view line : lines_of(known))
      if (const auto words = words_of(line); !words.empty() && words[0] == name) return true;
    return false;
  };
  for (const ImageMessage& entry : look.checkpoint.messages("CGROUP"))
    for (const EntryPart& controller : entry_parts(*entry.message, entry.payload, "controllers"))
      for (const std::string& name : entry_texts(*controller.message, controller.payload, "cnames"))
        if (!is_here(name))
          look.find(Severity::error,
                    name.empty() ? "this machine has no cgroups of version 2, and the tree was in one"
                                 : "this machine has no cgroup controller " + visible(name) + ", and the tree used it",
                    "--manage-cgroups=ignore leaves the tree where we are");
}

constexpr HereCheckRow rows[] = {
    {{"architecture", "the machine is of the same kind", "CPU architecture mismatch"}, check_architecture},
    {{"processor", "the processor has the features of the dumped machine's",
      "CPU xfeatures has unsupported bits; FPU feature required by image is not supported on host"},
     check_processor},
    {{"security-profile", "profiles of AppArmor and SELinux are here",
      "mismatched lsm types and lsm profile specified; can't write lsm profile"},
     check_profiles},
    {{"capabilities", "we can give the tasks their capabilities", "Unable to restore capabilities: -1"},
     check_capabilities},
    {{"privileges", "we may restore such a tree", "Operation not permitted"}, check_privileges},
    {{"time-namespace", "the kernel has time namespaces", "Unable to set a monotonic clock offset"}, check_time},
    {{"control-groups", "the cgroup controllers of the images are here", "cg: Can't mount controller dir"},
     check_control_groups},
};

}  // namespace

std::span<const HereCheckRow> here_machine_checks() { return rows; }

}  // namespace critpipe
