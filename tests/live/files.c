// files: every kind of descriptor that is not a socket, and files in the states that make a checkpoint interesting.
// Started as "files pidfd" it has those that only CRIU 4.1 and later dump: pidfds.
#include "live.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

static int new_file(const char* name, const char* text) {
  int fd = (int)must(open(name, O_CREAT | O_TRUNC | O_RDWR, 0640));
  must(write(fd, text, strlen(text)));
  return fd;
}

static void pipes(void) {
  int ends[2];
  must(pipe2(ends, O_NONBLOCK));
  must(write(ends[1], "three words wait", 16));
  must(pipe2(ends, O_CLOEXEC));  // one end only
  must(write(ends[1], "nobody writes any more", 22));
  must(close(ends[1]));
  must(mkfifo("fifo", 0600));
  int fifo = (int)must(open("fifo", O_RDWR | O_NONBLOCK));
  must(fcntl(fifo, F_SETPIPE_SZ, 16384));
  must(write(fifo, "in the fifo\n", 12));
}

static void events(void) {
  int event = eventfd(41, EFD_NONBLOCK);
  must(event);
  must(eventfd(2, EFD_SEMAPHORE | EFD_CLOEXEC));

  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGRTMIN + 3);
  must(sigprocmask(SIG_BLOCK, &set, NULL));
  int signals = (int)must(signalfd(-1, &set, SFD_NONBLOCK));

  int timer = (int)must(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
  struct itimerspec when = {.it_value = {3600, 500}, .it_interval = {60, 250000000}};
  must(timerfd_settime(timer, 0, &when, NULL));
  must(timerfd_create(CLOCK_REALTIME, 0));  // not armed

  int poll = (int)must(epoll_create1(EPOLL_CLOEXEC));
  struct epoll_event e = {.events = EPOLLIN | EPOLLET, .data.u64 = 0xfedcba9876543210};
  must(epoll_ctl(poll, EPOLL_CTL_ADD, event, &e));
  e = (struct epoll_event){.events = EPOLLIN | EPOLLONESHOT, .data.fd = signals};
  must(epoll_ctl(poll, EPOLL_CTL_ADD, signals, &e));
  e = (struct epoll_event){.events = EPOLLIN, .data.fd = timer};
  must(epoll_ctl(poll, EPOLL_CTL_ADD, timer, &e));

  int notify = (int)must(inotify_init1(IN_NONBLOCK));
  must(inotify_add_watch(notify, ".", IN_CREATE | IN_DELETE));
  must(inotify_add_watch(notify, "offset", IN_MODIFY | IN_CLOSE));

  int watch = (int)must(fanotify_init(FAN_CLOEXEC | FAN_NONBLOCK, O_RDONLY));
  must(fanotify_mark(watch, FAN_MARK_ADD, FAN_MODIFY | FAN_CLOSE, AT_FDCWD, "offset"));
}

static void pidfds(void) {
  pid_t child = (pid_t)must(fork());
  if (child == 0) sleep_forever();
  must(syscall(SYS_pidfd_open, child, 0));
  must(syscall(SYS_pidfd_open, getpid(), 0));
}

static void memory_files(void) {
  int fd = (int)must(memfd_create("a memfd", MFD_ALLOW_SEALING));
  must(write(fd, "text in a memfd", 15));
  must(lseek(fd, 5, SEEK_SET));
  must(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
  fd = (int)must(memfd_create("empty", 0));
  must(ftruncate(fd, 3 * PAGE));
}

static void deleted_files(void) {
  new_file("ghost", "nobody but this process can read this text any more\n");
  must(unlink("ghost"));

  new_file("renamed", "this one lives on under a second name\n");
  must(link("renamed", "second-name"));
  must(unlink("renamed"));

  // 24 MiB, nearly all of it holes: travels as chunks.
  int fd = new_file("sparse", "start");
  must(pwrite(fd, "one MiB", 7, 1 << 20));
  must(pwrite(fd, "far out", 7, (24 << 20) - 7));
  must(unlink("sparse"));

  must(mkdir("gone", 0700));
  must(open("gone", O_RDONLY | O_DIRECTORY));
  must(rmdir("gone"));
}

static void locks(void) {
  int fd = new_file("locked", "0123456789abcdef");
  struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 4, .l_len = 8};
  must(fcntl(fd, F_SETLK, &range));
  range = (struct flock){.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 100};
  must(fcntl(fd, F_SETLK, &range));

  must(flock(new_file("flocked", "x"), LOCK_SH));
  fd = new_file("ofd", "x");
  range = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 1, .l_len = 1};
  must(fcntl(fd, F_OFD_SETLK, &range));
}

int main(int argc, char** argv) {
  if (argc > 1 && strcmp(argv[1], "pidfd") == 0) {
    pidfds();
    ready();
    sleep_forever();
  }
  int fd = new_file("offset", "the reader stands here: and not there\n");
  must(lseek(fd, 23, SEEK_SET));
  must(open("offset", O_WRONLY | O_APPEND | O_CLOEXEC));
  must(open("offset", O_PATH));
  must(open(".", O_RDONLY | O_DIRECTORY));
  must(open("/proc/self/ns/uts", O_RDONLY));
  must(open("/proc/self/ns/pid", O_RDONLY));
  must(open("/proc/self/status", O_RDONLY));
  must(open("/dev/null", O_RDWR));
  must(dup2(fd, 200));
  fcntl(fd, F_SETOWN, getpid());
  must(fcntl(fd, F_SETSIG, SIGIO));

  pipes();
  events();
  memory_files();
  deleted_files();
  locks();
  ready();
  sleep_forever();
}
