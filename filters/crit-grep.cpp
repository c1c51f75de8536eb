// crit-grep: entries that say what is asked for.
#include <unistd.h>

#include "common/filter.hpp"
#include "common/inputs.hpp"
#include "critpipe/json.hpp"
#include "critpipe/match.hpp"

namespace critpipe {

namespace {

constexpr Option rows[] = {
    {'v', "invert-match", nullptr, "Keep the entries that do not match."},
    {'c', "count", nullptr, "Print for each image how many entries match."},
    {'l', "files-with-matches", nullptr, "Print the names of images with a match."},
    {'q', "quiet", nullptr, "Print nothing; stop at the first match."},
    {'m', "max-count", "N", "Stop after N matches."},
    {0, "lines", nullptr, "Print matches as JSON, one a line, as crit-tojson --lines does."},
    {0, "json", nullptr, "The same as --lines."},
    {0, "pretty", nullptr, "With --lines: annotated fields as people read them."},
    {0, "any", "REGEX", "Keep entries with a text or bytes field that REGEX fits; there is no EXPR then."},
    {'i', "ignore-case", nullptr, "With --any: upper and lower case are the same."},
    {'F', "fixed-strings", nullptr, "With --any: a plain text, no regular expression."},
    {0, "color", "WHEN", "Colour JSON lines: auto, always or never."},
    {0, "output", "FILE", "Write to FILE, which appears only when it is complete.", Option::files},
};
constexpr Options groups[] = {rows, input_options};
constexpr Example examples[] = {
    {"crit-grep 'reg.name =~ /\\.so/' DIR | crit-tojson --lines", "shared libraries among the open files"},
    {"crit-grep -c 'flags & PE_LAZY' pagemap-1.img", "how many entries are lazy"},
    {"crit-grep --lines 'vmas[status & VMA_AREA_HEAP]' c1.tar.zst", "tasks with a heap"},
    {"crit-grep --any password -l DIR", "images that hold the word"},
};

enum class Form : std::uint8_t { images, lines, count, names, nothing };

class Grep final : public Decoding {
 public:
  Grep(Program& program, Output& output, Expression& expression, Form form);
  bool wants(std::string_view name) override;
  std::unique_ptr<Sink> sink_for(const Member& member) override;
  void report(const Error& error) override { output_.flush() == Step::go ? program_.report(error) : void(); }
  std::uint64_t total() const { return total_; }

 private:
  Program& program_;
  Output& output_;
  Expression& expression_;
  Form form_;
  SelectOptions options_;
  bool several_;
  std::uint64_t total_ = 0;
};

// One image as its own bytes.
class ImageBytes final : public Sink {
 public:
  explicit ImageBytes(Output& output) : output_{output} {}
  Step begin(const Image& image) override {
    if (image.head == Head::common) word(common_magic);
    if (image.head == Head::service) word(service_magic);
    word(image.kind->magic);
    return output_.step();
  }
  Step entry(const Entry& entry) override { return message(entry.payload); }
  Step part(const Part& part) override { return part.message ? message(part.payload) : Step::go; }
  Step bytes(Bytes bytes) override {
    output_.write({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    return output_.step();
  }
  Step padding(Bytes padding) override { return bytes(padding); }

 private:
  void word(std::uint32_t word) {
    char* at = output_.reserve(4);
    std::memcpy(at, &word, 4);
    output_.commit(at + 4);
  }
  Step message(Bytes payload) {
    word(static_cast<std::uint32_t>(payload.size()));
    return bytes(payload);
  }
  Output& output_;
};

// The number of entries, or only the name of an image with any.
class Count final : public Sink {
 public:
  Count(Output& output, bool named, bool name_only) : output_{output}, named_{named}, name_only_{name_only} {}
  Step begin(const Image& image) override {
    name_ = image.name;
    if (name_only_) output_.write(name_ + "\n");
    return output_.step();
  }
  Step entry(const Entry&) override { ++entries_; return Step::go; }
  Step end() override {
    if (!name_only_) output_.write((named_ ? name_ + ":" : "") + std::to_string(entries_) + "\n");
    return output_.step();
  }
  void fail(const Error&) override { (void)end(); }

 private:
  Output& output_;
  bool named_, name_only_;
  std::string name_;
  std::uint64_t entries_ = 0;
};

class Nothing final : public Sink {
 public:
  Step entry(const Entry&) override { return Step::go; }
};

Grep::Grep(Program& program, Output& output, Expression& expression, Form form)
    : Decoding{limits_of(program)}, program_{program}, output_{output}, expression_{expression}, form_{form} {
  options_.invert = program.has("invert-match");
  options_.most = form == Form::nothing ? 1 : program.number("max-count", options_.most);
  options_.keep_head = form == Form::images;
  options_.always_begin = form == Form::images || form == Form::count;
  several_ = program.arguments().size() > 2;
}

bool Grep::wants(std::string_view name) {
  const Kind* kind = kind_of_name(name);
  return wanted(program_, name) && !(kind && kind->is_raw());
}

std::unique_ptr<Sink> Grep::sink_for(const Member& member) {
  std::unique_ptr<Sink> to;
  JsonOptions json{.form = JsonOptions::Form::lines, .pretty = program_.has("pretty")};
  switch (form_) {
    case Form::images: to = std::make_unique<ImageBytes>(output_); break;
    case Form::lines: to = std::make_unique<JsonSink>(output_, json); break;
    case Form::count: to = std::make_unique<Count>(output_, several_ || member.in_set, false); break;
    case Form::names: to = std::make_unique<Count>(output_, true, true); break;
    case Form::nothing: to = std::make_unique<Nothing>(); break;
  }
  return std::make_unique<Select>(expression_, options_, std::move(to), total_);
}

Form form_of(Program& program) {
  if (program.has("quiet")) return Form::nothing;
  if (program.has("count")) return Form::count;
  if (program.has("files-with-matches")) return Form::names;
  if (program.has("lines") || program.has("json") || isatty(STDOUT_FILENO)) return Form::lines;
  return Form::images;
}

int run(Program& program) {
  Expression expression;
  Error fault;
  if (const auto pattern = program.value("any")) {
    fault = expression.parse_any(*pattern, {program.has("ignore-case"), program.has("fixed-strings")});
  } else {
    if (program.arguments().empty()) program.usage("an expression is missing");
    fault = expression.parse(program.arguments()[0]);
  }
  if (fault) { program.report(fault); return exit_error; }
  const Form form = form_of(program);
  Destination destination{program, form == Form::images ? Destination::Content::binary : Destination::Content::text};
  Grep grep{program, destination.output(), expression, form};
  for (std::size_t i = 1; i < program.arguments().size(); ++i) (void)read_input(program.arguments()[i], grep, {});
  if (grep.total() == 0) {
    if (Error error = expression.unanswered()) program.report(error);
    program.set_exit_code(exit_no);
  }
  return destination.commit();
}

}  // namespace

const Filter filter{"crit-grep", "find entries of images, and bytes in memory", "EXPR [INPUT...]", examples, groups, run};

}  // namespace critpipe
