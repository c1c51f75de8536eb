// talk: both ends of a TCP connection that must never lose, double or reorder what is said. Numbers are asked and answered;
// the asker notes how far it is in the file "said" of its directory, or in "wrong" what was wrong, and ends.
//
//   talk answer ADDRESS PORT | talk ask ADDRESS PORT
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "live.h"

static struct sockaddr_in address_of(char** argv) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[3]))};
  must(inet_pton(AF_INET, argv[2], &address.sin_addr) == 1 ? 0 : -1);
  return address;
}

static int whole(ssize_t size, const char* what) {
  if (size == sizeof(uint64_t)) return 1;
  FILE* file = fopen("wrong", "w");
  if (file) fprintf(file, "%s: %s\n", what, size == 0 ? "the connection has ended" : strerror(errno));
  return 0;
}

static int answer(char** argv) {
  struct sockaddr_in address = address_of(argv);
  const int on = 1, listener = (int)must(socket(AF_INET, SOCK_STREAM, 0));
  must(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on));
  must(bind(listener, (struct sockaddr*)&address, sizeof address));
  must(listen(listener, 1));
  ready();
  const int peer = (int)must(accept(listener, NULL, NULL));
  uint64_t number;
  while (recv(peer, &number, sizeof number, MSG_WAITALL) == sizeof number) {
    ++number;
    if (send(peer, &number, sizeof number, MSG_NOSIGNAL) != sizeof number) break;
  }
  return 1;
}

static int ask(char** argv) {
  struct sockaddr_in address = address_of(argv);
  const int peer = (int)must(socket(AF_INET, SOCK_STREAM, 0));
  must(connect(peer, (struct sockaddr*)&address, sizeof address));
  const int said = (int)must(open("said", O_CREAT | O_WRONLY | O_TRUNC, 0644));
  for (uint64_t number = 1;; ++number) {
    uint64_t got = 0;
    char text[32];
    if (!whole(send(peer, &number, sizeof number, MSG_NOSIGNAL), "send")) return 1;
    if (!whole(recv(peer, &got, sizeof got, MSG_WAITALL), "recv")) return 1;
    if (got != number + 1) return whole(0, "another number");
    must(pwrite(said, text, (size_t)snprintf(text, sizeof text, "%llu\n", (unsigned long long)number), 0));
    usleep(2000);
  }
}

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  return strcmp(argv[1], "ask") == 0 ? ask(argv) : answer(argv);
}
