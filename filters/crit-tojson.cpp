// crit-tojson: images to JSON.
#include "cli/colour.hpp"
#include "cli/filter.hpp"
#include "cli/parallel.hpp"
#include "cli/interleaved_documents.hpp"
#include "critpipe/json.hpp"

namespace critpipe::filters {

namespace {

constexpr Option rows[] = {
    {0, "pretty", nullptr, "Print annotated fields in readable form, and indent."},
    {0, "lines", nullptr, "Print one entry per line, with its image, magic and index."},
    {0, "no-payload", nullptr, "Print the size of extras instead of their bytes."},
    {0, "nopl", nullptr, "Same as --no-payload."},
    {0, "raw", nullptr,
     "Print the bytes of raw images (pages, ...) as base64, not only their size; and all other files, as with --all."},
    {0, "no-wire", nullptr, "Leave out heads and wire encodings, which only crit-fromjson needs."},
    big_numbers_row,
    Option{0, "no-newline", nullptr, "End a document without a newline, as crit decode -o does."}.excludes("lines"),
};
constexpr Options groups[] = {rows,           parallel_options, output_options, force_options,
                              colour_options, input_options,    all_options};
constexpr Example examples[] = {
    {"crit-tojson core-1.img", "print an image as crit does"},
    {"crit-tojson --pretty < mm-1.img", "print it in readable form"},
    {"crit-tojson --lines --big-numbers=text DIR | jq .", "print every entry of a checkpoint on a line"},
    {"crit-tojson pagemap-1.img | crit-fromjson", "decode and encode: the same bytes"},
};

class ToJson final : public Decoding {
 public:
  ToJson(Program& program, BigNumbers big_numbers, Output& output, ReportError report)
      : Decoding{limits_of(program), KindFrom::bytes},
        output_{output},
        report_{std::move(report)},
        interleaved_{output, limits_of(program)} {
    options_.pretty = program.has("pretty");
    options_.payload = !program.has("no-payload") && !program.has("nopl");
    options_.raw = program.has("raw");
    options_.big_numbers = big_numbers;
    options_.wire = !program.has("no-wire");
    options_.newline = !program.has("no-newline");
    lines_ = program.has("lines");
    several_ = program.arguments().size() > 1;
  }

  std::unique_ptr<Sink> sink_for(const Member& member) override;
  bool reads_raw() const override { return options_.raw; }
  void report(const Error& error) override { report_(error); }

 private:
  class Alone;
  Output& output_;
  ReportError report_;
  JsonOptions options_;
  InterleavedDocuments interleaved_;
  bool lines_;
  bool several_;
};

// An image by itself, whose document is crit's, without the keys of a set; an input that is no image has them.
class ToJson::Alone final : public JsonSink {
 public:
  Alone(Output& output, const JsonOptions& options, std::shared_ptr<const SetId> set)
      : JsonSink{output, options}, output_{output}, options_{options} {
    options_.set = std::move(set);
  }
  Step begin(const Image& image) override {
    is_image_ = true;
    return JsonSink::begin(image);
  }
  Step resume(const Image& image, std::uint64_t nr_entries) override {
    is_image_ = true;
    return JsonSink::resume(image, nr_entries);
  }
  void fail(const Error& error) override {
    if (is_image_) JsonSink::fail(error);
    else JsonSink{output_, options_}.fail(error);
  }

 private:
  Output& output_;
  JsonOptions options_;
  bool is_image_ = false;
};

std::unique_ptr<Sink> ToJson::sink_for(const Member& member) {
  options_.form = lines_                      ? JsonOptions::Form::lines
                  : several_ || member.in_set ? JsonOptions::Form::named_document
                                              : JsonOptions::Form::document;
  options_.set = member.in_set || several_ ? member.set : nullptr;
  const Kind* kind = kind_of_name(member.name);
  if (options_.form == JsonOptions::Form::document && kind && kind->is_raw() && !options_.raw) {
    Error error{Reason::raw_image, member.place};
    error.name = kind->about;
    report(error);
    return nullptr;
  }
  if (!member.in_set) return std::make_unique<Alone>(output_, options_, member.set);
  if (!member.interleaved) return std::make_unique<JsonSink>(output_, options_);
  return std::make_unique<InterleavedJson>(interleaved_, options_);
}

int run(Program& program) {
  const BigNumbers big_numbers = big_numbers_of(program);
  const bool raw = program.has("raw");
  Destination destination{program, raw ? Destination::Content::memory_text : Destination::Content::text};
  MaybeColoured coloured{program, destination, MaybeColoured::Text::json};
  SourceOptions options = source_options(program);
  options.all_members |= raw;
  const auto make = [&](Output& output, const ReportError& report) {
    return std::make_unique<ToJson>(program, big_numbers, output, report);
  };
  read_inputs(program, coloured.output(), {make, make}, options);
  (void)coloured.output().flush();
  return destination.commit();
}

}  // namespace

const Filter filter{"crit-tojson", "print CRIU images as JSON", "[INPUT...]", examples, groups, run};

}  // namespace critpipe::filters
