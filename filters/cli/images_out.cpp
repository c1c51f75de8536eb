#include "cli/images_out.hpp"

#include <algorithm>
#include <filesystem>

#include "cli/inputs.hpp"

namespace critpipe::filters {

namespace {

// Of some kinds there is only one image, so it needs no name.
std::string name_or_kind(const std::string& name, const Kind* kind) {
  const bool one_name = kind && !kind->file.empty() && kind->file.find('%') == kind->file.npos;
  return name == "-" && one_name ? std::string{kind->file} : name;
}

enum class Format : std::uint8_t { unsaid, stream, directory, tar };

bool is_zstd_name(const std::string& file) { return file.ends_with(".zst") || file.ends_with(".tzst"); }

// An archive by its name can be written plain and with zstd; others can only be read.
Format tar_named(Program& program, const std::string& file) {
  if (is_archive_name(file) && !file.ends_with(".tar") && !is_zstd_name(file))
    program.usage("-o " + file + ": archives are compressed with zstd or not at all");
  return Format::tar;
}

Format format_of(Program& program, const std::string& file) {
  if (program.has("stream")) return Format::stream;
  const auto text = program.value("format");
  if (!text) {
    if (program.has("into")) return Format::directory;
    return is_archive_name(file) ? tar_named(program, file) : Format::unsaid;
  }
  constexpr std::pair<const char*, Format> formats[] = {
      {"stream", Format::stream}, {"dir", Format::directory}, {"tar", Format::tar}};
  const auto* const known = std::ranges::find(formats, *text, &std::pair<const char*, Format>::first);
  if (known == std::end(formats)) program.usage("--format takes stream, dir or tar, not " + *text);
  if (program.has("into") && known->second != Format::directory)
    program.usage("--into writes a directory: --format=" + *text + " goes with -o");
  return known->second == Format::tar ? tar_named(program, file) : known->second;
}

// The link of a set, or of a generation of it.
MemberPlace place_of(const std::string& base, std::uint32_t generation) {
  MemberPlace place;
  place.base = base;
  place.generation = generation;
  place.name = "parent";
  return place;
}

Parents parents_of(const Program& program) {
  return program.has("parents") ? Parents::pass : program.has("no-parents") ? Parents::leave : Parents::unsaid;
}

}  // namespace

std::unique_ptr<ZstdOutput> packed_output(Program& program, Output& below, bool zstd) {
  // Each takes memory, and what reads the images is not faster than a few.
  const unsigned threads = threads_of(program, "threads", 8);
  const std::string level = program.value("zstd").value_or("");
  const std::uint64_t number = level.empty() ? 3 : program.number("zstd", 3);
  if (number < 1 || number > 19) program.usage("--zstd takes a level from 1 to 19");
  if (!zstd && program.has("threads")) program.usage("--threads needs --zstd");
  if (!zstd) return nullptr;
  return std::make_unique<ZstdOutput>(below, static_cast<int>(number), static_cast<int>(threads));
}

// What a link leads to; more than a name can have is none.
class ImagesOut::ParentLink final : public Output {
 public:
  explicit ParentLink(MemberPlace link) : Output{max_name_bytes + 1}, place{std::move(link)} {}
  bool is_too_long() const { return text.size() > max_name_bytes; }

  MemberPlace place;
  std::string text;

 private:
  bool drain(const char* bytes, std::size_t size) override {
    text.append(bytes, std::min(size, max_name_bytes + 1 - text.size()));
    return true;
  }
};

ImagesOut::ImagesOut(Program& program, std::unique_ptr<ImagesTarget> target)
    : program_{program}, target_{std::move(target)}, parents_{parents_of(program)} {}
ImagesOut::~ImagesOut() = default;

void ImagesOut::count(const MemberPlace& place) {
  SetParents& set = sets_[place.base];
  if (place.generation > 0) set.generations.insert(place.generation);
  else if (is_image_name(place.name) && place.is_with_images()) set.has_images = true;
}

Output* ImagesOut::open(const std::string& name, const Kind* kind, OutForm form, std::uint64_t size) {
  MemberPlace place{name_or_kind(name, kind)};
  const bool is_link = place.is_parent_link() && form != OutForm::image;
  if (parents_ == Parents::leave && (place.generation > 0 || is_link)) return nullptr;
  if (is_link) return &open_links_.emplace_back(std::move(place));
  count(place);
  return target_->open(place, form, size);
}

Step ImagesOut::close(Output* output, bool whole) {
  const auto link = std::ranges::find_if(open_links_, [&](const ParentLink& one) { return &one == output; });
  if (link == open_links_.end()) return target_->close(output, whole);
  (void)link->flush();
  if (whole) take_link(*link);
  open_links_.erase(link);
  return Step::go;
}

void ImagesOut::take_link(const ParentLink& link) {
  if (link.is_too_long()) {
    Error error{Reason::bad_name, link.place.in_stream()};
    error.name = "what it leads to is too long";
    return program_.report(error);
  }
  sets_[link.place.base].led[link.place.generation] = link.text;
  if (target_->has_links()) return;
  Output* const output = target_->open(link.place, OutForm::stream, link.text.size());
  if (!output) return;
  output->write(link.text);
  (void)target_->close(output, true);
}

bool ImagesOut::link(const std::string& name, int fd) {
  const MemberPlace place{name};
  if (!target_->link(place, fd)) return false;
  count(place);
  return true;
}

void ImagesOut::link_once(const MemberPlace& set, const MemberPlace& parent) {
  if (linked_.insert(set.in_stream()).second) target_->link_parent(set, parent);
}

// Each generation is linked to the next one that is among the members.
void ImagesOut::settle_links() {
  for (const auto& [base, set] : sets_) {
    for (const std::uint32_t generation : set.generations) {
      const bool is_there = generation == 1 ? set.has_images : set.generations.contains(generation - 1);
      if (is_there) link_once(place_of(base, generation - 1), place_of(base, generation));
    }
    const auto led = set.led.find(0);
    if (led == set.led.end() || set.generations.contains(1)) continue;
    // An archive may hold dumps side by side.
    const std::string other = (std::filesystem::path{base} / led->second / "").lexically_normal().string();
    const auto known = sets_.find(other == "./" ? "" : other);
    if (known == sets_.end() || !known->second.has_images || known->first == base) continue;
    link_once(place_of(base, 0), place_of(known->first, 0));
  }
}

// A link to a parent that is not among the members.
Step ImagesOut::settle_missing(const MemberPlace& link, const std::string& text) {
  const std::string what = link.in_stream() + " -> " + text;
  Error error{Reason::usage, what};
  if (parents_ == Parents::pass && target_->may_lead_out()) {
    target_->link_parent(link, place_of(link.base, link.generation + 1));
    program_.note(visible(what) + ": the link is passed on, the parent is not here");
    return Step::go;
  }
  if (parents_ != Parents::pass && !target_->refuses_parents()) {
    program_.note(visible(what) + ": the parent is not passed on (" +
                  (parents_hint_.empty() ? "--parents does that" : parents_hint_) + ")");
    return Step::go;
  }
  const std::string hint = parents_hint_.empty() ? "--parents does that, --no-parents leaves it out" : parents_hint_;
  error.name = parents_ == Parents::pass ? "the parent is not here" : "the parent is not passed on: " + hint;
  program_.report(error);
  target_->spoil();
  return Step::stop;
}

Step ImagesOut::settle() {
  settle_links();
  Step step = Step::go;
  for (const auto& [base, set] : sets_)
    for (const auto& [generation, text] : set.led) {
      const MemberPlace link = place_of(base, generation);
      if (set.generations.contains(generation + 1) || !linked_.insert(link.in_stream()).second) continue;
      if (settle_missing(link, text) == Step::stop) step = Step::stop;
    }
  return step;
}

void ImagesOut::lead_out(const std::string& base, const std::string& target) {
  const MemberPlace link = place_of(base, 0);
  linked_.insert(link.in_stream());
  if (target_->has_links()) return target_->lead_out(link, target);
  Output* const output = target_->open(link, OutForm::stream, target.size());
  if (!output) return;
  output->write(target);
  (void)target_->close(output, true);
}

Step ImagesOut::bulk_follows() {
  const Step step = settle();
  if (step == Step::go) target_->bulk_follows();
  return step;
}

Step ImagesOut::copy(const std::string& name, InputFile& file, Error& error, const Stops& stops) {
  constexpr std::uint64_t slice = 64 << 20;
  const std::uint64_t size = file.size();
  Output* const output = open(name, nullptr, OutForm::stream, size);
  if (!output) return Step::go;
  bool is_stopped = false;
  const auto goes_on = [&] { return !(is_stopped = stops && stops()); };
  std::uint64_t done = 0;
  for (bool moves = true; moves && done < size && goes_on();) {
    const std::uint64_t wanted = stops ? std::min(slice, size - done) : size - done;
    const std::uint64_t moved = output->pass_file(file.fd(), wanted);
    moves = moved == wanted;
    done += moved;
  }
  std::vector<std::byte> block(done < size ? block_bytes : 0);
  error = output->step() == Step::go ? output->error() : Error{};
  if (error) error.image = file.place();
  while (!error && done < size && output->step() == Step::go && goes_on()) {
    const std::size_t got =
        file.read(std::span{block}.first(std::min<std::uint64_t>(block.size(), size - done)), error);
    if (got == 0) break;
    output->pass(Bytes{block}.first(got));
    done += got;
  }
  if (!error && done < size && output->step() == Step::go && !is_stopped)
    error = {Reason::changed, file.place(), Error::nowhere, Error::nowhere, size - done};
  return close(output, done == size);
}

int ImagesOut::commit() {
  (void)settle();
  return target_->commit();
}

std::unique_ptr<ImagesOut> images_out(Program& program) {
  const std::string file = program.value("output").value_or("");
  const Format format = format_of(program, file);
  const bool zstd = program.has("zstd") || (format != Format::directory && is_zstd_name(file));
  std::unique_ptr<ImagesTarget> target;
  if (format == Format::directory) {
    const std::string path = program.value("into").value_or(file);
    if (path.empty()) program.usage("--format=dir needs a directory: -o DIR or --into DIR");
    if (program.has("zstd")) program.usage("--zstd cannot be combined with --format=dir");
    target = to_directory(program, path);
  } else {
    program.refuse({"partial"}, "needs --into");
    target = format == Format::tar ? to_archive(program, zstd) : to_output(program, format == Format::stream, zstd);
  }
  return std::make_unique<ImagesOut>(program, std::move(target));
}

}  // namespace critpipe::filters
