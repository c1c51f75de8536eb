#include "crit-restore/container_copy.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>

#include "cli/criu/criu_program.hpp"
#include "cli/member_place.hpp"
#include "critpipe/container.hpp"
#include "critpipe/source.hpp"

namespace critpipe::filters {

namespace {

// What is beside the images.
class DumpedReader final : public Receiver {
 public:
  explicit DumpedReader(Dumped& dumped) : dumped_{dumped} {}

  bool wants(const Member& member) override {
    const MemberPlace place{member.path};
    dumped_.has_difference = dumped_.has_difference || place.name == "rootfs-diff.tar";
    dumped_.has_parent = dumped_.has_parent || place.generation > 0 || place.is_parent_link();
    return place.name == "config.dump" || place.name == "container.json";
  }
  Step begin(const Member&) override {
    text_.clear();
    return Step::go;
  }
  Step bytes(const Member&, Bytes bytes) override {
    text_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return text_.size() > max_container_file_bytes ? Step::stop : Step::go;
  }
  Step end(const Member& member) override {
    if (member.name == "container.json") {
      (void)parse_container(text_, dumped_.container);
      return Step::go;
    }
    ContainerFiles files;
    if (!files.add(*member.set, member.name, text_)) dumped_.runtime = files.of(*member.set).runtime;
    return Step::stop;
  }
  void fail(const Member*, const Error&) override {}

 private:
  Dumped& dumped_;
  std::string text_;
};

// A checkpoint where docker keeps them: containers/ID/checkpoints/NAME.
std::string id_of_path(const std::filesystem::path& directory) {
  constexpr std::size_t digest_digits = 64;
  if (directory.parent_path().filename() != "checkpoints") return {};
  const std::string id = directory.parent_path().parent_path().filename();
  const bool is_digest = id.size() == digest_digits && id.find_first_not_of("0123456789abcdef") == id.npos;
  return is_digest ? id : std::string{};
}

// Members as files, each once.
class FilesIn final : public Receiver {
 public:
  explicit FilesIn(const std::string& directory)
      : name_{directory}, directory_{open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)} {}

  Step begin(const Member& member) override {
    const std::string name = MemberPlace{member.path}.name;
    OwnedDescriptor file{openat(directory_.fd(), name.find('/') == name.npos ? name.c_str() : "",
                                O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
    if (!file) return stop(system_error(Reason::io_write, name_ + "/" + name, errno));
    open_.insert_or_assign(member.id, std::make_unique<File>(std::move(file), name_ + "/" + name));
    return Step::go;
  }
  Step bytes(const Member& member, Bytes bytes) override {
    const auto found = open_.find(member.id);
    if (found != open_.end()) found->second->output.pass(bytes);
    return found == open_.end() ? Step::go : found->second->output.step();
  }
  Step end(const Member& member) override {
    const auto found = open_.find(member.id);
    if (found == open_.end()) return Step::go;
    (void)found->second->output.flush();
    const Error error = found->second->output.error();
    open_.erase(found);
    return error ? stop(error) : Step::go;
  }
  void fail(const Member*, const Error& error) override {
    if (!error_) error_ = error;
  }
  const Error& error() const { return error_; }

 private:
  struct File {
    File(OwnedDescriptor opened, const std::string& name)
        : descriptor{std::move(opened)}, output{descriptor.fd(), name} {}
    OwnedDescriptor descriptor;
    FileOutput output;
  };
  Step stop(const Error& error) {
    error_ = error;
    return Step::stop;
  }

  std::string name_;
  OwnedDescriptor directory_;
  std::map<std::uint64_t, std::unique_ptr<File>> open_;  // by the id of its member
  Error error_;
};

// Images that may have addresses.
struct WithAddresses final : Receiver {
  bool wants(const Member& member) override {
    for (const char* begin : {"files.img", "inetsk.img", "ifaddr-", "route"})
      if (member.name.starts_with(begin)) return true;
    return false;
  }
  Step begin(const Member&) override { return Step::go; }
  Step bytes(const Member&, Bytes) override { return Step::go; }
  Step end(const Member&) override { return Step::go; }
  void fail(const Member*, const Error&) override {}
};

// A change that neither a socket nor the container's network has anything for.
Error missed_change(const std::string& input, const RunningContainer& container, std::vector<SocketChange> changes) {
  std::erase_if(changes, [&](const SocketChange& change) {
    return !change.from.port && std::ranges::any_of(container.networks, [&](const ContainerNetwork& network) {
      return std::ranges::find(network.addresses, change.from.address, socket_address) != network.addresses.end();
    });
  });
  if (changes.empty()) return {};
  WithAddresses none;
  SocketChanger changer{none, std::move(changes)};
  (void)read_input(input, changer);
  return changer.missed();
}

}  // namespace

Error put_files(const std::string& input, const std::string& name, const std::vector<SocketChange>& changes,
                const std::string& directory) {
  FilesIn files{directory};
  SocketChanger changer{files, changes};
  (void)read_input(input, changer, {.all_members = true});
  Error error = files.error();
  if (error.image.starts_with(input)) error.image.replace(0, input.size(), name);
  return error;
}

Dumped look_at_dumped(const std::string& input) {
  Dumped dumped;
  DumpedReader reader{dumped};
  (void)read_input(input, reader, {.all_members = true});
  if (!dumped.container.engine.empty()) return dumped;
  if (const std::string id = id_of_path(input); !id.empty())
    (void)find_container(id, {.engine = "docker", .all = true}, dumped.container);
  return dumped;
}

bool plan_copy(Program& program, const std::string& input, const std::string& name, const Dumped& dumped,
               EngineCopy& copy) {
  const std::string engine = program.value("engine").value_or(dumped.container.engine);
  if (engine != dumped.container.engine)
    program.usage("it is a checkpoint of " + dumped.container.engine + ", of which " + engine +
                  " makes no new container");
  if (dumped.has_parent)
    program.usage("docker takes no checkpoint with a parent: crit-repack --flatten makes one without");
  copy.ports = program.values("publish");
  copy.addresses = socket_changes(program);
  copy.tcp = program.has("tcp") || program.has("tcp-established");
  copy.file_locks = program.has("file-locks");
  copy.has_difference = dumped.has_difference;
  if (!copy.addresses.empty())
    copy.look = [input, &dumped, changes = copy.addresses] { return missed_change(input, dumped.container, changes); };
  struct stat status;
  const bool is_directory = stat(input.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
  if (is_directory && copy.addresses.empty()) copy.directory = input;
  else
    copy.put = [input, name, changes = copy.addresses](const std::string& directory) {
      return put_files(input, name, changes, directory);
    };
  return !program.failed();
}

}  // namespace critpipe::filters
