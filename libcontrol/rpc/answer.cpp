#include "rpc/answer.hpp"

#include <cerrno>
#include <cstring>

#include "rpc/rpc_messages.hpp"

namespace critpipe {

namespace {

constexpr std::uint64_t empty_type = 0, notify_type = 6;

const Message& response() { return message_of(RpcMessage::response); }

bool is_valid(Bytes payload) { return check(response(), payload).reason == Reason::none; }

std::uint64_t type_of(Bytes payload) { return number_in(response(), payload, "type", empty_type); }

// A message in the answer, and the message that it is of.
struct Part {
  const Message* message;
  Bytes payload;
  std::uint64_t number(std::string_view name) const { return number_in(*message, payload, name, 0); }
};

Part part_of(Bytes payload, std::string_view name) {
  return {&response().find(name)->message(), bytes_in(response(), payload, name)};
}

// PAGE_SERVER_CHLD is answered with the type of PAGE_SERVER.
bool fits(CriuRequest request, std::uint64_t type) {
  return type == static_cast<std::uint64_t>(request) ||
         (request == CriuRequest::page_server_child && type == static_cast<std::uint64_t>(CriuRequest::page_server));
}

std::string without_end(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\0' || text.back() == ' ')) text.pop_back();
  return text;
}

std::string errno_text(int number) {
  switch (number) {
    case ESRCH: return "no such process";
    case EEXIST: return "the pid is in use";
    case EBADRQC: return "bad options";
    default: return std::strerror(number);
  }
}

void read_parts(CriuAnswer& answer, Bytes payload) {
  const Part ps = part_of(payload, "ps");
  answer.pid = static_cast<pid_t>(part_of(payload, "restore").number("pid"));
  if (answer.pid == 0) answer.pid = static_cast<pid_t>(ps.number("pid"));
  answer.port = static_cast<int>(ps.number("port"));
  answer.status = static_cast<int>(number_in(response(), payload, "status", 0));
  answer.restored = part_of(payload, "dump").number("restored") != 0;
  const Part version = part_of(payload, "version");
  answer.version.major = static_cast<int>(version.number("major_number"));
  answer.version.minor = static_cast<int>(version.number("minor_number"));
  answer.version.sublevel = static_cast<int>(version.number("sublevel"));
  answer.version.git_id = text_in(*version.message, version.payload, "gitid");
  answer.version.name = text_in(*version.message, version.payload, "name");
}

// Numbers of a version that no CRIU has, or those of an answer without them, are nothing to go by. Empty: all is there.
std::string missing_part(CriuRequest request, const CriuAnswer& answer, Bytes payload) {
  constexpr std::uint64_t none = ~std::uint64_t{0};
  constexpr int most = 9999;
  const auto is_number = [](int number) { return number >= 0 && number <= most; };
  const CriuVersion& version = answer.version;
  switch (request) {
    case CriuRequest::version:
      if (part_of(payload, "version").payload.empty()) return "it has no version";
      if (is_number(version.major) && is_number(version.minor) && is_number(version.sublevel)) return "";
      return "its version is none: " + std::to_string(version.major) + "." + std::to_string(version.minor) + "." +
             std::to_string(version.sublevel);
    case CriuRequest::feature_check: return features_in(answer).empty() ? "it has no features" : "";
    case CriuRequest::page_server:
    case CriuRequest::page_server_child: {
      const Part ps = part_of(payload, "ps");
      const std::uint64_t port = number_in(*ps.message, ps.payload, "port", none);
      if (port > 65535) return "it has no port";
      return answer.pid < 0 ? "its pid is none: " + std::to_string(answer.pid) : "";
    }
    default: return "";
  }
}

// What an answer without success says. CRIU seldom gives a number, and the type says nothing.
Error refusal(const CriuAnswer& answer, bool is_protocol_error) {
  std::string text;
  if (!answer.message.empty()) text = visible(answer.message);
  if (answer.cr_errno) text += (text.empty() ? "" : " (") + errno_text(answer.cr_errno) + (text.empty() ? "" : ")");
  if (text.empty()) text = is_protocol_error ? "CRIU does not know this request" : "CRIU says no, and not why";
  return {.reason = Reason::criu_failed, .name = std::move(text)};
}

}  // namespace

bool is_notification(Bytes payload) { return is_valid(payload) && type_of(payload) == notify_type; }

void read_notification(Bytes payload, pid_t& pid, std::string& name) {
  const Part notify = part_of(payload, "notify");
  pid = static_cast<pid_t>(notify.number("pid"));
  name = text_in(*notify.message, notify.payload, "script");
}

CriuAnswer read_answer(CriuRequest request, std::string payload) {
  CriuAnswer answer;
  answer.payload = std::move(payload);
  const Bytes bytes = bytes_of(answer.payload);
  if (!is_valid(bytes)) {
    answer.error = {.reason = Reason::bad_answer, .name = "it is no criu_resp"};
    return answer;
  }
  answer.cr_errno = static_cast<int>(number_in(response(), bytes, "cr_errno", 0));
  answer.message = without_end(text_in(response(), bytes, "cr_errmsg"));
  read_parts(answer, bytes);
  const std::uint64_t type = type_of(bytes);
  const bool success = number_in(response(), bytes, "success", 0) != 0;
  if (!success) answer.error = refusal(answer, type == empty_type);
  else if (!fits(request, type))
    answer.error = {.reason = Reason::bad_answer, .name = "it is of type " + std::to_string(type)};
  else if (std::string missing = missing_part(request, answer, bytes); !missing.empty())
    answer.error = {.reason = Reason::bad_answer, .name = std::move(missing)};
  return answer;
}

Bytes features_in(const CriuAnswer& answer) { return bytes_in(response(), bytes_of(answer.payload), "features"); }

}  // namespace critpipe
