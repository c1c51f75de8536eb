#include "cli/images_out.hpp"

#include <algorithm>
#include <list>
#include <unordered_set>

#include "cli/cleanup.hpp"
#include "critpipe/output.hpp"
#include "critpipe/image_writer.hpp"

namespace critpipe::filters {

namespace {

// Of some kinds there is only one image, so it needs no name.
std::string name_or_kind(const std::string& name, const Kind* kind) {
  const bool one_name = kind && !kind->file.empty() && kind->file.find('%') == kind->file.npos;
  return name == "-" && one_name ? std::string{kind->file} : name;
}

class ToOutput final : public ImagesOut {
 public:
  explicit ToOutput(Program& program);
  Output* open(const std::string& name, const Kind* kind, OutForm form) override;
  Step close(Output* output, bool whole) override;
  void expect_stream() override { expected_ = true; }
  int commit() override;

 private:
  class One;
  Step take(const std::string& name, Bytes bytes);
  std::uint64_t pass_file(const std::string& name, int fd, std::uint64_t size, Error& error);
  bool is_open() const { return form_ == OutForm::one_or_stream || form_ == OutForm::one_or_error; }
  Step decide(OutForm form);
  void decide_by_size();
  Output& below() { return packed_ ? *packed_ : destination_.output(); }

  Program& program_;
  Destination destination_;
  std::unique_ptr<ZstdOutput> packed_;
  StreamWriter stream_;
  bool forced_;            // --stream
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
  One(ToOutput& target, std::string name) : Output{block_bytes / 4}, target_{target}, name_{std::move(name)} {}
  const std::string& name() const { return name_; }

 private:
  bool drain(const char* bytes, std::size_t size) override {
    return target_.take(name_, std::as_bytes(std::span{bytes, size})) == Step::go;
  }
  std::uint64_t move(int fd, std::uint64_t size) override { return target_.pass_file(name_, fd, size, error_); }

  ToOutput& target_;
  std::string name_;
};

std::unique_ptr<ZstdOutput> packed_output(Program& program, Output& below) {
  const auto level = program.value("zstd");
  const std::uint64_t threads = program.number("threads", 1);
  if (!level) return nullptr;
  const std::uint64_t number = level->empty() ? 3 : program.number("zstd", 3);
  if (number < 1 || number > 19) program.usage("--zstd takes a level from 1 to 19");
  if (threads < 1 || threads > 256) program.usage("--threads takes a number from 1 to 256");
  return std::make_unique<ZstdOutput>(below, static_cast<int>(number), static_cast<int>(threads));
}

ToOutput::ToOutput(Program& program)
    : program_{program},
      destination_{program, Destination::Content::binary},
      packed_{packed_output(program, destination_.output())},
      stream_{below()},
      forced_{program.has("stream")} {}

Step ToOutput::decide(OutForm form) {
  form_ = form;
  const Bytes held = std::as_bytes(std::span{held_});
  if (form == OutForm::image) {
    below().pass(held);
  } else if (!names_.empty()) {
    if (!held_.empty()) (void)stream_.data(held_name_, held);
    if (held_ended_) (void)stream_.end(held_name_);
  }
  held_.clear();
  held_.shrink_to_fit();
  return below().step();
}

Output* ToOutput::open(const std::string& name, const Kind* kind, OutForm form) {
  const std::string known = name_or_kind(name, kind);
  if (names_.empty()) {
    form_ = forced_ ? OutForm::stream : form;
    held_name_ = known;
  } else if (is_open()) {
    (void)decide(OutForm::stream);
  } else if (form_ == OutForm::image) {
    Error error{Reason::usage, name};
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

Step ToOutput::take(const std::string& name, Bytes bytes) {
  if (is_open() && held_.size() + bytes.size() <= held_image_bytes) {
    held_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return Step::go;
  }
  if (is_open()) decide_by_size();
  if (form_ == OutForm::stream) return stream_.data(name, bytes);
  below().pass(bytes);
  return below().step();
}

std::uint64_t ToOutput::pass_file(const std::string& name, int fd, std::uint64_t size, Error& error) {
  if (is_open() && size <= held_image_bytes) return 0;
  if (is_open()) decide_by_size();
  return form_ == OutForm::stream ? stream_.pass_file(name, fd, size, error) : below().pass_file(fd, size);
}

Step ToOutput::close(Output* output, bool whole) {
  const auto one = std::ranges::find_if(open_, [&](const One& open) { return &open == output; });
  (void)one->flush();
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

// Images as files. Names that no file can have are refused.
class ToDirectory final : public ImagesOut {
 public:
  ToDirectory(Program& program, const std::string& path) : program_{program}, partial_{program.has("partial")} {
    cleanup_ = std::make_unique<SignalCleanup>([&] {
      const DirectoryWriter::Options options{.replace = program.has("force"), .sync = sync_of(program)};
      directory_ = std::make_unique<DirectoryWriter>(path, options);
      return SignalCleanup::Made{directory_->error() ? "" : directory_->hidden_path(),
                                 directory_->is_new() ? SignalCleanup::Around::if_empty : SignalCleanup::Around::keep};
    });
    if (directory_->error()) program.report(directory_->error());
  }
  Output* open(const std::string& name, const Kind* kind, OutForm) override;
  Step close(Output* output, bool whole) override;
  bool link(const std::string& name, int fd) override { return !directory_->error() && directory_->link(name, fd); }
  int commit() override;

 private:
  Program& program_;
  bool partial_;
  std::unique_ptr<SignalCleanup> cleanup_;  // of the hidden directory, which is gone before this is
  std::unique_ptr<DirectoryWriter> directory_;
};

Output* ToDirectory::open(const std::string& name, const Kind* kind, OutForm) {
  if (directory_->error()) return nullptr;
  Error error;
  Output* output = directory_->create(name_or_kind(name, kind), error);
  if (!output) program_.report(error);
  return output;
}

Step ToDirectory::close(Output* output, bool whole) {
  const Error error = whole ? directory_->close(output) : directory_->abandon(output);
  if (error) program_.report(error);
  return error ? Step::stop : Step::go;
}

int ToDirectory::commit() {
  if (directory_->error() || (program_.failed() && !partial_)) return program_.exit_code();
  Error error = directory_->finish();
  if (!error) cleanup_->commit([&] { error = directory_->commit(); });
  if (error) program_.report(error);
  return program_.exit_code();
}

}  // namespace

std::unique_ptr<ImagesOut> images_out(Program& program) {
  const auto path = program.value("into");
  if (!path) return std::make_unique<ToOutput>(program);
  return std::make_unique<ToDirectory>(program, *path);
}

}  // namespace critpipe::filters
