// stream: Other addresses and ports for the sockets of a checkpoint, in its images on their way.
//
//     SocketChange change;
//     if (!parse_socket_change("10.88.0.5=10.88.0.9", change)) return 1;
//     HeldImages images;
//     SocketChanger changer{images, {change}};
//     (void)read_input("c1.tar.zst", changer);
//     Error error = changer.missed();  // no socket has the address
//
// Changed are inet sockets (files.img, inetsk.img), the addresses and routes of network namespaces (ifaddr, route,
// route6), but not gateways of routes with several, and what podman notes of a container's networks (network.status).
// Everything else in the images stays as it is, unknown fields too. What a program keeps in its own memory is not
// changed. An object is for one thread at a time.
//
// Sources of the facts: criu/sk-inet.c; `ip address save` and `ip route save`; linux/rtnetlink.h.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "critpipe/source.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

// One end of a socket. An IPv4 address is also found where it is written as ::ffff:1.2.3.4.
struct SocketEnd {
  std::string address;  // in network order, 4 or 16 bytes; empty: any
  std::optional<std::uint16_t> port;
};

// Ends that are `from` become `to`. Both have an address, or neither; both have a port, or neither.
struct SocketChange {
  SocketEnd from, to;
  bool of_listeners = false;  // TCP sockets that listen, and no others
};

// "10.88.0.5=10.88.0.9", "10.88.0.5:80=10.88.0.9:8080", "fd00::1=fd00::2", "[fd00::1]:80=[fd00::2]:80". False: it is
// none of these.
bool parse_socket_change(std::string_view text, SocketChange& change);
// "10.88.0.5" or "10.88.0.5/16", as networks write theirs, as a SocketEnd has it. Empty: it is neither.
std::string socket_address(std::string_view text);

// Hands members on to another receiver.
class SocketChanger final : public Receiver {
 public:
  // `next` must outlive *this. The first change that fits to an end counts.
  SocketChanger(Receiver& next, std::vector<SocketChange> changes);
  ~SocketChanger() override;

  // The first change that fitted to no end. Reasons: usage.
  Error missed() const;

  bool wants(const Member& member) override;
  Step begin(const Member& member) override;
  std::uint64_t take_file(const Member& member) override;
  bool needs_bytes(const Member& member) override;
  Run take_run(const Member& member, ByteReader& bytes) override;
  Step bytes(const Member& member, Bytes bytes) override;
  Step end(const Member& member) override;
  bool has_enough(const Member& member) override;
  void fail(const Member* member, const Error& error) override;

 private:
  struct CRITPIPE_INNER State;
  std::unique_ptr<State> state_;
};

}  // namespace critpipe
#pragma GCC visibility pop
