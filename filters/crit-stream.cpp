// crit-stream: what `criu dump --stream` sends, to pipes; and from pipes to `criu restore --stream`.
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <map>

#include "cli/criu/criu_program.hpp"
#include "cli/filter.hpp"
#include "cli/numbers.hpp"
#include "critpipe/control/image_streamer.hpp"
#include "critpipe/json.hpp"

namespace critpipe::filters {

namespace {

constexpr Option rows[] = {
    {'D', "images-dir", "DIR", "The directory that criu is given as its own --images-dir.", Option::directories},
    {'s', "shard-fds", "FD,...", "The stream is in these descriptors, instead of standard output or input."},
    {'e', "ext-file-fds", "NAME:FD,...",
     "Add the file NAME, read from descriptor FD, to the stream; or write it from the stream to FD."},
    {'p', "progress-fd", "FD", "Write progress to this descriptor instead of standard error."},
    {0, "tcp-listen-remap", "OLD:NEW,...", "For serve: TCP sockets that listen on port OLD get port NEW."},
    map_address_row,
    {0, "copy", nullptr, "For capture: copy memory, for dumps with --leave-running."},
    {0, "no-sync", nullptr, "For extract: do not wait until files are on disk."},
};
constexpr Options groups[] = {rows};
constexpr Example examples[] = {
    {"crit-stream -D dump capture | zstd > c1.zst", "then: criu dump --stream -D dump -t PID"},
    {"crit-stream -D dump serve < c1.zst", "then: criu restore --stream -D dump"},
    {"crit-stream -D dump -s 10,11 capture", "share the stream out over two pipes"},
    {"crit-stream -D new extract < c1.zst", "write the images as files"},
};

std::vector<std::string> listed(const Program& program, const char* option) {
  std::vector<std::string> words;
  for (const std::string& value : program.values(option))
    for (std::size_t at = 0; at <= value.size();) {
      const std::size_t end = std::min(value.find(',', at), value.size());
      words.push_back(value.substr(at, end - at));
      at = end + 1;
    }
  return words;
}

int descriptor_of(Program& program, const std::string& text, const char* option) {
  const auto number = parse_number(text, Numeral::decimal);
  if (!number || *number > INT_MAX) program.usage(std::string{"--"} + option + " takes descriptors, not " + text);
  const int fd = static_cast<int>(*number);
  if (fcntl(fd, F_GETFD) < 0) program.usage(std::string{"--"} + option + ": descriptor " + text + " is not open");
  return fd;
}

std::string name_of_descriptor(int fd) {
  return fd == STDIN_FILENO    ? "standard input"
         : fd == STDOUT_FILENO ? "standard output"
                               : "descriptor " + std::to_string(fd);
}

// The command line, and the lines of progress.
class Streamer {
 public:
  explicit Streamer(Program& program);
  int run();

 private:
  using Clock = std::chrono::steady_clock;

  void capture();
  void serve();
  void extract();
  void listen(StreamerEnd& end);
  void make_directory();
  void report_progress(std::string line) const;
  void report_totals(const std::vector<OutputTotals>& totals) const;
  void report_read(const std::vector<std::uint64_t>& bytes, Clock::time_point begin) const;
  void report_missing_files(const HeldImages& images);
  std::vector<std::string> inputs() const;
  bool fails(const Error& error) {
    if (error) program_.report(error);
    return static_cast<bool>(error);
  }

  Program& program_;
  std::string operation_;
  std::string directory_;
  std::vector<int> shards_;
  std::vector<std::pair<std::string, int>> files_;
  std::vector<SocketChange> changes_;
  int progress_ = STDERR_FILENO;
  std::vector<std::string> made_;  // directories that were not there
  std::unique_ptr<SignalCleanup> cleanup_;
};

Streamer::Streamer(Program& program) : program_{program} {
  operation_ = program.take_argument("say what to do: capture, serve or extract");
  if (operation_ != "capture" && operation_ != "serve" && operation_ != "extract")
    program.usage("no operation " + operation_ + ": there are capture, serve and extract");
  if (!program.arguments().empty()) program.usage(operation_ + " takes no argument, not " + program.arguments()[0]);
  const bool captures = operation_ == "capture";
  if (operation_ != "serve") program.refuse({"tcp-listen-remap", "map-address"}, "belongs to serve");
  if (!captures) program.refuse({"copy"}, "belongs to capture");
  if (operation_ != "extract") program.refuse({"no-sync"}, "belongs to extract");
  if (!program.has("images-dir")) program.usage("--images-dir is missing: the directory that criu is given");
  directory_ = *program.value("images-dir");
  for (const std::string& word : listed(program, "shard-fds"))
    shards_.push_back(descriptor_of(program, word, "shard-fds"));
  if (shards_.empty()) shards_.push_back(captures ? STDOUT_FILENO : STDIN_FILENO);
  for (const int fd : shards_)
    if (isatty(fd)) program.usage(name_of_descriptor(fd) + " is a terminal: the stream goes through a pipe or a file");
  for (const std::string& word : listed(program, "ext-file-fds")) {
    const std::size_t colon = word.rfind(':');
    if (colon == word.npos || colon == 0) program.usage("--ext-file-fds takes NAME:FD, not " + word);
    files_.emplace_back(word.substr(0, colon), descriptor_of(program, word.substr(colon + 1), "ext-file-fds"));
  }
  for (const std::string& word : listed(program, "tcp-listen-remap")) {
    const auto pair = parse_pair(word, Numeral::decimal, Numeral::decimal);
    if (!pair || !pair->first || !pair->second || *pair->first > 0xffff || *pair->second > 0xffff)
      program.usage("--tcp-listen-remap takes OLD:NEW, two ports, not " + word);
    changes_.push_back({.from = {.address = {}, .port = static_cast<std::uint16_t>(*pair->first)},
                        .to = {.address = {}, .port = static_cast<std::uint16_t>(*pair->second)},
                        .of_listeners = true});
  }
  for (SocketChange& change : socket_changes(program)) changes_.push_back(std::move(change));
  if (const auto text = program.value("progress-fd")) progress_ = descriptor_of(program, *text, "progress-fd");
}

// Whoever waits for the lines may have gone.
void Streamer::report_progress(std::string line) const {
  line += '\n';
  (void)!write(progress_, line.data(), line.size());
}

void Streamer::report_totals(const std::vector<OutputTotals>& totals) const {
  StringOutput text;
  JsonWriter json{text, false};
  json.begin('{').key("shards").begin('[');
  for (const OutputTotals& shard : totals)
    json.begin('{').key("size").number(shard.bytes).key("transfer_duration_millis").number(shard.milliseconds).end('}');
  json.end(']').end('}');
  report_progress(text.take());
}

void Streamer::report_read(const std::vector<std::uint64_t>& bytes, Clock::time_point begin) const {
  const auto time = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin).count();
  std::vector<OutputTotals> totals;
  for (const std::uint64_t size : bytes) totals.push_back({size, static_cast<std::uint64_t>(time)});
  report_totals(totals);
}

void Streamer::make_directory() {
  for (std::size_t at = 1; at <= directory_.size(); ++at)
    if (at == directory_.size() || directory_[at] == '/')
      if (std::string part = directory_.substr(0, at); mkdir(part.c_str(), 0700) == 0) made_.push_back(std::move(part));
}

void Streamer::listen(StreamerEnd& end) {
  make_directory();
  Error error;
  cleanup_ = std::make_unique<SignalCleanup>([&] {
    error = end.listen(directory_);
    return SignalCleanup::Made{error ? "" : end.socket_path(directory_)};
  });
  if (fails(error)) return;
  const std::string path = end.socket_path(directory_);
  if (path.size() > StreamerEnd::max_path)
    program_.note("criu cannot connect to a path as long as " + path + ": start both in the directory, with -D .");
  report_progress("socket-init");
}

void Streamer::capture() {
  ImageCapture capture{{.copies = program_.has("copy"), .on_start = [&] { report_progress("checkpoint-start"); }}};
  for (const int fd : shards_)
    if (fails(capture.add_output(fd, name_of_descriptor(fd)))) return;
  for (const auto& [name, fd] : files_)
    if (fails(capture.add_file(name, OwnedDescriptor{fd}))) return;
  listen(capture);
  if (program_.failed() || fails(capture.run())) return;
  report_totals(capture.totals());
}

std::vector<std::string> Streamer::inputs() const {
  std::vector<std::string> names;
  for (const int fd : shards_) names.push_back(fd == STDIN_FILENO ? "-" : "/dev/fd/" + std::to_string(fd));
  return names;
}

void Streamer::report_missing_files(const HeldImages& images) {
  for (const auto& [name, fd] : files_) {
    if (images.was_passed_on(name)) continue;
    Error error{Reason::missing_image, name};
    program_.report(error);
  }
}

void Streamer::serve() {
  HeldImages images;
  for (const auto& [name, fd] : files_) images.pass_on(name, OwnedDescriptor{fd});
  images.change_sockets(changes_);
  const Clock::time_point begin = Clock::now();
  if (fails(images.read(inputs()))) return;
  report_missing_files(images);
  if (program_.failed()) return;
  report_read(images.bytes_read(), begin);
  ImageServer server{images, {.frees = true}};
  listen(server);
  if (!program_.failed()) fails(server.run());
}

// Writes members as files, or to descriptors.
class Extraction final : public Receiver {
 public:
  Extraction(Program& program, DirectoryWriter& directory, std::map<std::string, OwnedDescriptor> passed)
      : program_{program}, directory_{directory}, passed_{std::move(passed)} {}

  Step begin(const Member& member) override {
    Error error;
    if (!member.in_set && !kind_of_name(member.name)) {
      error = {Reason::no_images, member.place};
      error.name = "input";
      return stop_at(error);
    }
    const std::string name = member.set->set.empty() ? member.name : member.set->set + "/" + member.name;
    Open& open = open_[member.id];
    if (const auto found = passed_.find(name); found != passed_.end()) {
      open.descriptor = std::move(found->second);
      open.passed = std::make_unique<FileOutput>(open.descriptor.fd(), name);
      open.output = open.passed.get();
      passed_.erase(found);
      return Step::go;
    }
    open.output = directory_.create(name, error);
    return stop_at(error);
  }
  Step bytes(const Member& member, Bytes bytes) override {
    Open& open = open_[member.id];
    open.output->pass(bytes);
    return open.output->step() == Step::go ? Step::go : stop_at(open.output->error());
  }
  Step end(const Member& member) override {
    Open& open = open_[member.id];
    Error error;
    if (!open.passed) error = directory_.close(open.output);
    else if (open.output->flush() == Step::stop) error = open.output->error();
    open_.erase(member.id);
    return stop_at(error);
  }
  void fail(const Member* member, const Error& error) override {
    program_.report(error);
    if (!member || !open_.contains(member->id)) return;
    Open& open = open_[member->id];
    if (open.output && !open.passed) (void)directory_.abandon(open.output);
    open_.erase(member->id);
  }
  const std::map<std::string, OwnedDescriptor>& left() const { return passed_; }

 private:
  struct Open {
    Output* output = nullptr;
    OwnedDescriptor descriptor = {};
    std::unique_ptr<FileOutput> passed = {};
  };
  Step stop_at(const Error& error) {
    if (error) program_.report(error);
    return error ? Step::stop : Step::go;
  }

  Program& program_;
  DirectoryWriter& directory_;
  std::map<std::string, OwnedDescriptor> passed_;
  std::map<std::uint64_t, Open> open_;
};

void Streamer::extract() {
  std::map<std::string, OwnedDescriptor> passed;
  for (const auto& [name, fd] : files_) passed[name] = OwnedDescriptor{fd};
  make_directory();
  std::unique_ptr<DirectoryWriter> directory;
  cleanup_ = std::make_unique<SignalCleanup>([&] {
    directory = std::make_unique<DirectoryWriter>(directory_,
                                                  DirectoryWriter::Options{.replace = true, .sync = sync_of(program_)});
    return SignalCleanup::Made{directory->error() ? "" : directory->hidden_path(),
                               made_.empty() ? SignalCleanup::Around::keep : SignalCleanup::Around::if_empty};
  });
  if (fails(directory->error())) return;
  Extraction extraction{program_, *directory, std::move(passed)};
  const Clock::time_point begin = Clock::now();
  std::vector<std::uint64_t> bytes;
  Pieces pieces{inputs(), {.all_members = true}};
  for (Step step = Step::go; step == Step::go;) {
    const auto piece = pieces.next();
    if (!piece) break;
    step = piece->read(extraction);
    for (const std::uint64_t size : piece->bytes_read()) bytes.push_back(size);
  }
  for (const auto& [name, fd] : extraction.left()) program_.report(Error{Reason::missing_image, name});
  if (program_.failed()) return;
  Error error = directory->finish();
  if (!error) cleanup_->commit([&] { error = directory->commit(); });
  if (!fails(error)) report_read(bytes, begin);
}

int Streamer::run() {
  if (operation_ == "capture") capture();
  else if (operation_ == "serve") serve();
  else extract();
  if (operation_ == "extract" && program_.failed())
    for (auto part = made_.rbegin(); part != made_.rend(); ++part) rmdir(part->c_str());
  return program_.exit_code();
}

int run(Program& program) {
  std::signal(SIGPIPE, SIG_IGN);  // who reads the progress may go; who reads the stream is missed
  return Streamer{program}.run();
}

}  // namespace

const Filter filter{"crit-stream",
                    "stream checkpoints from and to criu",
                    "capture|serve|extract",
                    examples,
                    groups,
                    run,
                    nullptr,
                    0,
                    "capture serve extract"};

}  // namespace critpipe::filters
