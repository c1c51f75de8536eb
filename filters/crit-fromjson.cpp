// crit-fromjson: JSON to images, the same bytes that were decoded.
#include <filesystem>
#include <map>
#include <unistd.h>
#include <unordered_set>

#include "cli/filter.hpp"
#include "cli/images_out.hpp"
#include "cli/inputs.hpp"
#include "cli/parallel.hpp"
#include "cli/parent_sets.hpp"
#include "critpipe/json.hpp"
#include "critpipe/set.hpp"

namespace critpipe::filters {

namespace {

constexpr Option rows[] = {
    {0, "pages-from", "INPUT", "Copy raw images whose bytes are not in the JSON from INPUT: a directory or an archive.",
     Option::files},
    Option{0, "link", nullptr, "Make hard links instead of copies."}.needs("into pages-from"),
};
constexpr Options groups[] = {images_out_options, rows, parallel_options, limit_options};
constexpr Example examples[] = {
    {"crit-tojson fs-1.img | crit-fromjson -o fs-1.img", "decode and encode an image: the same bytes"},
    {"crit-tojson core-1.img | sed 's/old/new/' | crit-fromjson > new.img", "edit an image"},
    {"crit-tojson DIR | sed s/old/new/ | crit-fromjson --pages-from DIR --into NEW", "edit a checkpoint"},
};

// The images go where images_out() says, raw ones that the JSON only names are fetched.
class FromJson final : public EncodeSink {
 public:
  FromJson(Program& program, ImagesOut& images) : program_{program}, images_{images} {
    pages_from_ = program.value("pages-from").value_or("");
    std::error_code none;
    from_archive_ =
        !pages_from_.empty() && (!std::filesystem::is_directory(pages_from_, none) || is_container_image(pages_from_));
    if (from_archive_ && program.has("link")) program.usage("--link needs a directory: " + pages_from_ + " is none");
    if (from_archive_ && !can_read_again(pages_from_, source_options(program)))
      program.usage("--pages-from reads a file or a directory, and " + pages_from_ + " is none");
    Error error;
    if (from_archive_) (void)InputFile::at(pages_from_, error);  // before anything is written
    else if (!pages_from_.empty()) directory_ = Directory{pages_from_, error};
    if (error) program.report(error);
  }
  // What the JSON names without its bytes, and the parents of its directory.
  void finish();
  ~FromJson() override {
    for (const auto& [name, output] : paused_) (void)images_.close(output, false);
    drop();
  }

  Step begin(const Begin& image) override;
  Step bytes(Bytes bytes) override {
    if (output_) output_->pass(bytes);
    return output_ ? output_->step() : Step::go;
  }
  Step pause() override {
    paused_[name_] = std::exchange(output_, nullptr);
    return Step::go;
  }
  Step end() override { return output_ ? images_.close(std::exchange(output_, nullptr), true) : Step::go; }
  Step missing_raw(std::string_view name, std::uint64_t size) override;
  void doubt(const Error& why) override {
    if (why.reason == Reason::rounded_numbers) program_.report(why);
    else program_.note("warning: " + to_string(why));
  }
  // The image that is open is not whole.
  void drop() {
    if (output_) (void)images_.close(std::exchange(output_, nullptr), false);
  }

 private:
  class Fetch;
  struct Missing {
    std::string name;
    std::uint64_t size;
  };
  Step fetch(const std::string& name, std::uint64_t size);
  InputFile open(const std::string& name, Error& error) const;
  void fetch_from_archive(Rank from, Rank to);
  Step copy(const std::string& name, InputFile& file);
  void fetch_all(Rank from, Rank to);
  void copy_parents(Rank from, Rank to);
  void name_parent();

  Program& program_;
  ImagesOut& images_;
  std::string pages_from_;
  bool from_archive_ = false;  // --pages-from
  Directory directory_;
  std::string name_;
  Output* output_ = nullptr;
  std::map<std::string, Output*> paused_;
  std::vector<Missing> missing_;  // where the order matters, or where they are in an archive
  bool any_fetched_ = false;
  std::unordered_set<std::string> of_lines_;  // images that came so
};

Error other_size(std::string place, std::uint64_t want, std::uint64_t have) {
  return {Reason::bad_size, std::move(place), Error::nowhere, Error::nowhere, want, have};
}

// One image without a name is itself. Entries one a line have a name even if they are all of one image.
Step FromJson::begin(const Begin& image) {
  if (image.name.empty())
    program_.refuse({"pages-from", "parents"}, "goes with the images of a checkpoint, and this is the JSON of one");
  name_ = image.name.empty() ? "-" : image.name;
  if (const auto paused = paused_.find(name_); paused != paused_.end()) {
    output_ = paused->second;
    paused_.erase(paused);
    return Step::go;
  }
  if (image.lines && !image.name.empty() && !of_lines_.insert(name_).second) {
    Error error{Reason::bad_order, name_};
    error.name = "others stand between those of this image, or it is here twice";
    program_.report(error);
    output_ = nullptr;
    return Step::go;
  }
  const OutForm form = image.lines || image.name.empty() ? OutForm::one_or_error : OutForm::stream;
  output_ = images_.open(name_, image.kind, form);
  return Step::go;
}

Step FromJson::missing_raw(std::string_view given, std::uint64_t size) {
  const std::string name{given};
  Error error{Reason::raw_image, name};
  error.name =
      "its bytes are not in the JSON: print it with crit-tojson --raw, or name its directory with --pages-from";
  if (pages_from_.empty()) return program_.report(error), Step::go;
  if (!from_archive_ && !directory_.is_open()) return Step::go;  // which was said
  any_fetched_ = true;
  if (!from_archive_ && !images_.orders()) return fetch(name, size);
  missing_.push_back({name, size});
  return Step::go;
}

// Images of a set stand in its directory, or in `checkpoint` below that.
InputFile FromJson::open(const std::string& name, Error& error) const {
  Error first, second;
  if (InputFile file = directory_.open(name, first); !first) return file;
  const std::size_t base = name.rfind('/') + 1;
  InputFile file = directory_.open(name.substr(0, base) + "checkpoint/" + name.substr(base), second);
  if (second) error = first;
  return file;
}

Step FromJson::fetch(const std::string& name, std::uint64_t size) {
  Error error;
  InputFile file = open(name, error);
  if (!error && file.size() != size) error = other_size(file.place(), size, file.size());
  if (!error) return copy(name, file);
  program_.report(error);
  return Step::go;
}

// Hands on members of an archive that are asked for.
class FromJson::Fetch final : public Receiver {
 public:
  Fetch(FromJson& to, std::map<std::string, std::uint64_t> sizes) : to_{to}, sizes_{std::move(sizes)} {}
  ~Fetch() override {
    if (output_) (void)to_.images_.close(output_, false);
  }
  bool wants(const Member& member) override { return sizes_.contains(member.path); }
  Step begin(const Member& member) override {
    const std::uint64_t size = sizes_.at(member.path);
    const bool is_other = member.size != Member::unknown && member.size != size;
    if (is_other) fail(&member, other_size(member.place, size, member.size));
    else output_ = to_.images_.open(member.path, nullptr, OutForm::stream, size);
    return Step::go;
  }
  Step bytes(const Member&, Bytes bytes) override {
    done_ += bytes.size();
    if (output_) output_->pass(bytes);
    return output_ ? output_->step() : Step::go;
  }
  Step end(const Member& member) override {
    const auto one = sizes_.extract(member.path);
    const std::uint64_t done = std::exchange(done_, 0);
    const bool is_whole = one.empty() || one.mapped() == done;
    if (output_ && !is_whole) to_.program_.report(other_size(member.place, one.mapped(), done));
    return output_ ? to_.images_.close(std::exchange(output_, nullptr), is_whole) : Step::go;
  }
  void fail(const Member* member, const Error& error) override {
    to_.program_.report(error);
    if (!member) return;
    sizes_.erase(member->path);
    done_ = 0;
    if (output_) (void)to_.images_.close(std::exchange(output_, nullptr), false);
  }
  // Those that did not come.
  const std::map<std::string, std::uint64_t>& left() const { return sizes_; }

 private:
  FromJson& to_;
  std::map<std::string, std::uint64_t> sizes_;
  Output* output_ = nullptr;
  std::uint64_t done_ = 0;
};

void FromJson::fetch_from_archive(Rank from, Rank to) {
  std::map<std::string, std::uint64_t> sizes;
  for (const Missing& one : missing_)
    if (rank_of(one.name) >= from && rank_of(one.name) <= to) sizes.emplace(one.name, one.size);
  if (sizes.empty()) return;
  Fetch fetch{*this, std::move(sizes)};
  SourceOptions options = source_options(program_);
  options.all_members = true;
  if (read_input(pages_from_, fetch, options) == Step::stop) return;
  for (const auto& [name, size] : fetch.left()) {
    Error error{Reason::raw_image, name};
    error.name = "its bytes are neither in the JSON nor in " + pages_from_;
    program_.report(error);
  }
}

void FromJson::fetch_all(Rank from, Rank to) {
  if (from_archive_) return fetch_from_archive(from, to);
  for (const Missing& one : missing_)
    if (rank_of(one.name) >= from && rank_of(one.name) <= to && fetch(one.name, one.size) == Step::stop) return;
}

void FromJson::copy_parents(Rank from, Rank to) {
  Error error;
  for (const ParentSet& parent : parents_of(directory_.place(), error)) {
    Error failed;
    const auto set = ImageSet::open_input(parent.place, failed);
    for (const std::string& name : set ? set->members() : std::vector<std::string>{}) {
      if (rank_of(name) < from || rank_of(name) > to) continue;
      InputFile file = set->open(name, failed);
      if (failed) break;
      if (copy(parent.prefix + name, file) == Step::stop) return;
    }
    if (failed) program_.report(failed);
  }
  if (error && from == Rank::configuration) program_.report(error);
}

// Its images come without their parent.
void FromJson::name_parent() {
  Output* const output = images_.open("parent", nullptr, OutForm::stream);
  if (!output) return;
  std::error_code none;  // a directory serves CRIU as well
  const auto text = std::filesystem::read_symlink(directory_.place() + "/parent", none);
  output->write(none ? "parent" : text.string());
  (void)images_.close(output, true);
}

void FromJson::finish() {
  const bool has_parent = any_fetched_ && directory_.is_open() && directory_.has("parent");
  const bool passes = has_parent && images_.parents() == Parents::pass;
  if (has_parent && !passes) name_parent();
  if (!images_.orders()) {
    if (from_archive_) fetch_all(Rank::configuration, Rank::pages);
    if (passes) copy_parents(Rank::configuration, Rank::pages);
    return;
  }
  fetch_all(Rank::configuration, Rank::image);
  if (passes) copy_parents(Rank::configuration, Rank::image);
  if (images_.bulk_follows() == Step::stop) return;
  fetch_all(Rank::bulk, Rank::pages);
  if (passes) copy_parents(Rank::bulk, Rank::pages);
}

Step FromJson::copy(const std::string& name, InputFile& file) {
  if (program_.has("link") && images_.link(name, file.fd())) return Step::go;
  Error error;
  const Step step = images_.copy(name, file, error);
  if (error) program_.report(error);
  return step;
}

void read_json(Program& program, const std::string& input, FromJson& sink) {
  const auto reader = open_bytes(input, source_options(program));
  JsonEncoder encoder{sink, input, limits_of(program)};
  encoder.use_threads(threads_of(program, "jobs"));
  Step step = Step::go;
  for (Bytes text; step == Step::go && !(text = reader->read()).empty();) step = encoder.feed(text);
  if (step == Step::go && reader->error()) program.report(reader->error());
  else if (step == Step::go) step = encoder.finish();
  if (step == Step::stop && encoder.error()) program.report(encoder.error());
  sink.drop();
}

int run(Program& program) {
  if (program.arguments().empty() && isatty(STDIN_FILENO))
    program.usage("no input: name a file with JSON, or pipe JSON in");
  const auto inputs = program.inputs();
  const auto images = images_out(program);
  {
    FromJson sink{program, *images};
    for (const std::string& input : inputs) read_json(program, input, sink);
    sink.finish();
  }
  return images->commit();
}

}  // namespace

const Filter filter{"crit-fromjson", "turn JSON into CRIU images", "[INPUT...]", examples, groups, run};

}  // namespace critpipe::filters
