// What the programs in this directory share: they set up something that a checkpoint should hold, say that they are ready
// (the file "ready" in the current directory appears), and sleep. Every failed step ends the program with a message.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096

#define must(call) must_((long)(call), #call, __FILE__, __LINE__)
static inline long must_(long result, const char* call, const char* file, int line) {
  if (result == -1) {
    fprintf(stderr, "%s:%d: %s: %s\n", file, line, call, strerror(errno));
    exit(1);
  }
  return result;
}

static inline void ready(void) { close((int)must(open("ready", O_CREAT | O_WRONLY, 0644))); }

static inline _Noreturn void sleep_forever(void) {
  for (;;) pause();
}

// A small generator with a fixed seed, so that two runs fill the same "random" pages.
static inline uint64_t next_random(uint64_t* state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

static inline void fill_random(void* start, size_t bytes, uint64_t seed) {
  uint64_t state = seed | 1;
  for (size_t i = 0; i + 8 <= bytes; i += 8) {
    uint64_t r = next_random(&state);
    memcpy((char*)start + i, &r, 8);
  }
}

static inline char* map_pages(size_t pages) {
  char* start = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  must(start == MAP_FAILED ? -1 : 0);
  return start;
}
