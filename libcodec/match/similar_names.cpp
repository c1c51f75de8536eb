// Names that resemble one that does not exist.
#include <algorithm>
#include <set>

#include "critpipe/match.hpp"
#include "match/match_plan.hpp"

namespace critpipe::match {

namespace {

constexpr std::size_t max_named = 4;
constexpr int max_path_depth = 5;

// How little two names have in common; more than `unlike` is no likeness.
constexpr std::size_t unlike = 100;

std::size_t difference(std::string_view wanted, std::string_view name) {
  const std::size_t most = wanted.size() / 3;
  const std::size_t letters = edit_distance(wanted, name, most);
  if (letters <= most) return letters;
  const bool within = wanted.size() >= 3 && name.find(wanted) != name.npos;
  return within ? most + 1 + (name.size() - wanted.size()) / 4 : unlike;
}

std::string listed(std::vector<std::pair<std::size_t, std::string>>& ranked) {
  std::ranges::stable_sort(ranked, {}, [](const auto& item) { return std::pair{item.first, item.second.size()}; });
  std::string text;
  std::set<std::string> named;
  for (const auto& [rank, name] : ranked) {
    if (named.size() == max_named || !named.insert(name).second) continue;
    text += (text.empty() ? " (near: " : ", ") + name;
  }
  return text.empty() ? text : text + ")";
}

class Paths {
 public:
  explicit Paths(const Test& test) : test_{test} {}

  void add(const Message& message, const std::string& before, int depth) {
    if (depth == max_path_depth || std::ranges::find(above_, &message) != above_.end()) return;
    above_.push_back(&message);
    for (const Field& field : message.all()) {
      const std::string path = before + std::string{field.name()};
      consider(path, field.name(), depth);
      if (field.type == Type::message) add(field.message(), path + ".", depth + 1);
    }
    above_.pop_back();
  }
  std::string text() { return listed(ranked_); }

 private:
  // The same last name elsewhere is nearest, then a like path, then a like last name.
  void consider(const std::string& path, std::string_view name, int depth) {
    const std::string_view last = test_.path.back();
    const auto deep = static_cast<std::size_t>(depth);
    const std::size_t whole = difference(test_.anywhere ? test_.written.substr(2) : test_.written, path);
    if (whole < unlike) ranked_.emplace_back(10 * whole + deep, path);
    else if (name == last) ranked_.emplace_back(deep, path);
    else if (const std::size_t likeness = difference(last, name); likeness < unlike)
      ranked_.emplace_back(10 * likeness + 30 + deep, path);
  }

  const Test& test_;
  std::vector<const Message*> above_;
  std::vector<std::pair<std::size_t, std::string>> ranked_;
};

}  // namespace

std::string near_names(std::string_view name, std::span<const Name> names, bool& alike) {
  std::vector<std::pair<std::size_t, std::string>> ranked;
  for (const Name& known : names)
    if (const std::size_t rank = difference(name, known.name); rank < unlike) ranked.emplace_back(rank, known.name);
  alike = !ranked.empty();
  if (alike) return listed(ranked);
  std::string all;
  for (const Name& known : names.first(std::min<std::size_t>(names.size(), 8)))
    all += (all.empty() ? " (there are " : ", ") + std::string{known.name};
  return all + (names.size() > 8 ? ", ...)" : ")");
}

std::string near_paths(const Test& test, const std::vector<const Message*>& roots) {
  Paths paths{test};
  for (const Message* root : roots) paths.add(*root, "", 0);
  return paths.text();
}

}  // namespace critpipe::match
