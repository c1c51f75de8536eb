// Throws a dump away: plays an image streamer that splices each image to /dev/null. The least that one can do.
//
//     discard_dump DIR
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { most_images = 512 };

// The read end of the next image's pipe; -1: there is none.
static int next_pipe(int connection) {
  char name[8192], control[CMSG_SPACE(sizeof(int))];
  unsigned size;
  if (recv(connection, &size, sizeof size, MSG_WAITALL) != sizeof size || size > sizeof name) return -1;
  recv(connection, name, size, MSG_WAITALL);
  struct iovec piece = {name, 1};
  struct msghdr message = {
      .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  if (recvmsg(connection, &message, 0) != 1 || !CMSG_FIRSTHDR(&message)) return -1;
  int fd;
  memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof fd);
  fcntl(fd, F_SETPIPE_SZ, 4 << 20);
  return fd;
}

int main(int argc, char** argv) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s/streamer-capture.sock", argc > 1 ? argv[1] : ".");
  unlink(address.sun_path);
  const int listening = socket(AF_UNIX, SOCK_STREAM, 0), null = open("/dev/null", O_WRONLY);
  if (bind(listening, (struct sockaddr*)&address, sizeof address) || listen(listening, 1)) return perror("listen"), 2;
  struct pollfd waits[1 + most_images] = {{accept(listening, NULL, NULL), POLLIN, 0}};
  for (int count = 1; count > 1 || waits[0].fd >= 0;) {
    poll(waits, (nfds_t)count, -1);
    for (int i = count - 1; i > 0; --i)
      if (waits[i].revents && splice(waits[i].fd, NULL, null, NULL, 1 << 30, SPLICE_F_NONBLOCK) == 0) {
        close(waits[i].fd);
        waits[i] = waits[--count];
      }
    if (waits[0].fd < 0 || !waits[0].revents || count > most_images) continue;
    const int fd = next_pipe(waits[0].fd);
    if (fd < 0) waits[0].fd = -1;
    else waits[count++] = (struct pollfd){fd, POLLIN, 0};
  }
  unlink(address.sun_path);
  return 0;
}
