// Directories with pagemaps and pages images, and the directories above them.
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "critpipe/memory.hpp"
#include "critpipe/source.hpp"

namespace critpipe {

namespace {

// Reads one pagemap image into a Pagemap.
class LoadPagemap final : public Decoding {
 public:
  LoadPagemap(Pagemap& pagemap, std::vector<Error>& errors, const Limits& limits)
      : Decoding{limits}, pagemap_{pagemap}, errors_{errors} {}
  std::unique_ptr<Sink> sink_for(const Member& member) override {
    return std::make_unique<PagemapLoader>(pagemap_, [this, place = member.place](Error error) {
      error.image = place;
      report(error);
    });
  }
  void report(const Error& error) override {
    errors_.push_back(error);
    good = false;
  }
  bool good = true;

 private:
  Pagemap& pagemap_;
  std::vector<Error>& errors_;
};

}  // namespace

PageFolder::PageFolder(std::string path, const Limits& limits) : path_{std::move(path)}, limits_{limits} {
  struct stat status;
  if (stat(path_.c_str(), &status) != 0) return;
  device_ = status.st_dev;
  inode_ = status.st_ino;
}

PageFolder::PageFolder(std::string path, PageFolder& child) : PageFolder{std::move(path), child.limits_} {
  child_ = &child;
  first_ = child.first_;
}

PageFolder::~PageFolder() {
  for (const OpenPages& open : open_pages_)
    if (open.fd >= 0) close(open.fd);
  // A long chain is taken apart step by step, not by recursion.
  while (parent_) parent_ = std::move(parent_->parent_);
}

bool PageFolder::has_parent_link() const {
  struct stat status;
  return lstat((path_ + "/parent").c_str(), &status) == 0;
}

const Pagemap* PageFolder::pagemap(MemoryId memory) {
  const auto known = pagemaps_.find(memory);
  if (known != pagemaps_.end()) return known->second.get();
  auto& slot = pagemaps_[memory];
  const std::string file = path_ + "/" + pagemap_name(memory);
  if (access(file.c_str(), F_OK) != 0) return nullptr;
  auto pagemap = std::make_unique<Pagemap>();
  pagemap->memory = memory;
  LoadPagemap load{*pagemap, first_->errors_, limits_};
  (void)read_input(file, load, {});
  if (load.good) slot = std::move(pagemap);
  return slot.get();
}

void PageFolder::forget(MemoryId memory) {
  for (PageFolder* folder = this; folder; folder = folder->parent_.get()) folder->pagemaps_.erase(memory);
}

PageFolder* PageFolder::parent() {
  if (parent_known_) return parent_.get();
  parent_known_ = true;
  if (!has_parent_link()) return nullptr;
  const std::string link = path_ + "/parent";
  char* const real = realpath(link.c_str(), nullptr);
  if (!real) {
    first_->errors_.push_back(system_error(Reason::no_parent, link, errno));
    return nullptr;
  }
  std::unique_ptr<PageFolder> folder{new PageFolder{real, *this}};
  std::free(real);
  for (const PageFolder* below = this; below; below = below->child_) {
    if (below->device_ != folder->device_ || below->inode_ != folder->inode_) continue;
    Error error{Reason::bad_parents, link};
    error.name = folder->path_;
    first_->errors_.push_back(error);
    return nullptr;
  }
  parent_ = std::move(folder);
  return parent_.get();
}

int PageFolder::pages_fd(std::uint64_t pages_id) {
  auto& all = first_->open_pages_;
  auto known = std::ranges::find_if(
      all, [&](const OpenPages& open) { return open.folder == this && open.pages_id == pages_id && open.fd >= 0; });
  if (known == all.end()) {
    const int fd = open((path_ + "/" + pages_name(pages_id)).c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    known = all.end() - 1;
    if (known->fd >= 0) close(known->fd);
    *known = {this, pages_id, fd};
  }
  std::rotate(all.begin(), known, known + 1);
  return all.front().fd;
}

}  // namespace critpipe
