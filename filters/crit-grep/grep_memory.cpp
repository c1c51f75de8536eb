#include "crit-grep/grep_memory.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <deque>
#include <fstream>
#include <map>
#include <optional>
#include <set>

#include "cli/hexdump.hpp"
#include "cli/colour.hpp"
#include "cli/inputs.hpp"
#include "cli/numbers.hpp"
#include "critpipe/json.hpp"
#include "critpipe/search.hpp"

namespace critpipe::filters {

namespace {

std::string hex_number(std::uint64_t number) { return format("0x%012llx", static_cast<unsigned long long>(number)); }

std::string_view text_of(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

std::string escaped(Bytes bytes) { return visible(text_of(bytes), Escape::bytes); }

// Prints matches as the options ask for.
class Printer {
 public:
  Printer(Program& program, const Patterns& patterns);
  Step operator()(const MemoryMatch& found);
  std::uint64_t total() const { return total_; }
  bool prints_names() const { return style_ == Style::text || style_ == Style::hex || style_ == Style::json; }
  bool quiet() const { return style_ == Style::nothing; }
  int commit();
  Step flush() { return destination_.output().flush(); }
  void meet(const SetId& set) { sets_[set.checkpoint].insert(set.set); }

 private:
  enum class Style : std::uint8_t { text, hex, matches, json, count, names, nothing };
  using Owner = std::pair<SetId, std::string>;  // set, process or shared object

  static Style style_of(Program& program);
  static std::string owner_of(const MemoryMatch& found);
  bool holds_several(const std::string& checkpoint) const;
  std::string heading_of(const SetId& set) const;
  static std::string head_of(const MemoryMatch& found);
  Step write(const SetId& set, std::string text);
  void write_held(bool all);
  std::string hexdump(const MemoryMatch& found) const;
  void json(const MemoryMatch& found);

  const Patterns& patterns_;
  Style style_;
  std::uint64_t most_;
  bool several_;           // inputs
  std::string directory_;  // of all inputs: lone images in it are of one checkpoint
  Destination destination_;
  bool colour_;
  JsonWriter json_;
  std::string line_;
  std::uint64_t total_ = 0;
  std::map<std::string, std::set<std::string>> sets_;  // of each checkpoint, as far as they were met
  // What waits until it is known whether its input holds several sets.
  struct Held {
    SetId set;
    std::string text;
  };
  std::deque<Held> held_;
  std::size_t held_bytes_ = 0;
  std::vector<Owner> order_;
  std::map<Owner, std::uint64_t> counts_;
};

Printer::Style Printer::style_of(Program& program) {
  constexpr std::pair<const char*, Style> styles[] = {{"quiet", Style::nothing},
                                                      {"count", Style::count},
                                                      {"files-with-matches", Style::names},
                                                      {"only-matching", Style::matches},
                                                      {"json", Style::json},
                                                      {"lines", Style::json},
                                                      {"hex", Style::hex}};
  for (const auto& [option, style] : styles)
    if (program.has(option)) return style;
  return Style::text;
}

// "." for names without one; empty where inputs stand in different directories.
std::string common_directory(const std::vector<std::string>& inputs) {
  std::optional<std::string> common;
  for (const std::string& input : inputs) {
    const std::size_t slash = input.rfind('/');
    const std::string directory = slash == input.npos ? "." : input.substr(0, slash);
    if (common.value_or(directory) != directory) return {};
    common = directory;
  }
  return common.value_or("");
}

Printer::Printer(Program& program, const Patterns& patterns)
    : patterns_{patterns},
      style_{style_of(program)},
      most_{program.number("max-count", ~std::uint64_t{0})},
      several_{program.arguments().size() > 1},
      directory_{common_directory(program.arguments())},
      destination_{program, Destination::Content::memory_text},
      colour_{wants_colour(program, destination_.fd())},
      json_{destination_.output(), false, big_numbers_of(program)} {}

std::string Printer::owner_of(const MemoryMatch& found) {
  if (found.pid) return std::to_string(*found.pid);
  if (found.memory) return (found.memory->shmem ? "shmem " : "") + std::to_string(found.memory->id);
  return visible(found.image);
}

bool Printer::holds_several(const std::string& checkpoint) const {
  const auto sets = sets_.find(checkpoint);
  return sets != sets_.end() && sets->second.size() > 1;
}

// Which checkpoint, where there are several: INPUT, or INPUT (SET) if the input holds several.
std::string Printer::heading_of(const SetId& set) const {
  if (!set.set.empty() && holds_several(set.checkpoint)) return visible(set.text()) + ": ";
  return several_ && set.checkpoint != directory_ ? visible(set.checkpoint) + ": " : std::string{};
}

// "1234 0x7f0000001000 rw- [heap]"
std::string Printer::head_of(const MemoryMatch& found) {
  std::string head = owner_of(found) + ' ' + hex_number(found.address);
  if (found.mapping) head += ' ' + protection_of(*found.mapping);
  if (!found.mapping_name.empty()) head += ' ' + visible(found.mapping_name);
  return head;
}

// The text behind its heading, in order.
Step Printer::write(const SetId& set, std::string text) {
  held_bytes_ += text.size();
  held_.push_back({set, std::move(text)});
  // What is too much to be held is named by its set in any case.
  if (held_bytes_ > held_output_bytes) sets_[held_.front().set.checkpoint].insert({"", held_.front().set.set});
  write_held(false);
  return destination_.output().step();
}

void Printer::write_held(bool all) {
  for (; !held_.empty(); held_.pop_front()) {
    const auto& [set, text] = held_.front();
    if (!all && !set.set.empty() && !holds_several(set.checkpoint)) return;
    destination_.output().write(heading_of(set) + text);
    held_bytes_ -= text.size();
  }
}

Step Printer::operator()(const MemoryMatch& found) {
  if (total_ >= most_) return Step::stop;
  ++total_;
  Output& output = destination_.output();
  switch (style_) {
    case Style::nothing: return Step::stop;
    case Style::count:
    case Style::names: {
      const Owner owner{found.set, owner_of(found)};
      if (counts_[owner]++ == 0) order_.push_back(owner);
      break;
    }
    case Style::matches:
      line_.clear();
      if (isatty(destination_.fd()) == 1) line_ += escaped(found.match);
      else line_.assign(reinterpret_cast<const char*>(found.match.data()), found.match.size());
      output.write(line_ + '\n');
      break;
    case Style::json: json(found); break;
    case Style::hex: (void)write(found.set, hexdump(found)); break;
    case Style::text:
      line_ = head_of(found) + ": ";
      line_ += escaped(found.before);
      if (colour_) line_ += "\x1b[1;31m";
      line_ += escaped(found.match);
      if (found.match.size() < found.length)
        line_ += "... (" + std::to_string(found.length - found.match.size()) + " more)";
      if (colour_) line_ += "\x1b[m";
      line_ += escaped(found.after);
      (void)write(found.set, line_ + '\n');
      break;
  }
  return total_ >= most_ ? Step::stop : output.step();
}

std::string Printer::hexdump(const MemoryMatch& found) const {
  std::string text = head_of(found) + ", " + std::to_string(found.length) + " bytes\n";
  std::vector<std::byte> bytes{found.before.begin(), found.before.end()};
  bytes.insert(bytes.end(), found.match.begin(), found.match.end());
  bytes.insert(bytes.end(), found.after.begin(), found.after.end());
  const std::uint64_t begin = found.address - found.before.size(), end = begin + bytes.size();
  const std::uint64_t match_end = found.address + found.match.size();
  HexMarks marks;
  if (colour_) marks = {.bold_begin = found.address, .bold_end = match_end};
  for (std::uint64_t row = begin & ~(hex_row_bytes - 1); row < end; row += hex_row_bytes) {
    const HexRow shown = hex_row(row, begin, bytes, marks);
    text += "  " + hex_number(row) + ' ' + shown.hex + "  |" + shown.letters + "|\n";
  }
  return text;
}

void Printer::json(const MemoryMatch& found) {
  put_set(json_.begin('{'), found.set).key("pid");
  if (found.pid) json_.number(*found.pid);
  else json_.null();
  if (!found.pid && found.memory && found.memory->shmem) json_.key("shmem").number(found.memory->id);
  if (!found.image.empty()) json_.key("image").text(found.image);
  json_.key("vaddr").number(found.address).key("length").number(found.length).key("mapping");
  if (const Mapping* mapping = found.mapping) {
    json_.begin('{').key("start").number(mapping->start).key("end").number(mapping->end);
    json_.key("prot").text(protection_of(*mapping)).key("shared").boolean(mapping->is_shared());
    put_name(json_.key("kind").text(name_of(mapping->kind())), "name", found.mapping_name).end('}');
  } else {
    json_.null();
  }
  if (patterns_.size() > 1) json_.key("pattern").text(patterns_.text(found.pattern));
  put_name(json_, "match", text_of(found.match));
  if (!found.before.empty() || !found.after.empty())
    put_name(put_name(json_, "before", text_of(found.before)), "after", text_of(found.after));
  json_.end('}').line_end();
}

int Printer::commit() {
  write_held(true);
  for (const Owner& owner : order_) {
    std::string line = heading_of(owner.first) + owner.second;
    if (style_ == Style::count) line += ": " + std::to_string(counts_[owner]);
    destination_.output().write(line + '\n');
  }
  return destination_.commit();
}

void add_pattern(Program& program, Patterns& patterns, const std::string& text) {
  PatternText pattern{text};
  if (program.has("fixed-strings")) pattern.syntax = PatternText::Syntax::literal;
  if (program.has("hexbytes")) pattern.syntax = PatternText::Syntax::hexbytes;
  pattern.caseless = program.has("ignore-case");
  pattern.utf16 = program.has("utf16");
  if (const Error error = patterns.add(pattern)) program.report(error);
}

void read_patterns(Program& program, Patterns& patterns, const std::string& path) {
  std::ifstream file{path, std::ios::binary};
  if (!file) return program.report(system_error(Reason::io_open, path, errno));
  std::vector<char> line(64 << 10);  // more than a pattern may have
  while (file.getline(line.data(), static_cast<std::streamsize>(line.size())) || file.gcount() > 0) {
    const bool is_cut = file.fail() && !file.eof();
    const bool has_end = !is_cut && !file.eof();
    const auto size = static_cast<std::size_t>(file.gcount()) - (has_end ? 1 : 0);
    if (size > 0) add_pattern(program, patterns, {line.data(), size});
    if (is_cut) return;  // which was refused
  }
  if (file.bad()) program.report(system_error(Reason::io_read, path, errno));
}

// "A:B", hexadecimal with 0x; either may be left out.
MemoryFilter::Range range_of(Program& program, const std::string& text) {
  const auto bounds = parse_pair(text, Numeral::any_base, Numeral::any_base);
  if (!bounds || !bounds->has_colon) program.usage("--range takes addresses A:B, not " + text);
  const MemoryFilter::Range range{bounds->first.value_or(0), bounds->second.value_or(~std::uint64_t{0})};
  if (range.begin >= range.end) program.usage("--range " + text + " is empty");
  return range;
}

MemoryFilter filter_of(Program& program) {
  MemoryFilter filter;
  filter.pids = pids_of(program);
  for (const std::string& text : program.values("range")) filter.ranges.push_back(range_of(program, text));
  filter.areas = program.values("vma");
  for (const std::string& area : filter.areas)
    if (!MemoryFilter::knows_area(area))
      program.usage("--vma knows no " + area + ": heap, stack, anon, file=GLOB, ...");
  filter.protection = program.value("prot").value_or("");
  if ((program.has("prot") && filter.protection.empty()) ||
      filter.protection.find_first_not_of("rwx") != std::string::npos)
    program.usage("--prot takes letters of rwx, not " + filter.protection);
  return filter;
}

bool is_directory(const std::string& path) {
  struct stat status;
  return path != "-" && stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode) && !is_container_image(path);
}

Step search_all(MemorySearch& search, const std::vector<std::string>& inputs, SourceOptions options) {
  for (const InputGroup& group : group_inputs(inputs, options)) {
    const std::string& first = group.inputs.front();
    options.names = group.names;
    const Step step = is_directory(first) ? search.directory(first, options) : search.inputs(group.inputs, options);
    if (step == Step::stop) return step;
  }
  return Step::go;
}

// The first argument; two that are swapped are an input and what is none.
std::string pattern_of(Program& program) {
  std::string pattern = program.take_argument("a pattern is missing: crit-grep --memory REGEX DIR");
  const auto is_there = [](const std::string& name) { return name == "-" || access(name.c_str(), F_OK) == 0; };
  const std::vector<std::string>& others = program.arguments();
  if (others.size() == 1 && is_there(pattern) && !is_there(others[0]))
    program.usage(pattern + " is an input; the pattern goes before it: crit-grep --memory REGEX " + pattern);
  return pattern;
}

}  // namespace

int grep_memory(Program& program) {
  Patterns patterns;
  if (program.has("file"))
    for (const std::string& path : program.values("file")) read_patterns(program, patterns, path);
  else add_pattern(program, patterns, pattern_of(program));
  if (program.failed()) return exit_error;
  if (patterns.size() == 0) return exit_no;
  if (const Error error = patterns.compile()) {
    program.report(error);
    return exit_error;
  }
  Printer printer{program, patterns};
  MemorySearchOptions options;
  const bool shows_context = program.has("context") || !(program.has("json") || program.has("lines"));
  options.context = shows_context ? program.number("context", 16) : 0;
  if (options.context > max_context) program.usage("--context is at most " + std::to_string(max_context));
  options.page_size = page_size_of(program).value_or(0);
  options.filter = filter_of(program);
  options.limits = limits_of(program);
  options.names = printer.prints_names();
  options.nr_threads = threads_of(program, "jobs");
  options.on_set = [&](const SetId& set) { printer.meet(set); };
  MemorySearch search{patterns, options, [&](const MemoryMatch& found) { return printer(found); },
                      [&](const Error& error) {
                        (void)printer.flush();
                        program.report(error);
                      }};
  if (program.number("max-count", 1) > 0) {
    const std::vector<std::string> parents = program.values("parent");
    const std::vector<std::string> inputs = program.inputs();
    const Step step = parents.empty() ? search_all(search, inputs, source_options(program))
                                      : search.with_parents(inputs, parents, source_options(program));
    if (step == Step::go && !program.failed())
      for (const Error& error : search.unmatched()) program.report(error);
  }
  if (printer.total() == 0) program.set_exit_code(exit_no);
  const int code = printer.commit();
  return printer.quiet() && printer.total() > 0 ? int{exit_done} : code;
}

}  // namespace critpipe::filters
