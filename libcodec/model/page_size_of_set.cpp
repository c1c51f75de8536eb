#include "model/page_size_of_set.hpp"

#include <algorithm>
#include <optional>

namespace critpipe {

Pagemap pagemap_of(const Checkpoint& checkpoint, const Task& task) {
  Pagemap pagemap{.memory = {.shmem = false, .id = task.pid},
                  .pages_id = task.pages_id,
                  .runs = task.pagemap,
                  .layout = task.page_layout,
                  .is_complete = true};
  for (const PageRun& run : task.pagemap) {
    pagemap.address_bits |= run.vaddr;
    if (run.is_present()) pagemap.nr_present += run.nr_pages;
    if (run.page == max_pages) pagemap.is_complete = false;  // an entry was refused
  }
  const std::string name = pagemap_name(pagemap.memory);
  if (std::ranges::any_of(checkpoint.errors(), [&](const Error& error) { return error.member == name; }))
    pagemap.is_complete = false;
  pagemap.seal();
  return pagemap;
}

namespace {

class CountBytes final : public Sink {
 public:
  explicit CountBytes(std::uint64_t& size) : size_{size} {}
  Step pass_over(std::uint64_t size) override {
    size_ = size;
    return Step::go;
  }
  Step entry(const Entry&) override { return Step::go; }
  Step raw(Bytes bytes) override {
    size_ += bytes.size();
    return Step::go;
  }
  void fail(const Error&) override { size_ = Member::unknown; }

 private:
  std::uint64_t& size_;
};

}  // namespace

std::unique_ptr<Sink> UnreadPages::sink_for(const Member& member) {
  Image& image = images_[*pages_id_of_name(member.name)] = {member.size, member.directory};
  if (member.size != Member::unknown) return nullptr;
  image.bytes = 0;
  return std::make_unique<CountBytes>(image.bytes);
}

void UnreadPages::learn_page_size(Checkpoint& checkpoint) const {
  critpipe::learn_page_size(checkpoint, [&](PageSizeByImages& images) {
    for (const Task& task : checkpoint.tasks()) {
      const auto image = images_.find(task.pages_id);
      if (!task.has_pagemap || image == images_.end() || image->second.bytes == Member::unknown) continue;
      const Pagemap pagemap = pagemap_of(checkpoint, task);
      std::optional<PagesImage> stored;
      if (pagemap.layout && !image->second.directory.empty()) {
        Error error;
        const Directory directory{image->second.directory, error};
        InputFile file = error ? InputFile{} : directory.open(pages_name(task.pages_id), error);
        if (file.is_open()) stored.emplace(std::move(file), smallest_page);
      }
      images.add(pagemap, {image->second.bytes}, stored ? &*stored : nullptr);
    }
  });
}

}  // namespace critpipe
