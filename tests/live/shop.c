// shop: the process tree of the demo. A web shop that was caught at work:
//   shopd             has two threads, passes orders to its workers through a pipe, listens on port 8080 ("shop open")
//   shop-worker/1,2   hold sessions (text with tokens) and a picture in memory, have an order half read
//   shop-log          has a log file open at some offset and unread lines in its pipe
//   shop-backup       is stopped;  shop-mail has exited with status 3 and nobody has waited for it
#include "live.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

static void* thread(void* name) {
  must(prctl(PR_SET_NAME, name));
  sleep_forever();
}

// Five sessions a page, the same on every run.
static void fill_sessions(char* pages, size_t count, int worker) {
  static const char* const users[] = {"alice", "bob", "carol", "dan", "erin", "frank", "grace"};
  uint64_t state = 20240611u + (unsigned)worker;
  for (size_t page = 0; page < count; page++) {
    char* out = pages + page * PAGE;
    for (int i = 0; i < 5; i++) {
      uint64_t token = next_random(&state);
      out += sprintf(
          out, "{\"user\": \"%s\", \"token\": \"tok_%016llx\", \"basket\": [\"apples\", \"pears\", \"%llu plums\"]}\n",
          users[token % 7], (unsigned long long)token, (unsigned long long)(token >> 60));
    }
  }
}

// A grey picture, one byte a dot, 256 dots a row: a disc that gets lighter towards its middle.
static void draw_disc(unsigned char* pages, int rows) {
  for (int y = 0; y < rows; y++)
    for (int x = 0; x < 256; x++) {
      int dx = x - 128, dy = (y - rows / 2) * 4, r = (dx * dx + dy * dy) / 64;
      pages[y * 256 + x] = (unsigned char)(r > 255 ? 0 : 255 - r);
    }
}

static void worker(int number, int orders) {
  char name[16];
  sprintf(name, "shop-worker/%d", number);
  must(prctl(PR_SET_NAME, name));
  char order[8];
  must(read(orders, order, sizeof order));  // the rest of the order stays in the pipe
  char* memory = map_pages(64);
  fill_sessions(memory, 12, number);
  fill_random(memory + 20 * PAGE, 4 * PAGE, (uint64_t)number);
  memset(memory + 28 * PAGE, 0, 8 * PAGE);
  draw_disc((unsigned char*)memory + 40 * PAGE, 64);
  memcpy(memory + 48 * PAGE, memory, 4 * PAGE);  // the same pages once more
  sleep_forever();
}

static pid_t child(void) {
  pid_t pid = (pid_t)must(fork());
  if (pid == 0) must(prctl(PR_SET_PDEATHSIG, SIGKILL));
  return pid;
}

static void open_door(void) {
  int door = (int)must(socket(AF_INET, SOCK_STREAM, 0)), one = 1;
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(8080), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  must(setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one));
  must(bind(door, (struct sockaddr*)&here, sizeof here));
  must(listen(door, 16));
}

int main(int argc, char** argv) {
  if (argc > 1 && strcmp(argv[1], "open") == 0) open_door();
  must(prctl(PR_SET_NAME, "shopd"));
  int log_pipe[2], orders[2];
  must(pipe(log_pipe));
  must(pipe(orders));
  dprintf(orders[1], "order 1: 3 kg apples, 1 kg pears; order 2: 12 plums; order 3: 1 quince\n");

  for (int i = 1; i <= 2; i++)
    if (child() == 0) worker(i, orders[0]);

  if (child() == 0) {
    must(prctl(PR_SET_NAME, "shop-log"));
    int log = (int)must(open("shop.log", O_CREAT | O_TRUNC | O_RDWR | O_APPEND, 0640));
    for (int i = 1; i <= 20; i++) dprintf(log, "10:%02d:00 GET /basket/%d 200\n", i, i * 7);
    must(lseek(log, 116, SEEK_SET));
    sleep_forever();
  }
  dprintf(log_pipe[1], "10:21:00 GET /checkout 200\n10:21:04 POST /pay 402 card declined\n");

  pid_t backup = child();
  if (backup == 0) {
    must(prctl(PR_SET_NAME, "shop-backup"));
    must(raise(SIGSTOP));
    sleep_forever();
  }
  must(waitpid(backup, NULL, WUNTRACED));

  pid_t mail = child();
  if (mail == 0) {
    must(prctl(PR_SET_NAME, "shop-mail"));
    _exit(3);
  }
  siginfo_t info;
  must(waitid(P_PID, (id_t)mail, &info, WEXITED | WNOWAIT));

  pthread_t threads[2];
  must(pthread_create(&threads[0], NULL, thread, "shop-accept"));
  must(pthread_create(&threads[1], NULL, thread, "shop-timer"));
  sleep(1);
  ready();
  sleep_forever();
}
