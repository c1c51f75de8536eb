// crit: the command lines of the Python tool, answered by the programs beside it. crit NAME runs crit-NAME.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <unistd.h>

#include "cli/filter.hpp"
#include "cli/inputs.hpp"
#include "cli/command_line.hpp"
#include "critpipe/base.hpp"
#include "critpipe/image.hpp"
#include "critpipe/json.hpp"

namespace critpipe::filters {

namespace {

using Words = std::vector<std::string>;

constexpr Option decode_rows[] = {
    {'i', "in", "FILE", "Read the image from FILE instead of standard input.", Option::files},
    {'o', "out", "FILE", "Write the JSON to FILE instead of standard output.", Option::files},
    {0, "pretty", nullptr, "Print annotated fields in readable form, and indent."},
};
constexpr Option encode_rows[] = {
    {'i', "in", "FILE", "Read the JSON from FILE instead of standard input.", Option::files},
    {'o', "out", "FILE", "Write the image to FILE instead of standard output.", Option::files},
};
constexpr Option show_rows[] = {
    {0, "nopl", nullptr, "Print the size of extras instead of their bytes."},
};

constexpr Option compress_rows[] = {
    {0, "in-place", nullptr, "Keep no NAME.bak of what is replaced."},
    {0, "acceleration", "N", "Compress faster, and less: 1 to 65537 (1)."},
};
constexpr Option decompress_rows[] = {
    {0, "in-place", nullptr, "Keep no NAME.bak of what is replaced."},
};

std::string directory_of_programs() {
  char path[4096];
  const ssize_t size = readlink("/proc/self/exe", path, sizeof path);
  const std::string_view whole{path, size > 0 ? static_cast<std::size_t>(size) : 0};
  const std::size_t slash = whole.rfind('/');
  return slash == whole.npos ? "" : std::string{whole.substr(0, slash + 1)};
}

// Becomes that program, which speaks as crit and names the help of that command. Returns only when there is none.
int become(Program& program, const std::string& command, const std::string& name, const Words& words) {
  std::vector<char*> argv;
  std::string called = "crit " + command;
  argv.push_back(called.data());
  Words copy = words;
  for (std::string& word : copy) argv.push_back(word.data());
  argv.push_back(nullptr);
  execv((directory_of_programs() + name).c_str(), argv.data());
  if (errno == ENOENT) execvp(name.c_str(), argv.data());
  if (errno != ENOENT) program.usage("cannot run " + name + ": " + std::strerror(errno));
  return exit_error;
}

// FILE of -i, or standard input.
std::string input_of(Program& program, const std::string& command, const char* what) {
  if (!program.arguments().empty()) program.usage(command + " takes no argument: use -i FILE");
  if (const auto file = program.value("in")) return *file;
  if (isatty(STDIN_FILENO)) program.usage(std::string{"no input: name "} + what + " by -i FILE, or pipe one in");
  return "-";
}

int decode(Program& program) {
  Words words;
  if (program.has("pretty")) words.push_back("--pretty");
  if (const auto out = program.value("out")) words.insert(words.end(), {"--no-newline", "--output=" + *out});
  words.insert(words.end(), {"--", input_of(program, "decode", "an image")});
  return become(program, "decode", "crit-tojson", words);
}

int encode(Program& program) {
  Words words;
  // As Python crit writes it.
  if (const auto out = program.value("out")) words.insert(words.end(), {"--force", "--output=" + *out});
  words.insert(words.end(), {"--", input_of(program, "encode", "a file with JSON")});
  return become(program, "encode", "crit-fromjson", words);
}

int repack(Program& program, const std::string& command) {
  Words words{"--" + command, "--rewrite"};
  if (program.has("in-place")) words.emplace_back("--no-bak");
  if (const auto number = program.value("acceleration")) words.push_back("--acceleration=" + *number);
  if (program.arguments().size() != 1) program.usage("one directory is wanted");
  words.insert(words.end(), {"--", program.arguments()[0]});
  return become(program, command, "crit-repack", words);
}

int compress(Program& program) { return repack(program, "compress"); }
int decompress(Program& program) { return repack(program, "decompress"); }

// Counts as crit does: the head of a pagemap is no entry.
class Count final : public Sink {
 public:
  explicit Count(Output& output) : output_{output} {}
  Step begin(const Image& image) override {
    image_ = image;
    return Step::go;
  }
  Step entry(const Entry&) override {
    ++entries_;
    return Step::go;
  }
  Step end() override {
    const bool headed = image_.kind->first != image_.kind->later && !image_.kind->has_extra();
    const std::uint64_t count = headed && entries_ > 0 ? entries_ - 1 : entries_;
    output_.write("{\n    \"magic\": \"" + std::string{image_.kind->magic_name} +
                  "\",\n    \"count\": " + std::to_string(count) + "\n}\n");
    return output_.step();
  }

 private:
  Output& output_;
  Image image_;
  std::uint64_t entries_ = 0;
};

// Ends the reading of an input.
class Stop final : public Sink {
 public:
  Step begin(const Image&) override { return Step::stop; }
  Step entry(const Entry&) override { return Step::stop; }
};

// The one image of a command line. A checkpoint has several.
class OneImage : public Decoding {
 public:
  OneImage(Program& program, const char* command)
      : Decoding{Limits{}, KindFrom::bytes}, program_{program}, command_{command} {}
  std::unique_ptr<Sink> sink_for(const Member& member) final;
  void report(const Error& error) final { program_.report(error); }
  int read(Destination& destination) {
    if (program_.arguments().size() != 1) program_.usage(command_ + " takes one image: crit " + command_ + " FILE");
    (void)read_input(program_.arguments()[0], *this, {});
    return destination.commit();
  }

 private:
  virtual std::unique_ptr<Sink> sink() = 0;

  Program& program_;
  std::string command_;
};

std::unique_ptr<Sink> OneImage::sink_for(const Member& member) {
  const Kind* kind = kind_of_name(member.name);
  if (!member.in_set && !(kind && kind->is_raw())) return sink();
  Error error{Reason::raw_image, member.place};
  if (member.in_set) {
    const std::string& input = program_.arguments()[0];
    error = {Reason::usage, input};
    error.name = "this is a checkpoint; one of its images is shown by: crit-cat " + (input == "-" ? "" : input + " ") +
                 "--only NAME | crit " + command_ + " -";
  } else {
    error.name = kind->about;
  }
  report(error);
  return std::make_unique<Stop>();
}

class Show final : public OneImage {
 public:
  Show(Program& program, Output& output) : OneImage{program, "show"}, output_{output} {
    options_.pretty = true;
    options_.wire = false;
    options_.payload = !program.has("nopl");
  }

 private:
  std::unique_ptr<Sink> sink() override { return std::make_unique<JsonSink>(output_, options_); }

  Output& output_;
  JsonOptions options_;
};

class Info final : public OneImage {
 public:
  Info(Program& program, Output& output) : OneImage{program, "info"}, output_{output} {}

 private:
  std::unique_ptr<Sink> sink() override { return std::make_unique<Count>(output_); }

  Output& output_;
};

template <typename What>
int print_one(Program& program) {
  Destination destination{program, Destination::Content::text};
  return What{program, destination.output()}.read(destination);
}

constexpr Options decode_groups[] = {decode_rows};
constexpr Options encode_groups[] = {encode_rows};
constexpr Options show_groups[] = {show_rows};
constexpr Options compress_groups[] = {compress_rows};
constexpr Options decompress_groups[] = {decompress_rows};
constexpr Example compress_examples[] = {{"crit compress DIR", "pages in LZ4 blocks, for CRIU 4.3 and later"}};
constexpr Example decompress_examples[] = {{"crit decompress DIR", "plain pages, for all releases"}};
constexpr Example decode_examples[] = {{"crit decode -i core-1.img --pretty", "an image as JSON"}};
constexpr Example encode_examples[] = {{"crit encode -i core.json -o core-1.img", "JSON as an image"}};
constexpr Example show_examples[] = {{"crit show core-1.img", "an image in readable form"}};
constexpr Example info_examples[] = {{"crit info core-1.img", "its magic and its number of entries"}};

const Filter commands[] = {
    {"crit decode", "print an image as JSON", "", decode_examples, decode_groups, decode},
    {"crit encode", "turn JSON into an image", "", encode_examples, encode_groups, encode},
    {"crit show", "print an image in readable form", "FILE", show_examples, show_groups, print_one<Show>},
    {"crit info", "print magic and number of entries", "FILE", info_examples, {}, print_one<Info>},
    {"crit compress", "compress the pages of a checkpoint", "DIR", compress_examples, compress_groups, compress},
    {"crit decompress", "store the pages of a checkpoint plain", "DIR", decompress_examples, decompress_groups,
     decompress},
};

// "; did you mean show?": a command, or a program beside this one, with a letter or two between.
std::string near_words(const std::string& word) {
  constexpr std::string_view begin = "crit-";
  Words known;
  for (const Filter& row : commands) known.emplace_back(command_of(row));
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator{directory_of_programs(), none})
    if (const std::string name = entry.path().filename(); name.starts_with(begin))
      known.push_back(name.substr(begin.size()));
  std::ranges::sort(known);
  std::string best;
  std::size_t least = std::max<std::size_t>(word.size() / 3, 1) + 1;
  for (const std::string& name : known) {
    const std::size_t letters = edit_distance(word, name, least);
    if (letters >= least) continue;
    least = letters;
    best = name;
  }
  return best.empty() ? best : "; did you mean " + best + "?";
}

int run(Program& program) {
  const Words& words = program.arguments();
  if (words.empty()) program.usage("too few arguments: name a command, such as crit show FILE");
  const std::string& command = words[0];
  if (command[0] == '-') program.usage("no option " + command);
  for (const Filter& row : commands) {
    if ("crit " + command != row.name) continue;
    std::string name = "crit";
    Words rest{words.begin() + 1, words.end()};
    std::vector<char*> argv{name.data()};
    for (std::string& word : rest) {
      if (word == "--") break;
      if (word.starts_with("-i=") || word.starts_with("-o=")) word.erase(2, 1);  // as argparse reads it
    }
    for (std::string& word : rest) argv.push_back(word.data());
    Program sub = parse_command_line(row, static_cast<int>(argv.size()), argv.data());
    return row.run(sub);
  }
  const bool plain = std::ranges::all_of(command, [](char c) { return c != '/' && c != '.'; });
  if (plain) become(program, command, "crit-" + command, {words.begin() + 1, words.end()});
  program.usage("no command " + command +
                ": decode, encode, show, info, x, compress, decompress, or the NAME of a program crit-NAME" +
                near_words(command));
}

constexpr Example examples[] = {
    {"crit decode -i FILE [-o FILE] [--pretty]", "an image as JSON"},
    {"crit encode -i FILE [-o FILE]", "JSON as an image"},
    {"crit show [--nopl] FILE", "an image in readable form"},
    {"crit info FILE", "magic and number of entries"},
    {"crit compress DIR", "pages in LZ4 blocks; crit decompress stores them plain"},
    {"crit x DIR ps|fds|mems|rss|sk", "tasks, descriptors, mappings, memory, sockets"},
    {"crit NAME ...", "runs crit-NAME: cat, grep, pages, ..."},
};

}  // namespace

const Filter filter{
    "crit", "look into and change CRIU images", "COMMAND ...", examples, {}, run, commands, std::size(commands)};

}  // namespace critpipe::filters
