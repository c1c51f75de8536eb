#include "model/page_size_of_set.hpp"

#include <algorithm>

#include "model/model.hpp"

namespace critpipe {

std::uint64_t told_page_size(const Checkpoint& checkpoint) { return model_of(checkpoint).page_size; }

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

// Keeps the beginning of a pages image on its way, and counts its bytes.
class PagesToTry::Keep final : public Sink {
 public:
  // `learn`: says when the page size is told, until which the sink is not made. Empty: it is made at once.
  Keep(Image& image, MakeSink make, std::function<bool()> learn)
      : image_{image}, make_{std::move(make)}, learn_{std::move(learn)} {
    if (!learn_ && make_) next_ = make_();
  }

  // Where nobody else wants the bytes, those of the beginning are asked for.
  Step pass_over(std::uint64_t size) override {
    if (learn_) return Step::stop;
    is_alone_ = !next_ || next_->pass_over(size) == Step::go;
    return is_alone_ && image_.beginning->has_enough() ? Step::go : Step::stop;
  }
  Step begin(const critpipe::Image& image) override {
    began_ = image;
    return next_ ? next_->begin(image) : Step::go;
  }
  Step entry(const Entry&) override { return Step::go; }
  Step raw(Bytes bytes) override;
  bool has_enough() const override {
    if (learn_) return false;
    if (next_ && !is_alone_) return next_->has_enough();
    return image_.bytes != Member::unknown && image_.beginning->has_enough();  // all are counted
  }
  Step end() override {
    if (image_.bytes == Member::unknown) image_.bytes = seen_bytes_;
    if (learn_ && release({}) == Step::stop) return Step::stop;
    return next_ ? next_->end() : Step::go;
  }
  void fail(const Error& error) override {
    if (image_.bytes == Member::unknown) image_.bytes = seen_bytes_ + 1;  // more than came
    if (learn_) (void)release({});
    if (next_) next_->fail(error);
  }

 private:
  Step release(Bytes last);

  Image& image_;
  MakeSink make_;
  std::function<bool()> learn_;
  std::unique_ptr<Sink> next_ = {};
  std::optional<critpipe::Image> began_ = {};
  std::uint64_t seen_bytes_ = 0, next_try_ = 0;
  bool is_alone_ = false;
};

Step PagesToTry::Keep::raw(Bytes bytes) {
  seen_bytes_ += bytes.size();
  image_.beginning->take(bytes);
  if (!learn_) return is_alone_ || !next_ ? Step::go : next_->raw(bytes);
  if (!image_.beginning->has_enough()) {
    const bool is_tried = seen_bytes_ >= next_try_;
    if (is_tried) next_try_ = 2 * seen_bytes_;
    if (!is_tried || !learn_()) return Step::go;
  }
  return release(bytes);
}

// All but the last bytes are held.
Step PagesToTry::Keep::release(Bytes last) {
  if (learn_()) image_.beginning->want_no_more();
  learn_ = {};
  next_ = make_();
  if (!next_) return Step::go;
  if (began_ && next_->begin(*began_) == Step::stop) return Step::stop;
  std::vector<std::byte> room(64 << 10);
  for (std::uint64_t at = 0, end = seen_bytes_ - last.size(); at < end;) {
    Error error;
    const std::span<std::byte> into = std::span{room}.first(std::min<std::uint64_t>(room.size(), end - at));
    at += image_.beginning->read(into, at, error);
    if (error || next_->raw(into) == Step::stop) return Step::stop;
  }
  return last.empty() ? Step::go : next_->raw(last);
}

// Half of what the set has left is for the images behind this one, and most of what all have for other sets.
PagesToTry::Image& PagesToTry::note(const Member& member, RoomToTry& room) {
  constexpr std::uint64_t share_of_set = 2, share_of_all = 16;
  Image& image = images_[*pages_id_of_name(member.name)];
  room_ += image.share;
  const std::uint64_t share =
      member.directory.empty() ? std::min({member.size, room_ / share_of_set, room.left / share_of_all}) : 0;
  image = {member.place, member.directory, member.size, share, std::make_shared<HeldPages>(room.left)};
  image.beginning->want_begin(share);
  room_ -= share;
  return image;
}

std::unique_ptr<Sink> PagesToTry::sink_for(const Member& member, bool has_tasks, RoomToTry& room, MakeSink make,
                                           EarlyPageSize early) {
  if (has_tasks || !room.is_needed || is_certain_) return make ? make() : nullptr;
  Image& image = note(member, room);
  if (!member.directory.empty()) return make ? make() : nullptr;
  std::function<bool()> waits_for = {};
  if (early.pagemaps_of) {
    const std::uint64_t pages_id = *pages_id_of_name(member.name);
    bool has_blocks = false;
    early.pagemaps_of(pages_id, [&](const Pagemap& pagemap) { has_blocks |= pagemap.layout != nullptr; });
    const bool is_told = learn(pages_id, early);
    last_ = pages_id;
    if (is_certain_) image.beginning->want_no_more();
    if (has_blocks && !is_told)
      waits_for = [this, pages_id, early = std::move(early)] { return learn(pages_id, early); };
  }
  return std::make_unique<Keep>(image, std::move(make), std::move(waits_for));
}

// By this image and the one before it: those before that have told what they can.
bool PagesToTry::learn(std::uint64_t pages_id, const EarlyPageSize& early) {
  PageSizeByImages sizes;
  for (const std::uint64_t id : {last_.value_or(pages_id), pages_id}) {
    const auto stored = stored_image(id);
    const bool is_size_known = images_.at(id).bytes != Member::unknown;
    early.pagemaps_of(id, [&](const Pagemap& pagemap) {
      if (stored) sizes.add(pagemap, *stored, early.block_bytes(), is_size_known);
    });
  }
  is_certain_ = sizes.is_certain();
  if (sizes.size() != 0) early.learned(sizes.size());
  return sizes.size() != 0;
}

std::unique_ptr<const PagesImage> PagesToTry::stored_image(std::uint64_t pages_id) const {
  const auto found = images_.find(pages_id);
  if (found == images_.end()) return nullptr;
  const Image& image = found->second;
  if (image.directory.empty())
    return std::make_unique<PagesImage>(PagesImage::Part{.size = image.bytes, .held = image.beginning}, image.place,
                                        smallest_page);
  Error error;
  const Directory directory{image.directory, error};
  InputFile file = error ? InputFile{} : directory.open(pages_name(pages_id), error);
  return file.is_open() ? std::make_unique<PagesImage>(std::move(file), smallest_page) : nullptr;
}

EarlyPageSize early_of(const PagemapIndex& pagemaps, Checkpoint& checkpoint) {
  return {.pagemaps_of =
              [&pagemaps](std::uint64_t pages_id, const std::function<void(const Pagemap&)>& visit) {
                for (const Pagemap& pagemap : pagemaps.of(pages_id)) visit(pagemap);
              },
          .block_bytes = [&checkpoint] { return checkpoint.block_bytes(); },
          .learned = [&checkpoint](std::uint64_t page_size) { checkpoint.learn_page_size(page_size); }};
}

void add_images(PageSizeByImages& sizes, const Checkpoint& checkpoint, const PagesToTry& pages) {
  for (const Task& task : checkpoint.tasks())
    if (const auto stored = task.has_pagemap ? pages.stored_image(task.pages_id) : nullptr)
      sizes.add(pagemap_of(checkpoint, task), *stored, checkpoint.block_bytes());
}

}  // namespace critpipe
