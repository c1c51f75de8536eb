// crit-cat: images in, checked images out; and what is in a checkpoint.
#include <algorithm>
#include <map>
#include <set>
#include <unordered_set>
#include <unistd.h>
#include <utility>

#include "cli/filter.hpp"
#include "cli/images_out.hpp"
#include "cli/inputs.hpp"
#include "cli/numbers.hpp"
#include "cli/parent_sets.hpp"
#include "critpipe/json.hpp"
#include "critpipe/image_writer.hpp"
#include "critpipe/pages.hpp"
#include "critpipe/report.hpp"
#include "critpipe/set.hpp"

namespace critpipe::filters {

namespace {

constexpr Option rows[] = {
    Option{'l', "list", nullptr, "Print name, kind, bytes and entries of each image instead."}.excludes(
        "entries into stream zstd format parents no-parents force partial threads"),
    Option{0, "json", nullptr, "Print one JSON object per line."}.needs("list"),
    big_numbers_row.needs("json"),
    {0, "entries", "A:B", "Keep entries A to B-1 of each image, counted from 0, and the head of a pagemap."},
};
constexpr Options groups[] = {rows, images_out_options, input_options, all_options};
constexpr Example examples[] = {
    {"crit-cat pagemap-1.img | crit-tojson", "check an image on its way into a pipe"},
    {"crit-cat --list c1.tar.zst", "list what a checkpoint holds"},
    {"crit-cat c1.tar.zst --only 'core-*' | crit-tojson", "print some images of an archive"},
    {"crit-cat c1.tar.zst --into NEW", "write the images of an archive as files"},
    {"crit-cat DIR --zstd | ssh host crit-cat --into DIR", "send a checkpoint to another machine"},
};

Slice parse_slice(Program& program) {
  const std::string text = program.value("entries").value_or(":");
  const auto bounds = parse_pair(text, Numeral::decimal, Numeral::decimal);
  if (!bounds || !bounds->has_colon) program.usage("--entries takes A:B, A: or :B with numbers from 0, not " + text);
  const Slice slice{bounds->first.value_or(0), bounds->second.value_or(Slice::open)};
  if (slice.begin > slice.end) program.usage("--entries " + text + " ends before it begins");
  return slice;
}

// Reads the inputs once; or, for a form in which the order matters, once for each rank, if they can be read again.
class Cat final : public Decoding {
 public:
  Cat(Program& program, ImagesOut& images)
      : Decoding{limits_of(program), KindFrom::bytes},
        program_{program},
        images_{images},
        options_{source_options(program)},
        slice_{parse_slice(program)},
        selection_{program} {
    options_.all_members = true;
    options_.parents = images.parents() == Parents::pass;
    if (options_.parents) options_.parent_sets = linked_sets(program.inputs(), options_);
    nr_wanted_ = count_wanted(program, options_);
  }

  void read();

  bool wants(const Member& member) override {
    const Rank rank = rank_of(member.path);
    has_bulk_ |= rank == Rank::bulk;
    has_pages_ |= rank == Rank::pages;
    if (phase_ == Phase::all || rank < Rank::bulk) return phase_ <= Phase::small;
    return phase_ == (rank == Rank::bulk ? Phase::bulk : Phase::pages);
  }
  std::unique_ptr<Sink> sink_for(const Member& member) override;
  std::uint64_t take_file(const Member& member) override;
  // What was said in one phase is not said again in the next, unless it is too much to be kept.
  void report(const Error& error) override {
    const std::size_t hash = std::hash<std::string>{}(to_string(error));
    if (phase_ != Phase::all && said_.contains(hash)) return;
    if (phase_ != Phase::all && said_.size() < most_said) said_.insert(hash);
    program_.report(error);
  }
  // All was read. Entries that no image has are an error.
  void report_missing() {
    if (slice_.begin <= most_entries_ || slice_.begin == slice_.end || program_.failed()) return;
    Error error{Reason::usage};
    error.name =
        "no image has an entry " + std::to_string(slice_.begin) + ": the longest has " + std::to_string(most_entries_);
    program_.report(error);
  }

 private:
  class One;
  class HeldLink;
  std::string path_of(const Member& member) const;
  void write_links();
  enum class Phase : std::uint8_t { all, small, bulk, pages };

  bool is_only() const { return program_.arguments().size() <= 1; }
  Step read_once(Phase phase);
  Step read_parents(Receiver& receiver);
  // A whole set is a stream, however small; what is picked from it is itself if it is one, as a plain image is.
  OutForm form(const Member& member) const {
    if (!member.in_set) return program_.arguments().size() > 1 ? OutForm::stream : OutForm::image;
    if (!has_selection(program_)) return OutForm::stream;
    if (nr_wanted_ == 1) return OutForm::image;
    // Several sets may have an image of the name.
    return selects_one(program_) ? OutForm::one_or_error : OutForm::one_or_stream;
  }

  Program& program_;
  ImagesOut& images_;
  SourceOptions options_;
  Slice slice_;
  Selection selection_;
  std::uint64_t nr_wanted_ = 0;  // of a directory
  Output* last_ = nullptr;       // of the member that began last
  Phase phase_ = Phase::all;
  bool any_ = false;
  bool in_parents_ = false;
  bool has_bulk_ = false, has_pages_ = false;
  static constexpr std::size_t most_said = 1 << 16;
  std::unordered_set<std::size_t> said_;         // hashes of errors
  std::set<std::string> with_pagemaps_;          // directories, with their slash, of which pagemaps were passed on
  std::map<std::string, std::string> links_;     // by path, where they lead: those that the selection leaves out
  std::map<std::string, std::string> prefixes_;  // of directories: before the paths of their members
  std::uint64_t most_entries_ = 0;
};

// One image on its way.
class Cat::One final : public ImageSink {
 public:
  One(Cat& cat, const Member& member)
      : ImageSink{nullptr, cat.slice_},
        cat_{cat},
        name_{cat.path_of(member)},
        form_{cat.form(member)},
        size_{cat.slice_.is_all() || !member.is_image ? member.size : Member::unknown},
        ends_all_{is_parent_link(member) && !member.directory.empty() && cat.is_only() &&
                  cat.images_.refuses_parents()} {}
  ~One() override {
    if (output_) (void)cat_.images_.close(output_, false);
  }
  Step begin(const Image& image) override {
    output_ = cat_.images_.open(name_, image.kind, form_, size_);
    cat_.last_ = output_;
    write_to(output_);
    return ImageSink::begin(image);
  }
  Step entry(const Entry& entry) override {
    ++entries_;
    return ImageSink::entry(entry);
  }
  Taken many(Bytes unchecked, std::uint64_t index, std::uint64_t offset) override {
    const Taken taken = ImageSink::many(unchecked, index, offset);
    entries_ += taken.entries;
    return taken;
  }
  Step end() override {
    cat_.most_entries_ = std::max(cat_.most_entries_, entries_);
    const Step step = output_ ? cat_.images_.close(std::exchange(output_, nullptr), true) : Step::go;
    return ends_all_ ? Step::stop : step;
  }

 private:
  std::uint64_t entries_ = 0;
  Cat& cat_;
  std::string name_;
  OutForm form_;
  std::uint64_t size_;
  bool ends_all_;  // it is refused, so that nothing else need be read
  Output* output_ = nullptr;
};

// The link to the parent of a set of which only some images are picked: it goes with the pages.
class Cat::HeldLink final : public Sink {
 public:
  HeldLink(Cat& cat, std::string path) : cat_{cat}, path_{std::move(path)} {}
  Step entry(const Entry&) override { return Step::go; }
  Step raw(Bytes bytes) override {
    if (target_.size() < longest) target_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return Step::go;
  }
  Step end() override {
    cat_.links_.emplace(path_, std::move(target_));
    return Step::go;
  }

 private:
  static constexpr std::size_t longest = 8192;
  Cat& cat_;
  std::string path_, target_;
};

// The set that was chosen stands at the top, and its parents above it.
std::string Cat::path_of(const Member& member) const {
  if (!options_.parents || !options_.set || member.set->set == *options_.set || !member.directory.empty())
    return member.path;
  const Generation chosen = generation_of(*options_.set), one = generation_of(member.set->set);
  const auto linked = std::ranges::find(options_.parent_sets, member.set->set);
  std::size_t nr_up = 0;
  if (linked != options_.parent_sets.end()) nr_up = static_cast<std::size_t>(linked - options_.parent_sets.begin()) + 1;
  else if (one.base == chosen.base) nr_up = one.number - chosen.number;
  std::string path = member.path;
  path.erase(path.size() - std::min(path.size(), member.set->set.size() + 1 + member.name.size()));
  for (; nr_up > 0; --nr_up) path += "parent/";
  return path + member.name;
}

void Cat::write_links() {
  for (const auto& [path, target] : std::exchange(links_, {})) {
    if (!has_pages_ || !with_pagemaps_.contains(path.substr(0, path.rfind('/') + 1))) continue;
    Output* const output = images_.open(path, nullptr, OutForm::stream, target.size());
    if (!output) continue;
    output->write(target);
    (void)images_.close(output, true);
  }
}

std::unique_ptr<Sink> Cat::sink_for(const Member& member) {
  last_ = nullptr;
  if (!member.directory.empty() && !in_parents_)
    prefixes_.try_emplace(member.set->checkpoint, member.path, 0, member.path.size() - member.name.size());
  // read_parents() follows it.
  if (!member.directory.empty() && is_parent_link(member) && images_.parents() == Parents::pass) return nullptr;
  const std::string path = path_of(member);
  if (is_parent_link(member) && !selection_.leaves(member.path)) return std::make_unique<HeldLink>(*this, path);
  if (memory_of_name(member.name)) with_pagemaps_.insert(path.substr(0, path.rfind('/') + 1));
  return std::make_unique<One>(*this, member);
}

std::uint64_t Cat::take_file(const Member& member) {
  // The kernel moves what nobody looks at.
  if (!last_ || member.size == Member::unknown) return 0;
  const std::uint64_t moved = last_->pass_file(member.fd, member.size);
  if (last_->step() == Step::go && last_->error()) {
    Error error = last_->error();
    error.image = member.place;
    fail(&member, error);
  }
  return moved;
}

Step Cat::read_parents(Receiver& receiver) {
  in_parents_ = true;
  for (const auto& [input, prefix] : prefixes_) {
    Error error;
    for (const ParentSet& parent : parents_of(input, error)) {
      Prefixed prefixed{receiver, prefix + parent.prefix};
      Pieces pieces{{parent.place}, options_};
      while (const auto piece = pieces.next())
        if (piece->read(prefixed) == Step::stop) return Step::stop;
    }
    if (error) report(error);
  }
  in_parents_ = false;
  return Step::go;
}

Step Cat::read_once(Phase phase) {
  phase_ = phase;
  Selected selected{selection_, *this, Selected::Links::handed_on};
  Pieces pieces{program_.inputs(), options_};
  Step step = Step::go;
  while (const auto piece = pieces.next())
    if ((step = piece->read(selected)) == Step::stop) break;
  if (step == Step::go && images_.parents() == Parents::pass) step = read_parents(selected);
  any_ |= selected.any();
  write_links();
  return step;
}

void Cat::read() {
  const bool is_ordered = images_.orders() && can_read_again(program_);
  Step step = read_once(is_ordered ? Phase::small : Phase::all);
  if (is_ordered && step == Step::go) step = images_.bulk_follows();
  if (step == Step::go && has_bulk_ && is_ordered) step = read_once(Phase::bulk);
  if (step == Step::go && has_pages_ && is_ordered) step = read_once(Phase::pages);
  if (step == Step::stop) return;
  selection_.report_missing(program_, any_);
  report_missing();
}

// A line for each image.
class List final : public Decoding {
 public:
  List(Program& program, Output& output, bool on_terminal)
      : Decoding{limits_of(program), KindFrom::bytes},
        program_{program},
        output_{output},
        json_{program.has("json")},
        has_heading_{!on_terminal},
        big_numbers_{big_numbers_of(program)} {}

  std::unique_ptr<Sink> sink_for(const Member& member) override;
  bool reads_raw() const override { return false; }
  void report(const Error& error) override {
    if (output_.flush() == Step::go) program_.report(error);
  }

 private:
  class Count;
  struct Row {
    const std::string& path;
    const SetId& set;
    const Image& image;
    std::uint64_t bytes, entries;
    bool is_whole;
  };
  Step print(const Row& row);
  Step print_line(std::string_view name, std::string_view kind, std::string_view bytes, std::string_view entries,
                  std::string_view more);

  Program& program_;
  Output& output_;
  bool json_;
  bool has_heading_ = true;
  BigNumbers big_numbers_;
};

class List::Count final : public Sink {
 public:
  Count(List& list, const Member& member) : list_{list}, path_{member.path}, set_{member.set} {}
  Step begin(const Image& image) override {
    image_ = image;
    bytes_ = image.head_bytes();
    return Step::go;
  }
  Step entry(const Entry& entry) override {
    bytes_ += 4 + entry.payload.size();
    return Step::go;
  }
  Taken many(Bytes unchecked, std::uint64_t, std::uint64_t) override {
    const Taken taken = take_canonical(*image_.kind->later, unchecked);
    bytes_ += taken.bytes;
    entries_ += taken.entries;
    return taken;
  }
  Step part(const ExtraPart& part) override {
    bytes_ += part.message ? 4 + part.payload.size() : 0;
    return Step::go;
  }
  Step bytes(Bytes bytes) override { return pass_over(bytes.size()); }
  Step padding(Bytes bytes) override { return pass_over(bytes.size()); }
  Step raw(Bytes bytes) override { return pass_over(bytes.size()); }
  Step pass_over(std::uint64_t size) override {
    bytes_ += size;
    return Step::go;
  }
  Step close() override {
    ++entries_;
    return Step::go;
  }
  Step end() override { return list_.print({path_, *set_, image_, bytes_, entries_, true}); }
  void fail(const Error&) override { (void)list_.print({path_, *set_, image_, bytes_, entries_, false}); }

 private:
  List& list_;
  std::string path_;
  std::shared_ptr<const SetId> set_;
  Image image_;
  std::uint64_t bytes_ = 0;
  std::uint64_t entries_ = 0;
};

std::unique_ptr<Sink> List::sink_for(const Member& member) { return std::make_unique<Count>(*this, member); }

Step List::print(const Row& row) {
  const Image& image = row.image;
  const std::string count = image.is_raw() ? "-" : std::to_string(row.entries);
  if (json_) {
    JsonWriter json{output_, false, big_numbers_};
    put_set(json.begin('{'), row.set).key("image").text(row.path);
    if (image.kind) json.key("kind").text(image.kind->name);
    json.key("bytes").number(row.bytes);
    if (!image.is_raw()) json.key("entries").number(row.entries);
    if (!row.is_whole) json.key("incomplete").boolean(true);
    json.end('}').line_end();
    return output_.step();
  }
  if (!std::exchange(has_heading_, true)) (void)print_line("IMAGE", "KIND", "BYTES", "ENTRIES", "");
  return print_line(visible(row.path), image.kind ? image.kind->name : "-", std::to_string(row.bytes), count,
                    row.is_whole ? "" : " incomplete");
}

Step List::print_line(std::string_view name, std::string_view kind, std::string_view bytes, std::string_view entries,
                      std::string_view more) {
  std::string line{name};
  const auto fill = [&line](std::size_t width, std::size_t used) { line.append(used < width ? width - used : 0, ' '); };
  fill(28, width_of(name));
  line.append(1, ' ').append(kind);
  fill(18, kind.size());
  fill(14, bytes.size());
  line.append(bytes).append(1, ' ');
  fill(10, entries.size());
  line.append(entries).append(more).append(1, '\n');
  output_.write(line);
  return output_.step();
}

int list(Program& program) {
  Destination destination{program, Destination::Content::text};
  List receiver{program, destination.output(), isatty(destination.fd()) != 0};
  (void)read_inputs(program, receiver);
  return destination.commit();
}

int run(Program& program) {
  if (program.has("list")) return list(program);
  (void)program.inputs();  // that there is none is said before what is wrong with the output
  const auto images = images_out(program);
  Cat{program, *images}.read();
  return images->commit();
}

}  // namespace

const Filter filter{"crit-cat", "check images and pass them on", "[INPUT...]", examples, groups, run};

}  // namespace critpipe::filters
