// The input: one set of images, in any form, and the parents of it.
#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <set>
#include <unistd.h>

#include "cli/inputs.hpp"
#include "cli/parent_sets.hpp"
#include "cli/member_spool.hpp"
#include "crit-repack/repack.hpp"

namespace critpipe::filters {

namespace {

namespace fs = std::filesystem;

// Archives are unpacked where more than that would have to wait for its place.
constexpr std::uint64_t held_bytes = 16 << 20;

// Which sets with memory are in an archive or a stream, and which have a link to a parent?
class SetsInInput final : public Receiver {
 public:
  std::vector<SetId> sets;
  std::set<std::string> linked;

  bool wants(const Member& member) override { return member.name == "parent" || member.name.starts_with("pagemap-"); }
  Step begin(const Member& member) override {
    const SetId& id = *member.set;
    if (is_parent_link(member)) linked.insert(id.set);
    else if (member.is_image && known_.insert(id.set).second) sets.push_back(id);
    return Step::go;
  }
  Step bytes(const Member&, Bytes) override { return Step::go; }
  Step end(const Member&) override { return Step::go; }
  void fail(const Member*, const Error&) override {}  // said by who reads the images

 private:
  std::set<std::string> known_;
};

std::string names_of(const std::vector<StoredSet>& sets) {
  std::string names;
  for (const StoredSet& set : sets)
    names += (names.empty() ? "" : ", ") + visible(set.id->set.empty() ? "." : set.id->set);
  return names;
}

}  // namespace

Error spool_input(const std::string& input) {
  const int from = input == "-" ? STDIN_FILENO : ::open(input.c_str(), O_RDONLY | O_CLOEXEC);
  if (from < 0) return system_error(Reason::io_open, input, errno);
  const std::string directory = temporary_directory();
  const int to = open_without_name(directory);
  if (to < 0) return system_error(Reason::io_write, directory, errno);
  FileOutput output{to, directory};
  std::vector<char> block(1 << 20);
  for (;;) {
    const ssize_t got = ::read(from, block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error(Reason::io_read, input, errno);
    if (got == 0) break;
    output.write({block.data(), static_cast<std::size_t>(got)});
    if (output.step() == Step::stop) return output.error();
  }
  if (output.flush() == Step::stop) return output.error();
  if (::lseek(to, 0, SEEK_SET) != 0 || ::dup2(to, STDIN_FILENO) < 0) return system_error(Reason::io_read, input, errno);
  ::close(to);
  if (from != STDIN_FILENO) ::close(from);
  return {};
}

std::string Repack::directory() const {
  PageDirectory* const directory = set_.store ? set_.store->page_directory() : nullptr;
  return directory ? directory->path() : "";
}

std::string Repack::member(const std::string& name) const {
  return set_.id->set.empty() || program_.has("set") ? name : set_.id->set + "/" + name;
}

bool Repack::open() {
  inputs_ = program_.inputs();
  if (inputs_.size() > 1 && !options_.flatten) program_.usage("several inputs are a set and its parents: --flatten");
  if (!critpipe::can_read_again(inputs_.front(), {.stdin_offset = stdin_offset()})) {
    if (Error error = spool_input(inputs_.front())) return fail(std::move(error));
    spooled_ = std::exchange(inputs_.front(), "-");
  }
  stdin_offset_ = stdin_offset();
  const std::vector<std::string> parents{inputs_.begin() + 1, inputs_.end()};
  std::error_code none;
  const auto is_read_by_name = [&none](const std::string& input) { return fs::is_directory(input, none); };
  const bool is_directory = std::ranges::all_of(inputs_, is_read_by_name);
  MemoryOptions options{.held_bytes = held_bytes,
                        .page_size = page_size_of(program_).value_or(0),
                        .parents = parents,
                        .limits = limits_of(program_),
                        .source = source_options(program_),
                        .kinds = chosen_.kinds()};
  options.kinds.emplace_back("INVENTORY");
  if (const int spool = is_directory ? -1 : open_without_name(temporary_directory()); spool >= 0)
    options.spool = std::make_shared<const InputFile>(spool, temporary_directory());
  memory_ = std::make_unique<CheckpointMemory>(std::vector{inputs_.front()}, std::move(options),
                                               [this](const Error& error) { (void)fail(error); });
  std::vector<StoredSet> sets = memory_->sets();
  if (failed_) return false;
  const auto is_no_directory = [this] { return fail(inputs_.front(), "it is no directory"); };
  if (program_.has("rewrite") && !is_directory) return is_no_directory();
  if (sets.empty() && program_.has("rewrite")) return true;
  if (sets.empty()) return fail(inputs_.front(), "it has no pagemaps, so no memory to store");
  if (sets.size() > 1)
    return fail(inputs_.front(), "several sets of images, of which --set takes one: " + names_of(sets));
  set_ = std::move(sets.front());
  has_positions_ = is_directory && !directory().empty();
  if (options_.block_bytes % set_.page_size != 0) program_.usage("--compress takes a multiple of the page size");
  if (program_.has("rewrite") && directory().empty()) return is_no_directory();
  if (!set_.checkpoint->pages_only().empty())
    program_.note(visible(spooled_.empty() ? inputs_.front() : spooled_) +
                  ": without tasks it is the parent of another set, which fits to the old one only");
  if (Error error = chosen_.choose_of(*set_.checkpoint)) return fail(std::move(error));
  if (!refuse_shared_images() || !open_base() || !refuse_lost_parent()) return false;
  return program_.has("plan") || (refuse_children() && refuse_target());
}

// A link that leads nowhere would lead nowhere in the output.
bool Repack::refuse_lost_parent() {
  PageDirectory* const holder = set_.store->page_directory();
  if (!holder || resolves() || !holder->has_parent_link() || holder->linked_parent()) return true;
  return fail(directory() + "/parent", "it leads to no directory with images");
}

std::string Repack::target() const {
  if (program_.has("into")) return *program_.value("into");
  return program_.value("format") == "dir" ? program_.value("output").value_or("") : "";
}

// What is written over a parent would take away what the others refer to.
bool Repack::refuse_target() {
  std::error_code none;
  const std::string into = target();
  if (into.empty() || !fs::is_directory(into, none)) return true;
  for (PageStore* first : {set_.store->parent(), static_cast<PageStore*>(base_.get())})
    for (PageStore* above = first; above; above = above->parent())
      if (above->page_directory() && fs::equivalent(above->page_directory()->path(), into, none))
        return fail(into, first == base_.get() ? "what is written refers to it" : "it is a parent of the input");
  return refuse_child_of(into);
}

// A file of that name would be replaced, too.
void Repack::drop_old_link() {
  const std::string into = target();
  if (into.empty() || writes_link_) return;
  std::error_code none;
  const fs::path link = fs::path{into} / member("parent");
  if (fs::is_symlink(link, none)) fs::remove(link, none);
}

bool Repack::open_base() {
  if (!program_.has("rebase")) return true;
  const std::string path = *program_.value("rebase");
  base_ = std::make_unique<PageDirectory>(path, limits_of(program_));
  std::error_code none;
  if (!fs::is_directory(path, none)) return fail(path, "a parent is a directory of images");
  if (!directory().empty() && fs::equivalent(path, directory(), none))
    return fail(path, "a set cannot be its own parent");
  const auto has_some = [this](MemoryId memory) { return base_->pagemap(memory) != nullptr; };
  const bool any = std::ranges::any_of(set_.memories, has_some);
  for (const Error& error : base_->new_errors()) (void)fail(error);
  if (!any && !failed_) return fail(path, "it has no pagemap of any process that the input has");
  return !failed_;
}

bool Repack::refuse_child(const std::string& set, const std::string& child) {
  return fail(set, "it is the parent of " + (child.empty() ? "the set at the top" : visible(child)) +
                       ", which would not fit to what is made of it: repack that one with --flatten");
}

// The same in the input, where --set chose this one: parents are known by their names, or by links.
bool Repack::refuse_children_in_input() {
  SourceOptions options = source_options(program_);
  options.set.reset();
  options.parents = true;
  options.stdin_offset = stdin_offset_;
  SetsInInput input;
  (void)critpipe::read_input(inputs_.front(), input, options);
  const std::string chosen = inputs_.front() + ":" + set_.id->set;
  const std::vector<std::size_t> parents = parents_among(input.sets);
  for (std::size_t i = 0; i < parents.size(); ++i)
    if (parents[i] < parents.size() && input.sets[parents[i]].set == set_.id->set)
      return refuse_child(chosen, input.sets[i].set);
  for (const std::string& name : input.linked) {
    options.set = name;
    if (name != set_.id->set && std::ranges::count(linked_sets({inputs_.front()}, options), set_.id->set) > 0)
      return refuse_child(chosen, name);
  }
  return true;
}

namespace {

bool has_parent(const fs::path& directory, const fs::path& parent) {
  std::error_code none;
  const fs::path link = directory / "parent";
  return fs::is_symlink(link, none) && fs::canonical(link, none) == parent && !none;
}

}  // namespace

// A set beside it whose link leads here would lose what it refers to, were it given this set in place of the old one.
bool Repack::refuse_children() {
  if (directory().empty()) return !program_.has("set") || refuse_children_in_input();
  std::error_code fault;
  const fs::path own = fs::canonical(directory(), fault);
  if (fault) return true;
  for (auto input = inputs_.begin() + 1; input != inputs_.end(); ++input)
    if (has_parent(*input, own))
      return fail(*input, "its parent is " + visible(inputs_.front()) + ": name the newest set first");
  return refuse_child_of(directory());
}

bool Repack::refuse_child_of(const std::string& directory) {
  std::error_code fault;
  const fs::path own = fs::canonical(directory, fault);
  for (fs::directory_iterator next{own.parent_path(), fault}, end; !fault && next != end; next.increment(fault))
    if (has_parent(next->path(), own)) return refuse_child(directory, next->path().filename().string());
  return true;
}

// A link that led out of the input leads out of the output, too, where both are directories.
bool Repack::link_parent() {
  const bool keeps_link = !options_.flatten && !directory().empty() && has_link_;
  if (!base_ && !keeps_link) return true;
  const std::string path = base_ ? base_->path() : directory() + "/parent";
  const bool is_written_as_files = !target().empty();
  if (!base_ && !is_written_as_files) {
    constexpr const char* why = "only a directory can refer to this parent: --flatten takes its pages in";
    if (images_->refuses_parents()) return fail(path, why);
    program_.note(visible(path) + ": " + why);
    return true;
  }
  std::error_code fault;
  const fs::path parent = fs::canonical(path, fault);
  if (fault) return fail(path, "it leads to no directory");
  writes_link_ = true;
  if (!is_written_as_files) {
    images_->lead_out(member(""), "../" + parent.filename().string());
    return true;
  }
  images_->lead_out(member(""), parent.lexically_relative(fs::weakly_canonical(target(), fault)).string());
  return true;
}

}  // namespace critpipe::filters
