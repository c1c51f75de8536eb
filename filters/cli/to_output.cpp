// One image as itself, several as an image stream. Where a stream is cut does not depend on the pieces in which images
// come, so the same images give the same bytes on any number of threads.
#include <algorithm>
#include <list>
#include <unordered_set>
#include <vector>

#include "cli/images_target.hpp"
#include "critpipe/image_writer.hpp"

namespace critpipe::filters {

namespace {

constexpr std::size_t frame_bytes = block_bytes / 4;

class ToOutput final : public ImagesTarget {
 public:
  ToOutput(Program& program, bool stream, bool zstd);
  Output* open(const MemberPlace& place, OutForm form, std::uint64_t size) override;
  Step close(Output* output, bool whole) override;
  void expect_stream() override { expected_ = true; }
  Step write_held() override { return below().flush(); }
  std::uint64_t most_held() const override { return packed_ ? most_packed_bytes : 0; }
  bool refuses_parents() const override { return destination_.is_named(); }
  bool has_links() const override { return false; }
  bool may_lead_out() const override { return true; }
  int commit() override;

 private:
  class One;
  Step take(One& one, Bytes bytes);
  Step put_frames(One& one, Bytes bytes);
  Step end_frame(One& one);
  std::uint64_t pass_file(One& one, int fd, std::uint64_t size, Error& error);
  bool is_open() const { return form_ == OutForm::one_or_stream || form_ == OutForm::one_or_error; }
  Step decide(OutForm form);
  void decide_by_size();
  Output& below() { return packed_ ? *packed_ : destination_.output(); }

  Program& program_;
  Destination destination_;
  std::unique_ptr<ZstdOutput> packed_;
  StreamWriter stream_;
  bool forced_;            // a stream, even of one image
  bool expected_ = false;  // an empty stream is an answer
  OutForm form_ = OutForm::stream;
  std::unordered_set<std::string> names_;  // those who read a stream refuse a name that comes again
  std::string held_name_;
  std::string held_;
  bool held_ended_ = false;
  std::list<One> open_;
};

// One image that is open.
class ToOutput::One final : public Output {
 public:
  One(ToOutput& target, std::string name) : Output{frame_bytes}, target_{target}, name_{std::move(name)} {}
  const std::string& name() const { return name_; }
  std::vector<std::byte>& frame() { return frame_; }

 private:
  bool drain(const char* bytes, std::size_t size) override {
    return target_.take(*this, std::as_bytes(std::span{bytes, size})) == Step::go;
  }
  std::uint64_t move(int fd, std::uint64_t size) override { return target_.pass_file(*this, fd, size, error_); }

  ToOutput& target_;
  std::string name_;
  std::vector<std::byte> frame_;  // of a stream: that has begun
};

ToOutput::ToOutput(Program& program, bool stream, bool zstd)
    : program_{program},
      destination_{program, Destination::Content::images},
      packed_{packed_output(program, destination_.output(), zstd)},
      stream_{below()},
      forced_{stream} {}

Step ToOutput::decide(OutForm form) {
  form_ = form;
  const Bytes held = std::as_bytes(std::span{held_});
  if (form == OutForm::image) {
    below().pass(held);
  } else if (!names_.empty()) {
    const auto one = std::ranges::find_if(open_, [&](const One& open) { return open.name() == held_name_; });
    if (one != open_.end()) (void)put_frames(*one, held);
    else if (!held_.empty()) (void)stream_.data(held_name_, held);
    if (held_ended_) (void)stream_.end(held_name_);
  }
  held_.clear();
  held_.shrink_to_fit();
  return below().step();
}

Output* ToOutput::open(const MemberPlace& place, OutForm form, std::uint64_t) {
  const std::string known = place.in_stream();
  if (names_.empty()) {
    form_ = forced_ ? OutForm::stream : form;
    held_name_ = known;
  } else if (is_open()) {
    (void)decide(OutForm::stream);
  } else if (form_ == OutForm::image) {
    Error error{Reason::usage, known};
    error.name = "a second image, behind one that is written as itself: --stream writes several, --set reads one set";
    program_.report(error);
    return nullptr;
  }
  if (!names_.insert(known).second) {
    Error error{Reason::bad_duplicate};
    error.name = known;
    program_.report(error);
    return nullptr;
  }
  return &open_.emplace_back(*this, known);
}

// What is too long to be held.
void ToOutput::decide_by_size() { (void)decide(form_ == OutForm::one_or_stream ? OutForm::stream : OutForm::image); }

Step ToOutput::take(One& one, Bytes bytes) {
  if (is_open() && held_.size() + bytes.size() <= held_image_bytes) {
    held_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return Step::go;
  }
  if (is_open()) decide_by_size();
  if (form_ == OutForm::stream) return put_frames(one, bytes);
  below().pass(bytes);
  return below().step();
}

Step ToOutput::put_frames(One& one, Bytes bytes) {
  std::vector<std::byte>& frame = one.frame();
  while (!bytes.empty()) {
    const Bytes piece = bytes.first(std::min(bytes.size(), frame_bytes - frame.size()));
    bytes = bytes.subspan(piece.size());
    if (piece.size() == frame_bytes) {
      (void)stream_.data(one.name(), piece);
      continue;
    }
    frame.insert(frame.end(), piece.begin(), piece.end());
    if (frame.size() == frame_bytes) (void)end_frame(one);
  }
  return below().step();
}

Step ToOutput::end_frame(One& one) {
  (void)stream_.data(one.name(), one.frame());
  one.frame().clear();
  return below().step();
}

std::uint64_t ToOutput::pass_file(One& one, int fd, std::uint64_t size, Error& error) {
  if (is_open() && size <= held_image_bytes) return 0;
  if (is_open()) decide_by_size();
  if (form_ != OutForm::stream) return below().pass_file(fd, size);
  return end_frame(one) == Step::go ? stream_.pass_file(one.name(), fd, size, error) : 0;
}

Step ToOutput::close(Output* output, bool whole) {
  const auto one = std::ranges::find_if(open_, [&](const One& open) { return &open == output; });
  (void)one->flush();
  if (form_ == OutForm::stream) (void)end_frame(*one);
  const std::string name = one->name();
  open_.erase(one);
  if (form_ == OutForm::stream && whole) return stream_.end(name);
  held_ended_ |= whole;
  return below().step();
}

int ToOutput::commit() {
  if (is_open()) (void)decide(OutForm::image);
  // Mostly nothing is written where there was nothing: an empty stream would look like a whole set.
  if (form_ == OutForm::stream && (!names_.empty() || expected_)) (void)stream_.finish();
  if (packed_ && packed_->finish() == Step::stop && packed_->error()) program_.report(packed_->error());
  return destination_.commit();
}

}  // namespace

std::unique_ptr<ImagesTarget> to_output(Program& program, bool stream, bool zstd) {
  return std::make_unique<ToOutput>(program, stream, zstd);
}

}  // namespace critpipe::filters
