// Terminals.
#include "check/checked_images.hpp"
#include "model/file_types.hpp"

namespace critpipe {

namespace {

constexpr std::uint32_t external_terminal = 5;  // EXT_TTY

std::set<std::uint32_t> known_terminals(const CheckedImages& set) {
  std::set<std::uint32_t> ids;
  set.each("TTY_INFO", [&](const std::string&, std::uint64_t, const Record& info) { ids.insert(info.id("id")); });
  return ids;
}

void find_missing_info(const CheckedImages& set, const Reporter& report) {
  if (set.is_damaged("tty-info.img")) return;
  const std::set<std::uint32_t> known = known_terminals(set);
  for (const SeenFile& file : set.files())
    if (file.type == type_tty && !known.contains(file.record.id("tty_info_id")))
      report({std::string{file.image}, file.entry, "tty.tty_info_id"},
             format("tty-info.img has no terminal 0x%x", file.record.id("tty_info_id")));
}

void find_data(const CheckedImages& set, const Reporter& report) {
  if (set.is_damaged("tty-info.img")) return;
  const std::set<std::uint32_t> known = known_terminals(set);
  set.each("TTY_DATA", [&](const std::string& image, std::uint64_t entry, const Record& data) {
    if (!known.contains(data.id("tty_id")) && !data.text("data").empty())
      report({image, entry, "tty_id"}, format("tty-info.img has no terminal 0x%x: %zu bytes are lost",
                                              data.id("tty_id"), data.text("data").size()));
  });
}

void find_external(const CheckedImages& set, const Reporter& report) {
  set.each("TTY_INFO", [&](const std::string& image, std::uint64_t entry, const Record& info) {
    if (info.id("type") != external_terminal) return;
    const std::string key = format("tty[%x:%x]", info.id("rdev"), info.id("dev"));
    if (!set.is_inherited(key))
      report.need({image, entry, "type"}, "a terminal from outside: the restore needs --inherit-fd fd[N]:" + key);
  });
}

// Who leads sessions of the tree, and which groups are in them.
struct Sessions {
  explicit Sessions(const CheckedImages& set) {
    for (const Task& task : set.checkpoint.tasks()) {
      if (!task.in_tree) continue;
      if (task.pid == task.sid) leaders.insert(task.sid);
      groups.emplace(task.sid, task.pgid);
    }
  }
  std::set<std::uint32_t> leaders = {};
  std::set<std::pair<std::uint32_t, std::uint32_t>> groups = {};  // with their sessions
};

template <typename Use>
void each_of_session(const CheckedImages& set, Use use) {
  if (!set.has_whole_tree()) return;
  set.each("TTY_INFO", [&](const std::string& image, std::uint64_t entry, const Record& info) {
    if (info.id("sid") != 0 && info.id("type") != external_terminal) use(image, entry, info);
  });
}

// The end of a PTY that is no terminal of its own: /dev/ptmx.
bool is_master(const Record& info) {
  constexpr std::uint32_t pty = 1, device = 0x502;
  return info.id("type") == pty && info.id("rdev") == device;
}

// CRIU has the leader of its session take a terminal, and hand it to a group of the session.
void find_sessions(const CheckedImages& set, const Reporter& report) {
  const Sessions sessions{set};
  each_of_session(set, [&](const std::string& image, std::uint64_t entry, const Record& info) {
    const std::uint32_t sid = info.id("sid"), pgrp = info.id("pgrp");
    if (!sessions.leaders.contains(sid)) {
      if (is_master(info)) report({image, entry, "sid"}, format("no task leads session %u, whose terminal it is", sid));
    } else if (pgrp != 0 && !sessions.groups.contains({sid, pgrp})) {
      report({image, entry, "pgrp"}, format("group %u, which has the terminal, is not in session %u", pgrp, sid));
    }
  });
}

// Other terminals can be taken over from a shell, as that of the root's session is by another rule.
void find_outer_sessions(const CheckedImages& set, const Reporter& report) {
  const Task* const root = set.root_task();
  if (set.plan.shell_job) return;
  const Sessions sessions{set};
  each_of_session(set, [&](const std::string& image, std::uint64_t entry, const Record& info) {
    const std::uint32_t sid = info.id("sid");
    if (!sessions.leaders.contains(sid) && !is_master(info) && !(root && root->sid == sid))
      report.need({image, entry, "sid"},
                  format("no task leads session %u, whose terminal it is: the restore needs --shell-job", sid));
  });
}

// The master of a PTY has all of them; another terminal may have hung up, and then has none.
void find_no_settings(const CheckedImages& set, const Reporter& report) {
  set.each("TTY_INFO", [&](const std::string& image, std::uint64_t entry, const Record& info) {
    const int count = info.has("termios") + info.has("termios_locked") + info.has("winsize");
    const bool is_whole = count == 3 || (count == 0 && !is_master(info));
    if (!is_whole && info.id("type") != external_terminal)
      report({image, entry, "termios"}, "it has not all of termios, termios_locked and winsize");
  });
}

constexpr RuleRow rows[] = {
    {{"terminal-missing", Severity::error, "A terminal is not in tty-info.img.",
      "Take files.img and tty-info.img from the same dump."},
     find_missing_info},
    {{"terminal-incomplete", Severity::error, "A terminal lacks settings.",
      "Take tty-info.img from the dump as it was written."},
     find_no_settings},
    {{"terminal-data", Severity::loss, "What was typed ahead belongs to no terminal.",
      "Take tty-data.img and tty-info.img from the same dump."},
     find_data},
    {{"terminal-session", Severity::error, "The session of a terminal, or the group that has it, is not in the tree.",
      "Take tty-info.img and pstree.img from the same dump."},
     find_sessions},
    {{"needs-session", Severity::error, "A terminal is of a session outside of the tree.",
      "Give --shell-job to the restore, which then needs a terminal."},
     find_outer_sessions},
    {{"needs-terminal", Severity::error, "A terminal from outside was open.",
      "Give --inherit-fd fd[N]:tty[RDEV:DEV] to the restore."},
     find_external},
};

}  // namespace

std::span<const RuleRow> terminals_rules() { return rows; }

}  // namespace critpipe
