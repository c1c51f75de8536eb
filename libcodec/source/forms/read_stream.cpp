// Image streams: markers and data, of one shard or several, in the order of their sequence numbers.
//
// Behind the end of the image there may be more files, and an end again: what crit-dump knows only when the tree is
// gone. They are no part of the image: if they are cut short, it is whole all the same.
#include <algorithm>
#include <map>
#include <poll.h>
#include <utility>

#include "critpipe/fields.hpp"
#include "source/input_form.hpp"
#include "image/stream_marker.hpp"

namespace critpipe {

namespace {

class Stream {
 public:
  Stream(std::vector<OpenedInput>& shards, Delivery& to) : to_{to} {
    for (OpenedInput& shard : shards) lanes_.push_back({&shard});
  }
  Step read();

 private:
  struct Lane {
    OpenedInput* shard;
    Marker next = {};  // what comes next, where has_next
    bool has_next = false;
    bool ended = false;
  };
  struct Open {
    Member member;
    bool wanted = false;
    bool begun = false;
  };
  using OpenFiles = std::map<std::string, Open>;

  Lane* lane_with_next();
  Lane* lane_to_read();
  bool read_marker(Lane& lane);
  void cut(Lane& lane);
  Step take(Lane& lane);
  Step select(const std::string& name);
  Step begin(Open& open);
  Step take_data(Lane& lane);
  Step end_file();
  void fail(Reason reason, std::uint64_t want = 0, std::uint64_t have = 0, std::string name = {});

  Delivery& to_;
  std::vector<Lane> lanes_;
  OpenFiles open_;
  OpenFiles::iterator current_ = open_.end();
  std::uint64_t sequence_ = 0;  // of the next marker
  bool image_ended_ = false;    // by the last marker
  bool is_whole_ = false;       // the image is, whatever comes
  bool failed_ = false;
};

void Stream::fail(Reason reason, std::uint64_t want, std::uint64_t have, std::string name) {
  failed_ = true;
  Error error{reason, to_.place, Error::nowhere, Error::nowhere, want, have, std::move(name)};
  to_.fail(error);
}

Stream::Lane* Stream::lane_with_next() {
  for (Lane& lane : lanes_)
    if (lane.has_next && lane.next.sequence == sequence_) return &lane;
  return nullptr;
}

// A lane that may be read without waiting for long: a writer that fills all shards in turns must not find us waiting
// for one while it waits for room in another.
Stream::Lane* Stream::lane_to_read() {
  std::vector<pollfd> waits;
  std::vector<Lane*> waiting;
  for (Lane& lane : lanes_) {
    if (lane.ended || lane.has_next) continue;
    const int fd = lane.shard->reader->poll_fd();
    if (fd < 0) return &lane;
    waits.push_back({fd, POLLIN, 0});
    waiting.push_back(&lane);
  }
  if (waiting.size() > 1 && poll(waits.data(), waits.size(), -1) > 0)
    for (std::size_t i = 0; i < waits.size(); ++i)
      if (waits[i].revents != 0) return waiting[i];
  return waiting.empty() ? nullptr : waiting.front();
}

// A shard ends in the middle of something.
void Stream::cut(Lane& lane) {
  const Error& error = lane.shard->reader->error();
  lane.ended = true;
  if (is_whole_ && !error) return;
  if (error) to_.fail(error);
  else fail(Reason::cut_stream, sequence_);
  failed_ = true;
}

bool Stream::read_marker(Lane& lane) {
  PeekReader& reader = *lane.shard->reader;
  const Bytes size_word = reader.peek(4);
  if (size_word.empty() && !reader.error()) {
    lane.ended = true;
    return true;
  }
  const std::size_t size = size_word.size() < 4 ? 0 : load_u32(size_word.data());
  if (size > max_marker_bytes) {
    fail(Reason::bad_marker, sequence_, size, "of " + std::to_string(size) + " bytes; 10240 is the most");
    return false;
  }
  const Bytes all = reader.peek(4 + size);
  if (all.size() < 4 + size) {
    cut(lane);
    return !failed_;
  }
  if (!parse_marker(all.subspan(4, size), lane.next)) {
    fail(Reason::bad_marker, sequence_, size, "of " + std::to_string(size) + " bytes that are no marker");
    return false;
  }
  (void)reader.read_some(4 + size);
  const bool may_follow = is_whole_ && lane.next.body == Marker::Body::name && !lane.next.name.ends_with(".img");
  if (image_ended_ && !may_follow) {
    fail(Reason::bad_marker, sequence_, 0, "behind the end of the image");
    return false;
  }
  lane.has_next = true;
  if (lane.next.sequence >= sequence_) return true;
  fail(Reason::bad_sequence, sequence_, lane.next.sequence);
  return false;
}

Step Stream::select(const std::string& name) {
  current_ = open_.find(name);
  if (current_ != open_.end()) return Step::go;
  if (open_.size() == max_open_members)
    fail(Reason::limit_members, 0, 0, name + ", with " + std::to_string(max_open_members) + " others open,");
  else failed_ = !to_.count(name);
  if (failed_) return Step::go;
  current_ = open_.emplace(name, Open{}).first;
  Open& open = current_->second;
  Member& member = open.member;
  member.is_image = is_image_name(name);
  member.interleaved = true;
  const char* why = fault_of_name(name);
  if (why || !to_.names.add(name)) {
    const std::string place = to_.place + ":" + name.substr(0, max_name_bytes);
    to_.fail(named_error(why ? Reason::bad_name : Reason::bad_duplicate, place, why ? why : name));
    return Step::go;
  }
  const bool is_link = to_.options.parents && is_parent_link(name);
  const bool is_read = member.is_image || to_.options.all_members || is_link;
  open.wanted = to_.name(member, name) && is_read && to_.wants(member);
  // What follows the image, and is cut before its first byte, was never there.
  return is_whole_ ? Step::go : begin(open);
}

Step Stream::begin(Open& open) {
  if (!open.wanted || std::exchange(open.begun, true)) return Step::go;
  return to_.receiver.begin(open.member);
}

Step Stream::take_data(Lane& lane) {
  PeekReader& reader = *lane.shard->reader;
  Open& open = current_->second;
  std::uint64_t left = lane.next.size;
  if (!open.wanted) left -= reader.skip(left);
  while (left > 0 && open.wanted) {
    const Bytes block = reader.read_some(left);
    if (block.empty()) break;
    if (begin(open) == Step::stop) return Step::stop;
    left -= block.size();
    open.member.packed = reader.packed();
    if (to_.receiver.bytes(open.member, block) == Step::stop) return Step::stop;
  }
  if (left > 0) cut(lane);
  return Step::go;
}

Step Stream::end_file() {
  if (begin(current_->second) == Step::stop) return Step::stop;
  const bool wanted = current_->second.wanted;
  const Member member = std::move(current_->second.member);
  open_.erase(current_);
  current_ = open_.end();
  return wanted ? to_.receiver.end(member) : Step::go;
}

Step Stream::take(Lane& lane) {
  lane.has_next = image_ended_ = false;
  ++sequence_;
  using Body = Marker::Body;
  const Body body = lane.next.body;
  if ((body == Body::data || body == Body::file_end) && current_ == open_.end()) {
    fail(Reason::bad_marker, sequence_ - 1, 0, "that belongs to no file");
    return Step::go;
  }
  switch (body) {
    case Body::name: return select(lane.next.name);
    case Body::data: return take_data(lane);
    case Body::file_end: return end_file();
    case Body::image_end:
    case Body::none: image_ended_ = true; is_whole_ = is_whole_ || open_.empty();
  }
  return Step::go;
}

Step Stream::read() {
  while (!failed_) {
    if (Lane* next = lane_with_next()) {
      if (take(*next) == Step::stop) return Step::stop;
    } else if (Lane* lane = lane_to_read()) {
      read_marker(*lane);
    } else {
      break;
    }
  }
  // All shards stand at their end or before a marker that cannot come yet.
  std::uint64_t lowest = Member::unknown;
  for (const Lane& lane : lanes_)
    if (lane.has_next) lowest = std::min(lowest, lane.next.sequence);
  if (!failed_ && lowest != Member::unknown) fail(Reason::bad_sequence, sequence_, lowest);
  else if (!failed_ && !image_ended_ && !is_whole_) fail(Reason::cut_stream, sequence_);
  else if (!failed_) to_.end();
  for (auto& [name, open] : open_) {
    if (!open.wanted || !open.begun) continue;
    if (is_whole_ && !failed_) (void)to_.receiver.end(open.member);
    else to_.receiver.fail(&open.member, named_error(Reason::cut_member, open.member.place, ""));
  }
  return Step::go;
}

bool is_stream(OpenedInput& opened) {
  PeekReader& reader = *opened.reader;
  const Bytes size_word = reader.peek(4);
  if (size_word.size() < 4) return false;
  const std::size_t size = load_u32(size_word.data());
  if (size == 0 || size > max_marker_bytes) return false;
  const Bytes all = reader.peek(4 + size);
  Marker marker;
  if (all.size() < 4 + size || !parse_marker(all.subspan(4, size), marker)) return false;
  opened.sequence = marker.sequence;
  return true;
}

Step read_stream(std::vector<OpenedInput>& shards, Delivery& delivery) { return Stream{shards, delivery}.read(); }

// A shard, up to the next that begins at 0; one may be empty, too.
bool is_shard(const std::vector<OpenedInput>& before, OpenedInput& next) {
  const InputForm* form = before.front().form;
  if (next.form == form)
    return next.sequence != 0 || std::ranges::none_of(before, [&](const OpenedInput& shard) {
             return shard.form == form && shard.sequence == 0;
           });
  return next.reader && next.reader->peek(1).empty() && !next.reader->error();
}

}  // namespace

extern const InputForm stream_form;
const InputForm stream_form{.head_bytes = 4, .recognise = is_stream, .read = read_stream, .continues = is_shard};

}  // namespace critpipe
