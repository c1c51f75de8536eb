#include "stream/change_sockets.hpp"

#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <cstring>

#include "critpipe/fields.hpp"

namespace critpipe {

namespace {

constexpr std::string_view mapped{"\0\0\0\0\0\0\0\0\0\0\xff\xff", 12};  // ::ffff:1.2.3.4 begins so

std::string address_of(const std::string& text) {
  char bytes[sizeof(in6_addr)];
  if (inet_pton(AF_INET, text.c_str(), bytes) == 1) return {bytes, sizeof(in_addr)};
  if (inet_pton(AF_INET6, text.c_str(), bytes) == 1) return {bytes, sizeof(in6_addr)};
  return {};
}

std::string text_of(const std::string& address) {
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(address.size() == sizeof(in_addr) ? AF_INET : AF_INET6, address.data(), text, sizeof text);
  return text;
}

bool is_any(std::string_view address) {
  return std::ranges::all_of(address, [](char byte) { return byte == 0; });
}

// Images have addresses as words that hold the bytes in network order.
std::string bytes_of_words(const std::vector<std::uint32_t>& words) {
  std::string bytes(words.size() * sizeof(std::uint32_t), '\0');
  if (!words.empty()) std::memcpy(bytes.data(), words.data(), bytes.size());
  return bytes;
}

std::vector<std::uint32_t> list_of(const Message& message, Bytes payload, const Field& field) {
  std::vector<std::uint32_t> words;
  for (Fields fields{message, payload}; fields.next();) {
    const Value& value = fields.value();
    if (value.field != &field) continue;
    if (value.wire == Wire::varint) words.push_back(static_cast<std::uint32_t>(value.integer));
    else
      for (const std::byte* at = value.bytes.data(); at != value.bytes.data() + value.bytes.size();)
        words.push_back(static_cast<std::uint32_t>(trusted_varint(at, value.bytes.data() + value.bytes.size())));
  }
  return words;
}

void set_list(const Message& message, std::string& payload, const Field& field, const std::string& address) {
  std::string other = without(message, bytes_of(payload), field);
  for (std::size_t at = 0; at < address.size(); at += sizeof(std::uint32_t)) {
    std::uint32_t word = 0;
    std::memcpy(&word, address.data() + at, sizeof word);
    append_varint(other, std::uint64_t{field.number} << 3);
    append_varint(other, word);
  }
  payload = canonical(message, bytes_of(other));
}

// Attributes of an address or a route that are addresses.
bool is_address(std::uint16_t message, std::uint16_t attribute) {
  if (message == RTM_NEWADDR)
    return attribute == IFA_ADDRESS || attribute == IFA_LOCAL || attribute == IFA_BROADCAST || attribute == IFA_ANYCAST;
  return message == RTM_NEWROUTE &&
         (attribute == RTA_DST || attribute == RTA_SRC || attribute == RTA_GATEWAY || attribute == RTA_PREFSRC);
}

template <typename Head>
bool read_head(std::string_view bytes, std::size_t at, Head& head) {
  if (bytes.size() - std::min(bytes.size(), at) < sizeof head) return false;
  std::memcpy(&head, bytes.data() + at, sizeof head);
  return true;
}

}  // namespace

bool parse_socket_change(std::string_view text, SocketChange& change) {
  const auto parse_end = [](std::string_view word, SocketEnd& end) {
    const bool is_bracketed = word.starts_with('[');
    const std::size_t close = is_bracketed ? word.find(']') : 0;
    // An address without brackets that has several colons is one of IPv6, without a port.
    const std::size_t colon = is_bracketed ? (close == word.npos ? word.npos : word.find(':', close))
                              : std::ranges::count(word, ':') == 1 ? word.find(':')
                                                                   : word.npos;
    if (is_bracketed && (close == word.npos || std::min(colon, word.size()) != close + 1)) return false;
    end.address = address_of(std::string{is_bracketed ? word.substr(1, close - 1) : word.substr(0, colon)});
    if (end.address.empty() || (is_bracketed && end.address.size() == sizeof(in_addr))) return false;
    if (colon == word.npos) return true;
    std::uint32_t port = 0;
    for (const char digit : word.substr(colon + 1)) {
      if (digit < '0' || digit > '9' || port > 0xffff) return false;
      port = port * 10 + static_cast<std::uint32_t>(digit - '0');
    }
    end.port = static_cast<std::uint16_t>(port);
    return port > 0 && port <= 0xffff;
  };
  const std::size_t equals = text.find('=');
  change = {};
  return equals != text.npos && parse_end(text.substr(0, equals), change.from) &&
         parse_end(text.substr(equals + 1), change.to) && change.from.address.size() == change.to.address.size() &&
         change.from.port.has_value() == change.to.port.has_value();
}

std::string socket_address(std::string_view text) { return address_of(std::string{text.substr(0, text.find('/'))}); }

const SocketEnd* SocketChanges::find(const SocketEnd& end, bool listens) {
  for (std::size_t i = 0; i < all_.size(); ++i) {
    const SocketChange& one = all_[i];
    if (one.of_listeners && !listens) continue;
    if (!one.from.address.empty() && one.from.address != end.address) continue;
    if (one.from.port && one.from.port != end.port) continue;
    fitted_[i] = true;
    return &one.to;
  }
  return nullptr;
}

void SocketChanges::change_address(std::span<char> address) {
  const SocketEnd* const other = find({.address = {address.data(), address.size()}, .port = {}}, false);
  if (other && other->address.size() == address.size()) std::ranges::copy(other->address, address.begin());
}

Error SocketChanges::missed() const {
  const auto first = std::ranges::find(fitted_, false);
  if (first == fitted_.end()) return {};
  const SocketEnd& end = all_[static_cast<std::size_t>(first - fitted_.begin())].from;
  const std::string port = end.port ? std::to_string(*end.port) : "";
  Error error{Reason::usage};
  error.name = end.address.empty()
                   ? "no TCP socket listens on port " + port
                   : "nothing has the address " + text_of(end.address) + (port.empty() ? "" : " with port " + port);
  return error;
}

std::string changed_socket(const Message& message, Bytes payload, SocketChanges& changes) {
  std::string changed{reinterpret_cast<const char*>(payload.data()), payload.size()};
  const auto number = [&](const char* name) {
    const FoundValue found = value_at(message, payload, name);
    return found.value ? found.value->integer : 0;
  };
  const bool listens = number("state") == TCP_LISTEN && number("proto") == IPPROTO_TCP;
  const auto change = [&](const char* address_name, const char* port_name, bool is_own) {
    const Field* const field = message.find(address_name);
    if (!field) return;
    SocketEnd end{bytes_of_words(list_of(message, payload, *field)), static_cast<std::uint16_t>(number(port_name))};
    // A socket without a peer has the address that means any.
    if (!is_own && is_any(end.address)) return;
    const SocketEnd* other = changes.find(end, listens && is_own);
    const bool is_mapped = end.address.size() == sizeof(in6_addr) && end.address.starts_with(mapped);
    if (!other && is_mapped) {
      end.address.erase(0, mapped.size());
      other = changes.find(end, listens && is_own);
    }
    if (!other) return;
    if (!other->address.empty()) {
      const bool maps = is_mapped && other->address.size() == sizeof(in_addr);
      set_list(message, changed, *field, (maps ? std::string{mapped} : "") + other->address);
    }
    if (other->port) (void)set_field(message, changed, port_name, *other->port);
  };
  change("src_addr", "src_port", true);
  change("dst_addr", "dst_port", false);
  return changed;
}

void change_netlink(std::string& image, SocketChanges& changes) {
  constexpr auto aligned = [](std::size_t size) { return (size + 3) / 4 * 4; };
  nlmsghdr head;
  for (std::size_t at = sizeof(std::uint32_t); read_head(image, at, head); at += aligned(head.nlmsg_len)) {
    const std::size_t end = at + head.nlmsg_len;
    if (head.nlmsg_len < sizeof head || end > image.size()) return;  // it is for CRIU to say what is wrong
    rtattr attribute;
    std::size_t next = at + sizeof head + (head.nlmsg_type == RTM_NEWADDR ? sizeof(ifaddrmsg) : sizeof(rtmsg));
    for (; next < end && read_head(image, next, attribute); next += aligned(attribute.rta_len)) {
      if (attribute.rta_len < sizeof attribute || next + attribute.rta_len > end) break;
      if (is_address(head.nlmsg_type, attribute.rta_type))
        changes.change_address({image.data() + next + sizeof attribute, attribute.rta_len - sizeof attribute});
    }
  }
}

void change_json(std::string& text, SocketChanges& changes) {
  for (std::size_t begin = 0; (begin = text.find('"', begin)) != text.npos;) {
    const std::size_t end = text.find_first_of("\"/\\", ++begin);
    if (end == text.npos) return;
    const std::string address = address_of(text.substr(begin, end - begin));
    const SocketEnd* const other = address.empty() ? nullptr : changes.find({.address = address, .port = {}}, false);
    if (other) text.replace(begin, end - begin, text_of(other->address));
    // Behind the end of this string.
    while ((begin = text.find_first_of("\"\\", begin)) != text.npos && text[begin] == '\\') begin += 2;
    if (begin == text.npos) return;
    ++begin;
  }
}

}  // namespace critpipe
