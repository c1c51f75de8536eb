// tasks: what belongs to a process rather than to its files and memory: tree, sessions, states, signals, timers,
// limits, credentials, scheduling, filters, terminals.
#include "live.h"

#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <pty.h>
#include <sched.h>
#include <sys/fsuid.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <utmp.h>

static int report[2];  // every child writes a byte when it stands where it should

static void standing(void) {
  must(write(report[1], ".", 1));
  sleep_forever();
}

static void handler(int number) { (void)number; }

static void signals(void) {
  must(prctl(PR_SET_NAME, "signals"));
  struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART | SA_NODEFER};
  sigaddset(&action.sa_mask, SIGHUP);
  must(sigaction(SIGUSR2, &action, NULL));
  must(signal(SIGPIPE, SIG_IGN) == SIG_ERR ? -1 : 0);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGRTMIN);
  must(sigprocmask(SIG_BLOCK, &set, NULL));
  must(kill(getpid(), SIGTERM));
  must(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 1}));
  must(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = -2}));
  must(syscall(SYS_tgkill, getpid(), gettid(), SIGRTMIN));
  stack_t stack = {.ss_sp = map_pages(4), .ss_size = 4 * PAGE};
  must(sigaltstack(&stack, NULL));
  standing();
}

static void timers(void) {
  must(prctl(PR_SET_NAME, "timers"));
  struct itimerval wall = {{100, 1}, {90000, 2}}, cpu = {{0, 0}, {5000, 0}};
  must(setitimer(ITIMER_REAL, &wall, NULL));
  must(setitimer(ITIMER_VIRTUAL, &cpu, NULL));
  timer_t id;
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1, .sigev_value.sival_int = 77};
  must(timer_create(CLOCK_MONOTONIC, &event, &id));
  struct itimerspec when = {{1, 500000000}, {100000, 0}};
  must(timer_settime(id, 0, &when, NULL));
  event.sigev_notify = SIGEV_NONE;
  must(timer_create(CLOCK_REALTIME, &event, &id));
  standing();
}

static void limits(void) {
  must(prctl(PR_SET_NAME, "limits"));
  must(setrlimit(RLIMIT_NOFILE, &(struct rlimit){100, 200}));
  must(setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}));
  must(setpriority(PRIO_PROCESS, 0, 7));
  must(sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){0}));
  must(prctl(PR_SET_TIMERSLACK, 123456));
  must(prctl(PR_SET_CHILD_SUBREAPER, 1));
  umask(0137);
  must(chdir("/tmp"));
  int fd = (int)must(open("/proc/self/oom_score_adj", O_WRONLY));
  must(write(fd, "500", 3));
  must(close(fd));
  standing();
}

// Without a change of the user, so that a CRIU without CAP_SYS_RESOURCE may read its limits.
static void bound(void) {
  must(prctl(PR_SET_NAME, "bound"));
  gid_t groups[] = {4, 20, 100, 70000};
  must(setgroups(4, groups));
  must(prctl(PR_CAPBSET_DROP, 7));
  must(prctl(PR_CAPBSET_DROP, 25));
  must(prctl(PR_SET_SECUREBITS, 0x30));
  setfsgid(100);
  setfsuid(1000);
  must(prctl(PR_SET_DUMPABLE, 1));
  standing();
}

static void filtered(void) {
  must(prctl(PR_SET_NAME, "filtered"));
  struct sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_swapoff, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &(struct sock_fprog){4, program}));
  standing();
}

static void terminal(void) {
  int master, slave;
  must(openpty(&master, &slave, NULL, NULL, &(struct winsize){.ws_row = 24, .ws_col = 80}));
  pid_t shell = (pid_t)must(fork());
  if (shell == 0) {
    must(prctl(PR_SET_NAME, "shell"));
    must(setsid());
    must(login_tty(slave));
    standing();
  }
  must(prctl(PR_SET_NAME, "terminal"));
  must(write(master, "typed ahead\n", 12));
  standing();
}

static void* thread(void* name) {
  must(prctl(PR_SET_NAME, name));
  sigset_t set;
  sigfillset(&set);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  pthread_kill(pthread_self(), SIGUSR1);
  standing();
  return NULL;
}

static void threads(void) {
  must(prctl(PR_SET_NAME, "threads"));
  static const char* const names[] = {"eins", "zwei", "drei"};
  pthread_t id;
  for (int i = 0; i < 3; i++) must(pthread_create(&id, NULL, thread, (void*)names[i]));
  standing();
}

// Over the command line and, as that is shorter, into the environment.
static char* command_line;

static void write_title(const char* text) { memcpy(command_line, text, strlen(text) + 1); }

static void dead(void) {
  siginfo_t info;
  pid_t pid = (pid_t)must(fork());
  if (pid == 0) _exit(42);
  must(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
  pid = (pid_t)must(fork());
  if (pid == 0) must(raise(SIGKILL));
  must(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
  must(prctl(PR_SET_NAME, "two zombies"));
  write_title("tasks: parent of two zombies");
  standing();
}

int main(int count, char** words) {
  if (count == 1) command_line = words[0];
  must(pipe(report));
  // The last numbers are how many bytes to wait for: one a process or thread.
  static const struct {
    void (*run)(void);
    int own_session, bytes;
  } children[] = {
      {signals, 0, 1},  {timers, 1, 1},   {limits, 0, 1},  {bound, 0, 1},
      {filtered, 0, 1}, {terminal, 1, 2}, {threads, 0, 4}, {dead, 0, 1},
  };
  for (size_t i = 0; i < sizeof children / sizeof *children; i++) {
    pid_t pid = (pid_t)must(fork());
    if (pid == 0) {
      if (children[i].own_session) must(setsid());
      else must(setpgid(0, 0));
      children[i].run();
    }
    char byte;
    for (int n = 0; n < children[i].bytes; n++) must(read(report[0], &byte, 1));
  }
  pid_t stopped = (pid_t)must(fork());
  if (stopped == 0) {
    must(prctl(PR_SET_NAME, "stopped"));
    must(raise(SIGSTOP));
    sleep_forever();
  }
  must(waitpid(stopped, NULL, WUNTRACED));
  sleep(1);
  ready();
  sleep_forever();
}
