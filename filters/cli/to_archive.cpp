// Images as an archive: what is small first, pages last. The size of a member precedes it there, so one whose size is
// not known waits until it has ended, as does whatever comes too early for its place.
#include <algorithm>
#include <filesystem>
#include <list>
#include <unordered_set>

#include "cli/images_target.hpp"
#include "cli/member_spool.hpp"
#include "critpipe/image_writer.hpp"

namespace critpipe::filters {

namespace {

class ToArchive final : public ImagesTarget {
 public:
  ToArchive(Program& program, bool zstd);
  Output* open(const MemberPlace& place, OutForm form, std::uint64_t size) override;
  Step close(Output* output, bool whole) override;
  bool orders() const override { return true; }
  void bulk_follows() override;
  Step write_held() override;
  std::uint64_t most_held() const override { return packed_ ? most_packed_bytes : 0; }
  PackedAhead* ahead() override;
  void link_parent(const MemberPlace& set, const MemberPlace& parent) override;
  void lead_out(const MemberPlace& set, const std::string& target) override {
    links_.push_back({set.images_in_archive() + "/parent", target});
  }
  bool refuses_parents() const override { return true; }
  bool may_lead_out() const override { return true; }
  void spoil() override { cut(); }
  int commit() override;

 private:
  class One;
  struct Waiting {
    std::string path;
    Rank rank = Rank::configuration;
    Spool::Held held = {};
  };

  bool take(One& one, Bytes bytes, Error& error);
  std::uint64_t pass_file(One& one, int fd, std::uint64_t size, Error& error);
  void write_waiting();
  void cut();
  Output& below() { return packed_ ? *packed_ : destination_.output(); }

  Program& program_;
  Destination destination_;
  std::unique_ptr<ZstdOutput> packed_;
  TarWriter archive_;
  Spool spool_;
  bool bulk_follows_ = false;
  bool is_cut_ = false;     // a member turned out to be shorter than its header says
  bool has_room_ = true;    // for what waits
  One* current_ = nullptr;  // goes out as it comes
  std::unordered_set<std::string> names_;
  std::list<One> open_;
  std::list<Waiting> waiting_;  // complete
  struct Link {
    std::string name, target;
  };
  std::list<Link> links_;
};

class ToArchive::One final : public Output {
 public:
  One(ToArchive& target, std::string path) : Output{block_bytes / 4}, target_{target} {
    waiting.path = std::move(path);
    waiting.rank = rank_of(waiting.path);
  }
  Waiting waiting;

 private:
  bool drain(const char* bytes, std::size_t size) override {
    return target_.take(*this, std::as_bytes(std::span{bytes, size}), error_);
  }
  std::uint64_t move(int fd, std::uint64_t size) override { return target_.pass_file(*this, fd, size, error_); }

  ToArchive& target_;
};

// What waits lies beside the file that it goes to: there is room for it. Empty: not into a file.
std::string waits_beside(const Program& program) {
  const std::string file = program.value("output").value_or("-");
  if (file == "-" || file.starts_with("/dev/") || file.starts_with("/proc/")) return "";
  std::error_code none;
  const bool is_pipe = std::filesystem::is_other(file, none);
  return is_pipe ? "" : file;
}

std::string waiting_room(const Program& program) {
  const std::string file = waits_beside(program);
  const std::size_t slash = file.rfind('/');
  if (slash != file.npos) return file.substr(0, slash + 1);
  return file.empty() ? "" : ".";
}

ToArchive::ToArchive(Program& program, bool zstd)
    : program_{program},
      destination_{program, Destination::Content::images},
      packed_{packed_output(program, destination_.output(), zstd)},
      archive_{below()},
      spool_{waiting_room(program), waits_beside(program)} {}

Output* ToArchive::open(const MemberPlace& place, OutForm, std::uint64_t size) {
  std::string path = place.in_archive();
  Error error = TarWriter::check_name(path);
  if (place.name == "-") {
    error = {Reason::bad_name, path};
    error.name = "it has none (an image stream keeps names: --stream)";
  } else if (!error && !names_.insert(path).second) {
    error = {Reason::bad_duplicate};
    error.name = place.in_stream();
  }
  if (error) return program_.report(error), nullptr;
  One& one = open_.emplace_back(*this, path);
  const bool goes_out = bulk_follows_ && size != unknown_size && !current_ && !is_cut_;
  if (!goes_out) return &one;
  current_ = &one;
  (void)archive_.begin(path, size);
  return &one;
}

// It cannot be taken back: the archive ends here, and whoever reads it notices.
void ToArchive::cut() {
  is_cut_ = true;
  current_ = nullptr;
}

bool ToArchive::take(One& one, Bytes bytes, Error& error) {
  if (is_cut_) return true;
  if (&one == current_) {
    if (bytes.size() > archive_.left()) return cut(), true;
    return archive_.data(bytes) == Step::go;
  }
  error = spool_.append(one.waiting.held, bytes);
  return !error;
}

std::uint64_t ToArchive::pass_file(One& one, int fd, std::uint64_t size, Error&) {
  return &one == current_ ? archive_.pass_file(fd, size) : 0;
}

Step ToArchive::close(Output* output, bool whole) {
  const auto one = std::ranges::find_if(open_, [&](const One& open) { return &open == output; });
  (void)one->flush();
  if (one->error() && std::exchange(has_room_, false)) program_.report(one->error());
  const bool is_complete = whole && one->step() == Step::go;
  if (&*one == current_) {
    current_ = nullptr;
    if (archive_.left() > 0) {
      if (is_complete)
        program_.report({Reason::changed, one->waiting.path, Error::nowhere, Error::nowhere, archive_.left()});
      cut();
    }
  } else if (is_complete) {
    waiting_.push_back(std::move(one->waiting));
  } else {
    spool_.forget(one->waiting.held);
  }
  open_.erase(one);
  return has_room_ ? below().step() : Step::stop;
}

void ToArchive::link_parent(const MemberPlace& set, const MemberPlace& parent) {
  const std::string from = set.images_in_archive();
  links_.push_back({from + "/parent", path_between(from, parent.images_in_archive())});
}

void ToArchive::write_waiting() {
  waiting_.sort([](const Waiting& left, const Waiting& right) { return left.rank < right.rank; });
  const auto write_links = [&] {
    for (const Link& link : links_) (void)archive_.link(link.name, link.target);
    links_.clear();
  };
  for (const Waiting& one : waiting_) {
    if (one.rank > Rank::image) write_links();
    const Error error = is_cut_ ? Error{} : spool_.write(one.held, one.path, archive_);
    if (error) program_.report(error), cut();
    if (is_cut_ || below().step() == Step::stop) break;
  }
  if (!is_cut_) write_links();
  waiting_.clear();
  if (open_.empty()) spool_.clear();
}

void ToArchive::bulk_follows() {
  write_waiting();
  bulk_follows_ = true;
}

PackedAhead* ToArchive::ahead() {
  const std::string room = packed_ ? waiting_room(program_) : "";
  return room.empty() ? nullptr : &packed_->ahead(room);
}

Step ToArchive::write_held() {
  bulk_follows();
  return below().flush();
}

int ToArchive::commit() {
  // The file is not put in place: that there is no room for it, either, is the same fault.
  if (!has_room_ && destination_.is_named()) return program_.exit_code();
  write_waiting();
  // Nothing is written where there was nothing: an empty archive would look like a whole set.
  if (!names_.empty() && !is_cut_) (void)archive_.finish();
  if (packed_ && packed_->finish() == Step::stop && packed_->error()) program_.report(packed_->error());
  return destination_.commit();
}

}  // namespace

std::unique_ptr<ImagesTarget> to_archive(Program& program, bool zstd) {
  return std::make_unique<ToArchive>(program, zstd);
}

}  // namespace critpipe::filters
