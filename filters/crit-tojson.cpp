// crit-tojson: images to JSON.
#include "common/filter.hpp"
#include "common/inputs.hpp"
#include "critpipe/json.hpp"

namespace critpipe {

namespace {

constexpr Option rows[] = {
    {0, "pretty", nullptr, "Print annotated fields as people read them, and indent."},
    {0, "lines", nullptr, "Print one entry a line, with its image, magic and index."},
    {0, "no-payload", nullptr, "Leave extras out and print their size."},
    {0, "nopl", nullptr, "The same as --no-payload."},
    {0, "raw", nullptr, "Print the bytes of raw images (pages, ...) as base64, not only their size."},
    {0, "no-wire", nullptr, "Leave out heads and wire forms, which only crit-fromjson needs."},
    {0, "no-newline", nullptr, "End a document without a newline, as crit decode -o does."},
};
constexpr Options groups[] = {rows, output_options, input_options};
constexpr Example examples[] = {
    {"crit-tojson core-1.img", "one image as crit prints it"},
    {"crit-tojson --pretty < mm-1.img", "the human form"},
    {"crit-tojson --lines DIR | jq .", "every entry of a checkpoint, one a line"},
    {"crit-tojson pagemap-1.img | crit-fromjson", "the same bytes again"},
};

class ToJson final : public Decoding {
 public:
  ToJson(Program& program, Output& output) : Decoding{limits_of(program)}, program_{program}, output_{output} {
    options_.pretty = program.has("pretty");
    options_.payload = !program.has("no-payload") && !program.has("nopl");
    options_.raw = program.has("raw");
    options_.wire = !program.has("no-wire");
    options_.newline = !program.has("no-newline");
    lines_ = program.has("lines");
    several_ = program.arguments().size() > 1;
  }

  bool wants(std::string_view name) override { return wanted(program_, name); }

  std::unique_ptr<Sink> sink_for(const Member& member) override {
    options_.form = lines_                        ? JsonOptions::Form::lines
                    : several_ || member.in_set ? JsonOptions::Form::named_document
                                                  : JsonOptions::Form::document;
    const Kind* kind = kind_of_name(member.name);
    if (options_.form == JsonOptions::Form::document && kind && kind->is_raw() && !options_.raw) {
      Error error{Reason::raw_image, member.place};
      error.name = kind->about;
      report(error);
      return nullptr;
    }
    return std::make_unique<JsonSink>(output_, options_);
  }

  void report(const Error& error) override {
    output_.flush() == Step::go ? program_.report(error) : void();
  }

 private:
  Program& program_;
  Output& output_;
  JsonOptions options_;
  bool lines_;
  bool several_;
};

int run(Program& program) {
  Destination destination{program, Destination::Content::text};
  ToJson to_json{program, destination.output()};
  (void)read_inputs(program, to_json);
  return destination.commit();
}

}  // namespace

const Filter filter{"crit-tojson", "print CRIU images as JSON", "[INPUT...]", examples, groups, run};

}  // namespace critpipe
