// Other addresses and ports, in images on their way.
#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <linux/rtnetlink.h>

#include <cstring>

#include "critpipe/control/socket_changes.hpp"
#include "critpipe/fields.hpp"

namespace critpipe {
namespace {

constexpr std::uint32_t tcp = 6, established = 1, listens = 10;

std::string framed(const std::string& payload) {
  std::string entry(4, '\0');
  const auto size = static_cast<std::uint32_t>(payload.size());
  std::memcpy(entry.data(), &size, sizeof size);
  return entry + payload;
}

struct Inet {
  std::uint32_t state = listens;
  std::string address = "0.0.0.0";
  std::uint32_t port = 0;
  std::string peer = "0.0.0.0";
  std::uint32_t peer_port = 0;
};

std::string words_of(const std::string& text, char tag) {
  std::uint32_t words[4] = {};
  const bool is_fourth = text.find(':') == text.npos;
  EXPECT_EQ(inet_pton(is_fourth ? AF_INET : AF_INET6, text.c_str(), words), 1) << text;
  std::string list;
  for (int i = 0; i < (is_fourth ? 1 : 4); ++i) {
    list += tag;
    append_varint(list, words[i]);
  }
  return list;
}

// An entry of files.img; with a field that no schema has.
std::string entry_of(const Inet& one) {
  const Message& message = *find_message("file_entry");
  std::string payload;
  const auto set = [&](const char* path, std::uint64_t value) {
    EXPECT_FALSE(set_field(message, payload, path, value)) << path;
  };
  std::string socket;
  const Message& inner = *find_message("inet_sk_entry");
  for (const char* path : {"id", "ino", "family", "type", "flags", "backlog", "fown.uid", "fown.euid", "fown.signum",
                           "fown.pid_type", "fown.pid", "opts.so_sndbuf", "opts.so_rcvbuf", "opts.so_snd_tmo_sec",
                           "opts.so_snd_tmo_usec", "opts.so_rcv_tmo_sec", "opts.so_rcv_tmo_usec"})
    EXPECT_FALSE(set_field(inner, socket, path, 1)) << path;
  EXPECT_FALSE(set_field(inner, socket, "proto", tcp));
  EXPECT_FALSE(set_field(inner, socket, "state", one.state));
  EXPECT_FALSE(set_field(inner, socket, "src_port", one.port));
  EXPECT_FALSE(set_field(inner, socket, "dst_port", one.peer_port));
  const auto tag = [&](const char* name) { return static_cast<char>(inner.find(name)->number << 3); };
  socket += words_of(one.address, tag("src_addr")) + words_of(one.peer, tag("dst_addr"));
  socket = canonical(inner, bytes_of(socket));
  set("type", 4), set("id", 1);
  const Field* const field = message.find("isk");
  append_varint(payload, (std::uint64_t{field->number} << 3) | 2);
  append_varint(payload, socket.size());
  payload += socket;
  return framed(payload + "\xc2\x3e\x03new");
}

struct Passed final : Receiver {
  Step begin(const Member&) override { return Step::go; }
  Step bytes(const Member&, Bytes bytes) override {
    content.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return Step::go;
  }
  Step end(const Member&) override { return ended = true, Step::go; }
  void fail(const Member*, const Error& error) override { fault = error; }
  std::string content;
  bool ended = false;
  Error fault;
};

class SocketChanges : public ::testing::Test {
 protected:
  // What becomes of a member, fed in pieces of a few bytes.
  std::string changed(const std::string& name, const std::string& content, std::vector<SocketChange> changes) {
    passed = {};
    SocketChanger changer{passed, std::move(changes)};
    Member member;
    member.name = name;
    member.size = content.size();
    Step step = changer.begin(member);
    for (std::size_t at = 0; at < content.size() && step == Step::go; at += 7)
      step = changer.bytes(member, bytes_of(std::string_view{content}.substr(at, 7)));
    if (step == Step::go) (void)changer.end(member);
    missed = changer.missed();
    return passed.content;
  }
  static SocketChange change(std::string_view text) {
    SocketChange one;
    EXPECT_TRUE(parse_socket_change(text, one)) << text;
    return one;
  }
  static SocketChange port_change(std::uint16_t from, std::uint16_t to) {
    return {.from = {.address = {}, .port = from}, .to = {.address = {}, .port = to}, .of_listeners = true};
  }

  const std::string head{"\x19\x43\x56\x54\x38\x31\x30\x56", 8};
  Passed passed;
  Error missed;
};

TEST_F(SocketChanges, OfPortsAreOfListenersAlone) {
  // One entry is larger than what criu-image-streamer takes.
  const std::string large = framed("\x08\x02\x10\x05\xc2\x3e\xe0\x5d" + std::string(12000, 'x'));
  const std::string others = entry_of({.state = established, .port = 8080}) + large + entry_of({.port = 81});
  EXPECT_EQ(changed("files.img", head + entry_of({.port = 8080}) + others, {port_change(8080, 300)}),
            head + entry_of({.port = 300}) + others);
  EXPECT_TRUE(passed.ended);
  EXPECT_FALSE(missed) << to_string(missed);
  (void)changed("files.img", head + others, {port_change(8080, 300)});
  EXPECT_EQ(missed.reason, Reason::usage);
  (void)changed("files.img", head + "cut", {port_change(8080, 300)});
  EXPECT_EQ(passed.fault.reason, Reason::cut_size);
  EXPECT_FALSE(passed.ended);
}

TEST_F(SocketChanges, OfAddressesAreOfBothEnds) {
  const auto of = [&](const std::string& one, const std::string& other) {
    return head + entry_of({established, one, 8080, other, 4000}) + entry_of({established, other, 4000, one, 8080}) +
           entry_of({listens, one, 8080}) + entry_of({listens, "0.0.0.0", 8080});
  };
  EXPECT_EQ(changed("files.img", of("10.0.0.5", "10.0.0.1"), {change("10.0.0.5=10.200.0.9")}),
            of("10.200.0.9", "10.0.0.1"));
  EXPECT_EQ(changed("files.img", of("fd00::5", "fd00::1"), {change("fd00::5=fd00::9"), change("fd00::1=fd00::7")}),
            of("fd00::9", "fd00::7"));
  EXPECT_EQ(changed("files.img", of("::ffff:10.0.0.5", "::1"), {change("10.0.0.5=10.0.0.9")}),
            of("::ffff:10.0.0.9", "::1"));
  EXPECT_FALSE(missed) << to_string(missed);
  (void)changed("files.img", of("10.0.0.5", "10.0.0.1"), {change("10.0.0.5=10.0.0.9"), change("10.0.0.4=10.0.0.9")});
  EXPECT_NE(to_string(missed).find("10.0.0.4"), std::string::npos) << to_string(missed);
}

TEST_F(SocketChanges, WithAPortAreOfThatPortAlone) {
  const std::string other = entry_of({listens, "10.0.0.5", 81});
  EXPECT_EQ(
      changed("files.img", head + entry_of({listens, "10.0.0.5", 80}) + other, {change("10.0.0.5:80=10.0.0.9:82")}),
      head + entry_of({listens, "10.0.0.9", 82}) + other);
}

// Of the address that means any, only own ends are changed: a socket without a peer has it, too.
TEST_F(SocketChanges, OfAnyAddressLeaveThePeer) {
  EXPECT_EQ(changed("files.img", head + entry_of({listens, "0.0.0.0", 80}), {change("0.0.0.0=10.0.0.9")}),
            head + entry_of({listens, "10.0.0.9", 80}));
}

std::string attribute(std::uint16_t type, const std::string& value) {
  const rtattr about{static_cast<std::uint16_t>(sizeof about + value.size()), type};
  std::string bytes{reinterpret_cast<const char*>(&about), sizeof about};
  bytes += value;
  return bytes.append((4 - bytes.size() % 4) % 4, '\0');
}
std::string message(std::uint16_t type, const std::string& body) {
  nlmsghdr about{};
  about.nlmsg_len = static_cast<std::uint32_t>(sizeof about + body.size());
  about.nlmsg_type = type;
  return std::string{reinterpret_cast<const char*>(&about), sizeof about} + body;
}

TEST_F(SocketChanges, OfAddressesAndRoutesOfNamespaces) {
  const auto addresses = [](char last) {
    const std::string address{'\x0a', '\0', '\0', last};
    return "\x22\x12\x36\x47" +
           message(RTM_NEWADDR, std::string(sizeof(ifaddrmsg), '\x02') + attribute(IFA_ADDRESS, address) +
                                    attribute(IFA_LOCAL, address) +
                                    attribute(IFA_LABEL, std::string{"\x0a\0\0\x05", 4}));
  };
  EXPECT_EQ(changed("ifaddr-9.img", addresses(5), {change("10.0.0.5=10.0.0.9")}), addresses(9));
  EXPECT_FALSE(missed) << to_string(missed);
  const auto route = [](char last) {
    return "\x24\x12\x31\x45" + message(RTM_NEWROUTE, std::string(sizeof(rtmsg), '\x02') + attribute(RTA_OIF, "\x05") +
                                                          attribute(RTA_PREFSRC, {'\x0a', '\0', '\0', last}));
  };
  EXPECT_EQ(changed("route-9.img", route(5), {change("10.0.0.5=10.0.0.9")}), route(9));
  // Whatever is in there, it ends.
  std::string bytes = addresses(5);
  for (std::size_t at = 4; at < bytes.size(); ++at)
    for (const char byte : {'\0', '\x01', '\xff'}) {
      std::string wrong = bytes;
      wrong[at] = byte;
      EXPECT_EQ(changed("ifaddr-9.img", wrong, {change("10.0.0.5=10.0.0.9")}).size(), wrong.size());
      EXPECT_EQ(changed("ifaddr-9.img", wrong.substr(0, at), {change("10.0.0.5=10.0.0.9")}).size(), at);
    }
}

TEST_F(SocketChanges, OfWhatPodmanNotes) {
  const auto status = [](const std::string& address) {
    return R"({"podman":{"interfaces":{"eth0":{"subnets":[{"ipnet":")" + address +
           R"(/16","gateway":"10.88.0.1"}],"mac":"\"10.88.0.5"}}},"note":"at 10.88.0.5","also":")" + address + "\"}";
  };
  EXPECT_EQ(changed("network.status", status("10.88.0.5"), {change("10.88.0.5=10.88.0.20")}), status("10.88.0.20"));
  for (const char* cut : {"\"", "{\"10.88.0.5", "{\"a\\", "\"\"\"", ""})
    EXPECT_EQ(changed("network.status", cut, {change("10.88.0.5=10.88.0.20")}), cut);
}

TEST_F(SocketChanges, AsTheyAreWritten) {
  SocketChange one;
  for (const char* wrong : {"", "=", "10.0.0.5", "10.0.0.5=", "=10.0.0.5", "10.0.0.5=fd00::1", "10.0.0.5:80=10.0.0.9",
                            "10.0.0.5=10.0.0.9:80", "10.0.0.5:0=10.0.0.9:1", "10.0.0.5:65536=10.0.0.9:1",
                            "10.0.0.5:x=10.0.0.9:1", "10.0.0.5:=10.0.0.9:", "web=db", "[10.0.0.5]:80=[10.0.0.9]:80",
                            "[fd00::1=[fd00::2", "[fd00::1]80=[fd00::2]80", "10.0.0.5=10.0.0.6=10.0.0.7"})
    EXPECT_FALSE(parse_socket_change(wrong, one)) << wrong;
  EXPECT_EQ(change("[fd00::1]:80=[fd00::2]:65535").to.port, 65535);
  EXPECT_FALSE(change("[fd00::1]=[fd00::2]").to.port.has_value());
}

}  // namespace
}  // namespace critpipe
