#include "engines/http_call.hpp"

#include <curl/curl.h>
#include <dlfcn.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>

#include "engines/json_answer.hpp"

namespace critpipe {

namespace {

constexpr std::size_t most_answer = std::size_t{32} << 20;
constexpr std::size_t most_headers = 256;

// The functions of libcurl that are used. It would triple the time in which a program starts, if it were linked with.
struct Curl {
  decltype(&curl_global_init) global_init = nullptr;
  decltype(&curl_easy_init) init = nullptr;
  decltype(&curl_easy_setopt) set = nullptr;
  decltype(&curl_easy_perform) perform = nullptr;
  decltype(&curl_easy_getinfo) info = nullptr;
  decltype(&curl_easy_cleanup) cleanup = nullptr;
  decltype(&curl_easy_strerror) text = nullptr;
  decltype(&curl_slist_append) append = nullptr;
  decltype(&curl_slist_free_all) free_list = nullptr;
  bool is_loaded = false;
};

template <typename Function>
bool load(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

const Curl& curl() {
  static const Curl loaded = [] {
    Curl all;
    void* library = nullptr;
    for (const char* name : {"libcurl.so.4", "libcurl-gnutls.so.4"})
      if (!library) library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    all.is_loaded = library && load(library, "curl_global_init", all.global_init) &&
                    load(library, "curl_easy_init", all.init) && load(library, "curl_easy_setopt", all.set) &&
                    load(library, "curl_easy_perform", all.perform) && load(library, "curl_easy_getinfo", all.info) &&
                    load(library, "curl_easy_cleanup", all.cleanup) && load(library, "curl_easy_strerror", all.text) &&
                    load(library, "curl_slist_append", all.append) &&
                    load(library, "curl_slist_free_all", all.free_list) && all.global_init(CURL_GLOBAL_DEFAULT) == 0;
    return all;
  }();
  return loaded;
}

struct Transfer {
  HttpAnswer& answer;
  const HttpRequest& request;
  void* handle = nullptr;
  bool is_too_long = false, has_write_failed = false;
};

bool write_all(int fd, const char* data, std::size_t size) {
  while (size > 0) {
    const ssize_t wrote = write(fd, data, size);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return false;
    data += wrote;
    size -= static_cast<std::size_t>(wrote);
  }
  return true;
}

std::size_t give_body(char* data, std::size_t one, std::size_t count, void* context) {
  ssize_t got;
  do got = read(static_cast<Transfer*>(context)->request.input_fd, data, one * count);
  while (got < 0 && errno == EINTR);
  return got < 0 ? CURL_READFUNC_ABORT : static_cast<std::size_t>(got);
}

std::size_t take_body(char* data, std::size_t one, std::size_t count, void* context) {
  Transfer& transfer = *static_cast<Transfer*>(context);
  const std::size_t size = one * count;
  long status = 0;
  curl().info(transfer.handle, CURLINFO_RESPONSE_CODE, &status);
  if (transfer.request.output_fd >= 0 && status == 200) {
    transfer.has_write_failed = !write_all(transfer.request.output_fd, data, size);
    return transfer.has_write_failed ? 0 : size;
  }
  transfer.is_too_long = transfer.answer.body.size() + size > most_answer;
  if (transfer.is_too_long) return 0;
  transfer.answer.body.append(data, size);
  return size;
}

std::size_t take_header(char* data, std::size_t one, std::size_t count, void* context) {
  Transfer& transfer = *static_cast<Transfer*>(context);
  std::string_view line{data, one * count};
  const std::size_t colon = line.find(':');
  if (colon == line.npos || transfer.answer.headers.size() >= most_headers) return one * count;
  const std::string name = lower(std::string{line.substr(0, colon)});
  line.remove_prefix(colon + 1);
  const std::size_t first = line.find_first_not_of(" \t"), last = line.find_last_not_of(" \t\r\n");
  transfer.answer.headers[name] = first == line.npos || last == line.npos || last < first
                                      ? std::string{}
                                      : std::string{line.substr(first, last - first + 1)};
  return one * count;
}

int watch_stop(void* context, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  pollfd stop{static_cast<Transfer*>(context)->request.stop_fd, POLLIN, 0};
  return stop.fd >= 0 && poll(&stop, 1, 0) > 0 ? 1 : 0;
}

void set_up(void* handle, const HttpRequest& request, const std::string& url, curl_slist* headers, Transfer& transfer) {
  const Curl& c = curl();
  c.set(handle, CURLOPT_UNIX_SOCKET_PATH, request.socket.c_str());
  c.set(handle, CURLOPT_URL, url.c_str());
  c.set(handle, CURLOPT_PATH_AS_IS, 1L);
  c.set(handle, CURLOPT_NOSIGNAL, 1L);
  c.set(handle, CURLOPT_PROXY, "");
  c.set(handle, CURLOPT_TIMEOUT, static_cast<long>(request.timeout));
  c.set(handle, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  if (request.input_fd >= 0) {
    c.set(handle, CURLOPT_POST, 1L);
    c.set(handle, CURLOPT_READFUNCTION, give_body);
    c.set(handle, CURLOPT_READDATA, &transfer);
  } else if (request.method == "POST") {
    c.set(handle, CURLOPT_POSTFIELDSIZE, static_cast<long>(request.body.size()));
    c.set(handle, CURLOPT_POSTFIELDS, request.body.c_str());
  }
  c.set(handle, CURLOPT_HTTPHEADER, headers);
  c.set(handle, CURLOPT_WRITEFUNCTION, take_body);
  c.set(handle, CURLOPT_WRITEDATA, &transfer);
  c.set(handle, CURLOPT_HEADERFUNCTION, take_header);
  c.set(handle, CURLOPT_HEADERDATA, &transfer);
  c.set(handle, CURLOPT_XFERINFOFUNCTION, watch_stop);
  c.set(handle, CURLOPT_XFERINFODATA, &transfer);
  c.set(handle, CURLOPT_NOPROGRESS, 0L);
}

Error failure(const HttpRequest& request, std::string text) {
  return {.reason = Reason::usage, .image = request.socket, .name = std::move(text)};
}

}  // namespace

HttpAnswer http_call(const HttpRequest& request) {
  HttpAnswer answer;
  const Curl& c = curl();
  void* const handle = c.is_loaded ? c.init() : nullptr;
  if (!handle) {
    answer.error = failure(request, "this needs libcurl, which is not installed (libcurl.so.4)");
    return answer;
  }
  Transfer transfer{answer, request, handle};
  const std::string url = "http://engine" + request.path;
  const bool uploads = request.input_fd >= 0;
  curl_slist* headers =
      c.append(nullptr, uploads ? "Content-Type: application/x-tar" : "Content-Type: application/json");
  headers = c.append(headers, "Expect:");
  if (uploads) headers = c.append(headers, "Transfer-Encoding: chunked");
  set_up(handle, request, url, headers, transfer);
  const CURLcode code = c.perform(handle);
  long number = 0;
  c.info(handle, CURLINFO_RESPONSE_CODE, &answer.status);
  c.info(handle, CURLINFO_OS_ERRNO, &number);
  if (transfer.has_write_failed) answer.error = failure(request, "what it sends cannot be written");
  else if (transfer.is_too_long) answer.error = failure(request, "it answers with too much");
  else if (code == CURLE_ABORTED_BY_CALLBACK) answer.error = failure(request, "stopped");
  else if (code != CURLE_OK && number == EACCES)
    answer.error = failure(request, "permission denied: be root, or in the group of the socket");
  else if (code == CURLE_COULDNT_CONNECT) answer.error = failure(request, "nobody answers there: does the engine run?");
  else if (code != CURLE_OK) answer.error = failure(request, c.text(code));
  c.cleanup(handle);
  c.free_list(headers);
  return answer;
}

Error HttpAnswer::refusal(const std::string& who) const {
  if (error) return error;
  if (status < 300) return {};
  const JsonAnswer json{body};
  std::string text = json.text({"message"});
  if (text.empty()) text = json.text({"cause"});
  if (text.empty()) text = "it answers with status " + std::to_string(status);
  return {.reason = Reason::usage, .image = who, .name = visible(text)};
}

HttpAnswer http_get(const std::string& socket, const std::string& path) {
  return http_call({.socket = socket, .path = path});
}

std::string http_escaped(std::string_view text) {
  constexpr char digits[] = "0123456789ABCDEF";
  std::string all;
  for (const char c : text) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                          c == '_' || c == '.' || c == '~';
    const auto byte = static_cast<unsigned char>(c);
    if (is_plain) all += c;
    else all.append({'%', digits[byte >> 4], digits[byte & 15]});
  }
  return all;
}

}  // namespace critpipe
