// Pages and their pagemap, written.
#include "critpipe/pages_writer.hpp"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <lz4.h>
#include <mutex>
#include <thread>

#include "base/start_thread.hpp"
#include "critpipe/fields.hpp"
#include "critpipe/schema.hpp"

namespace critpipe {

namespace {

void append_word(std::string& out, std::uint32_t word) {
  for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(word >> shift & 0xff);
}

void append_number(std::string& out, unsigned field, std::uint64_t value) {
  append_varint(out, field << 3);
  append_varint(out, value);
}

void append_bytes(std::string& out, unsigned field, std::string_view bytes) {
  append_varint(out, field << 3 | 2);
  append_varint(out, bytes.size());
  out += bytes;
}

void append_entry(std::string& out, std::string_view payload) {
  append_word(out, static_cast<std::uint32_t>(payload.size()));
  out += payload;
}

}  // namespace

bool is_zero(Bytes bytes) {
  return bytes.empty() ||
         (bytes[0] == std::byte{0} && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

namespace {

constexpr std::size_t most_packed(std::size_t content_bytes) { return content_bytes - content_bytes / 8; }

// Requires: room for that.
Bytes pack_block(Bytes content, std::span<std::byte> room, int acceleration) {
  if (is_zero(content)) return {};
  const std::size_t most = most_packed(content.size());
  const int size =
      LZ4_compress_fast(reinterpret_cast<const char*>(content.data()), reinterpret_cast<char*>(room.data()),
                        static_cast<int>(content.size()), static_cast<int>(most), acceleration);
  return size > 0 ? Bytes{room}.first(static_cast<std::size_t>(size)) : content;
}

}  // namespace

Bytes pack_block(Bytes content, std::vector<std::byte>& room, int acceleration) {
  if (room.size() < most_packed(content.size())) room.resize(most_packed(content.size()));
  return pack_block(content, std::span{room}, acceleration);
}

// What stands behind it: the entry that is open, and blocks that are filled, packed and written.
class PagesWriter::Work {
 public:
  Work(Output& pages, const Options& options);

  Step add(std::uint64_t vaddr, std::uint32_t flags, Store store, Bytes pages);
  Step refer(const PageRun& run);
  Step cut();
  Step finish();
  Step write_pagemap(std::uint64_t pages_id, Output& pagemap) const;

  std::uint64_t nr_pages() const { return nr_pages_; }
  std::uint64_t stored_bytes() const { return stored_bytes_; }
  bool has_blocks() const { return has_blocks_; }

 private:
  static constexpr std::size_t most_blocks = 1 << 16;  // of an entry, so that none is too long to be read
  // Entries are short, and with them their blocks: a thread is not woken for each.
  static constexpr std::size_t batch_bytes = 512 << 10, most_pieces = 1 << 12;

  class Batch;
  class Workers;

  void put(Bytes bytes);
  bool align();  // to the border of a page; false: it was there
  void add_blocks(Bytes pages);
  void end_block(Bytes content);
  void end_open_block();
  void hand_over();
  void write_waiting(std::size_t most);  // until no more batches than that wait
  void write_all();
  void write(const Batch& batch);
  void write_block(Bytes stored, std::size_t content_bytes);
  void write_entry(const PageRun& run, Store store);
  Batch& batch();

  Output& output_;
  Options options_;
  bool is_open_ = false;  // the entry
  PageRun run_;
  Store store_ = Store::plain;
  std::uint64_t nr_blocks_ = 0;   // of the open entry
  std::unique_ptr<Batch> batch_;  // that is being filled; null: none is
  std::size_t open_bytes_ = 0;    // of its last block
  std::deque<std::unique_ptr<Batch>> waiting_;
  std::vector<std::unique_ptr<Batch>> spare_;
  std::unique_ptr<Workers> workers_;  // null: there are no blocks; none of them: they are compressed as they end
  std::vector<std::uint32_t> sizes_;  // of the entry that is being written
  bool is_aligned_ = false;           // it begins with a block as it is, behind a gap
  bool has_packed_ = false;           // it has a block that is not
  std::string entries_;
  std::uint64_t nr_pages_ = 0, stored_bytes_ = 0;
  bool has_blocks_ = false;
};

// Blocks and ends of entries that are not written yet, in their order.
class PagesWriter::Work::Batch {
 public:
  struct Piece {
    Bytes content = {}, stored = {};  // of a block; no content: the end of an entry
    PageRun run = {};
    Store store = Store::plain;
  };

  explicit Batch(std::size_t size)
      : size_{size}, room_{std::make_unique_for_overwrite<std::byte[]>(most_packed(size))} {
    content_.reserve(size);
  }

  bool has_room(std::size_t size) const { return size_ - content_.size() >= size; }
  void append(Bytes pages) { content_.insert(content_.end(), pages.begin(), pages.end()); }
  Bytes last(std::size_t size) const { return Bytes{content_}.last(size); }
  void end_block(Bytes content) { pieces_.push_back({content}); }
  void end_entry(const PageRun& run, Store store) { pieces_.push_back({{}, {}, run, store}); }
  const std::vector<Piece>& pieces() const { return pieces_; }
  void pack(int acceleration);  // allocates nothing
  void clear() {
    content_.clear();
    pieces_.clear();
    is_packed = false;
  }
  bool is_packed = false;  // a worker is done with it

 private:
  std::size_t size_;
  std::vector<std::byte> content_;  // stays where it is, as pieces are views of it
  std::unique_ptr<std::byte[]> room_;
  std::vector<Piece> pieces_;
};

void PagesWriter::Work::Batch::pack(int acceleration) {
  std::span<std::byte> room{room_.get(), most_packed(size_)};
  for (Piece& piece : pieces_) {
    if (piece.content.empty()) continue;
    piece.stored = pack_block(piece.content, room, acceleration);
    if (piece.stored.size() < piece.content.size()) room = room.subspan(piece.stored.size());
  }
}

// Threads that compress, and nothing else. Who waits for them compresses, too: it counts as one of them.
class PagesWriter::Work::Workers {
 public:
  Workers(unsigned count, int acceleration) : acceleration_{acceleration} {
    while (threads_.size() + 1 < count && start_thread(threads_, [this] { work(); })) {
    }
  }
  ~Workers() {
    {
      const std::scoped_lock lock{mutex_};
      is_over_ = true;
    }
    work_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }
  std::size_t count() const { return threads_.empty() ? 0 : threads_.size() + 1; }  // 0: there are none

  void add(Batch& batch) {
    const std::scoped_lock lock{mutex_};
    todo_.push_back(&batch);
    work_.notify_one();
  }
  bool is_packed(const Batch& batch) {
    const std::scoped_lock lock{mutex_};
    return batch.is_packed;
  }
  void wait(const Batch& batch) {
    std::unique_lock lock{mutex_};
    while (!batch.is_packed && pack_next(lock)) {
    }
    done_.wait(lock, [&] { return batch.is_packed; });
  }

 private:
  // False: nothing is to be done. Requires: the mutex is held, as it is in the end.
  bool pack_next(std::unique_lock<std::mutex>& lock) {
    if (todo_.empty()) return false;
    Batch& batch = *todo_.front();
    todo_.pop_front();
    lock.unlock();
    batch.pack(acceleration_);
    lock.lock();
    batch.is_packed = true;
    done_.notify_one();
    return true;
  }
  void work() {
    std::unique_lock lock{mutex_};
    for (;;) {
      work_.wait(lock, [this] { return is_over_ || !todo_.empty(); });
      if (is_over_) return;
      (void)pack_next(lock);
    }
  }

  int acceleration_;
  std::mutex mutex_;
  std::condition_variable work_, done_;
  std::deque<Batch*> todo_;
  bool is_over_ = false;
  std::vector<std::thread> threads_;
};

PagesWriter::Work::Work(Output& pages, const Options& options) : output_{pages}, options_{options} {
  if (options_.block_bytes == 0) return;
  // What one thread packs needs no others.
  workers_ = std::make_unique<Workers>(options_.threads > 1 ? options_.threads : 0, options_.acceleration);
}

PagesWriter::Work::Batch& PagesWriter::Work::batch() {
  if (batch_) return *batch_;
  if (spare_.empty()) {
    const std::size_t size = workers_->count() == 0 ? 0 : batch_bytes;
    batch_ = std::make_unique<Batch>(std::max<std::size_t>(options_.block_bytes, size));
  } else {
    batch_ = std::move(spare_.back());
    spare_.pop_back();
  }
  return *batch_;
}

void PagesWriter::Work::put(Bytes bytes) {
  output_.pass(bytes);
  stored_bytes_ += bytes.size();
}

bool PagesWriter::Work::align() {
  const std::uint64_t over = stored_bytes_ % options_.page_size;
  if (over == 0) return false;
  const std::vector<std::byte> gap(options_.page_size - over);
  put(gap);
  return true;
}

void PagesWriter::Work::write_block(Bytes stored, std::size_t content_bytes) {
  const bool is_packed = stored.size() < content_bytes;
  if (sizes_.empty() && !is_packed) is_aligned_ = align();
  has_packed_ |= is_packed;
  sizes_.push_back(static_cast<std::uint32_t>(stored.size()));
  put(stored);
}

void PagesWriter::Work::write(const Batch& batch) {
  for (const Batch::Piece& piece : batch.pieces())
    if (piece.content.empty()) write_entry(piece.run, piece.store);
    else write_block(piece.stored, piece.content.size());
}

void PagesWriter::Work::write_waiting(std::size_t most) {
  for (; !waiting_.empty(); waiting_.pop_front()) {
    Batch& first = *waiting_.front();
    if (waiting_.size() <= most && !workers_->is_packed(first)) return;
    workers_->wait(first);
    write(first);
    first.clear();
    spare_.push_back(std::move(waiting_.front()));
  }
}

void PagesWriter::Work::write_all() {
  hand_over();
  write_waiting(0);
}

void PagesWriter::Work::hand_over() {
  if (!batch_ || batch_->pieces().empty()) return;
  workers_->add(*batch_);
  waiting_.push_back(std::move(batch_));
  write_waiting(workers_->count() + 1);
}

void PagesWriter::Work::end_open_block() {
  if (open_bytes_ > 0) end_block(batch_->last(std::exchange(open_bytes_, 0)));
}

void PagesWriter::Work::end_block(Bytes content) {
  ++nr_blocks_;
  batch_->end_block(content);
  if (workers_->count() > 0) return;
  batch_->pack(options_.acceleration);
  write(*batch_);
  batch_->clear();
}

void PagesWriter::Work::add_blocks(Bytes pages) {
  while (!pages.empty()) {
    if (open_bytes_ == 0 && batch_ && !batch_->has_room(options_.block_bytes)) hand_over();
    const std::size_t take = std::min<std::size_t>(pages.size(), options_.block_bytes - open_bytes_);
    const Bytes here = pages.first(take);
    pages = pages.subspan(take);
    if (take == options_.block_bytes && workers_->count() == 0) {  // without a copy
      (void)batch();
      end_block(here);
      continue;
    }
    batch().append(here);
    open_bytes_ += take;
    if (open_bytes_ == options_.block_bytes) end_open_block();
  }
}

void PagesWriter::Work::write_entry(const PageRun& run, Store store) {
  const bool in_blocks = store == Store::blocks && run.is_present() && has_packed_;
  const std::uint32_t flags = run.flags | (is_aligned_ ? +PageRun::payload_aligned : 0u);
  const bool counts_old = options_.old_counts && run.nr_pages <= 0xffffffff;
  std::string payload;
  append_number(payload, 1, run.vaddr);
  append_number(payload, 2, counts_old ? run.nr_pages : 0);
  const bool no_flags = options_.no_flags && (flags == PageRun::present || flags == PageRun::parent);
  if (!no_flags) append_number(payload, 4, flags);
  else if (run.is_parent()) append_number(payload, 3, 1);
  if (!counts_old || in_blocks) append_number(payload, 5, run.nr_pages);
  if (in_blocks) {
    std::string sizes, blocks;
    std::uint64_t total = 0;
    for (const std::uint32_t size : sizes_) {
      append_varint(sizes, size);
      total += size;
    }
    append_bytes(blocks, 1, sizes);
    append_number(blocks, 2, total);
    append_number(blocks, 3, pages_in(options_.block_bytes, options_.page_size));
    append_bytes(payload, 6, blocks);
    has_blocks_ = true;
  }
  sizes_.clear();
  is_aligned_ = has_packed_ = false;
  append_entry(entries_, payload);
}

Step PagesWriter::Work::cut() {
  if (!std::exchange(is_open_, false)) return output_.step();
  end_open_block();
  nr_blocks_ = 0;
  if (waiting_.empty() && (!batch_ || batch_->pieces().empty())) {
    write_entry(run_, store_);
  } else {
    batch().end_entry(run_, store_);
    if (batch_->pieces().size() >= most_pieces) hand_over();
  }
  return output_.step();
}

Step PagesWriter::Work::add(std::uint64_t vaddr, std::uint32_t flags, Store store, Bytes pages) {
  if (options_.block_bytes == 0) store = Store::plain;
  flags &= ~static_cast<std::uint32_t>(PageRun::payload_aligned);
  const bool joins = is_open_ && run_.is_present() && store_ == store && nr_blocks_ < most_blocks &&
                     (run_.flags & ~static_cast<std::uint32_t>(PageRun::payload_aligned)) == flags &&
                     run_.end(options_.page_size) == vaddr;
  if (!joins) {
    if (cut() == Step::stop) return Step::stop;
    run_ = {vaddr, 0, nr_pages_, flags};
    store_ = store;
    is_open_ = true;
    if (store == Store::plain) write_all();
    if (store == Store::plain && align()) run_.flags |= PageRun::payload_aligned;
  }
  const std::uint64_t count = pages_in(pages.size(), options_.page_size);
  run_.nr_pages += count;
  nr_pages_ += count;
  if (store == Store::plain) put(pages);
  else add_blocks(pages);
  return output_.step();
}

Step PagesWriter::Work::refer(const PageRun& run) {
  const std::uint32_t flags = run.flags & ~static_cast<std::uint32_t>(PageRun::payload_aligned);
  if (is_open_ && !run_.is_present() && run_.flags == flags && run_.end(options_.page_size) == run.vaddr) {
    run_.nr_pages += run.nr_pages;
    return output_.step();
  }
  if (cut() == Step::stop) return Step::stop;
  run_ = run;
  run_.flags = flags;
  store_ = Store::plain;
  is_open_ = true;
  return output_.step();
}

Step PagesWriter::Work::finish() {
  const Step step = cut();
  write_all();
  return step == Step::stop ? step : output_.step();
}

Step PagesWriter::Work::write_pagemap(std::uint64_t pages_id, Output& pagemap) const {
  std::string head, payload;
  if (!options_.bare_head) append_word(head, common_magic);
  append_word(head, kind_of_name("pagemap-1.img")->magic);
  append_number(payload, 1, pages_id);
  append_entry(head, payload);
  pagemap.write(head);
  pagemap.write(entries_);
  return pagemap.step();
}

PagesWriter::PagesWriter(Output& pages, const Options& options) : work_{std::make_unique<Work>(pages, options)} {}
PagesWriter::~PagesWriter() = default;

Step PagesWriter::add(std::uint64_t vaddr, std::uint32_t flags, Store store, Bytes pages) {
  return work_->add(vaddr, flags, store, pages);
}
Step PagesWriter::refer(const PageRun& run) { return work_->refer(run); }
Step PagesWriter::cut() { return work_->cut(); }
Step PagesWriter::finish() { return work_->finish(); }
Step PagesWriter::write_pagemap(std::uint64_t pages_id, Output& pagemap) const {
  return work_->write_pagemap(pages_id, pagemap);
}
std::uint64_t PagesWriter::nr_pages() const { return work_->nr_pages(); }
std::uint64_t PagesWriter::stored_bytes() const { return work_->stored_bytes(); }
bool PagesWriter::has_blocks() const { return work_->has_blocks(); }

}  // namespace critpipe
