// Values that CRIU or the kernel refuses. Those of single fields are rows of check/field_tables.cpp.
#include <algorithm>

#include "check/checked_images.hpp"
#include "model/file_types.hpp"

namespace critpipe {

namespace {

using Known = std::vector<std::uint32_t>;

// Of which field; its values are those of the schema where none are listed.
struct Choice {
  const char* field;
  Known known = {};
  bool has(const Record& record) const {
    const std::uint32_t value = record.id(field);
    if (!known.empty()) return std::ranges::find(known, value) != known.end();
    return record.has_name(field);
  }
};

class Values {
 public:
  Values(const Reporter& report, std::string image, std::uint64_t entry = 0)
      : report_{report}, image_{std::move(image)}, entry_{entry} {}
  void look(const Record& record, const Choice& choice, std::string_view above = {}) const {
    if (!record || choice.has(record)) return;
    const std::string field = std::string{above}.append(choice.field);
    report_({image_, entry_, field}, unknown_value(record.id(choice.field)));
  }

 private:
  const Reporter& report_;
  std::string image_;
  std::uint64_t entry_;
};

void look_at_files(const CheckedImages& set, const Reporter& report) {
  constexpr std::uint32_t last_owner_type = 2, last_signal = 64;
  for (const SeenFile& file : set.files()) {
    const Values values{report, std::string{file.image}, file.entry};
    const std::string above = std::string{file_type_of(file.type)->field}.append(".");
    file.record.each("mark", [&](const Record& mark) { values.look(mark, {"type"}, above + "mark."); });
    const Record owner = file.record.inner("fown");
    if (owner.id("pid") != 0 && owner.id("pid_type") > last_owner_type)
      report({std::string{file.image}, file.entry, above + "fown.pid_type"}, unknown_value(owner.id("pid_type")));
    if (owner.id("signum") > last_signal)
      report({std::string{file.image}, file.entry, above + "fown.signum"},
             format("%u is no signal", owner.id("signum")));
  }
  set.each("FILES", [&](const std::string& image, std::uint64_t entry, const Record& file) {
    const FileType* const type = file_type_of(file.id("type"));
    if (!type) report({image, entry, "type"}, unknown_value(file.id("type")));
    else if (!file.has(type->field))
      report({image, entry, "type"}, "it is a " + std::string{type->name} + ", and lacks what is said of one");
  });
}

void look_at_tasks(const CheckedImages& set, const Reporter& report) {
  static const Known states = {1, 2, 3, 6};  // as TaskState has them
  constexpr std::uint32_t last_mode = 2, last_machine = 8;
  for (const auto& [tid, core] : set.cores) {
    const auto look = [&, tid = tid](const char* field, std::uint32_t value, bool is_known) {
      if (!is_known) report({image_name("CORE", tid), 0, field}, unknown_value(value));
    };
    look("mtype", core.machine, core.machine >= 1 && core.machine <= last_machine);
    look("thread_core.seccomp_mode", core.seccomp_mode, core.seccomp_mode <= last_mode);
    if (core.has_task) look("tc.task_state", core.state, std::ranges::find(states, core.state) != states.end());
  }
}

// PTYs have an entry of their own, and nothing else has.
void look_at_terminals(const CheckedImages& set, const Reporter& report) {
  set.each("TTY_INFO", [&](const std::string& image, std::uint64_t entry, const Record& info) {
    constexpr std::uint32_t pty = 1, external = 5;
    if (info.id("type") == 0) report({image, entry, "type"}, unknown_value(0));
    else Values{report, image, entry}.look(info, {"type"});
    if (info.id("type") != external && (info.id("type") == pty) != info.has("pty"))
      report({image, entry, "pty"},
             info.has("pty") ? "it is no PTY, and has the number of one" : "a PTY has no number");
  });
}

// A flock of Windows' kind (LOCK_MAND) has other types.
void look_at_locks(const CheckedImages& set, const Reporter& report) {
  constexpr std::uint32_t flock = 2, mandatory = 32;
  const auto look = [&](const std::string& image, std::uint64_t entry, const Record& lock) {
    const Values values{report, image, entry};
    values.look(lock, {"flag", {1, flock, 4, 8}});  // POSIX, flock, OFD, lease
    if (lock.id("flag") == flock && !(lock.id("type") & mandatory)) values.look(lock, {"type", {0, 1, 2}});
  };
  set.each("FILE_LOCKS", look);
  set.each("FILE_LOCKS_OLD", look);
}

void look_at_packets(const CheckedImages& set, const Reporter& report) {
  set.each("SK_QUEUES", [&](const std::string& image, std::uint64_t entry, const Record& packet) {
    std::size_t messages = 0;
    packet.each("scm", [&](const Record& scm) {
      Values{report, image, entry}.look(scm, {"type", {1}}, "scm.");  // SCM_RIGHTS
      ++messages;
    });
    if (messages > 1) report({image, entry, "scm"}, format("%zu messages in one packet: CRIU takes one", messages));
  });
}

void look_at_devices(const CheckedImages& set, const Reporter& report) {
  set.each("NETDEV", [&](const std::string& image, std::uint64_t entry, const Record& device) {
    if (!set.first("NETNS", number_of(image)).has("ext_key")) Values{report, image, entry}.look(device, {"type"});
  });
}

void find_unknown(const CheckedImages& set, const Reporter& report) {
  look_at_files(set, report);
  look_at_tasks(set, report);
  look_at_terminals(set, report);
  look_at_locks(set, report);
  look_at_packets(set, report);
  look_at_devices(set, report);
  set.each("REMAP_FPATH", [&](const std::string& image, std::uint64_t entry, const Record& remap) {
    Values{report, image, entry}.look(remap, {"remap_type"});
  });
}

constexpr RuleRow rows[] = {
    {{"value-unknown", Severity::error, "A value that decides what CRIU does is one that it does not know.",
      "Take the image from the dump as it was written, or restore with the release of CRIU that dumped it."},
     find_unknown},
    {{"value-range", Severity::error, "A number is one that CRIU or the kernel does not take.",
      "Take the image from the dump as it was written."}},
    {{"list-length", Severity::error, "A list or a text is shorter or longer than CRIU or the kernel takes.",
      "Take the image from the dump as it was written."}},
};

}  // namespace

std::span<const RuleRow> values_rules() { return rows; }

}  // namespace critpipe
