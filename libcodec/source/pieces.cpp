// The pieces of inputs: members of directories, files, shards that belong together.
#include <algorithm>
#include <atomic>
#include <fcntl.h>
#include <sys/stat.h>

#include "source/directory_list.hpp"
#include "source/input_form.hpp"

namespace critpipe {

namespace {

constexpr std::uint64_t ids_a_piece = std::uint64_t{1} << 32;

class DirectoryPiece final : public Piece {
 public:
  DirectoryPiece(std::shared_ptr<const DirectoryList> directory, std::size_t index, std::uint64_t id)
      : directory_{std::move(directory)}, index_{index}, id_{id} {}
  bool is_open() const override { return false; }
  Step read(Receiver& receiver) override { return read_entry(*directory_, directory_->entries[index_], id_, receiver); }

 private:
  std::shared_ptr<const DirectoryList> directory_;
  std::size_t index_;
  std::uint64_t id_;
};

class FailedPiece final : public Piece {
 public:
  FailedPiece(const InputName& called, Error error) : error_{std::move(error)} {
    error_.set = input_id(called.checkpoint());
  }
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
  InputPiece(std::vector<OpenedInput> opened, const SourceOptions& options, std::string prefix, std::uint64_t id)
      : opened_{std::move(opened)}, options_{options}, prefix_{std::move(prefix)}, id_{id} {}

  bool is_open() const override { return true; }
  Step read(Receiver& receiver) override {
    const OpenedInput& first = opened_.front();
    Delivery delivery{receiver, options_, first.place, prefix_, SetIds{first.called.checkpoint()}, id_};
    return first.form->read(opened_, delivery);
  }
  std::vector<std::uint64_t> bytes_read() const override {
    std::vector<std::uint64_t> bytes;
    for (const OpenedInput& input : opened_)
      if (input.reader) bytes.push_back(input.reader->nr_bytes());
    return bytes;
  }

 private:
  std::vector<OpenedInput> opened_;
  SourceOptions options_;
  std::string prefix_;
  std::uint64_t id_;
};

// A container image in a directory: its layers, one after the other, as if they stood in an archive.
class LayersPiece final : public Piece {
 public:
  LayersPiece(DirectoryList list, InputName called, const SourceOptions& options, std::uint64_t id)
      : list_{std::move(list)}, called_{std::move(called)}, options_{options}, id_{id} {}
  bool is_open() const override { return false; }
  Step read(Receiver& receiver) override;

 private:
  Step read_other(Delivery& to, const std::string& name) const;
  Step read_layer(Delivery& to, const std::string& name) const;

  DirectoryList list_;
  InputName called_;
  SourceOptions options_;
  std::uint64_t id_;
};

Step LayersPiece::read(Receiver& receiver) {
  Delivery to{receiver, options_, list_.directory.place(), list_.prefix, SetIds{called_.checkpoint()}, id_};
  to.joint = '/';
  if (options_.all_members)
    for (const DirectoryList::Entry& entry : list_.entries)
      if (!is_layer_name(entry.name) && read_other(to, entry.name) == Step::stop) return Step::stop;
  if (list_.layers_fault) to.fail(list_.layers_fault);
  for (const std::string& name : list_.layers)
    if (read_layer(to, name) == Step::stop) return Step::stop;
  to.end("container image");
  return Step::go;
}

Step LayersPiece::read_other(Delivery& to, const std::string& name) const {
  Member member;
  member.is_image = false;
  if (!to.name(member, name) || to.seen_before(member) || !to.wants(member)) return Step::go;
  Error error;
  InputFile file = list_.directory.open(name, error);
  if (error) {
    to.receiver.fail(&member, error);
    return Step::go;
  }
  member.size = file.size();
  return read_file(std::move(file), member, to.receiver, {options_.max_bytes, options_.max_bytes});
}

Step LayersPiece::read_layer(Delivery& to, const std::string& name) const {
  to.others.add(name);
  if (options_.any_file && read_other(to, name) == Step::stop) return Step::stop;
  Error error;
  InputFile file = list_.directory.open(name, error);
  if (error) {
    to.fail(std::move(error));
    return Step::go;
  }
  std::vector<OpenedInput> layers(1);
  layers[0].place = file.place();
  layers[0].name = last_part(name);
  read_from(layers[0], std::move(file), options_);
  return to.read_layer(layers, name);
}

}  // namespace

bool is_container_image(const std::string& input) {
  Error error;
  if (input == "-") return false;
  DirectoryList list{Directory{input, error}};
  return !error && !list.read({}) && !list.layers.empty();
}

namespace {

bool is_directory(const std::string& input) {
  struct stat status;
  return input != "-" && stat(input.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

// What pieces are made of, and what those that are read find out for those that are to come.
class Inputs {
 public:
  Inputs(const std::vector<std::string>& inputs, const SourceOptions& options)
      : names{options.names.size() == inputs.size() ? options.names : name_inputs(inputs)},
        options{options},
        kinds_(names.size()) {
    this->options.names.clear();  // options are copied with pieces
  }
  // As it was when somebody looked first.
  bool is_directory(std::size_t input) {
    Kind kind = kinds_[input].load(std::memory_order_relaxed);
    if (kind == Kind::unknown) {
      kind = critpipe::is_directory(names[input].input) ? Kind::directory : Kind::other;
      kinds_[input].store(kind, std::memory_order_relaxed);
    }
    return kind == Kind::directory;
  }

  const std::vector<InputName> names;
  SourceOptions options;

 private:
  enum class Kind : std::uint8_t { unknown, directory, other };
  std::vector<std::atomic<Kind>> kinds_;
};

}  // namespace

class Pieces::Queue {
 public:
  Queue(const std::vector<std::string>& inputs, const SourceOptions& options)
      : inputs_{std::make_shared<Inputs>(inputs, options)}, end_{inputs.size()} {}
  // A directory among several inputs; ids of its members begin with `id`.
  Queue(std::shared_ptr<Inputs> inputs, std::size_t at, std::uint64_t id)
      : inputs_{std::move(inputs)}, next_input_{at}, end_{at + 1}, is_directory_{true}, nr_pieces_{id}, ids_each_{1} {}

  std::unique_ptr<Piece> next();
  std::unique_ptr<Piece> next_of_many();

 private:
  OpenedInput open_next();
  std::unique_ptr<Piece> start(OpenedInput opened);
  std::unique_ptr<Piece> start_directory(OpenedInput opened);
  void join(std::vector<OpenedInput>& inputs);
  std::uint64_t id() { return ids_each_ * nr_pieces_++; }
  bool is_one() const { return inputs_->names.size() == 1; }

  std::shared_ptr<Inputs> inputs_;
  std::size_t next_input_ = 0, end_;
  bool is_directory_ = false;
  std::vector<OpenedInput> waiting_;  // one that was opened to see whether it belongs with the one before
  std::shared_ptr<const DirectoryList> directory_;
  std::size_t next_entry_ = 0;
  std::uint64_t nr_pieces_ = 0, ids_each_ = ids_a_piece;
};

OpenedInput Pieces::Queue::open_next() {
  if (!waiting_.empty()) {
    OpenedInput opened = std::move(waiting_.back());
    waiting_.pop_back();
    return opened;
  }
  const InputName& name = inputs_->names[next_input_++];
  if (is_directory_) {
    Error error;
    OpenedInput opened{.called = name, .directory = Directory{name.input, error}};
    if (!error) return opened;
  }
  return open_input(name, inputs_->options);
}

// Moves the inputs that follow and belong with these to them.
void Pieces::Queue::join(std::vector<OpenedInput>& inputs) {
  while (next_input_ < end_) {
    OpenedInput opened = open_next();
    if (!inputs.front().form->continues(inputs, opened)) {
      waiting_.push_back(std::move(opened));
      return;
    }
    inputs.push_back(std::move(opened));
  }
}

std::unique_ptr<Piece> Pieces::Queue::start_directory(OpenedInput opened) {
  auto list = std::make_shared<DirectoryList>(DirectoryList{std::move(opened.directory)});
  if (!is_one()) list->prefix = opened.called.prefix() + "/";
  if (const Error error = list->read(inputs_->options)) return std::make_unique<FailedPiece>(opened.called, error);
  list->set = std::make_shared<const SetId>(SetId{opened.called.checkpoint(), list->below});
  if (!list->layers.empty())
    return std::make_unique<LayersPiece>(std::move(*list), std::move(opened.called), inputs_->options, id());
  directory_ = std::move(list);
  next_entry_ = 0;
  return next();
}

std::unique_ptr<Piece> Pieces::Queue::start(OpenedInput opened) {
  if (opened.directory.is_open()) return start_directory(std::move(opened));
  if (!opened.form) return std::make_unique<FailedPiece>(opened.called, opened.error);
  std::vector<OpenedInput> all;
  all.push_back(std::move(opened));
  const std::size_t before = next_input_;
  if (all.front().form->continues) join(all);
  // The shards of a single set need no name before their members' names.
  const bool alone = next_input_ == inputs_->names.size() && before == 1 && waiting_.empty();
  const std::string prefix = alone ? "" : all.front().called.prefix() + "/";
  return std::make_unique<InputPiece>(std::move(all), inputs_->options, prefix, id());
}

std::unique_ptr<Piece> Pieces::Queue::next() {
  if (directory_ && next_entry_ < directory_->entries.size())
    return std::make_unique<DirectoryPiece>(directory_, next_entry_++, id());
  directory_.reset();
  if (next_input_ == end_ && waiting_.empty()) return nullptr;
  return start(open_next());
}

// One of many directories. Opening and listing it takes as long as reading the small images of a checkpoint.
class Pieces::Whole final : public Piece {
 public:
  Whole(std::shared_ptr<Inputs> inputs, std::size_t at, std::uint64_t id)
      : inputs_{std::move(inputs)}, at_{at}, id_{id} {}
  bool is_open() const override { return false; }
  Step read(Receiver& receiver) override {
    if (at_ + ahead < inputs_->names.size()) (void)inputs_->is_directory(at_ + ahead);
    Queue queue{inputs_, at_, id_};
    while (const auto piece = queue.next())
      if (piece->read(receiver) == Step::stop) return Step::stop;
    return Step::go;
  }

 private:
  // Whoever makes pieces keeps the others waiting: looking at inputs is for those that read. This is
  // further on than what they have taken.
  static constexpr std::size_t ahead = 512;

  std::shared_ptr<Inputs> inputs_;
  std::size_t at_;
  std::uint64_t id_;
};

std::unique_ptr<Piece> Pieces::Queue::next_of_many() {
  constexpr std::size_t many = 256;
  const bool is_in_directory = directory_ && next_entry_ < directory_->entries.size();
  if (is_in_directory || !waiting_.empty() || end_ - next_input_ <= many || !inputs_->is_directory(next_input_))
    return next();
  directory_.reset();
  return std::make_unique<Whole>(inputs_, next_input_++, id());
}

Pieces::Pieces(std::vector<std::string> inputs, const SourceOptions& options)
    : queue_{std::make_unique<Queue>(inputs, options)} {}
Pieces::~Pieces() = default;
std::unique_ptr<Piece> Pieces::next() { return queue_->next(); }
std::unique_ptr<Piece> Pieces::next_of_many() { return queue_->next_of_many(); }

std::uint64_t nr_wanted(const std::string& input, Receiver& receiver, const SourceOptions& options) {
  Error error;
  if (input == "-") return Member::unknown;
  DirectoryList list{Directory{input, error}};
  if (error || list.read(options) || !list.layers.empty()) return Member::unknown;
  list.set = std::make_shared<const SetId>(SetId{name_inputs({input}).front().checkpoint(), list.below});
  return static_cast<std::uint64_t>(
      std::ranges::count_if(list.entries, [&](const auto& entry) { return receiver.wants(list.member(entry)); }));
}

Step read_input(const std::string& input, Receiver& receiver, const SourceOptions& options) {
  return read_inputs({input}, receiver, options);
}

Step read_inputs(const std::vector<std::string>& inputs, Receiver& receiver, const SourceOptions& options) {
  Pieces pieces{inputs, options};
  while (const auto piece = pieces.next())
    if (piece->read(receiver) == Step::stop) return Step::stop;
  return Step::go;
}

}  // namespace critpipe
