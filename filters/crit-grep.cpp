// crit-grep: entries that say what is asked for.
#include <cstring>
#include <unistd.h>

#include "cli/colour.hpp"
#include "cli/images_out.hpp"
#include "cli/inputs.hpp"
#include "cli/interleaved_documents.hpp"
#include "crit-grep/grep_memory.hpp"
#include "crit-grep/list_fields.hpp"
#include "critpipe/json.hpp"
#include "critpipe/match.hpp"
#include "critpipe/image_writer.hpp"

namespace critpipe::filters {

namespace {

constexpr Option rows[] = {
    {'v', "invert-match", nullptr, "Select the entries that do not match."},
    Option{'c', "count", nullptr,
           "Print the number of matching entries of each image; with --memory, of matches in each process."}
        .excludes("files-with-matches lines json pretty stream"),
    Option{'l', "files-with-matches", nullptr, "Print the names of images with a match; with --memory, the processes."}
        .excludes("lines json pretty stream"),
    Option{'q', "quiet", nullptr, "Print nothing; stop at the first match."}.excludes(
        "count files-with-matches lines json pretty stream output"),
    {'m', "max-count", "N", "Stop after N matches."},
    {0, "lines", nullptr, "Print matches as JSON, one entry per line, as crit-tojson --lines does."},
    {0, "json", nullptr, "Same as --lines."},
    {0, "pretty", nullptr, "Print JSON with annotated fields in readable form."},
    big_numbers_row.needs("json|lines|pretty"),
    {0, "any", "REGEX", "Select entries with any text or bytes field that matches REGEX, instead of by EXPR."},
    Option{'i', "ignore-case", nullptr, "Ignore case."}.needs("any|memory"),
    Option{'F', "fixed-strings", nullptr, "Take the pattern as plain text, not as a regular expression."}.needs(
        "any|memory"),
    output_row.without_letter(),
    Option{format_row}.excludes("stream lines json pretty count files-with-matches quiet"),
    Option{stream_row}.excludes("lines json pretty"),
    Option{zstd_row}.excludes("lines json pretty count files-with-matches quiet"),
    threads_row,
    force_row.without_letter().needs("output"),
};
constexpr Options groups[] = {rows, fields_options, memory_options, colour_options, input_options};
constexpr Example examples[] = {
    {"crit-grep 'reg.name =~ /\\.so/' DIR | crit-tojson --lines", "shared libraries among the open files"},
    {"crit-grep -c 'flags & PE_LAZY' pagemap-1.img", "count lazy entries"},
    {"crit-grep --lines 'vmas[status & VMA_AREA_HEAP]' c1.tar.zst", "tasks with a heap"},
    {"crit-grep -l --any password DIR", "images that contain a word"},
    {"crit-grep --memory --vma heap 'pass(word|phrase)' c1.tar.zst", "find text in memory"},
};

enum class Form : std::uint8_t { images, lines, count, names, nothing };

Form form_of(Program& program) {
  if (program.has("quiet")) return Form::nothing;
  if (program.has("count")) return Form::count;
  if (program.has("files-with-matches")) return Form::names;
  for (const char* option : {"lines", "json", "pretty"})
    if (program.has(option)) return Form::lines;
  return isatty(STDOUT_FILENO) && !program.has("output") ? Form::lines : Form::images;
}

class Grep : public Decoding {
 public:
  Grep(Program& program, Expression& expression)
      : Decoding{limits_of(program), KindOf::bytes}, program_{program}, expression_{expression} {
    options_.invert = program.has("invert-match");
    options_.most = program.number("max-count", options_.most);
  }
  bool wants(std::string_view name) final {
    const Kind* kind = kind_of_name(name);
    return !kind || !kind->is_raw();
  }
  std::unique_ptr<Sink> sink_for(const Member& member) final {
    const Kind* kind = kind_of_name(member.name);
    if (!kind || !kind->is_raw()) return std::make_unique<Select>(expression_, options_, target(member), total_);
    Error error{Reason::raw_image, member.place};
    error.name = std::string{kind->about} + "; it has no entries (--memory searches pages)";
    report(error);
    return nullptr;
  }
  bool reads_raw() const final { return false; }
  virtual int commit() = 0;
  std::uint64_t total() const { return total_; }

 protected:
  virtual std::unique_ptr<Sink> target(const Member& member) = 0;
  bool several(const Member& member) const { return member.in_set || program_.arguments().size() > 1; }

  Program& program_;
  Expression& expression_;
  SelectOptions options_;
  std::uint64_t total_ = 0;
};

// Matches as images: one as itself, several as an image stream.
class ToImages final : public Grep {
 public:
  ToImages(Program& program, Expression& expression) : Grep{program, expression}, images_{images_out(program)} {
    options_.keep_head = true;
    options_.always_begin = true;
  }
  void report(const Error& error) override { program_.report(error); }
  int commit() override { return images_->commit(); }

 private:
  class Image;
  std::unique_ptr<Sink> target(const Member& member) override;

  std::unique_ptr<ImagesOut> images_;
};

// A plain image is there even if nothing of it matches; of a set only those with a match.
class ToImages::Image final : public Stage {
 public:
  Image(ImagesOut& images, const Member& member, bool several)
      : Stage{nullptr}, images_{images}, name_{member.path}, several_{several} {}
  ~Image() override { (void)leave(Whole::no); }
  Step begin(const critpipe::Image& image) override {
    image_ = image;
    return several_ ? Step::go : open();
  }
  Step entry(const Entry& entry) override {
    if (!sink_ && open() == Step::stop) return Step::stop;
    return Stage::entry(entry);
  }
  Step end() override { return leave(Whole::yes); }

 private:
  enum class Whole : std::uint8_t { no, yes };
  Step open() {
    output_ = images_.open(name_, image_.kind, several_ ? OutForm::stream : OutForm::image);
    if (!output_) return Step::stop;
    sink_ = std::make_unique<ImageSink>(output_);
    hand_to(sink_.get());
    return Stage::begin(image_);
  }
  Step leave(Whole whole) {
    Output* output = std::exchange(output_, nullptr);
    return output ? images_.close(output, whole == Whole::yes) : Step::go;
  }

  ImagesOut& images_;
  std::string name_;
  bool several_;
  critpipe::Image image_;
  Output* output_ = nullptr;
  std::unique_ptr<ImageSink> sink_;
};

std::unique_ptr<Sink> ToImages::target(const Member& member) {
  if (several(member)) images_->expect_stream();
  return std::make_unique<Image>(*images_, member, several(member));
}

// Matches as text.
class ToText final : public Grep {
 public:
  ToText(Program& program, Expression& expression, Form form)
      : Grep{program, expression}, form_{form}, destination_{program, Destination::Content::text} {
    options_.always_begin = form == Form::count;
    if (form == Form::nothing) options_.most = std::min<std::uint64_t>(options_.most, 1);
    if (wants_colour(program, destination_.fd())) colour_ = std::make_unique<ColourOutput>(destination_.output());
    interleaved_ = std::make_unique<InterleavedDocuments>(output(), limits_of(program));
  }
  void report(const Error& error) override {
    if (flush() == Step::go) program_.report(error);
  }
  int commit() override {
    (void)flush();
    return destination_.commit();
  }

 private:
  class Count;
  std::unique_ptr<Sink> target(const Member& member) override;
  Output& output() {
    if (colour_) return *colour_;
    return destination_.output();
  }
  Step flush() {
    if (colour_) (void)colour_->flush();
    return destination_.output().flush();
  }

  Form form_;
  Destination destination_;
  std::unique_ptr<ColourOutput> colour_;
  std::unique_ptr<InterleavedDocuments> interleaved_;
};

// How many entries match, or only the name of an image where some do.
class ToText::Count final : public Sink {
 public:
  Count(ToText& to, const Member& member) : to_{to}, name_{visible(member.path)}, named_{to.several(member)} {}
  Step begin(const Image&) override { return to_.form_ == Form::names ? print(name_) : Step::go; }
  Step entry(const Entry&) override {
    ++entries_;
    return Step::go;
  }
  Step end() override {
    if (to_.form_ != Form::count) return Step::go;
    return print((named_ ? name_ + ":" : "") + std::to_string(entries_));
  }
  void fail(const Error&) override { (void)end(); }

 private:
  Step print(const std::string& line) {
    to_.destination_.output().write(line + "\n");
    return to_.destination_.output().step();
  }

  ToText& to_;
  std::string name_;
  bool named_;
  std::uint64_t entries_ = 0;
};

std::unique_ptr<Sink> ToText::target(const Member& member) {
  if (form_ != Form::lines) return std::make_unique<Count>(*this, member);
  JsonOptions options;
  options.form = JsonOptions::Form::lines;
  options.pretty = program_.has("pretty");
  options.big_numbers = big_numbers_of(program_);
  options.set = member.in_set ? member.set : nullptr;
  if (member.interleaved) return std::make_unique<InterleavedJson>(*interleaved_, options);
  return std::make_unique<JsonSink>(output(), options);
}

Error parse(Program& program, Expression& expression) {
  if (const auto pattern = program.value("any"))
    return expression.parse_any(*pattern, {program.has("ignore-case"), program.has("fixed-strings")});
  const std::string text = program.take_argument("the expression is missing: crit-grep 'reg.name =~ /log/' DIR");
  const Error error = expression.parse(text);
  if (error && access(text.c_str(), F_OK) == 0)
    program.usage(text + " is an input; the expression goes before it: crit-grep 'reg.name =~ /log/' " + text);
  return error;
}

std::size_t nr_before_inputs(const Program& program) {
  if (program.has("fields")) return program.arguments().size();
  return program.has("any") || program.has("file") ? 0 : 1;
}

int run(Program& program) {
  if (program.has("fields")) return list_fields(program);
  if (program.has("memory")) return grep_memory(program);
  Expression expression;
  if (const Error error = parse(program, expression)) {
    program.report(error);
    return exit_error;
  }
  const Form form = form_of(program);
  std::unique_ptr<Grep> grep;
  if (form == Form::images) grep = std::make_unique<ToImages>(program, expression);
  else grep = std::make_unique<ToText>(program, expression, form);
  if (program.number("max-count", 1) > 0) (void)read_inputs(program, *grep);
  if (grep->total() == 0) {
    if (const Error error = expression.unanswered(!program.has("invert-match"))) grep->report(error);
    program.set_exit_code(exit_no);
  }
  const int code = grep->commit();
  return form == Form::nothing && grep->total() > 0 ? int{exit_done} : code;
}

}  // namespace

const Filter filter{"crit-grep",
                    "find entries of images, and bytes in memory",
                    "EXPR|--memory REGEX [INPUT...]",
                    examples,
                    groups,
                    run,
                    nullptr,
                    0,
                    "",
                    nr_before_inputs};

}  // namespace critpipe::filters
