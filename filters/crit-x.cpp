// crit-x: a checkpoint as processes, descriptors, mappings, resident pages or sockets.
#include <algorithm>
#include <cstdlib>
#include <unistd.h>

#include "common/filter.hpp"
#include "common/inputs.hpp"
#include "critpipe/explore.hpp"

namespace critpipe {

namespace {

constexpr Option rows[] = {
    {'l', "long", nullptr, "Print more: states and namespaces, what each descriptor refers to, buffers of sockets."},
    {'T', "threads", nullptr, "ps: print a line for each thread."},
    {'t', "tree", nullptr, "ps: draw the tree."},
    {0, "json", nullptr, "Print one JSON document, with the keys of go-criu's crit and more."},
    {0, "lines", nullptr, "Print one JSON object a line: a task, a descriptor, a mapping, a run of pages, a socket."},
    {0, "max-entry", "SIZE", "Refuse messages larger than SIZE (256M)."},
};
constexpr Options groups[] = {rows, output_options};
constexpr Example examples[] = {
    {"crit x DIR ps", "the processes, as a tree by indentation"},
    {"crit x ckpt.tar.zst fds --long", "open files, sockets and pipes of each process, by name"},
    {"crit x DIR mems", "mappings; rss adds which of their pages are stored"},
    {"crit x DIR sk --lines | jq .src_port", "sockets for a program"},
};

// Where the locale has UTF-8, a tree may be drawn with its lines.
bool is_unicode() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(name);
    if (!value || !*value) continue;
    const std::string_view locale = value;
    return locale.find("UTF-8") != locale.npos || locale.find("utf8") != locale.npos;
  }
  return false;
}

ExploreOptions options_of(Program& program, bool to_terminal) {
  ExploreOptions options;
  if (program.has("json") && program.has("lines")) program.usage("--json and --lines exclude each other");
  if (program.has("json")) options.form = ExploreOptions::Form::json;
  if (program.has("lines")) options.form = ExploreOptions::Form::lines;
  options.detail = program.has("long");
  options.threads = program.has("threads");
  options.tree = program.has("tree");
  options.unicode = is_unicode();
  options.escape = to_terminal;
  return options;
}

class Explorers {
 public:
  Explorers(Program& program, Destination& destination, Explorer explorer)
      : program_{program}, output_{destination.output()}, explorer_{explorer},
        options_{options_of(program, isatty(destination.fd()))}, limits_{limits_of(program)} {}

  Step read(const std::string& input, bool several_inputs) {
    CheckpointReader reader{needs_of(explorer_, options_), limits_};
    SourceOptions source;
    (void)read_input(input, reader, source);
    auto& all = reader.finish(input);
    // Beside a checkpoint with tasks, what a pre-dump has left is no checkpoint of its own.
    const bool any_tree = std::ranges::any_of(all, [](const auto& one) { return has_tree(one.second); });
    const auto is_shown = [&](const Checkpoint& one) { return has_tree(one) || !any_tree; };
    const auto nr_shown = std::ranges::count_if(all, [&](const auto& one) { return is_shown(one.second); });
    for (auto& [folder, checkpoint] : all)
      if (is_shown(checkpoint) &&
          show(checkpoint, input + (folder.empty() ? "" : ":" + folder), several_inputs || nr_shown > 1) == Step::stop)
        return Step::stop;
    return Step::go;
  }

 private:
  static bool has_tree(const Checkpoint& checkpoint) {
    return !checkpoint.tasks().empty() && checkpoint.tasks().front().in_tree;
  }

  Step show(const Checkpoint& checkpoint, const std::string& name, bool one_of_several) {
    options_.label = one_of_several ? name : "";
    if (one_of_several && options_.form == ExploreOptions::Form::text) output_.write("==> " + name + " <==\n");
    if (explore(checkpoint, explorer_, output_, options_) == Step::stop || output_.flush() == Step::stop)
      return Step::stop;
    for (const Error& error : checkpoint.errors()) program_.report(error);
    return Step::go;
  }

  Program& program_;
  Output& output_;
  Explorer explorer_;
  ExploreOptions options_;
  Limits limits_;
};

int run(Program& program) {
  std::vector<std::string> inputs = program.arguments();
  const auto explorer = inputs.empty() ? std::nullopt : explorer_named(inputs.back());
  if (!explorer) program.usage("the last argument says what to look at: ps, fds, mems, rss or sk");
  inputs.pop_back();
  if (inputs.empty() && isatty(STDIN_FILENO)) program.usage("no input: name a checkpoint, or pipe one in");
  if (inputs.empty()) inputs.push_back("-");
  Destination destination{program, Destination::Content::text};
  Explorers explorers{program, destination, *explorer};
  for (const std::string& input : inputs)
    if (explorers.read(input, inputs.size() > 1) == Step::stop) break;
  return destination.commit();
}

}  // namespace

const Filter filter{"crit-x", "look into a checkpoint", "[INPUT...] ps|fds|mems|rss|sk", examples, groups, run};

}  // namespace critpipe
