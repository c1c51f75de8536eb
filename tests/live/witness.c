// witness: tools/test-live's process. It has three things that an edit of the checkpoint changes visibly (host name,
// environment, offset of descriptor 3) and writes, when asked with SIGUSR1, what it sees to the file "report".
// It also proves that it goes on: a counter, a thread, a child, unread data in a pipe and a checksum of its memory.
#include "live.h"

#include <pthread.h>

static volatile sig_atomic_t asked;
static volatile unsigned ticks;

static void ask(int number) {
  (void)number;
  asked = 1;
}

static void* tick(void* unused) {
  (void)unused;
  for (;;) {
    ticks++;
    usleep(10000);
  }
  return NULL;
}

static uint64_t sum(const char* start, size_t bytes) {
  uint64_t total = 0;
  for (size_t i = 0; i < bytes; i++) total = total * 31 + (unsigned char)start[i];
  return total;
}

int main(void) {
  struct sigaction action = {.sa_handler = ask};
  must(sigaction(SIGUSR1, &action, NULL));

  int fd = (int)must(open("witnessed", O_CREAT | O_TRUNC | O_RDWR, 0600));
  must(dup2(fd, 3));
  must(write(3, "0123456789abcdefghijklmnopqrstuvwxyz", 36));
  must(lseek(3, 10, SEEK_SET));

  int ends[2];
  must(pipe(ends));
  must(write(ends[1], "unread", 6));

  enum { pages = 256 };
  char* memory = map_pages(pages);
  fill_random(memory, 64 * PAGE, 3);
  memset(memory + 100 * PAGE, 'w', 100 * PAGE);
  uint64_t before = sum(memory, pages * PAGE);

  pid_t child = (pid_t)must(fork());
  if (child == 0) sleep_forever();
  pthread_t id;
  must(pthread_create(&id, NULL, tick, NULL));
  ready();

  for (;;) {
    usleep(10000);
    if (!asked) continue;
    asked = 0;
    char host[256], text[6] = "";
    must(gethostname(host, sizeof host));
    unsigned seen = ticks;
    usleep(100000);
    must(read(ends[0], text, 6));
    must(write(ends[1], "unread", 6));
    FILE* out = fopen("report.new", "w");
    must(out == NULL ? -1 : 0);
    fprintf(out, "host=%s\n", host);
    fprintf(out, "env=%s\n", getenv("WITNESS"));
    fprintf(out, "offset=%ld\n", (long)lseek(3, 0, SEEK_CUR));
    fprintf(out, "memory=%s\n", sum(memory, pages * PAGE) == before ? "same" : "changed");
    fprintf(out, "thread=%s\n", ticks > seen ? "runs" : "stands");
    fprintf(out, "child=%s\n", kill(child, 0) == 0 ? "lives" : "is gone");
    fprintf(out, "pipe=%.6s\n", text);
    must(fclose(out));
    must(rename("report.new", "report"));
  }
}
