#include "critpipe/set.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <sys/stat.h>
#include <utility>

#include "base/path_names.hpp"
#include "source/directory_list.hpp"
#include "source/set_places.hpp"

namespace critpipe {

namespace {

Error usage(const std::string& place, std::string why) { return named_error(Reason::usage, place, std::move(why)); }

// The names of the members of the first set; their bytes are passed over.
class Names final : public Receiver {
 public:
  std::optional<SetId> set;
  std::vector<std::string> names;
  bool has_others = false;
  Error error;

  Step begin(const Member& member) override {
    if (set && *set != *member.set) has_others = true;
    if (!set) set = *member.set;
    if (*set == *member.set) names.push_back(member.name);
    return Step::go;
  }
  bool needs_bytes(const Member&) override { return false; }
  Step bytes(const Member&, Bytes) override { return Step::go; }
  bool has_enough(const Member&) override { return true; }
  Step end(const Member&) override { return Step::go; }
  void fail(const Member*, const Error& failed) override {
    if (!error) error = failed;
  }
};

// Directories, each the parent of the one before.
struct Chain {
  Directory::Identity directory;
  std::shared_ptr<Chain> child;
  std::uint32_t nr_parents = child ? child->nr_parents + 1 : 1;  // up to the one above this directory

  // A long chain is taken apart step by step, not by recursion.
  ~Chain() {
    while (child && child.use_count() == 1) child = std::exchange(child->child, nullptr);
  }
  bool holds(const Directory::Identity& other) const {
    for (const Chain* at = this; at; at = at->child.get())
      if (at->directory == other) return true;
    return false;
  }
};

}  // namespace

struct ImageSet::Work {
  std::string input;
  SourceOptions options;
  SetId id = {};
  std::string place = {};
  Directory directory = {};
  std::vector<std::string> members = {};
  std::shared_ptr<Chain> chain = {};  // this directory and those that it is a parent of

  Error list(const SourceOptions& with);
  Error scan(const SourceOptions& with);
};

ImageSet::ImageSet(std::unique_ptr<Work> work) : work_{std::move(work)} {}
ImageSet::~ImageSet() = default;

const SetId& ImageSet::id() const { return work_->id; }
const std::string& ImageSet::place() const { return work_->place; }
bool ImageSet::is_directory() const { return work_->directory.is_open(); }
Directory::Identity ImageSet::identity() const { return work_->directory.identity(); }
const std::vector<std::string>& ImageSet::members() const { return work_->members; }

std::unique_ptr<ImageSet> ImageSet::open_input(const std::string& input, Error& error, const SourceOptions& options) {
  std::unique_ptr<Work> work{new Work{input, options}};
  work->place = input;
  while (work->place.size() > 1 && work->place.back() == '/') work->place.pop_back();
  work->id.checkpoint = work->place;
  struct stat status;
  const bool is_directory = input != "-" && stat(input.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
  if (is_directory) work->directory = Directory{input, error};
  if (!error) error = is_directory ? work->list(options) : work->scan(options);
  return error ? nullptr : std::unique_ptr<ImageSet>{new ImageSet{std::move(work)}};
}

// An unpacked container checkpoint has its images one level below; a container image, in its layers.
Error ImageSet::Work::list(const SourceOptions& with) {
  DirectoryList all{std::move(directory)};
  Error error = all.read(with);
  if (!all.layers.empty()) return scan(with);
  directory = std::move(all.directory);
  if (!all.below.empty()) {
    place = directory.place();
    id.set = all.below;
  }
  const bool is_below = std::ranges::any_of(all.entries, &DirectoryList::Entry::below);
  for (const DirectoryList::Entry& entry : all.entries)
    if (entry.below == is_below) members.push_back(entry.name);
  if (!is_below || error) return error;
  directory = directory.below(all.images, error);
  place = directory.place();
  return error;
}

Error ImageSet::Work::scan(const SourceOptions& with) {
  if (!can_read_again(input, with)) return usage(input, "a pipe can be read only once");
  Names names;
  (void)read_input(input, names, with);
  if (names.error) return names.error;
  if (names.has_others) return usage(input, "it holds several sets of images: name one");
  if (!names.set) return named_error(Reason::no_images, input, "input");
  id = *names.set;
  members = std::move(names.names);
  return {};
}

bool ImageSet::has(std::string_view name) const {
  return is_directory() ? work_->directory.has(name) : std::ranges::find(members(), name) != members().end();
}

InputFile ImageSet::open(std::string_view name, Error& error) const {
  if (is_directory()) return work_->directory.open(name, error);
  error = usage(place(), "members of an archive or a stream cannot be opened by name");
  return {};
}

Step ImageSet::read(Receiver& receiver) const {
  SourceOptions options = work_->options;
  if (!is_directory()) options.set = id().set;
  return read_input(work_->input, receiver, options);
}

std::unique_ptr<ImageSet> ImageSet::parent(Error& error) const {
  if (!is_directory()) {
    error = usage(place(), "only directories have parents");
    return nullptr;
  }
  const Directory& directory = work_->directory;
  if (!directory.has("parent")) return nullptr;
  Error failed;
  Directory above = directory.follow("parent", failed);
  if (failed) {
    error = std::move(failed);
    error.reason = Reason::no_parent;
    return nullptr;
  }
  const auto chain = std::make_shared<Chain>(Chain{directory.identity(), work_->chain});
  if (chain->holds(above.identity())) {
    error = named_error(Reason::bad_parents, place() + "/parent", above.place());
    return nullptr;
  }
  if (chain->nr_parents > max_parents) {
    error = {.reason = Reason::limit_parents, .image = place() + "/parent", .want = max_parents};
    return nullptr;
  }
  const std::string place = above.place();
  std::unique_ptr<Work> work{new Work{place, work_->options, {place, {}}, place, std::move(above), {}, chain}};
  if (Error none = work->list({}); none && none.reason != Reason::no_images) error = std::move(none);
  return error ? nullptr : std::unique_ptr<ImageSet>{new ImageSet{std::move(work)}};
}

namespace {

// The links in archives and streams; nothing else is read.
class Links final : public Receiver {
 public:
  std::multimap<std::string, std::string> led;  // from set to set

  bool wants(const Member& member) override { return member.name == "parent"; }
  Step begin(const Member&) override { return Step::go; }
  Step bytes(const Member& member, Bytes bytes) override {
    std::string& target = targets_[member.id];
    if (target.size() < longest) target.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return Step::go;
  }
  Step end(const Member& member) override {
    const auto target = targets_.extract(member.id);
    const auto set = target ? set_led_to(member, target.mapped()) : std::nullopt;
    if (set) led.emplace(member.set->set, *set);
    return Step::go;
  }
  void fail(const Member*, const Error&) override {}  // said by who reads the images

 private:
  static constexpr std::size_t longest = 4096;
  std::map<std::uint64_t, std::string> targets_;
};

}  // namespace

std::vector<std::string> linked_sets(const std::vector<std::string>& inputs, const SourceOptions& options) {
  const auto is_read_once = [&](const std::string& input) { return !can_read_again(input, options); };
  if (!options.set || std::ranges::any_of(inputs, is_read_once)) return {};
  SourceOptions all = options;
  all.set.reset();
  all.parents = true;
  Links links;
  (void)read_inputs(inputs, links, all);
  std::vector<std::string> sets;
  std::set<std::string> known{*options.set};
  std::vector<std::string> open{*options.set};
  while (!open.empty()) {
    const auto [begin, end] = links.led.equal_range(std::exchange(open.back(), {}));
    open.pop_back();
    for (auto link = begin; link != end; ++link)
      if (known.insert(link->second).second) {
        sets.push_back(link->second);
        open.push_back(link->second);
      }
  }
  return sets;
}

}  // namespace critpipe
