// Pieces of pages images that come in an order of their own, put in order.
#include <algorithm>

#include "memory/checkpoint_memory.hpp"

namespace critpipe {

namespace {

using Piece = MemoryWork::Piece;

// What is next in line is handed on at once, what is for later waits.
class PieceQueue {
 public:
  PieceQueue(MemoryWork& work, const std::vector<Piece>& pieces, const MemoryWork::TakePiece& take);

  bool wants(const MemorySet& set, std::uint64_t pages_id) const { return images_.contains({&set, pages_id}); }
  // Bytes of an image, from a page on; ascending.
  Step feed(const MemorySet& set, std::uint64_t pages_id, std::uint64_t part, Bytes bytes);
  // Hands on what waits and is next in line now, up to the first piece that has not come.
  Step advance();
  bool is_complete() const { return next_ == pieces_.size(); }
  Error error() const { return error_; }
  const Piece& next() const { return pieces_[next_]; }

 private:
  struct Wanted {
    std::vector<std::size_t> pieces;  // by where they begin
    std::size_t first = 0;            // those before it are done
  };
  struct Progress {
    std::uint64_t done = 0;          // bytes that have come
    std::vector<std::byte> waiting;  // of a piece that is not next
  };
  std::uint64_t begin_of(const Piece& piece) const {
    return content_position(piece.stretch.page, piece.set->page_size, piece.skip);
  }
  Step feed_piece(std::size_t number, std::uint64_t offset, Bytes bytes);

  MemoryWork& work_;
  const std::vector<Piece>& pieces_;
  const MemoryWork::TakePiece& take_;
  std::vector<Progress> progress_;
  std::map<std::pair<const MemorySet*, std::uint64_t>, Wanted> images_;
  std::size_t next_ = 0;
  std::uint64_t waiting_bytes_ = 0;
  Error error_;
};

PieceQueue::PieceQueue(MemoryWork& work, const std::vector<Piece>& pieces, const MemoryWork::TakePiece& take)
    : work_{work}, pieces_{pieces}, take_{take}, progress_(pieces.size()) {
  for (std::size_t i = 0; i < pieces.size(); ++i)
    if (pieces[i].is_streamed()) images_[{&pieces[i].stored_in(), pieces[i].stretch.pages_id}].pieces.push_back(i);
  for (auto& [image, wanted] : images_)
    std::ranges::stable_sort(wanted.pieces, {}, [this](std::size_t i) { return begin_of(pieces_[i]); });
}

Step PieceQueue::feed(const MemorySet& set, std::uint64_t pages_id, std::uint64_t part, Bytes bytes) {
  const auto image = images_.find({&set, pages_id});
  if (image == images_.end()) return Step::go;
  const std::uint64_t offset = content_position(part, smallest_page);
  Wanted& wanted = image->second;
  for (std::size_t i = wanted.first; i < wanted.pieces.size(); ++i) {
    const std::size_t number = wanted.pieces[i];
    if (begin_of(pieces_[number]) >= offset + bytes.size()) break;
    if (feed_piece(number, offset, bytes) == Step::stop) return Step::stop;
  }
  const auto is_done = [&](std::size_t number) { return progress_[number].done == pieces_[number].size; };
  while (wanted.first < wanted.pieces.size() && is_done(wanted.pieces[wanted.first])) ++wanted.first;
  return Step::go;
}

Step PieceQueue::feed_piece(std::size_t number, std::uint64_t offset, Bytes bytes) {
  const Piece& piece = pieces_[number];
  Progress& progress = progress_[number];
  const std::uint64_t at = begin_of(piece) + progress.done;
  if (progress.done == piece.size || at < offset || at >= offset + bytes.size()) return Step::go;
  const Bytes here = bytes.subspan(at - offset).first(std::min(piece.size - progress.done, offset + bytes.size() - at));
  const std::uint64_t before = progress.done;
  progress.done += here.size();
  if (number == next_) return take_(piece, before, here) == Step::stop ? Step::stop : advance();
  waiting_bytes_ += here.size();
  if (waiting_bytes_ > work_.options.held_bytes) {
    error_ = {Reason::limit_held, "", Error::nowhere, Error::nowhere, work_.options.held_bytes};
    return Step::stop;
  }
  progress.waiting.insert(progress.waiting.end(), here.begin(), here.end());
  return Step::go;
}

Step PieceQueue::advance() {
  for (; next_ < pieces_.size(); ++next_) {
    const Piece& piece = pieces_[next_];
    Step step = Step::go;
    if (!piece.is_streamed()) {
      error_ = work_.by_position(piece, take_, step);
      if (error_ || step == Step::stop) return Step::stop;
      continue;
    }
    const std::vector<std::byte> bytes = std::exchange(progress_[next_].waiting, {});
    waiting_bytes_ -= bytes.size();
    if (!bytes.empty() && take_(piece, 0, bytes) == Step::stop) return Step::stop;
    if (progress_[next_].done < piece.size) return Step::go;
  }
  return Step::go;
}

// The inputs once more, for the pages that are wanted.
class ReadPages final : public Decoding {
 public:
  ReadPages(MemoryWork& work, PieceQueue& queue) : Decoding{work.options.limits}, work_{work}, queue_{queue} {}

  bool wants(std::string_view name) override {
    return pages_id_of_name(name) && (!work_.options.wanted || work_.options.wanted(name));
  }
  bool reads_raw() const override { return false; }
  std::unique_ptr<Sink> sink_for(const Member& member) override;
  void report(const Error& error) override { work_.report(error); }

 private:
  class FeedPages;
  MemoryWork& work_;
  PieceQueue& queue_;
};

class ReadPages::FeedPages final : public PagesSink {
 public:
  FeedPages(PieceQueue& queue, MemorySet& set, std::uint64_t pages_id)
      : queue_{queue}, set_{set}, image_{set.images[pages_id]}, pages_id_{pages_id} {}
  Step pass_over(std::uint64_t) override { return Step::stop; }

 protected:
  Step pages(std::uint64_t first, Bytes bytes) override { return queue_.feed(set_, pages_id_, first, bytes); }
  Step done(std::uint64_t size_bytes) override {
    image_.nr_parts = pages_in(size_bytes, smallest_page);
    return Step::go;
  }

 private:
  PieceQueue& queue_;
  MemorySet& set_;
  MemorySet::Streamed& image_;
  std::uint64_t pages_id_;
};

std::unique_ptr<Sink> ReadPages::sink_for(const Member& member) {
  const auto pages_id = member.is_image ? pages_id_of_name(member.name) : std::nullopt;
  const auto number = work_.numbers.find(*member.set);
  if (!pages_id || number == work_.numbers.end()) return nullptr;
  MemorySet& set = *work_.sets[number->second];
  if (!queue_.wants(set, *pages_id)) return nullptr;
  return std::make_unique<FeedPages>(queue_, set, *pages_id);
}

// Why a piece did not come: its image ended before it, or never came.
Error missing(const Piece& piece) {
  const MemorySet& set = piece.stored_in();
  const auto image = set.images.find(piece.stretch.pages_id);
  if (image == set.images.end()) return {Reason::missing_image, set.name + ":" + pages_name(piece.stretch.pages_id)};
  const std::uint64_t there = StoredPages::size(image->second.nr_parts, smallest_page);
  return {Reason::cut_pages, image->second.place, there, Error::nowhere, piece.size, 0};
}

}  // namespace

Error MemoryWork::deliver(const std::vector<Piece>& pieces, const TakePiece& take) {
  PieceQueue queue{*this, pieces, take};
  Step step = queue.advance();
  for (const auto& set : sets)
    for (const auto& [pages_id, image] : set->images)
      if (step == Step::go && image.held) step = queue.feed(*set, pages_id, 0, image.bytes);
  if (step == Step::go && !queue.is_complete() && !from_pipe) {
    ReadPages reading{*this, queue};
    Pieces inputs_again{inputs, options.source};
    while (const auto piece = inputs_again.next())
      if (step = piece->read(reading); step == Step::stop) break;
  }
  if (queue.error()) return queue.error();
  if (step == Step::stop || queue.is_complete()) return {};
  if (over_limit) return {Reason::limit_held, "", Error::nowhere, Error::nowhere, options.held_bytes};
  return missing(queue.next());
}

}  // namespace critpipe
