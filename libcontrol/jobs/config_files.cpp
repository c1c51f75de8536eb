// What CRIU's configuration files say of the tree's end. Facts: criu(8), criu/config.c of 4.1.
#include <algorithm>
#include <cstdlib>
#include <fstream>

#include "critpipe/control/jobs.hpp"
#include "process/proc_text.hpp"

namespace critpipe {

namespace {

// CRIU takes an option by any beginning that no other option has.
bool is_short_for(std::string_view word, std::string_view option) {
  constexpr std::string_view shared = "leave-";
  return word.size() > shared.size() && option.starts_with(word);
}

// The first word of a line is a long option without its hyphens, others are its values; or options, if CRIU's reader
// lets them be.
bool lets_live(std::string_view line) {
  const std::vector<std::string_view> words = words_of(line);
  if (words.empty() || words[0].starts_with('#')) return false;
  if (is_short_for(words[0], "leave-running") || is_short_for(words[0], "leave-stopped")) return true;
  return std::any_of(words.begin(), words.end(), [](std::string_view word) { return word.starts_with('-'); });
}

bool lets_live_in(const std::string& path) {
  std::ifstream file{path};
  for (std::string line; std::getline(file, line);)
    if (lets_live(line)) return true;
  return false;
}

}  // namespace

bool config_lets_live(const CriuSetup& setup, const CriuOptions& options) {
  const std::string named = options.text("config_file");
  const bool has_defaults =
      named.empty() && std::find(setup.words.begin(), setup.words.end(), "--no-default-config") == setup.words.end();
  if (!named.empty() && lets_live_in(named)) return true;
  if (const char* path = getenv("CRIU_CONFIG_FILE"); path && lets_live_in(path)) return true;
  if (!has_defaults) return false;
  const char* home = getenv("HOME");
  return lets_live_in("/etc/criu/default.conf") || (home && lets_live_in(std::string{home} + "/.criu/default.conf"));
}

}  // namespace critpipe
