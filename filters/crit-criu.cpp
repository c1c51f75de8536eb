// crit-criu: asks the CRIU of this machine: version, features, checks; and runs its page server.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "cli/criu/criu_job.hpp"
#include "cli/criu/criu_program.hpp"
#include "critpipe/image.hpp"
#include "critpipe/input_file.hpp"
#include "critpipe/json.hpp"

namespace critpipe::filters {

namespace {

constexpr Option rows[] = {
    {0, "json", nullptr, "Print JSON."},
    {'D', "images-dir", "DIR", "cpuinfo, page-server: the directory of the images (.).", Option::directories},
    {0, "port", "PORT", "page-server: listen on PORT (0: one that is free)."},
    {0, "address", "ADDRESS", "page-server: listen on this address only."},
    {0, "parent", "DIR", "page-server: the images of the previous dump, relative to the directory of the images.",
     Option::directories},
    {0, "timeout", "SECONDS", "Give up if CRIU does not answer in that time (10)."},
    {0, "log", "FILE", "Have CRIU write its log into FILE, which is new or replaced.", Option::files},
    Option{0, "set", "NAME=VALUE", "Set an option of CRIU's RPC by its name in criu_opts; may be repeated."},
    criu_row,
    service_row,
};
constexpr Options groups[] = {rows};
constexpr Example examples[] = {
    {"crit-criu version", "4.2.1"},
    {"crit-criu at-least 3.15 && crit-criu features mem_track", "exit 1 where one of them is not so"},
    {"crit-criu cpuinfo check -D DIR", "can this machine's CPU run what was dumped there?"},
    {"crit-criu page-server -D DIR --json", "take the pages of dumps from elsewhere; prints pid and port"},
};

std::unique_ptr<Criu> patient_criu(Program& program) {
  auto criu = make_criu(program);
  criu->set_patience({.milliseconds = patience_of(program)});
  return criu;
}

// The log of one call: CRIU writes it into a private directory, and it is kept where it was asked for.
class Call {
 public:
  explicit Call(Program& program) : program_{program}, criu_{patient_criu(program)} {
    set_options(program, options_);
    check_files(program, options_);
    Error error;
    work_ = std::make_unique<WorkDirectory>(error);
    if (error) program.report(error);
    is_ready_ = !program.failed();
    if (!is_ready_) return;
    set("work_dir_fd", work().fd());
    set("log_file", log_name);
    set("images_dir_fd", work().fd());  // without one, some CRIUs take no log; who has images says where
  }
  ~Call() {
    const auto kept = program_.value("log");
    if (kept && is_ready_) (void)copy_log(program_, work().fd(), log_name, *kept);
  }
  CriuOptions& options() { return options_; }
  Criu& criu() { return *criu_; }
  bool is_ready() const { return is_ready_; }
  void set(const char* name, const FieldValue& value) { (void)options_.set(name, value); }

  // Reports why the answer is none, with CRIU's own first error line.
  int answer(const CriuAnswer& answer) {
    if (answer.error) program_.report(answer.error);
    if (answer.error) add_log(answer);
    return program_.exit_code();
  }
  // The same of an answer that says no, which is none of our errors.
  void explain(const CriuAnswer& answer) {
    program_.note(to_string(answer.error));
    add_log(answer);
  }

 private:
  static constexpr const char* log_name = "criu.log";

  void add_log(const CriuAnswer& answer) {
    const OwnedDescriptor log{openat(work().fd(), log_name, O_RDONLY | O_CLOEXEC)};
    const std::string first = log ? first_error_of(log.fd()).first : "";
    if (!first.empty() && answer.error.name.find(visible(first)) == std::string::npos)
      program_.note("CRIU's log: " + visible(first));
  }

  const PrivateDirectory& work() const { return **work_; }

  Program& program_;
  std::unique_ptr<Criu> criu_;
  CriuOptions options_;
  std::unique_ptr<WorkDirectory> work_;
  bool is_ready_ = false;
};

std::string version_text(const CriuVersion& version) {
  std::string text = std::to_string(version.major) + "." + std::to_string(version.minor);
  if (version.sublevel) text += "." + std::to_string(version.sublevel);
  if (!version.git_id.empty()) text += " (" + visible(version.git_id) + ")";
  return text;
}

// "3.15", "4.2.1", or the number that go-criu knows, 31500. Nothing: it is neither.
std::optional<int> parse_version(std::string_view text) {
  int parts[3] = {};
  int nr = 0;
  while (nr < 3) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parts[nr]);
    if (error != std::errc{} || parts[nr] < 0 || (nr > 0 && parts[nr] > 99)) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    ++nr;
    if (!text.starts_with('.')) break;
    text.remove_prefix(1);
  }
  if (!text.empty()) return std::nullopt;
  if (nr == 1 && parts[0] >= 10000) return parts[0];
  if (parts[0] > 9999) return std::nullopt;
  return parts[0] * 10000 + parts[1] * 100 + parts[2];
}

int finish(Program& program, Output& output) {
  const int code = program.finish(output);
  return program.failed() ? code : program.exit_code();
}

void refuse_more(Program& program) {
  if (!program.arguments().empty()) program.usage("too many arguments: " + program.arguments()[0]);
}

int print_version(Program& program, Output& output) {
  refuse_more(program);
  CriuVersion version;
  if (Error error = patient_criu(program)->version(version)) {
    program.report(error);
    return program.exit_code();
  }
  if (program.has("json")) {
    JsonWriter json{output, false};
    json.begin('{').key("schema").number(1u).key("version").text(version_text(version));
    json.key("major").number(static_cast<unsigned>(version.major));
    json.key("minor").number(static_cast<unsigned>(version.minor));
    json.key("sublevel").number(static_cast<unsigned>(version.sublevel));
    json.key("number").number(static_cast<unsigned>(version.number()));
    if (!version.git_id.empty()) json.key("gitid").text(version.git_id);
    if (!version.name.empty()) json.key("name").text(version.name);
    json.end('}').line_end();
  } else {
    output.write(version_text(version) + "\n");
  }
  return finish(program, output);
}

int at_least(Program& program, Output& output) {
  const std::string wanted = program.take_argument("say which version: crit-criu at-least 3.15");
  const auto number = parse_version(wanted);
  if (!number) program.usage("'" + visible(wanted) + "' is no version of CRIU, such as 3.15 or 4.2.1");
  refuse_more(program);
  bool answer = false;
  if (Error error = patient_criu(program)->is_at_least(*number, answer)) {
    program.report(error);
    return program.exit_code();
  }
  if (program.has("json"))
    output.write(std::string{"{\"schema\": 1, \"at_least\": "} + (answer ? "true" : "false") + "}\n");
  program.set_exit_code(answer ? exit_done : exit_no);
  return finish(program, output);
}

int print_features(Program& program, Output& output) {
  std::vector<CriuFeature> features;
  for (const std::string& name : program.arguments()) features.push_back({name});
  const bool asked_for = !features.empty();
  if (Error error = patient_criu(program)->features(features)) {
    if (error.reason == Reason::usage) program.usage(error.name);
    program.report(error);
    return program.exit_code();
  }
  JsonWriter json{output, false};
  if (program.has("json")) json.begin('{').key("schema").number(1u).key("features").begin('{');
  for (const CriuFeature& feature : features) {
    if (program.has("json")) json.key(feature.name).boolean(feature.available);
    else output.write(feature.name + (feature.available ? " yes\n" : " no\n"));
  }
  if (program.has("json")) json.end('}').end('}').line_end();
  const bool all = std::all_of(features.begin(), features.end(), [](const CriuFeature& one) { return one.available; });
  if (asked_for && !all) program.set_exit_code(exit_no);
  return finish(program, output);
}

// One request that says yes or no.
int ask(Program& program, Output& output, CriuRequest request, Call& call, const char* key) {
  if (!call.is_ready()) return program.exit_code();
  const CriuAnswer answer = call.criu().call(request, &call.options());
  // CRIU's own no is an answer; that it could not be asked is an error.
  const bool refused = answer.error.reason == Reason::criu_failed;
  if (answer.error && !refused) return call.answer(answer);
  if (answer.error) call.explain(answer);
  if (program.has("json"))
    output.write(std::string{"{\"schema\": 1, \""} + key + "\": " + (refused ? "false" : "true") + "}\n");
  if (refused) program.set_exit_code(exit_no);
  return finish(program, output);
}

OwnedDescriptor images_directory(Program& program, Call& call) {
  const std::string path = program.value("images-dir").value_or(".");
  OwnedDescriptor directory{open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!directory) program.report(system_error(Reason::io_open, path, errno));
  call.set("images_dir_fd", directory.fd());
  return directory;
}

// CRIU says no to an image that it cannot read, too.
Error check_cpuinfo(const std::string& directory) {
  struct Entries final : Sink {
    std::uint64_t nr = 0;
    Step entry(const Entry&) override { return ++nr, Step::go; }
  } entries;
  constexpr std::string_view name = "cpuinfo.img";
  Error error;
  const Directory images{directory, error};
  InputFile file = error ? InputFile{} : images.open(name, error);
  Decoder decoder{entries, name, {}, KindFrom::both};
  std::vector<std::byte> block(block_bytes);
  Step step = error ? Step::stop : Step::go;
  for (std::size_t got; step == Step::go && (got = file.read(block, error)) > 0;)
    step = decoder.feed(Bytes{block}.first(got));
  if (!error && step == Step::go) step = decoder.finish();
  if (!error && step == Step::stop) error = decoder.error();
  if (!error && entries.nr == 0) error = {.reason = Reason::missing_image, .image = std::string{name}};
  return error;
}

int cpuinfo(Program& program, Output& output) {
  const std::string what = program.take_argument("say what: crit-criu cpuinfo dump, or crit-criu cpuinfo check");
  if (what != "dump" && what != "check") program.usage("cpuinfo does dump or check, not '" + visible(what) + "'");
  refuse_more(program);
  Call call{program};
  const OwnedDescriptor directory = images_directory(program, call);
  if (directory && what == "check")
    if (Error error = check_cpuinfo(program.value("images-dir").value_or("."))) program.report(error);
  if (program.failed()) return program.exit_code();
  const CriuRequest request = what == "dump" ? CriuRequest::cpuinfo_dump : CriuRequest::cpuinfo_check;
  return ask(program, output, request, call, what == "dump" ? "dumped" : "compatible");
}

int page_server(Program& program, Output& output) {
  refuse_more(program);
  Call call{program};
  const OwnedDescriptor directory = images_directory(program, call);
  if (!directory || !call.is_ready()) return program.exit_code();
  const std::uint64_t port = program.number("port", 0);
  if (port > 65535) program.usage("--port is at most 65535");
  call.set("ps.port", port);
  if (const auto address = program.value("address")) call.set("ps.address", *address);
  if (const auto parent = program.value("parent")) call.set("parent_img", *parent);
  // Of a server that is none of its worker's children, CRIU does not tell the pid.
  CriuAnswer answer = call.criu().call(CriuRequest::page_server_child, &call.options());
  if (!answer.error && answer.port == 0) answer.error = {.reason = Reason::bad_answer, .name = "it has no port"};
  if (answer.error) return call.answer(answer);
  if (program.has("json")) {
    JsonWriter json{output, false};
    json.begin('{').key("schema").number(1u);
    if (answer.pid > 0) json.key("pid").number(static_cast<unsigned>(answer.pid));
    json.key("port").number(static_cast<unsigned>(answer.port)).end('}').line_end();
  } else {
    output.write("port " + std::to_string(answer.port) + "\n");
  }
  return finish(program, output);
}

int check_kernel(Program& program, Output& output) {
  refuse_more(program);
  Call call{program};
  return ask(program, output, CriuRequest::check, call, "ok");
}

struct Command {
  std::string_view name;
  int (*run)(Program& program, Output& output);
};
constexpr Command commands[] = {
    {"version", print_version}, {"at-least", at_least}, {"features", print_features},
    {"check", check_kernel},    {"cpuinfo", cpuinfo},   {"page-server", page_server},
};

int run(Program& program) {
  const std::string word = program.take_argument(
      "say what to ask: version, at-least VERSION, features [NAME...], check, cpuinfo dump|check, page-server");
  for (const Command& command : commands) {
    if (command.name != word) continue;
    FileOutput output{STDOUT_FILENO, "standard output"};
    const int code = command.run(program, output);
    return program.failed() ? program.exit_code() : code;  // the log is kept at the end
  }
  program.usage("there is no '" + visible(word) + "': version, at-least, features, check, cpuinfo or page-server");
}

}  // namespace

const Filter filter{"crit-criu",
                    "ask CRIU for its version, features and checks",
                    "COMMAND [ARG...]",
                    examples,
                    groups,
                    run,
                    nullptr,
                    0,
                    "version at-least features check cpuinfo:dump,check page-server"};

}  // namespace critpipe::filters
