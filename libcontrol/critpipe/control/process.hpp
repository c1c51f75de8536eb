// process: Descriptors, children and other processes that are held for sure, and private directories.
//
//     Error error;
//     OwnedDescriptor end[2];
//     if (socket_pair(end[0], end[1], error)) {
//       Child child;
//       error = child.start({"true"}, {.keep = {end[1].fd()}});
//       const int status = child.wait();          // as of waitpid()
//     }
//     const PrivateDirectory directory{error};    // mode 0700, and gone with the object
//     const HeldProcess self = HeldProcess::open(getpid(), error);
//     const bool is_alive = self.is_alive();      // of this process, not of a later one with its pid
//
// Nothing here installs signal handlers or waits for children that it did not start. Different objects may be used by
// different threads.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "critpipe/error.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

// A descriptor that is closed with the object.
class OwnedDescriptor {
 public:
  OwnedDescriptor() = default;
  explicit OwnedDescriptor(int fd) : fd_{fd} {}
  OwnedDescriptor(OwnedDescriptor&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
  OwnedDescriptor& operator=(OwnedDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    other.reset();
    return *this;
  }
  ~OwnedDescriptor() { reset(); }

  int fd() const { return fd_; }  // -1: none
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset();

 private:
  int fd_ = -1;
};

// Close-on-exec, as all descriptors of this library. False: error says why (io_open).
[[nodiscard]] bool socket_pair(OwnedDescriptor& ours, OwnedDescriptor& theirs, Error& error);  // SOCK_SEQPACKET
[[nodiscard]] bool pipe_pair(OwnedDescriptor& read, OwnedDescriptor& write, Error& error);

// A path to what a descriptor has open: "/proc/self/fd/3", or for other processes that of the one which has it.
std::string descriptor_path(int fd);
std::string descriptor_path(pid_t pid, int fd);

// How a child begins.
struct ChildOptions {
  std::vector<int> keep = {};                 // descriptors that it inherits, under the same numbers
  int input = -1;                             // becomes its standard input; -1: /dev/null
  int output = -1;                            // and output; -1: ours
  int error_output = -1;                      // and error output; -1: ours
  std::string directory = {};                 // where it runs; empty: where we do
  std::vector<std::string> environment = {};  // NAME=VALUE, added to ours
  bool new_session = false;                   // signals of our terminal do not reach it
  bool ends_group = false;                    // with it: if a signal ends it, what it leaves of its group is killed
  bool dies_with_us = false;                  // it gets SIGKILL when the thread that started it ends
};

// A child process. Its destructor kills it, and waits for it.
class Child {
 public:
  Child() = default;
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  ~Child();

  // Starts a program, which is looked for in PATH; no shell is asked. Reasons: io_open, if it cannot be started.
  [[nodiscard]] Error start(const std::vector<std::string>& command, const ChildOptions& options = {});
  bool is_running() const { return static_cast<bool>(pidfd_); }  // it has not been waited for
  pid_t pid() const { return pid_; }
  int pidfd() const { return pidfd_.fd(); }      // readable when it has ended
  void signal(int number) const;                 // nothing happens if it has ended
  int wait();                                    // its status, as of waitpid(); -1: there is none
  bool wait_for(int milliseconds, int& status);  // false: it still runs
  bool ends_before(int stop_fd) const;           // waits; false: the descriptor is readable, and it still runs
  void let_go() { pidfd_.reset(); }              // it is nobody's any more: not killed, not waited for
  void spare_group() { ends_group_ = false; }    // ChildOptions::ends_group holds no more

 private:
  pid_t pid_ = -1;
  OwnedDescriptor pidfd_;
  bool ends_group_ = false;
};

// Another process, held by pidfd with its start time: a pid that is used again is not mistaken for it.
class HeldProcess {
 public:
  HeldProcess() = default;
  // Reasons: io_open (there is no such process).
  static HeldProcess open(pid_t pid, Error& error);

  explicit operator bool() const { return static_cast<bool>(pidfd_); }
  pid_t pid() const { return pid_; }
  int pidfd() const { return pidfd_.fd(); }                 // readable when it has ended
  std::uint64_t start_time() const { return start_time_; }  // clock ticks since boot
  bool is_alive() const;                                    // a zombie is not

 private:
  pid_t pid_ = -1;
  std::uint64_t start_time_ = 0;
  OwnedDescriptor pidfd_;
};

// A new directory that nobody else may enter: in $XDG_RUNTIME_DIR, /run or else $TMPDIR, which are asked for in this
// order. It is removed with all that is in it when the object goes.
class PrivateDirectory {
 public:
  PrivateDirectory() = default;
  explicit PrivateDirectory(Error& error);  // reasons: io_open
  PrivateDirectory(PrivateDirectory&& other) noexcept;
  PrivateDirectory& operator=(PrivateDirectory&& other) noexcept;
  ~PrivateDirectory();

  explicit operator bool() const { return static_cast<bool>(fd_); }
  const std::string& path() const { return path_; }
  int fd() const { return fd_.fd(); }
  void remove();  // now

 private:
  std::string path_;
  OwnedDescriptor fd_;
};

}  // namespace critpipe
#pragma GCC visibility pop
