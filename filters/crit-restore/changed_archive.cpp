#include "crit-restore/changed_archive.hpp"

#include <map>
#include <pthread.h>
#include <thread>
#include <unistd.h>

#include <csignal>

#include "cli/member_place.hpp"
#include "cli/member_spool.hpp"
#include "critpipe/control/process.hpp"
#include "critpipe/image_writer.hpp"

namespace critpipe::filters {

namespace {

// Writes members as a tar. One that is changed waits until its size is known.
class ArchiveSink final : public Receiver {
 public:
  explicit ArchiveSink(Output& output) : tar_{output} {}

  Step begin(const Member& member) override {
    const std::string name = MemberPlace{member.path}.in_archive();
    if ((error_ = TarWriter::check_name(name))) return Step::stop;
    if (member.size != Member::unknown) return tar_.begin(name, member.size);
    waiting_.try_emplace(member.id, Waiting{name, {}});
    return Step::go;
  }
  Step bytes(const Member& member, Bytes bytes) override {
    const auto found = waiting_.find(member.id);
    if (found == waiting_.end()) return tar_.data(bytes);
    error_ = spool_.append(found->second.held, bytes);
    return error_ ? Step::stop : Step::go;
  }
  Step end(const Member& member) override {
    const auto found = waiting_.find(member.id);
    if (found == waiting_.end()) return Step::go;
    error_ = spool_.write(found->second.held, found->second.name, tar_);
    spool_.forget(found->second.held);
    waiting_.erase(found);
    return error_ ? Step::stop : Step::go;
  }
  void fail(const Member*, const Error& error) override {
    if (!error_) error_ = error;
  }
  Step finish() { return tar_.finish(); }
  const Error& error() const { return error_; }

 private:
  struct Waiting {
    std::string name;
    Spool::Held held;
  };
  TarWriter tar_;
  Spool spool_{""};
  std::map<std::uint64_t, Waiting> waiting_;  // by the id of its member
  Error error_;
};

Error write_changed(const std::string& input, const std::vector<SocketChange>& changes, int fd) {
  FileOutput output{fd, "the engine"};
  ArchiveSink archive{output};
  SocketChanger changer{archive, changes};
  const Step step = read_input(input, changer, {.all_members = true});
  Error error = archive.error();
  if (!error && step == Step::go) error = changer.missed();
  // No header of a tar: whoever reads it refuses the whole, though all before it went out.
  if (error) output.write(std::string(1024, '\xff'));
  else (void)archive.finish();
  (void)output.flush();
  return error;
}

}  // namespace

Error with_changed_archive(int archive_fd, const std::string& name, const std::vector<SocketChange>& changes,
                           const std::function<Error(int changed_fd)>& use) {
  Error error, fault;
  OwnedDescriptor ours, theirs;
  if (!pipe_pair(theirs, ours, error)) return error;
  const std::string input = archive_fd == STDIN_FILENO ? "-" : "/proc/self/fd/" + std::to_string(archive_fd);
  std::thread writer{[&] {
    sigset_t pipe;  // an engine that reads no further says itself why
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
    fault = write_changed(input, changes, ours.fd());
    ours.reset();
  }};
  error = use(theirs.fd());
  theirs.reset();
  writer.join();
  if (fault.image.starts_with(input) && input != "-") fault.image.replace(0, input.size(), name);
  return fault ? fault : error;
}

}  // namespace critpipe::filters
