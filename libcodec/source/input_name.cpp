// How inputs are called: in keys, and before the paths of their members.
#include <algorithm>
#include <filesystem>
#include <memory_resource>
#include <numeric>
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
std::vector<std::size_t> telling_sizes(const std::vector<std::string_view>& paths) {
  std::vector<std::size_t> sizes, same(paths.size());
  std::vector<int*> uses(paths.size());
  for (const std::string_view path : paths) sizes.push_back(last_part(path).size());
  const auto before = [&](std::size_t i) { return paths[i].substr(0, paths[i].size() - sizes[i]); };
  for (std::iota(same.begin(), same.end(), std::size_t{0}); !same.empty();) {
    std::pmr::monotonic_buffer_resource memory;
    std::pmr::unordered_map<std::string_view, int> uses_of_ends{same.size(), &memory};
    for (const std::size_t i : same) ++*(uses[i] = &uses_of_ends[paths[i].substr(before(i).size())]);
    // What has fewer parts than the ends to come is none of them.
    std::erase_if(same, [&](std::size_t i) { return before(i).size() < 2 || *uses[i] == 1; });
    for (const std::size_t i : same) sizes[i] += 1 + last_part(before(i)).size();
  }
  return sizes;
}

// Names inputs of which others have the last part, too.
class SameLastPart {
 public:
  explicit SameLastPart(const std::vector<std::string>& inputs) : inputs_{inputs}, met_{inputs.size(), &memory_} {}
  // Both live as long as this.
  void add(InputName& name, std::string_view path);
  void tell_apart();

 private:
  struct Met {
    InputName* first;
    std::size_t path;
    int uses = 1;
  };
  std::string mark(int& uses, const std::string& name);

  const std::vector<std::string>& inputs_;
  std::unordered_set<std::string_view> given_;  // the same, once one was met again
  std::vector<std::string_view> paths_;         // distinct
  std::pmr::monotonic_buffer_resource memory_;
  std::pmr::unordered_map<std::string_view, Met> met_;  // by path
  std::unordered_map<std::string_view, int> repeated_;  // what was given under some name, of a path that was met again
  std::vector<std::pair<InputName*, std::size_t>> names_;  // and the path of each
};

// "#2" for the second mention; a number that makes the name of another input is passed over.
std::string SameLastPart::mark(int& uses, const std::string& name) {
  if (++uses == 1) return {};
  if (given_.empty()) given_.insert(inputs_.begin(), inputs_.end());
  const auto marked = [&] { return std::string(1, '#') += std::to_string(uses); };
  while (given_.contains(name + marked())) ++uses;
  return marked();
}

void SameLastPart::add(InputName& name, std::string_view path) {
  const auto [at, is_new] = met_.try_emplace(path, Met{&name, paths_.size()});
  Met& met = at->second;
  names_.emplace_back(&name, met.path);
  if (is_new) {
    paths_.push_back(path);
    return;
  }
  repeated_.try_emplace(met.first->input, 1);
  name.repeated = mark(repeated_[name.input], name.input);
  name.met = mark(met.uses, std::string{path});
}

void SameLastPart::tell_apart() {
  const auto sizes = telling_sizes(paths_);
  for (const auto& [name, path] : names_) name->brief = paths_[path].substr(paths_[path].size() - sizes[path]);
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

// Most inputs have a last part that no other has: nothing else of them is looked at.
std::vector<InputName> name_inputs(const std::vector<std::string>& inputs) {
  std::vector<InputName> names;
  names.reserve(inputs.size());
  std::error_code none;
  const std::string here = (std::filesystem::current_path(none) / "").string();
  const auto path_of = [&](const std::string& input) {
    const std::string_view last = last_part(input);
    const bool is_whole = input == "-" || (inputs.size() == 1 && last != "." && last != "..");
    std::string path = is_whole ? input : whole_path(input, here);
    while (path.size() > 1 && path.back() == '/') path.pop_back();
    return path;
  };
  std::vector<std::string> paths(inputs.size());  // where they are needed
  std::vector<bool> is_same(inputs.size());
  bool any_is_same = false;
  std::pmr::monotonic_buffer_resource memory;
  std::pmr::unordered_map<std::string_view, std::size_t> known{inputs.size(), &memory};  // by the last part
  for (const std::string& input : inputs) {
    const std::size_t i = names.size();
    InputName& name = names.emplace_back(InputName{input});
    while (name.input.size() > 1 && name.input.back() == '/') name.input.pop_back();
    std::string_view last = last_part(name.input);
    if (last.empty() || last == "." || last == "..") last = last_part(paths[i] = path_of(name.input));
    name.brief = last;
    const auto [at, is_new] = known.try_emplace(last, i);
    if (!is_new) any_is_same = is_same[i] = is_same[at->second] = true;
  }
  if (!any_is_same) return names;
  SameLastPart same{inputs};
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!is_same[i]) continue;
    if (paths[i].empty()) paths[i] = path_of(names[i].input);
    same.add(names[i], paths[i]);
  }
  same.tell_apart();
  return names;
}

}  // namespace critpipe
