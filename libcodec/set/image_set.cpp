#include "critpipe/set.hpp"

#include <algorithm>
#include <optional>
#include <sys/stat.h>
#include <utility>

#include "source/directory_list.hpp"

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

}  // namespace

struct ImageSet::Chain {
  Directory::Identity directory;
  std::shared_ptr<Chain> child;

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

ImageSet::~ImageSet() = default;

std::unique_ptr<ImageSet> ImageSet::open_input(const std::string& input, Error& error, const SourceOptions& options) {
  std::unique_ptr<ImageSet> set{new ImageSet};
  set->input_ = set->place_ = input;
  while (set->place_.size() > 1 && set->place_.back() == '/') set->place_.pop_back();
  set->id_.checkpoint = set->place_;
  set->options_ = options;
  struct stat status;
  const bool is_directory = input != "-" && stat(input.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
  if (is_directory) set->directory_ = Directory{input, error};
  if (!error) error = is_directory ? set->list(options) : set->scan(options);
  return error ? nullptr : std::move(set);
}

// An unpacked container checkpoint has its images one level below; a container image, in its layers.
Error ImageSet::list(const SourceOptions& options) {
  DirectoryList all{std::move(directory_)};
  Error error = all.read(options);
  if (!all.layers.empty()) return scan(options);
  directory_ = std::move(all.directory);
  const bool is_below = std::ranges::any_of(all.entries, &DirectoryList::Entry::below);
  for (const DirectoryList::Entry& entry : all.entries)
    if (entry.below == is_below) members_.push_back(entry.name);
  if (!is_below || error) return error;
  directory_ = directory_.below("checkpoint", error);
  place_ = directory_.place();
  return error;
}

Error ImageSet::scan(const SourceOptions& options) {
  if (!can_read_again(input_, options)) return usage(input_, "a pipe can be read only once");
  Names names;
  (void)read_input(input_, names, options);
  if (names.error) return names.error;
  if (names.has_others) return usage(input_, "it holds several sets of images: name one");
  if (!names.set) return named_error(Reason::no_images, input_, "input");
  id_ = *names.set;
  members_ = std::move(names.names);
  return {};
}

bool ImageSet::has(std::string_view name) const {
  return is_directory() ? directory_.has(name) : std::ranges::find(members_, name) != members_.end();
}

InputFile ImageSet::open(std::string_view name, Error& error) const {
  if (is_directory()) return directory_.open(name, error);
  error = usage(place_, "members of an archive or a stream cannot be opened by name");
  return {};
}

Step ImageSet::read(Receiver& receiver) const {
  SourceOptions options = options_;
  if (!is_directory()) options.set = id_.set;
  return read_input(input_, receiver, options);
}

std::unique_ptr<ImageSet> ImageSet::parent(Error& error) const {
  if (!is_directory()) {
    error = usage(place_, "only directories have parents");
    return nullptr;
  }
  if (!directory_.has("parent")) return nullptr;
  Error failed;
  Directory above = directory_.follow("parent", failed);
  if (failed) {
    error = std::move(failed);
    error.reason = Reason::no_parent;
    return nullptr;
  }
  const auto chain = std::make_shared<Chain>(Chain{directory_.identity(), chain_});
  if (chain->holds(above.identity())) {
    error = named_error(Reason::bad_parents, place_ + "/parent", above.place());
    return nullptr;
  }
  std::unique_ptr<ImageSet> set{new ImageSet};
  set->input_ = set->place_ = above.place();
  set->id_.checkpoint = above.place();
  set->options_ = options_;
  set->directory_ = std::move(above);
  set->chain_ = chain;
  if (Error none = set->list({}); none && none.reason != Reason::no_images) error = std::move(none);
  return error ? nullptr : std::move(set);
}

}  // namespace critpipe
