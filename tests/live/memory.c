// memory: one process whose address space has every kind of mapping, filled with pages of every kind.
#include "live.h"

#include <pthread.h>

static char* must_map(void* address, size_t pages, int protection, int flags, int fd, off_t offset) {
  char* start = mmap(address, pages * PAGE, protection, flags, fd, offset);
  must(start == MAP_FAILED ? -1 : 0);
  return start;
}

static void anonymous(void) {
  // Zero pages, text, one page many times, random pages, untouched holes between them.
  char* p = map_pages(80);
  memset(p, 0, 6 * PAGE);
  for (int page = 8; page < 16; page++)
    for (int at = 0; at < PAGE - 64; at += 64)
      sprintf(p + page * PAGE + at, "page %d, line %d: the needle is not in this line", page, at / 64);
  strcpy(p + 12 * PAGE + 70, "here is the needle: NEEDLE-0815");
  memcpy(p + 16 * PAGE - 12, "ACROSS-THE-PAGE-BORDER", 22);
  for (int page = 20; page < 36; page++) memset(p + page * PAGE, 'A', PAGE);
  fill_random(p + 40 * PAGE, 6 * PAGE, 7);
  memcpy(p + 50 * PAGE, p + 40 * PAGE, 2 * PAGE);
  p[79 * PAGE + 4095] = 1;  // a page that is zero but for its last byte

  must(mprotect(p + 20 * PAGE, 4 * PAGE, PROT_READ));
  must(mprotect(p + 24 * PAGE, 2 * PAGE, PROT_NONE));
  must(madvise(p + 60 * PAGE, 4 * PAGE, MADV_DONTFORK));
  must(madvise(p + 64 * PAGE, 4 * PAGE, MADV_DONTDUMP));

  // Every second page: many short runs.
  p = map_pages(64);
  for (int page = 0; page < 64; page += 2) p[page * PAGE] = (char)page;

  must_map(NULL, 4, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0)[3 * PAGE] = 1;
  must_map(NULL, 4, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)[0] = (char)0xc3;
  char* locked = map_pages(2);
  strcpy(locked, "locked");
  must(mlock(locked, 2 * PAGE));
  must_map((void*)0x200000000000, 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
           0)[0] = 1;

  strcpy(malloc(100), "a string on the heap");
}

static void shared(void) {
  char* p = must_map(NULL, 16, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  strcpy(p, "shared between parent and child");
  fill_random(p + 4 * PAGE, PAGE, 11);
  p[15 * PAGE] = 1;

  int fd = (int)must(memfd_create("mapped memfd", 0));
  must(ftruncate(fd, 8 * PAGE));
  p = must_map(NULL, 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 2 * PAGE);
  strcpy(p + PAGE, "written through a mapping of a memfd");
  p = must_map(NULL, 2, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  strcpy(p, "a private page over a memfd");
}

static void files(void) {
  int fd = (int)must(open("mapped", O_CREAT | O_TRUNC | O_RDWR, 0600));
  for (int page = 0; page < 8; page++) dprintf(fd, "%-4095d\n", page);
  char* p = must_map(NULL, 4, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  strcpy(p + PAGE, "shared file mapping");
  p = must_map(NULL, 4, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 4 * PAGE);
  strcpy(p + 2 * PAGE, "private file mapping: a page of our own");
  must_map(NULL, 1, PROT_READ, MAP_PRIVATE, fd, 7 * PAGE);

  fd = (int)must(open("mapped-and-gone", O_CREAT | O_TRUNC | O_RDWR, 0600));
  must(ftruncate(fd, 2 * PAGE));
  p = must_map(NULL, 2, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  strcpy(p, "a mapped file without a name");
  must(unlink("mapped-and-gone"));
  must(close(fd));
}

static void* thread(void* unused) {
  (void)unused;
  sleep_forever();
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  anonymous();
  shared();
  files();
  pthread_t id;
  must(pthread_create(&id, NULL, thread, NULL));
  if (must(fork()) == 0) {
    // Copy on write: most pages stay the parent's, three differ.
    char* p = map_pages(3);
    memset(p, 'c', 3 * PAGE);
    sleep_forever();
  }
  sleep(1);
  ready();
  sleep_forever();
}
