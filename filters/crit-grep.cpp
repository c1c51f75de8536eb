// crit-grep: entries that say what is asked for.
#include <atomic>
#include <mutex>
#include <unistd.h>

#include "cli/colour.hpp"
#include "cli/images_out.hpp"
#include "cli/inputs.hpp"
#include "cli/interleaved_documents.hpp"
#include "cli/parallel.hpp"
#include "crit-grep/grep_memory.hpp"
#include "crit-grep/list_fields.hpp"
#include "critpipe/fields.hpp"
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
constexpr Options groups[] = {rows, fields_options, memory_options, parallel_options, colour_options, input_options};
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

// One expression for each thread: what is made of it keeps what it works with.
class Expressions {
 public:
  // Reads EXPR, or --any.
  Error parse(Program& program) {
    if (const auto pattern = program.value("any")) {
      is_pattern_ = true;
      text_ = *pattern;
      how_ = {program.has("ignore-case"), program.has("fixed-strings")};
    } else {
      text_ = program.take_argument("the expression is missing: crit-grep 'reg.name =~ /log/' DIR");
    }
    auto first = std::make_unique<Expression>();
    if (Error error = parse(*first)) return error;
    free_.push_back(std::move(first));
    return {};
  }
  const std::string& text() const { return text_; }
  std::unique_ptr<Expression> take() {
    {
      const std::lock_guard lock{mutex_};
      if (!free_.empty()) {
        auto expression = std::move(free_.back());
        free_.pop_back();
        return expression;
      }
    }
    auto expression = std::make_unique<Expression>();
    (void)parse(*expression);  // as the first
    return expression;
  }
  void give_back(std::unique_ptr<Expression> expression) {
    const std::lock_guard lock{mutex_};
    free_.push_back(std::move(expression));
  }
  // Requires: all are back.
  Error unanswered(bool wanted) {
    Expression& all = *free_.front();
    for (const auto& expression : free_) all.add_asked(*expression);
    return all.unanswered(wanted);
  }

 private:
  Error parse(Expression& expression) const {
    return is_pattern_ ? expression.parse_any(text_, how_) : expression.parse(text_);
  }

  bool is_pattern_ = false;
  std::string text_;
  Expression::AnyText how_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Expression>> free_;
};

// What all receivers of one run share.
struct Search {
  Program& program;
  Form form;
  Expressions expressions = {};
  std::atomic<std::uint64_t> total = 0;
};

// Of a piece, or of a chunk of an image, whose matches are counted by the receiver of the piece.
enum class Part : std::uint8_t { piece, chunk };

class Grep : public Decoding {
 public:
  Grep(Search& search, Part part, ReportError report)
      : Decoding{limits_of(search.program), KindFrom::bytes},
        search_{search},
        part_{part},
        report_{std::move(report)},
        expression_{search.expressions.take()} {
    options_.invert = search.program.has("invert-match");
    options_.most = search.program.number("max-count", options_.most);
  }
  ~Grep() override {
    if (part_ == Part::piece) search_.total += total_;
    search_.expressions.give_back(std::move(expression_));
  }
  bool wants(const Member& member) final {
    const Kind* kind = kind_of_name(member.name);
    return !kind || !kind->is_raw();
  }
  std::unique_ptr<Sink> sink_for(const Member& member) final {
    const Kind* kind = kind_of_name(member.name);
    if (!kind || !kind->is_raw()) {
      auto select = std::make_unique<Select>(*expression_, options_, target(member), total_);
      select_ = select.get();
      return select;
    }
    Error error{Reason::raw_image, member.place};
    error.name = std::string{kind->about} + "; it has no entries (--memory searches pages)";
    report(error);
    return nullptr;
  }
  bool reads_raw() const final { return false; }
  void report(const Error& error) final { report_(error); }
  std::uint64_t nr_selected() const final { return total_; }
  void add_selected(std::uint64_t nr_more) override { total_ += nr_more; }

 protected:
  virtual std::unique_ptr<Sink> target(const Member& member) = 0;
  bool several(const Member& member) const { return member.in_set || search_.program.arguments().size() > 1; }

  Search& search_;
  Part part_;
  ReportError report_;
  std::unique_ptr<Expression> expression_;
  SelectOptions options_;
  Select* select_ = nullptr;  // of the image that began last
  std::uint64_t total_ = 0;
};

// Matches as images: one as itself, several as an image stream.
class ToImages final : public Grep {
 public:
  ToImages(Search& search, ImagesOut& images, ReportError report)
      : Grep{search, Part::piece, std::move(report)}, images_{images} {
    options_.keep_head = true;
    options_.always_begin = true;
  }
  // Matches of the image that is open, found elsewhere.
  Step put_in(std::string_view entries);

 private:
  class Image;
  std::unique_ptr<Sink> target(const Member& member) override;

  ImagesOut& images_;
  Image* image_ = nullptr;  // that began last
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
    if (!is_opened_ && open() == Step::stop) return Step::stop;
    return Stage::entry(entry);
  }
  // One by one, so that a stream is cut where it would be cut without threads.
  Step put_in(std::string_view entries) {
    if (!is_opened_ && open() == Step::stop) return Step::stop;
    if (!output_) return Step::go;
    while (!entries.empty()) {
      const std::string_view word = entries.substr(0, sizeof(std::uint32_t));
      const std::string_view payload = entries.substr(word.size(), load_u32(bytes_of(word).data()));
      output_->mark();
      output_->write(word);
      output_->write(payload);
      output_->release();
      entries.remove_prefix(word.size() + payload.size());
    }
    return output_->step();
  }
  Step end() override { return leave(Whole::yes); }

 private:
  enum class Whole : std::uint8_t { no, yes };
  // An image that is refused is left out; others follow.
  Step open() {
    is_opened_ = true;
    output_ = images_.open(name_, image_.kind, several_ ? OutForm::stream : OutForm::image);
    if (!output_) return Step::go;
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
  bool is_opened_ = false;
  Output* output_ = nullptr;
  std::unique_ptr<ImageSink> sink_;
};

std::unique_ptr<Sink> ToImages::target(const Member& member) {
  if (several(member)) images_.expect_stream();
  auto image = std::make_unique<Image>(images_, member, several(member));
  image_ = image.get();
  return image;
}

Step ToImages::put_in(std::string_view entries) {
  return select_->begin_selected() == Step::stop ? Step::stop : image_->put_in(entries);
}

// The matches of a chunk, without what an image begins with.
class ToEntries final : public Grep {
 public:
  ToEntries(Search& search, Output& output, ReportError report)
      : Grep{search, Part::chunk, std::move(report)}, output_{output} {}

 private:
  struct Entries final : ImageSink {
    using ImageSink::ImageSink;
    Step begin(const critpipe::Image& image) override { return resume(image, 0); }
  };
  std::unique_ptr<Sink> target(const Member&) override { return std::make_unique<Entries>(&output_); }

  Output& output_;
};

// Matches as text.
class ToText final : public Grep {
 public:
  ToText(Search& search, Part part, Output& output, ReportError report)
      : Grep{search, part, std::move(report)}, output_{output}, interleaved_{output, limits_of(search.program)} {
    options_.always_begin = search.form == Form::count;
    if (search.form == Form::nothing) options_.most = std::min<std::uint64_t>(options_.most, 1);
  }
  void add_selected(std::uint64_t nr_more) override;

 private:
  class Count;
  std::unique_ptr<Sink> target(const Member& member) override;

  Output& output_;
  InterleavedDocuments interleaved_;
  Count* count_ = nullptr;  // of the image that began last
};

// How many entries match, or only the name of an image where some do.
class ToText::Count final : public Sink {
 public:
  Count(ToText& to, const Member& member) : to_{to}, name_{visible(member.path)}, named_{to.several(member)} {}
  Step begin(const Image&) override { return to_.search_.form == Form::names ? print(name_) : Step::go; }
  Step entry(const Entry&) override {
    ++entries_;
    return Step::go;
  }
  void add(std::uint64_t nr_more) { entries_ += nr_more; }
  Step end() override {
    if (to_.search_.form != Form::count) return Step::go;
    return print((named_ ? name_ + ":" : "") + std::to_string(entries_));
  }
  void fail(const Error&) override { (void)end(); }

 private:
  Step print(const std::string& line) {
    to_.output_.write(line + "\n");
    return to_.output_.step();
  }

  ToText& to_;
  std::string name_;
  bool named_;
  std::uint64_t entries_ = 0;
};

void ToText::add_selected(std::uint64_t nr_more) {
  Grep::add_selected(nr_more);
  if (search_.form == Form::count) count_->add(nr_more);
}

std::unique_ptr<Sink> ToText::target(const Member& member) {
  if (search_.form != Form::lines) {
    auto count = std::make_unique<Count>(*this, member);
    count_ = count.get();
    return count;
  }
  JsonOptions options;
  options.form = JsonOptions::Form::lines;
  options.pretty = search_.program.has("pretty");
  options.big_numbers = big_numbers_of(search_.program);
  options.set = several(member) ? member.set : nullptr;
  if (member.interleaved) return std::make_unique<InterleavedJson>(interleaved_, options);
  return std::make_unique<JsonSink>(output_, options);
}

// Where the first matches end it all, one thread finds them.
std::size_t most_threads(Program& program, Form form) {
  return program.has("max-count") || form == Form::nothing ? 1 : ~std::size_t{0};
}

void search_all(Search& search, Output& output, const Makers& makers) {
  Program& program = search.program;
  if (program.number("max-count", 1) > 0) read_inputs(program, output, makers, source_options(program));
  (void)output.flush();
  if (search.total > 0) return;
  if (const Error error = search.expressions.unanswered(!program.has("invert-match"))) program.report(error);
  program.set_exit_code(exit_no);
}

int print_images(Search& search) {
  const auto images = images_out(search.program);
  StringOutput nothing;  // is written there
  Makers makers;
  makers.most_threads = most_threads(search.program, search.form);
  makers.piece = [&](Output&, const ReportError& report) {
    return std::make_unique<ToImages>(search, *images, report);
  };
  makers.chunk = [&](Output& output, const ReportError& report) {
    return std::make_unique<ToEntries>(search, output, report);
  };
  makers.put_in = [](Decoding& piece, std::string_view entries) {
    return static_cast<ToImages&>(piece).put_in(entries);
  };
  search_all(search, nothing, makers);
  return images->commit();
}

int print_text(Search& search) {
  Destination destination{search.program, Destination::Content::text};
  std::unique_ptr<MaybeColoured> coloured;
  if (search.form == Form::lines)
    coloured = std::make_unique<MaybeColoured>(search.program, destination, MaybeColoured::Text::json);
  const auto make = [&](Part part) {
    return [&search, part](Output& output, const ReportError& report) {
      return std::make_unique<ToText>(search, part, output, report);
    };
  };
  Makers makers{make(Part::piece)};
  if (search.form != Form::names) makers.chunk = make(Part::chunk);  // a name is printed once an image
  makers.most_threads = most_threads(search.program, search.form);
  search_all(search, coloured ? coloured->output() : destination.output(), makers);
  return destination.commit();
}

std::size_t nr_before_inputs(const Program& program) {
  if (program.has("fields")) return program.arguments().size();
  return program.has("any") || program.has("file") ? 0 : 1;
}

int run(Program& program) {
  if (program.has("fields")) return list_fields(program);
  if (program.has("memory")) return grep_memory(program);
  Search search{program, form_of(program)};
  if (const Error error = search.expressions.parse(program)) {
    const std::string& text = search.expressions.text();
    if (!program.value("any") && access(text.c_str(), F_OK) == 0)
      program.usage(text + " is an input; the expression goes before it: crit-grep 'reg.name =~ /log/' " + text);
    program.report(error);
    return exit_error;
  }
  const int code = search.form == Form::images ? print_images(search) : print_text(search);
  return search.form == Form::nothing && search.total > 0 ? int{exit_done} : code;
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
