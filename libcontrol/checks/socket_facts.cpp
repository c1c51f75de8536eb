#include "checks/socket_facts.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <thread>

#include "process/proc_text.hpp"

namespace critpipe {

namespace {

// A socket to ask in the network namespace of that process: a thread of its own enters it.
OwnedDescriptor diagnosis_of(pid_t pid) {
  const ProcDirectory here{getpid()}, there{pid};
  const auto open_here = [] { return OwnedDescriptor{socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG)}; };
  if (!there) return {};
  if (here && here.link("ns/net") == there.link("ns/net")) return open_here();
  OwnedDescriptor found;
  try {
    std::thread{[&] {
      const OwnedDescriptor space{openat(there.fd(), "ns/net", O_RDONLY | O_CLOEXEC)};
      if (space && setns(space.fd(), CLONE_NEWNET) == 0) found = open_here();
    }}.join();
  } catch (const std::system_error&) {
    // No thread can be started: the sockets are not looked at.
  }
  return found;
}

void read_attributes(const char* at, std::size_t size, UnixSocket& found) {
  while (size >= NLA_HDRLEN) {
    nlattr attribute;
    std::memcpy(&attribute, at, sizeof attribute);
    if (attribute.nla_len < NLA_HDRLEN || attribute.nla_len > size) return;
    const char* data = at + NLA_HDRLEN;
    const std::size_t length = attribute.nla_len - NLA_HDRLEN;
    if (attribute.nla_type == UNIX_DIAG_NAME) found.name.assign(data, length);
    std::uint32_t word;
    if (attribute.nla_type == UNIX_DIAG_PEER && length >= sizeof word) {
      std::memcpy(&word, data, sizeof word);
      found.peer = word;
    }
    if (attribute.nla_type == UNIX_DIAG_RQLEN && length >= sizeof(unix_diag_rqlen)) {
      unix_diag_rqlen lengths;
      std::memcpy(&lengths, data, sizeof lengths);
      found.sent = lengths.udiag_wqueue;
    }
    for (std::size_t i = 0; attribute.nla_type == UNIX_DIAG_ICONS && i + sizeof word <= length; i += sizeof word) {
      std::memcpy(&word, data + i, sizeof word);
      found.waiting.push_back(word);
    }
    const std::size_t step = NLA_ALIGN(attribute.nla_len);
    if (step >= size) return;
    at += step;
    size -= step;
  }
}

// One datagram of answers. False: it was the last.
bool read_answers(const std::vector<char>& block, std::size_t size, std::map<std::uint64_t, UnixSocket>& found) {
  for (std::size_t at = 0; at + sizeof(nlmsghdr) <= size;) {
    nlmsghdr head;
    std::memcpy(&head, block.data() + at, sizeof head);
    if (head.nlmsg_len < sizeof head || head.nlmsg_len > size - at) return false;
    if (head.nlmsg_type == NLMSG_DONE || head.nlmsg_type == NLMSG_ERROR) return false;
    unix_diag_msg message;
    if (head.nlmsg_len >= NLMSG_LENGTH(sizeof message)) {
      std::memcpy(&message, block.data() + at + NLMSG_HDRLEN, sizeof message);
      UnixSocket one{.inode = message.udiag_ino, .type = message.udiag_type, .state = message.udiag_state};
      const std::size_t begin = at + NLMSG_LENGTH(sizeof message);
      read_attributes(block.data() + begin, at + head.nlmsg_len - begin, one);
      found[one.inode] = std::move(one);
    }
    at += NLMSG_ALIGN(head.nlmsg_len);
  }
  return true;
}

std::string address_text(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::string{text};
  const std::string_view address = text.substr(0, colon);
  std::uint32_t words[4] = {};
  const std::size_t nr = address.size() / 8;
  if (nr != 1 && nr != 4) return std::string{text};
  for (std::size_t i = 0; i < nr; ++i)
    words[i] = static_cast<std::uint32_t>(leading_number(address.substr(i * 8, 8), 16).value_or(0));
  char printed[INET6_ADDRSTRLEN];
  inet_ntop(nr == 1 ? AF_INET : AF_INET6, words, printed, sizeof printed);
  const std::string port = std::to_string(leading_number(text.substr(colon + 1), 16).value_or(0));
  return (nr == 1 ? std::string{printed} : std::string{"["}.append(printed).append("]")).append(":").append(port);
}

}  // namespace

std::map<std::uint64_t, UnixSocket> unix_sockets_of(pid_t pid) {
  std::map<std::uint64_t, UnixSocket> found;
  const OwnedDescriptor asked = diagnosis_of(pid);
  struct {
    nlmsghdr head;
    unix_diag_req request;
  } question = {};
  question.head.nlmsg_len = sizeof question;
  question.head.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  question.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  question.request.sdiag_family = AF_UNIX;
  question.request.udiag_states = ~0U;
  question.request.udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER | UDIAG_SHOW_ICONS | UDIAG_SHOW_RQLEN;
  if (!asked || send(asked.fd(), &question, sizeof question, 0) < 0) return found;
  std::vector<char> block(std::size_t{256} << 10);
  while (true) {
    const ssize_t got = recv(asked.fd(), block.data(), block.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0 || !read_answers(block, static_cast<std::size_t>(got), found)) return found;
  }
}

std::vector<TcpSocket> tcp_sockets_of(pid_t pid) {
  std::vector<TcpSocket> found;
  const ProcDirectory directory{pid};
  for (const char* name : {"net/tcp", "net/tcp6"}) {
    const std::string text = directory ? directory.read(name).value_or("") : "";
    for (const std::string_view line : lines_of(text)) {
      const std::vector<std::string_view> words = words_of(line);
      if (words.size() < 10 || !words[0].ends_with(':')) continue;
      TcpSocket socket;
      socket.local = address_text(words[1]);
      socket.remote = address_text(words[2]);
      socket.state = static_cast<int>(leading_number(words[3], 16).value_or(0));
      const std::size_t colon = words[4].find(':');
      if (colon != std::string_view::npos) socket.waiting = leading_number(words[4].substr(colon + 1), 16).value_or(0);
      socket.inode = leading_number(words[9]).value_or(0);
      found.push_back(std::move(socket));
    }
  }
  return found;
}

}  // namespace critpipe
