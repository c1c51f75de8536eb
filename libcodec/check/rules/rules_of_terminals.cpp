// Terminals.
#include "check/check_text.hpp"
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
             sentence("tty-info.img has no terminal 0x%x", file.record.id("tty_info_id")));
}

void find_data(const CheckedImages& set, const Reporter& report) {
  if (set.is_damaged("tty-info.img")) return;
  const std::set<std::uint32_t> known = known_terminals(set);
  set.each("TTY_DATA", [&](const std::string& image, std::uint64_t entry, const Record& data) {
    if (!known.contains(data.id("tty_id")) && !data.text("data").empty())
      report({image, entry, "tty_id"}, sentence("tty-info.img has no terminal 0x%x: %zu bytes are lost",
                                                data.id("tty_id"), data.text("data").size()));
  });
}

void find_external(const CheckedImages& set, const Reporter& report) {
  set.each("TTY_INFO", [&](const std::string& image, std::uint64_t entry, const Record& info) {
    if (info.id("type") != external_terminal) return;
    const std::string key = sentence("tty[%x:%x]", info.id("rdev"), info.id("dev"));
    if (!set.is_inherited(key))
      report.need({image, entry, "type"}, "a terminal from outside: the restore needs --inherit-fd fd[N]:" + key);
  });
}

constexpr RuleRow rows[] = {
    {{"terminal-missing", Severity::error, "A terminal is not in tty-info.img.",
      "Take files.img and tty-info.img from the same dump."},
     find_missing_info},
    {{"terminal-data", Severity::loss, "What was typed ahead belongs to no terminal.",
      "Take tty-data.img and tty-info.img from the same dump."},
     find_data},
    {{"needs-terminal", Severity::error, "A terminal from outside was open.",
      "Give --inherit-fd fd[N]:tty[RDEV:DEV] to the restore."},
     find_external},
};

}  // namespace

std::span<const RuleRow> terminals_rules() { return rows; }

}  // namespace critpipe
