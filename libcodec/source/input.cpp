// One input: what it is, and its members.
#include <algorithm>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "critpipe/source.hpp"

namespace critpipe {

namespace {

std::string last_part(const std::string& path) { return path.substr(path.rfind('/') + 1); }

class File {
 public:
  explicit File(int fd) : fd_{fd} {}
  ~File() { if (fd_ > STDIN_FILENO) close(fd_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

Step read_file(int fd, Member& member, Receiver& receiver) {
  if (receiver.begin(member) == Step::stop) return Step::stop;
  if (receiver.take_file(member)) return receiver.end(member);
  std::vector<std::byte> block(block_bytes);
  for (;;) {
    const ssize_t size = read(fd, block.data(), block.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) {
      receiver.fail(&member, system_error(Reason::io_read, member.place, errno));
      return Step::go;
    }
    if (size == 0) return receiver.end(member);
    if (receiver.bytes(member, {block.data(), static_cast<std::size_t>(size)}) == Step::stop) return Step::stop;
  }
}

}  // namespace

Step read_input(const std::string& input, Receiver& receiver, const SourceOptions& options) {
  Member member;
  member.place = input;
  member.name = input == "-" ? "-" : options.prefix + last_part(input);
  const File file{input == "-" ? STDIN_FILENO : open(input.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd() < 0) {
    receiver.fail(nullptr, system_error(Reason::io_open, input, errno));
    return Step::go;
  }
  return read_file(file.fd(), member, receiver);
}

}  // namespace critpipe
