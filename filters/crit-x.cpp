// crit-x: a checkpoint as processes, descriptors, mappings, resident pages or sockets.
#include <algorithm>
#include <span>
#include <unistd.h>

#include "cli/colour.hpp"
#include "cli/filter.hpp"
#include "cli/inputs.hpp"
#include "critpipe/inspect.hpp"

namespace critpipe::filters {

namespace {

constexpr Option rows[] = {
    {'l', "long", nullptr, "Print more: states and namespaces, what descriptors refer to, socket buffers."},
    Option{'T', "threads", nullptr, "ps: print a line for each thread."}.excludes("json lines"),
    Option{'t', "tree", nullptr, "ps: draw the process tree."}.excludes("json lines"),
    Option{0, "json", nullptr, "Print one JSON document, with the keys of go-criu's crit and more."}.excludes("lines"),
    {0, "lines", nullptr, "Print one JSON object per line: a task, descriptor, mapping, run of pages or socket."},
    big_numbers_row.needs("json|lines"),
    set_row,
};
constexpr Options option_groups[] = {rows, output_options, colour_options, many_inputs_options, limit_options};
constexpr Example examples[] = {
    {"crit-x DIR ps", "the processes, as a tree by indentation"},
    {"crit-x ckpt.tar.zst fds --long", "open files, sockets and pipes of each process, by name"},
    {"crit-x DIR mems", "mappings; rss adds which of their pages are stored"},
    {"crit-x DIR sk --lines | jq .src_port", "sockets for a program"},
};

ExploreOptions options_of(Program& program, Explorer explorer) {
  if (explorer != Explorer::ps) program.refuse({"threads", "tree"}, "goes with ps alone");
  if (explorer == Explorer::rss) program.refuse({"long"}, "adds nothing to rss");
  ExploreOptions options;
  if (program.has("json")) options.form = ExploreOptions::Form::json;
  if (program.has("lines")) options.form = ExploreOptions::Form::lines;
  options.detail = program.has("long");
  options.threads = program.has("threads");
  options.tree = program.has("tree");
  options.unicode = locale_is_utf8();
  options.big_numbers = big_numbers_of(program);
  return options;
}

// A heading only where there are several.
Step show(Program& program, Output& output, const SetCheckpoint& found, const std::string& heading, Explorer explorer,
          ExploreOptions options) {
  options.set = found.id;
  if (!heading.empty() && options.form == ExploreOptions::Form::text && !found.checkpoint.tasks().empty())
    output.write("==> " + visible(heading) + " <==\n");
  if (explore(found.checkpoint, explorer, output, options) == Step::stop || output.flush() == Step::stop)
    return Step::stop;
  for (const Error& error : found.checkpoint.errors()) program.report(error);
  const std::string_view what = found.checkpoint.pages_only();
  if (found.is_set && found.checkpoint.errors().empty() && !what.empty())
    program.note(visible(found.id.text()) + ": " + std::string{what});
  return Step::go;
}

// Takes the word that says what to look at from the inputs: the last argument, else the first.
Explorer take_explorer(Program& program, std::vector<std::string>& inputs) {
  for (const bool last : {true, false}) {
    if (inputs.empty()) break;
    const auto word = last ? inputs.end() - 1 : inputs.begin();
    const auto explorer = explorer_named(*word);
    if (!explorer) continue;
    inputs.erase(word);
    return *explorer;
  }
  program.usage("say what to look at: ps, fds, mems, rss or sk, as in crit-x DIR ps");
}

// What is said beyond the tree is left out where none of its images is there, as in a set that was made for looking at.
bool is_of_processes(const Inspection& found, const Error& error) {
  if (error.reason == Reason::no_pagemaps) return false;
  if (error.reason != Reason::missing_image) return true;
  const std::string_view name = std::string_view{error.image}.substr(error.image.find_last_of("/:") + 1);
  const auto begins = [name](std::string_view begin) { return name.starts_with(begin); };
  constexpr std::string_view of_tree[] = {"pstree.img", "core-", "ids-"};
  constexpr std::string_view of_memory[] = {"mm-", "files.img", "reg-files.img", "pagemap-", "pages-"};
  const auto has_memory = [](const Task& task) { return task.has_memory || task.has_pagemap; };
  return std::ranges::any_of(of_tree, begins) ||
         (std::ranges::any_of(of_memory, begins) && std::ranges::any_of(found.checkpoint->tasks(), has_memory));
}

// The JSON of several checkpoints is one document, a list of what those of each would hold.
class List {
 public:
  List(Output& output, ExploreOptions& options) : json_{output, true, options.big_numbers}, options_{options} {}
  // Before any is shown. Does nothing but for JSON, or if it is begun.
  void begin() {
    if (options_.form != ExploreOptions::Form::json || options_.list) return;
    json_.begin('[');
    options_.list = &json_;
  }
  ~List() {
    if (options_.list) json_.end(']').line_end();
  }
  List(const List&) = delete;
  List& operator=(const List&) = delete;

 private:
  JsonWriter json_;
  ExploreOptions& options_;
};

// The JSON of ps says more than images of tasks do.
void show_processes(Program& program, Output& output, std::span<const InputGroup> groups, ExploreOptions options) {
  InspectOptions inspect{.limits = limits_of(program), .source = source_options(program)};
  List list{output, options};
  if (groups.size() > 1) list.begin();
  for (const InputGroup& group : groups) {
    inspect.source.names = group.names;
    const std::vector<Inspection> all = InspectionReader{group.inputs, inspect}.read();
    if (all.size() > 1) list.begin();
    for (const Inspection& found : all) {
      options.set = found.id;
      options.inspection = &found;
      if (explore(*found.checkpoint, Explorer::ps, output, options) == Step::stop || output.flush() == Step::stop)
        return;
      for (const Error& error : found.errors)
        if (is_of_processes(found, error)) program.report(error);
      const std::string_view what = found.checkpoint->pages_only();
      if (found.errors.empty() && !what.empty()) program.note(visible(found.id.text()) + ": " + std::string{what});
    }
  }
}

// Shows the checkpoints of a group, which may not be the only one. Step::stop: nobody reads any more.
Step show_inputs(Program& program, Output& output, const InputGroup& group, bool has_others, Explorer explorer,
                 List& list, ExploreOptions& options) {
  SourceOptions source = source_options(program);
  source.names = group.names;
  CheckpointReader reader{needs_of(explorer, options), limits_of(program)};
  (void)read_inputs(group.inputs, reader, source);
  const std::vector<const SetCheckpoint*> shown = checkpoints_among(reader.finish(group.inputs.front()));
  std::vector<SetId> ids;
  for (const SetCheckpoint* found : shown) ids.push_back(found->id);
  const std::vector<std::string> texts = set_texts(ids);
  const bool are_several = has_others || shown.size() > 1;
  if (are_several) list.begin();
  for (std::size_t i = 0; i < shown.size(); ++i) {
    const std::string heading = are_several ? texts[i] : std::string{};
    if (show(program, output, *shown[i], heading, explorer, options) == Step::stop) return Step::stop;
  }
  return Step::go;
}

int run(Program& program) {
  std::vector<std::string> inputs = program.arguments();
  const Explorer explorer = take_explorer(program, inputs);
  if (inputs.empty() && isatty(STDIN_FILENO)) program.usage("no input: name a checkpoint, or pipe one in");
  if (inputs.empty()) inputs.push_back("-");
  Destination destination{program, Destination::Content::text};
  ExploreOptions options = options_of(program, explorer);
  const bool is_text = options.form == ExploreOptions::Form::text;
  MaybeColoured coloured{program, destination, is_text ? MaybeColoured::Text::table : MaybeColoured::Text::json};
  const std::vector<InputGroup> groups = group_inputs(inputs, source_options(program));
  if (explorer == Explorer::ps && options.form != ExploreOptions::Form::text) {
    show_processes(program, coloured.output(), groups, options);
    return destination.commit();
  }
  {
    List list{coloured.output(), options};
    for (const InputGroup& group : groups)
      if (show_inputs(program, coloured.output(), group, groups.size() > 1, explorer, list, options) == Step::stop)
        break;
  }
  return destination.commit();
}

}  // namespace

const Filter filter{
    "crit-x", "look into a checkpoint", "[INPUT...] ps|fds|mems|rss|sk", examples, option_groups, run, nullptr,
    0,        "ps fds mems rss sk"};

}  // namespace critpipe::filters
