// The input: one set of images, in any form, and the parents of it.
#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <unistd.h>

#include "cli/inputs.hpp"
#include "cli/parent_sets.hpp"
#include "crit-repack/repack.hpp"

namespace critpipe::filters {

namespace {

namespace fs = std::filesystem;

// Archives are read again where more than that would have to wait for its place.
constexpr std::uint64_t held_bytes = 16 << 20;

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
  const char* const named = std::getenv("TMPDIR");
  const std::string directory = named && *named ? named : "/var/tmp";
  const int to = ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (to < 0) return system_error(Reason::io_write, directory, errno);
  std::vector<char> block(1 << 20);
  for (;;) {
    const ssize_t got = ::read(from, block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error(Reason::io_read, input, errno);
    if (got == 0) break;
    for (ssize_t done = 0; done < got;) {
      const ssize_t written = ::write(to, block.data() + done, static_cast<std::size_t>(got - done));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return system_error(Reason::io_write, directory, errno);
      done += written;
    }
  }
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
    inputs_.front() = "-";
  }
  stdin_offset_ = stdin_offset();
  const std::vector<std::string> parents{inputs_.begin() + 1, inputs_.end()};
  MemoryOptions options{.held_bytes = held_bytes,
                        .page_size = page_size_of(program_).value_or(0),
                        .parents = parents,
                        .limits = limits_of(program_),
                        .source = source_options(program_)};
  memory_ = std::make_unique<CheckpointMemory>(std::vector{inputs_.front()}, std::move(options),
                                               [this](const Error& error) { (void)fail(error); });
  std::vector<StoredSet> sets = memory_->sets();
  if (failed_) return false;
  if (sets.empty())
    return fail(inputs_.front(),
                program_.has("rewrite") ? "No pagemap files found" : "it has no pagemaps, so no memory to store");
  if (sets.size() > 1)
    return fail(inputs_.front(), "several sets of images, of which --set takes one: " + names_of(sets));
  set_ = std::move(sets.front());
  if (options_.block_bytes % set_.page_size != 0) program_.usage("--compress takes a multiple of the page size");
  if (program_.has("rewrite") && directory().empty()) return fail(inputs_.front(), "it is no directory");
  if (!set_.checkpoint->pages_only().empty())
    program_.note(visible(inputs_.front()) +
                  ": without tasks it is the parent of another set, which fits to the old one only");
  return open_base() && refuse_children();
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

// A set beside it whose link leads here would lose what it refers to, were it given this set in place of the old one.
bool Repack::refuse_children() {
  std::error_code fault;
  const fs::path own = directory().empty() ? fs::path{} : fs::canonical(directory(), fault);
  if (fault || own.empty()) return true;
  const auto is_child = [&own](const fs::path& directory) {
    std::error_code none;
    const fs::path link = directory / "parent";
    return fs::is_symlink(link, none) && fs::canonical(link, none) == own && !none;
  };
  for (auto input = inputs_.begin() + 1; input != inputs_.end(); ++input)
    if (is_child(*input))
      return fail(*input, "its parent is " + visible(inputs_.front()) + ": name the newest set first");
  for (fs::directory_iterator next{own.parent_path(), fault}, end; !fault && next != end; next.increment(fault))
    if (is_child(next->path()))
      return fail(directory(), "it is the parent of " + visible(next->path().filename().string()) +
                                   ", which would not fit to what is made of it: repack that one with --flatten");
  return true;
}

// A link that led out of the input leads out of the output, too, where both are directories.
void Repack::link_parent() {
  std::string path = base_ ? base_->path() : directory() + "/parent";
  if (!base_ && (options_.flatten || directory().empty() || !has_link_ || !program_.has("into"))) return;
  std::error_code fault;
  const fs::path parent = fs::canonical(path, fault);
  if (fault) return;  // the link as it is, which is reported
  const std::string into = program_.value("into").value_or("");
  if (into.empty()) return images_->lead_out(member(""), "../" + parent.filename().string());
  const fs::path from = fs::weakly_canonical(into, fault);
  images_->lead_out(member(""), parent.lexically_relative(from).string());
}

}  // namespace critpipe::filters
