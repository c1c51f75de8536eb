// proof: a program that knows what its state must be and says, when it gets USR1, whether it still is. It writes `report`
// in its directory: a line "wrong: ..." for what is not as it was, then "end".
//
//   proof [tree N | memory MIB | shared | unlinked | lock | exit | rounds MIB]
//
// With rounds, it writes the number of the round into every page, again and again.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t asked, told_to_exit;
static void on_usr1(int number) { (void)number; asked = 1; }
static void on_usr2(int number) { (void)number; told_to_exit = 1; }

static FILE* report;
static void want(int right, const char* what) {
  if (!right) fprintf(report, "wrong: %s\n", what);
}

static unsigned char* pages;
static size_t nr_pages;
static unsigned* counters;  // shared with the children
static int nr_children;
static pid_t children[64];
static unsigned* shared_words;
static int unlinked_fd = -1, lock_fd = -1, pipe_fd[2];
static volatile unsigned thread_count;

static void* count(void* unused) {
  (void)unused;
  while (1) {
    ++thread_count;
    usleep(1000);
  }
  return NULL;
}

static void fill(void) {
  for (size_t i = 0; i < nr_pages; ++i) memcpy(pages + i * 4096 + i % 4088, &i, sizeof i);
}
static void write_rounds(void) {
  for (unsigned round = 0;; ++round)
    for (size_t i = 0; i < nr_pages; ++i) sprintf((char*)pages + i * 4096, "round %08u;", round);
}
static int is_filled(void) {
  for (size_t i = 0; i < nr_pages; ++i)
    if (memcmp(pages + i * 4096 + i % 4088, &i, sizeof i) != 0) return 0;
  return 1;
}

static void child(int number) {
  pthread_t thread;
  pthread_create(&thread, NULL, count, NULL);
  while (1) {
    ++counters[number];
    usleep(2000);
  }
}

static void check(void) {
  unsigned before[64], threads = thread_count;
  char text[5] = "";
  report = fopen("report.new", "w");
  if (!report) return;
  memcpy(before, counters, sizeof before);
  want(is_filled(), "memory");
  usleep(100000);
  want(thread_count != threads, "the thread stands still");
  for (int i = 0; i < nr_children; ++i) {
    want(kill(children[i], 0) == 0, "a child is gone");
    want(counters[i] != before[i], "a child stands still");
  }
  if (shared_words) want(shared_words[1000] == 0xabcdef, "SysV memory");
  if (unlinked_fd >= 0) {
    char last = 0;
    want(pread(unlinked_fd, &last, 1, (8 << 20) - 1) == 1 && last == 'z', "the unlinked file");
  }
  if (lock_fd >= 0) {
    int other = open("locked", O_RDWR);
    want(flock(other, LOCK_EX | LOCK_NB) != 0, "the lock is gone");
    close(other);
  }
  want(read(pipe_fd[0], text, 4) == 4 && strcmp(text, "kept") == 0, "what was in the pipe");
  want(write(pipe_fd[1], "kept", 4) == 4, "the pipe");
  fputs("end\n", report);
  fclose(report);
  rename("report.new", "report");
}

int main(int argc, char** argv) {
  const char* what = argc > 1 ? argv[1] : "";
  const int number = argc > 2 ? atoi(argv[2]) : 0;
  struct sigaction action = {.sa_handler = on_usr1};
  sigaction(SIGUSR1, &action, NULL);
  action.sa_handler = on_usr2;
  sigaction(SIGUSR2, &action, NULL);
  const int has_size = strcmp(what, "memory") == 0 || strcmp(what, "rounds") == 0;
  nr_pages = has_size ? (size_t)number << 8 : 256;
  pages = mmap(NULL, nr_pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  counters = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  fill();
  if (pipe(pipe_fd) != 0 || write(pipe_fd[1], "kept", 4) != 4) return 1;
  if (strcmp(what, "tree") == 0)
    for (nr_children = 0; nr_children < number && nr_children < 64; ++nr_children) {
      children[nr_children] = fork();
      if (children[nr_children] == 0) child(nr_children);
    }
  if (strcmp(what, "shared") == 0) {
    shared_words = shmat(shmget(4711, 1 << 20, IPC_CREAT | 0600), NULL, 0);
    shared_words[1000] = 0xabcdef;
  }
  if (strcmp(what, "unlinked") == 0) {
    static char block[1 << 20];
    memset(block, 'z', sizeof block);
    unlinked_fd = open("unlinked", O_RDWR | O_CREAT | O_TRUNC, 0600);
    unlink("unlinked");
    for (int i = 0; i < 8; ++i)
      if (write(unlinked_fd, block, sizeof block) < 0) return 1;
  }
  if (strcmp(what, "lock") == 0) {
    lock_fd = open("locked", O_RDWR | O_CREAT, 0600);
    flock(lock_fd, LOCK_EX);
  }
  pthread_t thread;
  pthread_create(&thread, NULL, count, NULL);
  close(open("ready", O_WRONLY | O_CREAT, 0600));
  if (strcmp(what, "rounds") == 0) write_rounds();
  while (!told_to_exit) {
    usleep(10000);
    if (asked) {
      asked = 0;
      check();
    }
  }
  return 42;
}
