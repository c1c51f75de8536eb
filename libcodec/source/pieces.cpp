// The pieces of inputs: members of directories, files, shards that belong together.
#include <algorithm>
#include <fcntl.h>

#include "source/directory_input.hpp"
#include "source/open_input.hpp"

namespace critpipe {

namespace {

constexpr std::uint64_t ids_a_piece = std::uint64_t{1} << 32;

class DirectoryPiece final : public Piece {
 public:
  DirectoryPiece(std::shared_ptr<const Directory> directory, std::size_t index, std::uint64_t id)
      : directory_{std::move(directory)}, index_{index}, id_{id} {}
  bool is_open() const override { return false; }
  Step read(Receiver& receiver) override { return read_entry(*directory_, directory_->entries[index_], id_, receiver); }

 private:
  std::shared_ptr<const Directory> directory_;
  std::size_t index_;
  std::uint64_t id_;
};

class FailedPiece final : public Piece {
 public:
  explicit FailedPiece(Error error) : error_{std::move(error)} {}
  bool is_open() const override { return false; }
  Step read(Receiver& receiver) override {
    receiver.fail(nullptr, error_);
    return Step::go;
  }

 private:
  Error error_;
};

class InputPiece final : public Piece {
 public:
  InputPiece(std::vector<Opened> opened, const SourceOptions& options, std::string prefix, std::uint64_t id)
      : opened_{std::move(opened)}, options_{options}, prefix_{std::move(prefix)}, id_{id} {}

  bool is_open() const override { return true; }
  Step read(Receiver& receiver) override {
    Opened& first = opened_.front();
    if (first.form == Opened::Form::tar) return read_tar(*first.reader, form(receiver));
    if (first.form == Opened::Form::stream) {
      std::vector<Shard> shards;
      for (Opened& opened : opened_) shards.push_back({std::move(opened.reader), opened.place});
      return read_stream(shards, form(receiver));
    }
    if (!receiver.wants(first.name)) return Step::go;
    Member member;
    member.name = first.name;
    member.place = first.place;
    member.id = id_;
    member.size = first.size;
    if (first.form == Opened::Form::raw) return read_file(std::move(first.file), member, receiver);
    if (receiver.begin(member) == Step::stop) return Step::stop;
    return read_member(*first.reader, member, receiver);
  }

 private:
  Form form(Receiver& receiver) { return {receiver, options_, opened_.front().place, prefix_, id_}; }

  std::vector<Opened> opened_;
  SourceOptions options_;
  std::string prefix_;
  std::uint64_t id_;
};

}  // namespace

class Pieces::Queue {
 public:
  Queue(std::vector<std::string> inputs, const SourceOptions& options)
      : inputs_{std::move(inputs)}, options_{options}, names_{short_names(inputs_)} {}

  std::unique_ptr<Piece> next();

 private:
  Opened open_next();
  std::unique_ptr<Piece> start(Opened opened);
  std::unique_ptr<Piece> start_directory(Opened opened);
  void join_shards(std::vector<Opened>& shards);
  std::uint64_t id() { return ids_a_piece * nr_pieces_++; }

  std::vector<std::string> inputs_;
  SourceOptions options_;
  std::vector<std::string> names_;
  std::size_t next_input_ = 0;
  std::vector<Opened> waiting_;  // one that was opened to see whether it is a shard of the one before
  std::shared_ptr<const Directory> directory_;
  std::size_t next_entry_ = 0;
  std::uint64_t nr_pieces_ = 0;
};

Opened Pieces::Queue::open_next() {
  if (!waiting_.empty()) {
    Opened opened = std::move(waiting_.back());
    waiting_.pop_back();
    return opened;
  }
  const std::size_t i = next_input_++;
  return open_input(inputs_[i], names_[i], options_);
}

// Inputs that follow and are streams belong to this one, up to the next that begins at 0; shards may be empty, too.
void Pieces::Queue::join_shards(std::vector<Opened>& shards) {
  bool has_first = shards.front().sequence == 0;
  while (next_input_ < inputs_.size()) {
    Opened opened = open_next();
    const bool is_image = opened.form == Opened::Form::image;
    const bool is_empty = is_image && opened.reader->peek(1).empty() && !opened.reader->error();
    const bool is_shard = opened.form == Opened::Form::stream && !(has_first && opened.sequence == 0);
    if (!is_shard && !is_empty) {
      waiting_.push_back(std::move(opened));
      return;
    }
    has_first |= opened.form == Opened::Form::stream && opened.sequence == 0;
    shards.push_back(std::move(opened));
  }
}

std::unique_ptr<Piece> Pieces::Queue::start_directory(Opened opened) {
  auto directory = std::make_shared<Directory>();
  directory->file = std::move(opened.file);
  directory->place = opened.place;
  if (inputs_.size() > 1) directory->prefix = opened.short_name + "/";
  const Error error = list_directory(*directory, options_);
  if (error) return std::make_unique<FailedPiece>(error);
  directory_ = std::move(directory);
  next_entry_ = 0;
  return next();
}

std::unique_ptr<Piece> Pieces::Queue::start(Opened opened) {
  if (opened.form == Opened::Form::directory) return start_directory(std::move(opened));
  if (opened.form == Opened::Form::failed) return std::make_unique<FailedPiece>(opened.error);
  const bool is_stream = opened.form == Opened::Form::stream;
  std::vector<Opened> all;
  all.push_back(std::move(opened));
  const std::size_t before = next_input_;
  if (is_stream) join_shards(all);
  // The shards of a single set need no name before their members' names.
  const bool alone = next_input_ == inputs_.size() && before == 1 && waiting_.empty();
  const std::string prefix = alone ? "" : all.front().short_name + "/";
  return std::make_unique<InputPiece>(std::move(all), options_, prefix, id());
}

std::unique_ptr<Piece> Pieces::Queue::next() {
  if (directory_ && next_entry_ < directory_->entries.size())
    return std::make_unique<DirectoryPiece>(directory_, next_entry_++, id());
  directory_.reset();
  if (next_input_ == inputs_.size() && waiting_.empty()) return nullptr;
  return start(open_next());
}

Pieces::Pieces(std::vector<std::string> inputs, const SourceOptions& options)
    : queue_{std::make_unique<Queue>(std::move(inputs), options)} {}
Pieces::~Pieces() = default;
std::unique_ptr<Piece> Pieces::next() { return queue_->next(); }

std::uint64_t nr_wanted(const std::string& input, Receiver& receiver, const SourceOptions& options) {
  Directory directory{OpenFile{input == "-" ? -1 : open(input.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)}, input, ""};
  if (directory.file.fd() < 0 || list_directory(directory, options)) return Member::unknown;
  return static_cast<std::uint64_t>(
      std::ranges::count_if(directory.entries, [&](const auto& entry) { return receiver.wants(entry.name); }));
}

Step read_input(const std::string& input, Receiver& receiver, const SourceOptions& options) {
  Pieces pieces{{input}, options};
  while (const auto piece = pieces.next())
    if (piece->read(receiver) == Step::stop) return Step::stop;
  return Step::go;
}

}  // namespace critpipe
