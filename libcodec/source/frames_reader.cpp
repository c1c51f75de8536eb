#include "source/frames_reader.hpp"

#include <algorithm>

#include "source/frame_stream.hpp"
#include "source/frames_ahead.hpp"

namespace critpipe {

extern const Packing zstd_packing;

namespace {

// A run of that many bytes is expected to go on. Images that are small begin before it.
constexpr std::uint64_t long_run_bytes = 6 << 20;

// A file from an offset to its end.
class RestReader final : public ByteReader {
 public:
  RestReader(const InputFile& file, std::uint64_t at) : file_{file}, at_{at}, block_(block_bytes) {}
  Bytes read() override {
    const std::size_t size = file_.pread(block_, at_, error_);
    at_ += size;
    return error_ ? Bytes{} : Bytes{block_}.first(size);
  }

 private:
  const InputFile& file_;
  std::uint64_t at_;
  std::vector<std::byte> block_;
};

class FramesReader final : public ByteReader {
 public:
  FramesReader(const InputFile& file, std::uint64_t begin, std::unique_ptr<ZstdFrames> frames, Reader below,
               const std::string& place, std::size_t nr_threads)
      : below_{std::move(below)},
        file_{file},
        begin_{begin},
        place_{place},
        nr_threads_{nr_threads},
        frames_{std::move(frames)},
        stream_{file, begin, place} {}

  Bytes read() override;
  std::uint64_t skip(std::uint64_t size) override;
  std::uint64_t packed() const override;

 private:
  struct Upcoming {
    ZstdFrames::Next next = ZstdFrames::Next::end;
    ZstdFrame frame = {};
  };
  Upcoming next_frame();
  void look_ahead();
  bool fetch_frame();
  bool may_pass_over();
  void open_frame();
  Bytes next_bytes();
  void leave_frame(bool was_read);
  Bytes read_rest();

  Reader below_;  // owns the file
  const InputFile& file_;
  const std::uint64_t begin_;
  const std::string place_;
  const std::size_t nr_threads_;
  std::unique_ptr<ZstdFrames> frames_;
  std::optional<Upcoming> upcoming_;  // behind those that are unpacked ahead
  std::unique_ptr<FramesAhead> ahead_;
  FrameStream stream_;

  std::optional<ZstdFrame> frame_;  // the one that is read
  bool is_ahead_ = false;           // it is the first of those ahead
  enum class Open : std::uint8_t { no, whole, stream };
  Open open_ = Open::no;
  Bytes whole_;             // what is left of it
  std::uint64_t left_ = 0;  // bytes of it that were neither read nor passed over
  std::uint64_t drop_ = 0;  // passed over, and not unpacked yet

  std::uint64_t run_bytes_ = 0;  // read without passing over most of a frame
  std::uint64_t packed_ = 0;     // before the frame
  Reader rest_;                  // what is behind frames of known size
  std::uint64_t rest_begin_ = 0;
};

FramesReader::Upcoming FramesReader::next_frame() {
  if (upcoming_) return *std::exchange(upcoming_, std::nullopt);
  Upcoming one;
  one.next = frames_->next(one.frame);
  return one;
}

void FramesReader::look_ahead() {
  if (nr_threads_ < 2 || run_bytes_ < long_run_bytes) return;
  if (!ahead_) ahead_ = std::make_unique<FramesAhead>(file_, nr_threads_);
  while (ahead_->has_room()) {
    Upcoming one = next_frame();
    if (one.next != ZstdFrames::Next::frame || !FramesAhead::suits(one.frame)) {
      upcoming_ = one;
      return;
    }
    if (!frames_->look_at(one.frame)) {
      upcoming_ = {.next = ZstdFrames::Next::wrong};
      return;
    }
    stream_.release();
    ahead_->add(one.frame);
  }
}

// False: the end, an error, or only the rest is left.
bool FramesReader::fetch_frame() {
  look_ahead();
  is_ahead_ = ahead_ && !ahead_->is_empty();
  const Upcoming one = is_ahead_ ? Upcoming{ZstdFrames::Next::frame, ahead_->front()} : next_frame();
  if (one.next == ZstdFrames::Next::wrong) error_ = frames_->error();
  if (one.next == ZstdFrames::Next::end) upcoming_ = one;
  if (one.next == ZstdFrames::Next::plain) {
    rest_begin_ = one.frame.at - begin_;
    rest_ = unpack(zstd_packing, std::make_unique<RestReader>(file_, one.frame.at), place_);
  }
  if (one.next != ZstdFrames::Next::frame) return false;
  frame_ = one.frame;
  left_ = frame_->unpacked;
  drop_ = 0;
  open_ = Open::no;
  packed_ = frame_->at - begin_;
  return true;
}

void FramesReader::open_frame() {
  open_ = Open::stream;
  if (const auto bytes = is_ahead_ ? ahead_->unpacked() : std::nullopt) {
    open_ = Open::whole;
    whole_ = *bytes;
  } else if (is_ahead_ || frames_->look_at(*frame_)) {
    stream_.begin(*frame_);
  } else {
    error_ = frames_->error();
  }
}

// Of the frame. Empty: it is complete, or there was an error.
Bytes FramesReader::next_bytes() {
  if (open_ == Open::no) open_frame();
  while (!error_) {
    Bytes bytes;
    if (open_ == Open::whole) {
      whole_ = whole_.subspan(std::exchange(drop_, 0));
      bytes = whole_.first(std::min(whole_.size(), block_bytes));
      whole_ = whole_.subspan(bytes.size());
    } else {
      bytes = stream_.read();
      if (bytes.empty()) error_ = stream_.error();
    }
    const std::uint64_t dropped = std::min<std::uint64_t>(drop_, bytes.size());
    drop_ -= dropped;
    if (dropped > 0 && dropped == bytes.size()) continue;
    left_ -= bytes.size() - dropped;
    return bytes.subspan(dropped);
  }
  return {};
}

void FramesReader::leave_frame(bool was_read) {
  run_bytes_ = was_read ? run_bytes_ + frame_->unpacked : 0;
  packed_ = frame_->at + frame_->packed - begin_;
  if (is_ahead_) ahead_->pop();
  open_ = Open::no;
  frame_.reset();
}

Bytes FramesReader::read_rest() {
  const Bytes bytes = rest_->read();
  if (!bytes.empty() || !rest_->error()) return bytes;
  error_ = rest_->error();
  if (error_.offset != Error::nowhere) error_.offset += rest_begin_;
  return {};
}

Bytes FramesReader::read() {
  while (!error_) {
    if (rest_) return read_rest();
    if (!frame_ && !fetch_frame()) {
      if (rest_) continue;
      break;
    }
    const Bytes bytes = next_bytes();
    if (!bytes.empty()) return bytes;
    if (!error_) leave_frame(true);
  }
  return {};
}

// May the frame, of which nothing was read, be left without unpacking it? Where it ends is then taken from the table:
// finding its end by its blocks would take a read for every 128 KiB. Its head must say its size; but in a long run of
// frames that are all as large, as those of pages, only the first and the last one's: a read for each frame would be
// what takes the time. A wrong size that happens to be its neighbours' shifts what follows, which is no member then.
bool FramesReader::may_pass_over() {
  if (frame_->is_as_neighbours || frame_->says_size) return true;
  if (!frames_->look_at(*frame_)) error_ = frames_->error();
  return frame_->says_size;
}

std::uint64_t FramesReader::skip(std::uint64_t size) {
  std::uint64_t done = 0;
  while (done < size && !error_ && !rest_) {
    if (!frame_ && !fetch_frame()) break;
    const std::uint64_t step = std::min(left_, size - done);
    if (step == left_ && open_ == Open::no && !may_pass_over()) break;
    left_ -= step;
    drop_ += step;
    // What was handed on of it is as good as its checksum says, which is at its end.
    if (left_ == 0 && open_ != Open::no) (void)next_bytes();
    if (error_) break;
    done += step;
    if (left_ == 0) leave_frame(step <= frame_->unpacked / 2);
  }
  return done;
}

std::uint64_t FramesReader::packed() const {
  if (rest_) return rest_begin_ + rest_->packed();
  if (open_ == Open::stream) return packed_ + stream_.taken();
  return packed_ + (open_ == Open::whole ? frame_->packed : 0);
}

}  // namespace

Reader read_by_frames(const InputFile& file, std::uint64_t begin, Reader& below, const std::string& place,
                      std::size_t nr_threads) {
  auto frames = find_zstd_frames(file, begin);
  if (!frames) return nullptr;
  return std::make_unique<FramesReader>(file, begin, std::move(frames), std::move(below), place, nr_threads);
}

}  // namespace critpipe
