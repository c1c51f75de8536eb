#include "critpipe/control/criu.hpp"

#include <poll.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>

#include "critpipe/json.hpp"
#include "process/proc_text.hpp"
#include "process/program_path.hpp"
#include "rpc/answer.hpp"
#include "rpc/remembered_answer.hpp"
#include "rpc/rpc_messages.hpp"
#include "rpc/worker.hpp"

namespace critpipe {

namespace {

// Requests after which the worker goes on only if it is asked to.
bool may_keep_open(CriuRequest request) {
  switch (request) {
    case CriuRequest::page_server:
    case CriuRequest::page_server_child:
    case CriuRequest::cpuinfo_dump:
    case CriuRequest::cpuinfo_check:
    case CriuRequest::feature_check:
    case CriuRequest::version:
    case CriuRequest::wait_pid: return true;
    default: return false;
  }
}

constexpr CriuEventRow events[] = {
    {CriuEvent::pre_stream, "pre-stream", ""},
    {CriuEvent::pre_dump, "pre-dump", "PreDump", true, false},
    {CriuEvent::network_lock, "network-lock", "NetworkLock", true, false},
    {CriuEvent::query_ext_files, "query-ext-files", "", true, false},
    {CriuEvent::post_dump, "post-dump", "PostDump", true, false},
    {CriuEvent::network_unlock, "network-unlock", "NetworkUnlock"},
    {CriuEvent::pre_restore, "pre-restore", "PreRestore", false, true},
    {CriuEvent::setup_namespaces, "setup-namespaces", "SetupNamespaces", false, true},
    {CriuEvent::post_setup_namespaces, "post-setup-namespaces", "PostSetupNamespaces", false, true},
    {CriuEvent::post_restore, "post-restore", "PostRestore", false, true},
    {CriuEvent::pre_resume, "pre-resume", "", false, true},
    {CriuEvent::post_resume, "post-resume", "PostResume", false, true},
    {CriuEvent::orphan_pts_master, "orphan-pts-master", "", false, true},
    {CriuEvent::status_ready, "status-ready", "", true, false},
};

std::string last_line(std::string_view text) {
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  return std::string{text.substr(text.rfind('\n') + 1)};
}

std::string ended_text(int status) {
  if (WIFSIGNALED(status)) return "killed by signal " + std::to_string(WTERMSIG(status));
  return "exit status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

std::span<const CriuEventRow> criu_events() { return events; }

struct Criu::Inner {
  std::string program;
  std::string service;
  std::vector<std::pair<std::string, int>> inherited;
  std::vector<int> kept;
  bool prepared = false;
  CriuPatience patience;

  Worker worker;
  CriuRequest request = CriuRequest::version;
  bool busy = false;        // a call has begun and was not answered
  bool expendable = false;  // the worker waits for a pre-dump's successor: its status means nothing
  std::string name;         // of the notification that was handed out

  Error open() {
    if (worker.is_open()) return {};
    worker = Worker{};
    expendable = false;
    if (!service.empty()) return worker.connect_to(service);
    std::vector<int> keep = kept;
    for (const auto& [key, fd] : inherited) keep.push_back(fd);
    return worker.start(program, keep);
  }

  // The worker ended where an answer was due.
  Error lost() {
    const int status = worker.close();
    const std::string said = last_line(worker.printed());
    std::string text = "CRIU ended without an answer";
    if (service.empty()) text += " (" + ended_text(status) + ")";
    if (!said.empty()) text += ": " + visible(said);
    return {.reason = Reason::no_criu, .name = std::move(text)};
  }

  void give_up() {
    worker.kill();
    worker.close();
    busy = false;
  }
  // Until there is something to be received. False: this was given up, as `answer` says.
  bool wait(CriuAnswer& answer);

  std::string request_with(const CriuOptions* options, bool notify) const;
};

bool Criu::Inner::wait(CriuAnswer& answer) {
  pollfd waiting[] = {{worker.poll_fd(), POLLIN, 0}, {patience.stop_fd, POLLIN, 0}};
  const int ready = poll(waiting, 2, patience.milliseconds);
  const bool is_stopped = ready > 0 && waiting[1].revents != 0;
  if (!is_stopped && ready != 0) return true;
  give_up();
  answer.gave_up = true;
  const std::string limit = std::to_string(patience.milliseconds / 1000);
  answer.error = {.reason = Reason::no_criu,
                  .name = is_stopped ? "stopped" : "CRIU has not answered for " + limit + " s"};
  return false;
}

std::string Criu::Inner::request_with(const CriuOptions* options, bool notify) const {
  const Message& message = message_of(RpcMessage::request);
  std::string payload;
  append_number(*message.find("type"), static_cast<std::uint64_t>(request), payload);
  if (options) {
    CriuOptions all = *options;
    if (notify) (void)all.set("notify_scripts", true);
    std::string opts{text_of(all.payload())};
    if (!options->has("inherit_fd")) {
      const Field& field = *message_of(RpcMessage::options).find("inherit_fd");
      for (const auto& [key, fd] : inherited) {
        std::string pair;
        (void)set_field(field.message(), pair, "key", key);
        (void)set_field(field.message(), pair, "fd", fd);
        append_bytes(field, pair, opts);
      }
    }
    append_bytes(*message.find("opts"), opts, payload);
  }
  if (prepared && may_keep_open(request)) append_number(*message.find("keep_open"), 1, payload);
  return payload;
}

Criu::Criu(std::string program) : inner_{std::make_unique<Inner>()} { inner_->program = std::move(program); }

Criu::~Criu() { inner_->worker.close(); }

void Criu::set_program(std::string path) { inner_->program = std::move(path); }
void Criu::set_patience(CriuPatience patience) { inner_->patience = patience; }

void Criu::give_up() { inner_->give_up(); }

void Criu::set_service(std::string socket_path) { inner_->service = std::move(socket_path); }
void Criu::inherit(std::string key, int fd) { inner_->inherited.emplace_back(std::move(key), fd); }
void Criu::keep(int fd) { inner_->kept.push_back(fd); }
int Criu::worker_pidfd() const { return inner_->worker.pidfd(); }
int Criu::poll_fd() const { return inner_->worker.poll_fd(); }

Error Criu::prepare() {
  inner_->prepared = true;
  return inner_->open();
}

Error Criu::cleanup() {
  inner_->prepared = false;
  inner_->busy = false;
  if (!inner_->worker.is_open()) return {};
  const bool expendable = inner_->expendable;
  const int status = inner_->worker.close();
  if (status == 0 || expendable) return {};
  return {.reason = Reason::criu_failed, .name = ended_text(status)};
}

pid_t Criu::leave(int milliseconds) {
  inner_->prepared = false;
  inner_->busy = false;
  return inner_->worker.is_open() ? inner_->worker.leave(milliseconds) : 0;
}

Error Criu::begin(CriuRequest request, const CriuOptions* options, bool notify) {
  if (inner_->busy) return {.reason = Reason::usage, .name = "a call to CRIU is still under way"};
  if (Error error = inner_->open()) return error;
  inner_->request = request;
  if (request == CriuRequest::restore) inner_->worker.spare_group();
  if (inner_->worker.send(inner_->request_with(options, notify))) return inner_->lost();
  inner_->busy = true;
  return {};
}

Criu::State Criu::advance(CriuNotification& notification, CriuAnswer& answer) {
  std::string payload;
  OwnedDescriptor descriptor;
  const Worker::Got got = inner_->worker.receive(payload, descriptor);
  if (got == Worker::Got::nothing) return State::waiting;
  inner_->busy = got == Worker::Got::message;
  if (!inner_->busy) {
    answer = {};
    answer.error = inner_->lost();
    answer.output = inner_->worker.printed();
    return State::answered;
  }
  if (is_notification(bytes_of(payload))) {
    notification = {};
    read_notification(bytes_of(payload), notification.pid, inner_->name);
    notification.name = inner_->name;
    for (const CriuEventRow& row : events)
      if (row.name == notification.name) notification.event = row.event;
    notification.descriptor = std::move(descriptor);
    return State::notified;
  }
  answer = read_answer(inner_->request, std::move(payload));
  // As long as CRIU has no log, it prints.
  if (const std::string said = last_line(inner_->worker.printed());
      answer.error.reason == Reason::criu_failed && answer.message.empty() && answer.cr_errno == 0 && !said.empty())
    answer.error.name = visible(said);
  inner_->busy = false;
  const bool pre_dumped = inner_->request == CriuRequest::pre_dump && !answer.error;
  inner_->expendable = pre_dumped;
  const bool stays = inner_->prepared && inner_->service.empty() && (pre_dumped || may_keep_open(inner_->request));
  if (!stays) inner_->worker.close();
  return State::answered;
}

Error Criu::reply(const CriuReply& reply) {
  const Message& message = message_of(RpcMessage::request);
  constexpr std::uint64_t notify_type = 6;
  std::string payload;
  append_number(*message.find("type"), notify_type, payload);
  append_number(*message.find("notify_success"), reply.success ? 1 : 0, payload);
  if (!reply.external.empty()) {
    CriuOptions options;
    for (const std::string& external : reply.external) (void)options.add("external", external);
    append_bytes(*message.find("opts"), text_of(options.payload()), payload);
  }
  if (!inner_->worker.send(payload)) return {};
  inner_->busy = false;
  return inner_->lost();
}

CriuAnswer Criu::call(CriuRequest request, const CriuOptions* options, const CriuNotify& notify) {
  CriuAnswer answer;
  answer.error = begin(request, options, static_cast<bool>(notify));
  if (answer.error) return answer;
  while (true) {
    CriuNotification notification;
    const State state = advance(notification, answer);
    if (state == State::answered) return answer;
    if (state == State::waiting) {
      if (!inner_->wait(answer)) return answer;
      continue;
    }
    answer.error = reply(notify ? notify(notification) : CriuReply{});
    if (answer.error) return answer;
  }
}

namespace {

// "4 1 1\nGITID\nNAME\n"
std::string text_of(const CriuVersion& version) {
  return std::to_string(version.major) + " " + std::to_string(version.minor) + " " + std::to_string(version.sublevel) +
         "\n" + version.git_id + "\n" + version.name + "\n";
}

bool parse_version(const std::string& text, CriuVersion& version) {
  const std::vector<std::string_view> lines = lines_of(text);
  const std::vector<std::string_view> numbers = words_of(lines.empty() ? "" : lines[0]);
  if (lines.size() != 3 || numbers.size() != 3) return false;
  const auto number = [&](std::size_t at) { return static_cast<int>(leading_number(numbers[at]).value_or(0)); };
  version = {number(0), number(1), number(2), std::string{lines[1]}, std::string{lines[2]}};
  return true;
}

}  // namespace

Error Criu::version(CriuVersion& version) {
  const std::string path = inner_->service.empty() ? path_of_program(inner_->program) : "";
  const RememberedAnswer last{path, "version", RememberedAnswer::Of::program};
  std::string text;
  if (last.read(text) && parse_version(text, version)) return {};
  const CriuAnswer answer = call(CriuRequest::version, nullptr);
  version = answer.version;
  if (!answer.error) last.write(text_of(version));
  return answer.error;
}

Error Criu::is_at_least(int number, bool& answer) {
  CriuVersion have;
  Error error = version(have);
  answer = !error && have.number() >= number;
  return error;
}

Error Criu::features(std::vector<CriuFeature>& features) {
  const Message& message = *find_message("criu_features");
  if (features.empty())
    for (const Field& field : message.all()) features.push_back({std::string{field.name()}});
  std::string asked;
  for (const CriuFeature& feature : features) {
    const Field* field = message.find(feature.name);
    if (!field) return {.reason = Reason::usage, .name = "CRIU's RPC knows no feature '" + visible(feature.name) + "'"};
    append_number(*field, 1, asked);
  }
  if (inner_->busy) return {.reason = Reason::usage, .name = "a call to CRIU is still under way"};
  if (Error error = inner_->open()) return error;
  inner_->request = CriuRequest::feature_check;
  std::string payload = inner_->request_with(nullptr, false);
  append_bytes(*message_of(RpcMessage::request).find("features"), asked, payload);
  const CriuAnswer answer = finish(payload);
  for (CriuFeature& feature : features)
    feature.available = number_in(message, features_in(answer), feature.name, 0) != 0;
  return answer.error;
}

CriuAnswer Criu::wait_pid(pid_t pid) {
  CriuAnswer answer;
  answer.error = inner_->open();
  if (answer.error) return answer;
  inner_->request = CriuRequest::wait_pid;
  std::string payload = inner_->request_with(nullptr, false);
  append_number(*message_of(RpcMessage::request).find("pid"), static_cast<std::uint64_t>(pid), payload);
  return finish(payload);
}

CriuAnswer Criu::finish(const std::string& request) {
  CriuAnswer answer;
  if (inner_->worker.send(request)) {
    answer.error = inner_->lost();
    return answer;
  }
  inner_->busy = true;
  CriuNotification notification;
  while (advance(notification, answer) != State::answered) {
    if (!notification.name.empty() && (answer.error = reply({}))) return answer;
    notification = {};
    if (!inner_->wait(answer)) return answer;
  }
  return answer;
}

std::string criu_request_json(CriuRequest request, const CriuOptions& options) {
  const Message& message = message_of(RpcMessage::request);
  std::string payload;
  append_number(*message.find("type"), static_cast<std::uint64_t>(request), payload);
  append_bytes(*message.find("opts"), text_of(options.payload()), payload);
  StringOutput output;
  print_message(output, message, bytes_of(canonical(message, bytes_of(payload))));
  return output.take();
}

}  // namespace critpipe
