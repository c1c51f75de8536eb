#include "model/page_size_of_set.hpp"

#include <algorithm>

namespace critpipe {

std::uint64_t nr_present_pages(const Task& task) {
  std::uint64_t nr_pages = 0;
  for (const PageRun& run : task.pagemap)
    if (run.is_present()) nr_pages += run.nr_pages;
  return nr_pages;
}

Pagemap pagemap_of(const Checkpoint& checkpoint, const Task& task) {
  Pagemap pagemap{.memory = {.shmem = false, .id = task.pid},
                  .pages_id = task.pages_id,
                  .nr_present = nr_present_pages(task),
                  .runs = task.pagemap,
                  .layout = task.page_layout,
                  .is_complete = true};
  for (const PageRun& run : task.pagemap) {
    pagemap.address_bits |= run.vaddr;
    if (run.page == max_pages) pagemap.is_complete = false;  // an entry was refused
  }
  const std::string name = pagemap_name(pagemap.memory);
  if (std::ranges::any_of(checkpoint.errors(), [&](const Error& error) { return error.member == name; }))
    pagemap.is_complete = false;
  pagemap.seal();
  return pagemap;
}

// Keeps the begin of a pages image on its way, and counts its bytes.
class PagesToTry::Keep final : public Stage {
 public:
  Keep(std::unique_ptr<Sink> next, Image& image)
      : Stage{next.get()}, next_{std::move(next)}, image_{image}, is_alone_{!next_} {}

  // Where nobody else wants the bytes, those of the begin are asked for.
  Step pass_over(std::uint64_t size) override {
    is_alone_ = Stage::pass_over(size) == Step::go;
    return is_alone_ && image_.begin->has_enough() ? Step::go : Step::stop;
  }
  Step raw(Bytes bytes) override {
    seen_bytes_ += bytes.size();
    image_.begin->take(bytes);
    return is_alone_ ? Step::go : Stage::raw(bytes);
  }
  bool has_enough() const override { return is_alone_ ? image_.begin->has_enough() : Stage::has_enough(); }
  Step end() override {
    if (image_.bytes == Member::unknown) image_.bytes = seen_bytes_;
    return Stage::end();
  }
  void fail(const Error& error) override {
    if (image_.bytes == Member::unknown) image_.bytes = seen_bytes_ + 1;  // more than came
    Stage::fail(error);
  }

 private:
  std::unique_ptr<Sink> next_;
  Image& image_;
  std::uint64_t seen_bytes_ = 0;
  bool is_alone_;
};

// Half of what the set has left is for the images behind this one, and most of what all have for other sets.
void PagesToTry::note(const Member& member, std::uint64_t& room) {
  constexpr std::uint64_t share_of_set = 2, share_of_all = 16;
  Image& image = images_[*pages_id_of_name(member.name)];
  room_ += image.share;
  const std::uint64_t share =
      member.directory.empty() ? std::min({member.size, room_ / share_of_set, room / share_of_all}) : 0;
  image = {member.place, member.directory, member.size, share, std::make_shared<HeldPages>(room)};
  image.begin->want_begin(share);
  room_ -= share;
}

std::unique_ptr<Sink> PagesToTry::sink_for(const Member& member, std::uint64_t& room, std::unique_ptr<Sink> next) {
  note(member, room);
  if (!member.directory.empty()) return next;
  return std::make_unique<Keep>(std::move(next), images_.at(*pages_id_of_name(member.name)));
}

std::unique_ptr<const PagesImage> PagesToTry::stored_image(std::uint64_t pages_id) const {
  const auto found = images_.find(pages_id);
  if (found == images_.end()) return nullptr;
  const Image& image = found->second;
  if (image.directory.empty())
    return std::make_unique<PagesImage>(PagesImage::Part{.size = image.bytes, .held = image.begin}, image.place,
                                        smallest_page);
  Error error;
  const Directory directory{image.directory, error};
  InputFile file = error ? InputFile{} : directory.open(pages_name(pages_id), error);
  return file.is_open() ? std::make_unique<PagesImage>(std::move(file), smallest_page) : nullptr;
}

std::uint64_t learn_page_size(Checkpoint& checkpoint, const PagesToTry& pages) {
  if (checkpoint.pages_only().empty()) return 0;
  PageSizeByImages sizes;
  for (const Task& task : checkpoint.tasks())
    if (const auto stored = task.has_pagemap ? pages.stored_image(task.pages_id) : nullptr)
      sizes.add(pagemap_of(checkpoint, task), *stored, checkpoint.block_bytes());
  checkpoint.learn_page_size(sizes.size());
  return sizes.size();
}

}  // namespace critpipe
