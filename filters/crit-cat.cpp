// crit-cat: images in, checked images out; and what is in a checkpoint.
#include <utility>

#include "cli/filter.hpp"
#include "cli/images_out.hpp"
#include "cli/inputs.hpp"
#include "cli/numbers.hpp"
#include "critpipe/json.hpp"
#include "critpipe/image_writer.hpp"

namespace critpipe::filters {

namespace {

constexpr Option rows[] = {
    Option{'l', "list", nullptr, "Print name, kind, bytes and entries of each image instead."}.excludes(
        "entries into stream zstd"),
    Option{0, "json", nullptr, "Print one JSON object a line."}.needs("list"),
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

class Cat final : public Decoding {
 public:
  Cat(Program& program, ImagesOut& images)
      : Decoding{limits_of(program)},
        program_{program},
        images_{images},
        slice_{parse_slice(program)},
        nr_wanted_{count_wanted(program)} {}

  std::unique_ptr<Sink> sink_for(const Member& member) override;
  std::uint64_t take_file(const Member& member) override {
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
  void report(const Error& error) override { program_.report(error); }
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
  Slice slice_;
  std::uint64_t nr_wanted_;  // of a directory
  Output* last_ = nullptr;   // of the member that began last
  std::uint64_t most_entries_ = 0;
};

// One image on its way.
class Cat::One final : public ImageSink {
 public:
  One(Cat& cat, const Member& member)
      : ImageSink{nullptr, cat.slice_}, cat_{cat}, name_{member.path}, form_{cat.form(member)} {}
  ~One() override {
    if (output_) (void)cat_.images_.close(output_, false);
  }
  Step begin(const Image& image) override {
    output_ = cat_.images_.open(name_, image.kind, form_);
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
    return output_ ? cat_.images_.close(std::exchange(output_, nullptr), true) : Step::go;
  }

 private:
  std::uint64_t entries_ = 0;
  Cat& cat_;
  std::string name_;
  OutForm form_;
  Output* output_ = nullptr;
};

std::unique_ptr<Sink> Cat::sink_for(const Member& member) {
  last_ = nullptr;
  return std::make_unique<One>(*this, member);
}

// A line for each image.
class List final : public Decoding {
 public:
  List(Program& program, Output& output)
      : Decoding{limits_of(program)},
        program_{program},
        output_{output},
        json_{program.has("json")},
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

  Program& program_;
  Output& output_;
  bool json_;
  BigNumbers big_numbers_;
};

class List::Count final : public Sink {
 public:
  Count(List& list, const Member& member) : list_{list}, path_{member.path}, set_{member.set} {}
  Step begin(const Image& image) override {
    image_ = image;
    bytes_ = image.is_raw() ? 0 : image.head == Head::bare ? 4 : 8;
    return Step::go;
  }
  Step entry(const Entry& entry) override {
    bytes_ += 4 + entry.payload.size();
    return Step::go;
  }
  Taken many(Bytes unchecked, std::uint64_t, std::uint64_t) override {
    const Taken taken = take_clean(*image_.kind->later, unchecked);
    bytes_ += taken.bytes;
    entries_ += taken.entries;
    return taken;
  }
  Step part(const Part& part) override {
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
  } else {
    const auto pad = [](std::size_t width, std::size_t used) {
      return std::string(used < width ? width - used : 0, ' ');
    };
    const std::string kind{image.kind ? image.kind->name : "-"};
    const std::string size = std::to_string(row.bytes);
    const std::string shown = visible(row.path);
    output_.write(shown + pad(28, shown.size()) + " " + kind + pad(18, kind.size()) + pad(14, size.size()) + size +
                  " " + pad(10, count.size()) + count + (row.is_whole ? "\n" : " incomplete\n"));
  }
  return output_.step();
}

int list(Program& program) {
  Destination destination{program, Destination::Content::text};
  List receiver{program, destination.output()};
  (void)read_inputs(program, receiver);
  return destination.commit();
}

int run(Program& program) {
  if (program.has("list")) return list(program);
  const auto images = images_out(program);
  Cat cat{program, *images};
  if (read_inputs(program, cat) == Step::go) cat.report_missing();
  return images->commit();
}

}  // namespace

const Filter filter{"crit-cat", "check images and pass them on", "[INPUT...]", examples, groups, run};

}  // namespace critpipe::filters
