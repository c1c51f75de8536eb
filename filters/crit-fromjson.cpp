// crit-fromjson: JSON to images, the same bytes that were decoded.
#include <filesystem>
#include <map>
#include <unordered_set>

#include "cli/filter.hpp"
#include "cli/images_out.hpp"
#include "cli/inputs.hpp"
#include "cli/parent_sets.hpp"
#include "critpipe/json.hpp"
#include "critpipe/set.hpp"

namespace critpipe::filters {

namespace {

constexpr Option rows[] = {
    {0, "pages-from", "DIR", "Copy raw images whose bytes are not in the JSON from DIR.", Option::directories},
    Option{0, "link", nullptr, "Make hard links instead of copies."}.needs("into pages-from"),
};
constexpr Options groups[] = {images_out_options, rows, limit_options};
constexpr Example examples[] = {
    {"crit-tojson fs-1.img | crit-fromjson -o fs-1.img", "decode and encode an image: the same bytes"},
    {"crit-tojson core-1.img | sed 's/old/new/' | crit-fromjson > new.img", "edit an image"},
    {"crit-tojson DIR | sed s/old/new/ | crit-fromjson --pages-from DIR --into NEW", "edit a checkpoint"},
};

// The images go where images_out() says, raw ones that the JSON only names are fetched.
class FromJson final : public EncodeSink {
 public:
  FromJson(Program& program, ImagesOut& images) : program_{program}, images_{images} {
    const auto path = program.value("pages-from");
    Error error;
    if (path) directory_ = Directory{*path, error};
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
  struct Missing {
    std::string name;
    std::uint64_t size;
  };
  Step fetch(const std::string& name, std::uint64_t size);
  Step copy(const std::string& name, InputFile& file);
  void fetch_all(Rank from, Rank to);
  void copy_parents(Rank from, Rank to);
  void name_parent();

  Program& program_;
  ImagesOut& images_;
  Directory directory_;
  std::string name_;
  Output* output_ = nullptr;
  std::map<std::string, Output*> paused_;
  std::vector<Missing> missing_;  // where the order matters
  bool any_fetched_ = false;
  std::unordered_set<std::string> of_lines_;  // images that came so
};

// One image without a name is itself. Entries one a line have a name even if they are all of one image.
Step FromJson::begin(const Begin& image) {
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
  if (!directory_.is_open()) return program_.report(error), Step::go;
  if (name.find('/') != name.npos) {
    error = {Reason::bad_name, name};
    error.name = "--pages-from does not look into subdirectories of DIR";
    return program_.report(error), Step::go;
  }
  any_fetched_ = true;
  if (!images_.orders()) return fetch(name, size);
  missing_.push_back({name, size});
  return Step::go;
}

Step FromJson::fetch(const std::string& name, std::uint64_t size) {
  Error error;
  InputFile file = directory_.open(name, error);
  if (!error && file.size() != size)
    error = {Reason::bad_size, file.place(), Error::nowhere, Error::nowhere, size, file.size()};
  if (!error) return copy(name, file);
  program_.report(error);
  return Step::go;
}

void FromJson::fetch_all(Rank from, Rank to) {
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
  const bool has_parent = any_fetched_ && directory_.has("parent");
  const bool passes = has_parent && images_.parents() == Parents::pass;
  if (has_parent && !passes) name_parent();
  if (!images_.orders()) {
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
  Step step = Step::go;
  for (Bytes text; step == Step::go && !(text = reader->read()).empty();) step = encoder.feed(text);
  if (step == Step::go && reader->error()) program.report(reader->error());
  else if (step == Step::go) step = encoder.finish();
  if (step == Step::stop && encoder.error()) program.report(encoder.error());
  sink.drop();
}

int run(Program& program) {
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
