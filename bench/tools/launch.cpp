// bench-launch: runs a pipeline and says what it took, as one line of JSON on descriptor 3.
//
//     bench-launch STDIN STDOUT REPEAT COMMAND [ARG...] [--pipe COMMAND [ARG...]]...
//
// Seconds are those of REPEAT runs, one after the other, from the first fork to the last exit. Memory is the largest
// peak of any stage: a small program must start them, because a process begins with the memory of who forked it.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace {

using Stage = std::vector<char*>;

struct Total {
  long peak_kib = 0;
  double user = 0;
  double system = 0;
  int status = 0;  // of the last stage that failed
};

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::_Exit(2);
}

double now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

// Counts the instructions of all children in user space; -1 where the machine does not let us.
int open_counter() {
  perf_event_attr attr{};
  attr.type = PERF_TYPE_HARDWARE;
  attr.size = sizeof attr;
  attr.config = PERF_COUNT_HW_INSTRUCTIONS;
  attr.inherit = 1;
  attr.exclude_kernel = 1;
  attr.exclude_hv = 1;
  return static_cast<int>(syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC));
}

pid_t start(Stage& stage, int in, int out) {
  const pid_t pid = fork();
  if (pid < 0) die("fork");
  if (pid > 0) return pid;
  if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0) die("dup2");
  execvp(stage[0], stage.data());
  die(stage[0]);
}

void run_once(std::vector<Stage>& stages, const char* in_path, const char* out_path, Total& total) {
  int in = open(in_path, O_RDONLY | O_CLOEXEC);
  if (in < 0) die(in_path);
  for (std::size_t i = 0; i < stages.size(); ++i) {
    int ends[2] = {-1, -1};
    const bool last = i + 1 == stages.size();
    if (!last && pipe2(ends, O_CLOEXEC) != 0) die("pipe");
    const int out = last ? open(out_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : ends[1];
    if (out < 0) die(out_path);
    start(stages[i], in, out);
    close(in);
    close(out);
    in = ends[0];
  }
  int status;
  rusage usage;
  while (wait4(-1, &status, 0, &usage) > 0) {
    if (usage.ru_maxrss > total.peak_kib) total.peak_kib = usage.ru_maxrss;
    total.user += seconds(usage.ru_utime);
    total.system += seconds(usage.ru_stime);
    if (status != 0) total.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) return std::fputs("usage: bench-launch STDIN STDOUT REPEAT COMMAND [ARG...] [--pipe ...]\n", stderr), 2;
  std::vector<Stage> stages(1);
  for (int i = 4; i < argc; ++i) {
    if (std::strcmp(argv[i], "--pipe") == 0) stages.emplace_back();
    else stages.back().push_back(argv[i]);
  }
  for (Stage& stage : stages) {
    if (stage.empty()) return std::fputs("bench-launch: a stage without a command\n", stderr), 2;
    stage.push_back(nullptr);
  }
  const int counter = open_counter();
  Total total;
  const double begin = now();
  for (int left = std::atoi(argv[3]); left > 0; --left) run_once(stages, argv[1], argv[2], total);
  const double taken = now() - begin;
  std::int64_t instructions = -1;
  if (counter < 0 || read(counter, &instructions, sizeof instructions) != sizeof instructions) instructions = -1;
  dprintf(3,
          "{\"seconds\": %.9f, \"user\": %.6f, \"system\": %.6f, \"peak_kib\": %ld, \"status\": %d, \"instructions\": "
          "%lld}\n",
          taken, total.user, total.system, total.peak_kib, total.status, static_cast<long long>(instructions));
  return 0;
}
