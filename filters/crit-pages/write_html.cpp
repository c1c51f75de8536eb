// --html: the address spaces on a page, to zoom and hover.
#include "crit-pages/html_page.hpp"
#include "crit-pages/picture.hpp"

namespace critpipe::filters {

namespace {

constexpr Option options[] = {
    {0, "html", "FILE", "Write a page with the same picture, to zoom and hover, to FILE.", Option::files},
};
constexpr const char* takes[] = {"jobs"};

// JSON is JavaScript, but for a text that ends the script: names come from the checkpoint.
class ScriptOutput final : public Output {
 public:
  explicit ScriptOutput(Output& below) : below_{below} {}

 private:
  bool drain(const char* bytes, std::size_t size) override {
    for (std::string_view rest{bytes, size}; !rest.empty();) {
      const std::size_t at = std::min(rest.find('<'), rest.size());
      below_.write(rest.substr(0, at));
      if (at < rest.size()) below_.write("\\u003c");
      rest.remove_prefix(std::min(at + 1, rest.size()));
    }
    return below_.step() == Step::go;
  }
  Output& below_;
};

void print_states(JsonWriter& json) {
  json.begin('[');
  for (std::size_t i = 0; i < nr_page_states; ++i) {
    const PageStateRow& row = row_of(static_cast<PageState>(i));
    json.begin('{').key("n").text(row.name).key("c").text(row.colour).end('}');
  }
  json.end(']');
}

void print_row(JsonWriter& json, const Row& row) {
  json.begin('{').key("s").number(row.start).key("t").text(row.text).key("g").begin('[');
  for (const Row::Segment& segment : row.segments)
    json.number(segment.nr_pages).number(static_cast<std::uint64_t>(segment.state)).number(segment.flags);
  json.end(']').end('}');
}

int run(Program& program) {
  Destination destination{program, Destination::Content::text, "html"};
  SurveyedInputs surveyed{program, {.runs = true, .facts = true, .shared = true, .parents = true}};
  if (surveyed.has_failed()) return program.exit_code();
  Output& output = destination.output();
  output.write(html_head);
  const std::uint64_t page_size = surveyed.sets().empty() ? smallest_page : surveyed.sets().front()->page_size;
  for (const auto& set : surveyed.sets())
    if (set->page_size != page_size) program.usage("the checkpoints have pages of different sizes: one at a time");
  ScriptOutput script{output};
  JsonWriter json{script, false};
  script.write(format("const page_size = %llu;\nconst states = ", static_cast<unsigned long long>(page_size)));
  print_states(json);
  script.write(";\nconst memories = ");
  json.begin('[');
  for (const auto& set : surveyed.sets()) {
    for (const auto& [id, memory] : set->memories) {
      if (!surveyed.chosen(id) || !surveyed.pagemap(*set, id)) continue;
      const std::string whose = surveyed.several() ? set->name + ": " : std::string{};
      json.begin('{').key("name").text(whose + memory_text(*set, memory)).key("rows").begin('[');
      picture(*set, id, [&](const Row& row) { print_row(json, row); });
      json.end(']').end('}');
    }
  }
  json.end(']');
  script.write(";\n");
  if (script.flush() == Step::stop) return destination.commit();
  if (program.failed())
    output.write("document.querySelector(\"header\").append(\"Incomplete: not all of it could be read.\");\n");
  output.write(html_script);
  return destination.commit(Destination::After::any);
}

const Mode mode{{.options = options, .takes = takes, .run = run, .order = 80}};

}  // namespace

}  // namespace critpipe::filters
