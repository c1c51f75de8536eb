// changing: memory that changes between pre-dumps, summed up from inside. SIGUSR1 changes some of it; then, and on
// SIGUSR2, the file "report" gets a line for each part of it: pid, private or shared, address, pages, sum. The child
// does nothing but answer for its own.
#include "live.h"

struct Part {
  const char* kind;
  char* start;
  size_t pages;
};
enum { random_pages, text, zeros, moved, replaced, dropped, file, shared, nr_parts };
static struct Part parts[nr_parts];
static volatile sig_atomic_t asked;

static void ask(int number) { asked = number; }

static void map(int part, const char* kind, size_t pages, int flags, int fd, void* at) {
  char* start = mmap(at, pages * PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);
  must(start == MAP_FAILED ? -1 : 0);
  parts[part] = (struct Part){kind, start, pages};
}

static void write_lines(char* page, int round) {
  for (int at = 0; at < PAGE; at += 64) snprintf(page + at, 64, "round %d, line %d: much the same as all others", round, at / 64);
}

static void fill(void) {
  const int private = MAP_PRIVATE | MAP_ANONYMOUS;
  map(random_pages, "private", 512, private, -1, NULL);
  fill_random(parts[random_pages].start, 384 * PAGE, 5);
  map(text, "private", 256, private, -1, NULL);
  for (int page = 0; page < 256; page++) write_lines(parts[text].start + page * PAGE, 0);
  map(zeros, "private", 128, private, -1, NULL);
  memset(parts[zeros].start, 0, 64 * PAGE);
  memset(parts[zeros].start + 64 * PAGE, 'z', 64 * PAGE);
  map(moved, "private", 16, private, -1, NULL);
  fill_random(parts[moved].start, 16 * PAGE, 6);
  map(replaced, "private", 64, private, -1, NULL);
  fill_random(parts[replaced].start, 64 * PAGE, 7);
  map(dropped, "private", 64, private, -1, NULL);
  fill_random(parts[dropped].start, 64 * PAGE, 8);
  int fd = (int)must(open("mapped", O_CREAT | O_TRUNC | O_RDWR, 0600));
  must(ftruncate(fd, 16 * PAGE));
  map(file, "private", 16, MAP_PRIVATE, fd, NULL);
  fill_random(parts[file].start, 16 * PAGE, 9);
  map(shared, "shared", 64, MAP_SHARED | MAP_ANONYMOUS, -1, NULL);
  fill_random(parts[shared].start, 48 * PAGE, 10);
}

// What a parent has is overwritten, moved, taken away, or has become something else at the same address.
static void change(int round) {
  for (size_t page = (size_t)round; page < 512; page += 7) parts[random_pages].start[page * PAGE + 100] ^= 1;
  for (int page = 16 * round; page < 16 * round + 24; page++) write_lines(parts[text].start + page * PAGE, round);
  parts[zeros].start[round * PAGE + 4095] = 1;
  memset(parts[zeros].start + (64 + 8 * round) * PAGE, 0, 8 * PAGE);
  struct Part* part = &parts[moved];
  part->start = mremap(part->start, part->pages * PAGE, 2 * part->pages * PAGE, MREMAP_MAYMOVE);
  must(part->start == MAP_FAILED ? -1 : 0);
  memset(part->start + part->pages * PAGE, round, PAGE);
  part->pages *= 2;
  map(replaced, "private", 64, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, parts[replaced].start);
  for (int page = round; page < 64; page += 2) parts[replaced].start[page * PAGE] = (char)round;
  must(madvise(parts[dropped].start + 8 * round * PAGE, 8 * PAGE, MADV_DONTNEED));
  parts[file].start[round * PAGE] ^= 1;
  fill_random(parts[shared].start + 12 * round * PAGE, 6 * PAGE, (uint64_t)round);
}

static void report(FILE* out) {
  for (const struct Part* part = parts; part < parts + nr_parts; part++) {
    uint64_t sum = 0, word;
    for (size_t at = 0; at < part->pages * PAGE; at += sizeof word) {
      memcpy(&word, part->start + at, sizeof word);
      sum = sum * 31 + word;
    }
    fprintf(out, "%d %s %lx %zu %lx\n", (int)getpid(), part->kind, (unsigned long)part->start, part->pages, (unsigned long)sum);
  }
}

static void answer(int from, int to) {
  FILE* out = fdopen(to, "w");
  for (char byte; read(from, &byte, 1) == 1;) {
    report(out);
    fputs("end\n", out);
    fflush(out);
  }
  exit(0);
}

int main(void) {
  fill();
  int question[2], answers[2];
  must(pipe(question));
  must(pipe(answers));
  if (must(fork()) == 0) {
    close(question[1]);
    answer(question[0], answers[1]);
  }
  FILE* of_child = fdopen(answers[0], "r");
  struct sigaction action = {.sa_handler = ask};
  must(sigaction(SIGUSR1, &action, NULL));
  must(sigaction(SIGUSR2, &action, NULL));
  ready();
  for (int round = 0;;) {
    usleep(10000);
    if (!asked) continue;
    if (asked == SIGUSR1) change(++round);
    asked = 0;
    FILE* out = fopen("report.new", "w");
    must(out == NULL ? -1 : 0);
    report(out);
    must(write(question[1], "?", 1));
    for (char line[256]; fgets(line, sizeof line, of_child) && strcmp(line, "end\n") != 0;) fputs(line, out);
    must(fclose(out));
    must(rename("report.new", "report"));
  }
}
