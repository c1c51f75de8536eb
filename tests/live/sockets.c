// sockets: one process with sockets of many families, data waiting in their queues.
//   sockets unix   unix sockets only
//   sockets inet   and all others, no connection open
//   sockets open   and TCP connections to itself, which need criu's --tcp-established
#include "live.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

static socklen_t unix_name(struct sockaddr_un* address, const char* name, size_t bytes) {
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  memcpy(address->sun_path, name, bytes);
  return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + bytes);
}

static void unix_sockets(void) {
  struct sockaddr_un name;
  socklen_t length;
  int pair[2];
  must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  must(write(pair[0], "queued for the right", 20));
  must(write(pair[1], "queued for the left", 19));
  must(shutdown(pair[1], SHUT_WR));
  must(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair));
  must(write(pair[0], "first", 5));
  must(write(pair[0], "second", 6));
  must(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair));
  must(write(pair[1], "\0\1\2\377", 4));

  int fd = (int)must(socket(AF_UNIX, SOCK_STREAM, 0));
  length = unix_name(&name, "\0abstract \"name\"\n\377 end", 23);
  must(bind(fd, (struct sockaddr*)&name, length));
  must(listen(fd, 7));
  int client = (int)must(socket(AF_UNIX, SOCK_STREAM, 0));
  must(connect(client, (struct sockaddr*)&name, length));
  must(write(client, "hello", 5));
  must(accept(fd, NULL, NULL));

  fd = (int)must(socket(AF_UNIX, SOCK_DGRAM, 0));
  length = unix_name(&name, "mailbox", 8);
  must(bind(fd, (struct sockaddr*)&name, length));
  client = (int)must(socket(AF_UNIX, SOCK_DGRAM, 0));
  must(connect(client, (struct sockaddr*)&name, length));
  must(write(client, "a letter", 8));

  // A descriptor on its way through a socket.
  must(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
  union {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
  } control = {0};
  struct iovec text = {"take this", 9};
  struct msghdr message = {
      .msg_iov = &text, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &pair[1], sizeof(int));
  must(sendmsg(pair[0], &message, 0));
}

static void udp_sockets(void) {
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(5300), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons(5301), .sin_addr.s_addr = htonl(0x7f000203)};
  int fd = (int)must(socket(AF_INET, SOCK_DGRAM, 0)), one = 1;
  must(setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &one, sizeof one));
  must(bind(fd, (struct sockaddr*)&here, sizeof here));
  must(connect(fd, (struct sockaddr*)&there, sizeof there));

  struct sockaddr_in6 here6 = {.sin6_family = AF_INET6, .sin6_port = htons(5306), .sin6_addr = in6addr_loopback};
  fd = (int)must(socket(AF_INET6, SOCK_DGRAM, 0));
  must(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one));
  must(bind(fd, (struct sockaddr*)&here6, sizeof here6));
}

static void other_sockets(void) {
  int fd = (int)must(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
  struct sockaddr_nl groups = {.nl_family = AF_NETLINK, .nl_groups = 1};
  must(bind(fd, (struct sockaddr*)&groups, sizeof groups));

  must(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));

  fd = (int)must(socket(AF_PACKET, SOCK_RAW, htons(ETH_P_IP)));
  struct sockaddr_ll device = {
      .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = (int)if_nametoindex("lo")};
  must(bind(fd, (struct sockaddr*)&device, sizeof device));
}

static void tcp_sockets(int open) {
  int one = 1;
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(8081), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int door = (int)must(socket(AF_INET, SOCK_STREAM, 0));
  must(setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one));
  must(bind(door, (struct sockaddr*)&here, sizeof here));
  must(listen(door, 5));

  struct sockaddr_in6 here6 = {.sin6_family = AF_INET6, .sin6_port = htons(8086), .sin6_addr = in6addr_loopback};
  int door6 = (int)must(socket(AF_INET6, SOCK_STREAM, 0));
  must(setsockopt(door6, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one));
  must(setsockopt(door6, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one));
  must(bind(door6, (struct sockaddr*)&here6, sizeof here6));
  must(listen(door6, 5));
  must(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));  // neither bound nor connected

  if (!open) return;
  int client = (int)must(socket(AF_INET, SOCK_STREAM, 0));
  must(setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one));
  must(connect(client, (struct sockaddr*)&here, sizeof here));
  int server = (int)must(accept(door, NULL, NULL));
  must(write(client, "GET / HTTP/1.1\r\nHost: shop\r\n\r\n", 30));
  must(write(server, "HTTP/1.1 200 OK\r\n\r\n", 19));

  client = (int)must(socket(AF_INET6, SOCK_STREAM, 0));
  must(connect(client, (struct sockaddr*)&here6, sizeof here6));
  server = (int)must(accept(door6, NULL, NULL));
  must(write(client, "over inet6", 10));
  must(shutdown(server, SHUT_WR));

  // As much as fits: what the receiver has no room for waits at the sender.
  int small = 4096;
  client = (int)must(socket(AF_INET, SOCK_STREAM, 0));
  must(setsockopt(door, SOL_SOCKET, SO_RCVBUF, &small, sizeof small));
  must(setsockopt(client, SOL_SOCKET, SO_SNDBUF, &small, sizeof small));
  must(connect(client, (struct sockaddr*)&here, sizeof here));
  must(accept(door, NULL, NULL));
  must(fcntl(client, F_SETFL, O_NONBLOCK));
  struct pollfd room = {.fd = client, .events = POLLOUT};
  while (poll(&room, 1, 500) > 0)
    while (write(client, "nobody reads this line\n", 23) > 0) {}
}

int main(int argc, char** argv) {
  const char* what = argc > 1 ? argv[1] : "unix";
  unix_sockets();
  if (strcmp(what, "unix") != 0) {
    tcp_sockets(strcmp(what, "open") == 0);
    udp_sockets();
    other_sockets();
  }
  ready();
  sleep_forever();
}
