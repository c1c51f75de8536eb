// How inputs are called: in keys, and before the paths of their members.
#include <algorithm>
#include <filesystem>
#include <unordered_map>
#include <unordered_set>

#include "base/path_names.hpp"
#include "critpipe/source.hpp"

namespace critpipe {

namespace {

// An absolute path without . and .., links as they are: only what the user named is to be told apart.
std::string whole_path(const std::string& input, const std::string& here) {
  const bool is_plain = input.find("//") == input.npos && input.find("/.") == input.npos && !input.starts_with('.');
  if (is_plain && input.starts_with('/')) return input;
  if (is_plain && !here.empty()) return here + input;
  std::error_code failed;
  const std::filesystem::path path = std::filesystem::absolute(input, failed);
  return failed ? input : path.lexically_normal().string();
}

// How many bytes at the end of each path tell it from the others, which are distinct: whole parts, one at least.
std::vector<std::size_t> telling_sizes(const std::vector<std::string>& paths) {
  std::vector<std::size_t> sizes;
  for (const std::string& path : paths) sizes.push_back(last_part(path).size());
  for (bool again = true; again;) {
    std::unordered_map<std::string_view, int> uses;
    const auto end_of = [&](std::size_t i) { return std::string_view{paths[i]}.substr(paths[i].size() - sizes[i]); };
    for (std::size_t i = 0; i < paths.size(); ++i) ++uses[end_of(i)];
    again = false;
    for (std::size_t i = 0; i < paths.size(); ++i) {
      const std::size_t before = paths[i].size() - sizes[i];
      if (before < 2 || uses[end_of(i)] == 1) continue;
      const std::size_t slash = paths[i].rfind('/', before - 2);
      sizes[i] = paths[i].size() - (slash == std::string::npos ? 0 : slash + 1);
      again = true;
    }
  }
  return sizes;
}

}  // namespace

std::string InputName::directory() const {
  const std::size_t slash = input.rfind('/');
  if (input == "-") return input + repeated;
  if (slash == input.npos) return std::string{"."}.append(repeated);
  return input.substr(0, std::max<std::size_t>(slash, 1)) + repeated;
}

// A name that ended in #2 would be no image's any more.
std::string InputName::path() const {
  if (met.empty() || input == "-") return brief;
  const std::size_t slash = brief.rfind('/');
  const std::string directory =
      slash == brief.npos ? std::string{last_part(InputName{input}.directory())} : brief.substr(0, slash);
  return std::string{directory}.append(met).append("/").append(last_part(brief));
}

std::vector<InputName> name_inputs(const std::vector<std::string>& inputs) {
  std::vector<InputName> names;
  std::vector<std::string> paths;                      // distinct
  std::unordered_map<std::string, std::size_t> known;  // in paths
  std::vector<std::size_t> path_of_input;
  using Uses = std::unordered_map<std::string, int>;
  Uses uses, uses_of_path;
  const std::unordered_set<std::string_view> given{inputs.begin(), inputs.end()};
  std::error_code none;
  const std::string here = (std::filesystem::current_path(none) / "").string();
  // "#2" for the second mention; a number that makes the name of another input is passed over.
  const auto mark = [&](Uses& uses_of, const std::string& name) {
    int use = ++uses_of[name];
    if (use == 1) return std::string{};
    const auto marked = [&] { return std::string(1, '#') += std::to_string(use); };
    while (given.contains(name + marked())) use = ++uses_of[name];
    return marked();
  };
  for (const std::string& input : inputs) {
    InputName& name = names.emplace_back();
    name.input = input;
    while (name.input.size() > 1 && name.input.back() == '/') name.input.pop_back();
    name.repeated = mark(uses, name.input);
    const std::string_view last = last_part(name.input);
    const bool is_whole = name.input == "-" || (inputs.size() == 1 && last != "." && last != "..");
    std::string path = is_whole ? name.input : whole_path(name.input, here);
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    name.met = mark(uses_of_path, path);
    const auto [at, is_new] = known.emplace(path, paths.size());
    if (is_new) paths.push_back(std::move(path));
    path_of_input.push_back(at->second);
  }
  const auto sizes = telling_sizes(paths);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string& path = paths[path_of_input[i]];
    names[i].brief = path.substr(path.size() - sizes[path_of_input[i]]);
  }
  return names;
}

}  // namespace critpipe
