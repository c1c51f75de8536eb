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
#include "critpipe/json.hpp"
#include "critpipe/json_value.hpp"

namespace critpipe::filters {

namespace {

// Files of podman's that are read as a whole.
constexpr std::size_t most_text = std::size_t{4} << 20;

// "10.88.0.5/16" -> "10.88.0.5"
std::string address_of(const std::string& text) { return text.substr(0, text.find('/')); }

// The members that ask for the addresses which a network had: "static_ips", "static_mac".
std::string asked_addresses(const JsonValue& status, std::string_view network, bool keeps_mac) {
  std::string ips, mac;
  status.members({network, "interfaces"}, [&](std::string_view, const JsonValue& interface) {
    interface.each({"subnets"}, [&](const JsonValue& subnet) {
      ips.append(ips.empty() ? "" : ", ").append(json_string(address_of(subnet.text({"ipnet"}))));
    });
    mac = interface.text({"mac_address"});
  });
  if (ips.empty()) return {};
  return "\"static_ips\": [" + ips + "]" +
         (keeps_mac && !mac.empty() ? ", \"static_mac\": " + json_string(mac) : std::string{});
}

// podman's config.dump with the addresses of network.status: podman forgets those where the container gets a name, but
// not the ones that a container asks for.
std::string with_addresses(const std::string& config, const std::string& status, bool keeps_mac) {
  const char* why = nullptr;
  const JsonValue had = JsonValue::in(status, why), networks = JsonValue::in(config, why).at({"newNetworks"});
  if (!had || !networks) return config;
  std::string all;
  networks.members({}, [&](std::string_view name, const JsonValue& network) {
    std::string members;
    network.members({}, [&](std::string_view key, const JsonValue& value) {
      if (key != "static_ips" && key != "static_mac")
        members.append(", ").append(json_string(key)).append(": ").append(value.json());
    });
    const std::string asked = asked_addresses(had, name, keeps_mac);
    const std::string kept = asked.empty() ? std::string{network.json()} : "{" + asked + members + "}";
    all.append(all.empty() ? "" : ", ").append(json_string(name)).append(": ").append(kept);
  });
  std::string changed = config;
  changed.replace(static_cast<std::size_t>(networks.json().data() - config.data()), networks.json().size(),
                  "{" + all + "}");
  return changed;
}

// Writes members as a tar. One that is changed waits until its size is known, config.dump for network.status.
class ArchiveSink final : public Receiver {
 public:
  ArchiveSink(Output& output, bool keeps_mac) : tar_{output}, keeps_mac_{keeps_mac} {}

  Step begin(const Member& member) override {
    const std::string name = MemberPlace{member.path}.in_archive();
    if ((error_ = TarWriter::check_name(name))) return Step::stop;
    std::string* const text = name == "config.dump" ? &config_ : name == "network.status" ? &status_ : nullptr;
    if (text) texts_.insert_or_assign(member.id, text);
    if (text) return Step::go;
    if (member.size != Member::unknown) return tar_.begin(name, member.size);
    waiting_.try_emplace(member.id, Waiting{name, {}});
    return Step::go;
  }
  Step bytes(const Member& member, Bytes bytes) override {
    if (const auto text = texts_.find(member.id); text != texts_.end()) {
      text->second->append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      return text->second->size() > most_text ? too_long(member, text->second->size()) : Step::go;
    }
    const auto found = waiting_.find(member.id);
    if (found == waiting_.end()) return tar_.data(bytes);
    error_ = spool_.append(found->second.held, bytes);
    return error_ ? Step::stop : Step::go;
  }
  Step end(const Member& member) override {
    if (texts_.erase(member.id)) return Step::go;
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
  Step finish() {
    put("network.status", status_);
    put("config.dump", with_addresses(config_, status_, keeps_mac_));
    return tar_.finish();
  }
  const Error& error() const { return error_; }

 private:
  struct Waiting {
    std::string name;
    Spool::Held held;
  };
  Step too_long(const Member& member, std::uint64_t size) {
    error_ = {Reason::limit_held, member.place, Error::nowhere, Error::nowhere, most_text, size};
    return Step::stop;
  }
  void put(const char* name, const std::string& text) {
    if (text.empty() || tar_.begin(name, text.size()) != Step::go) return;
    (void)tar_.data(bytes_of(text));
  }

  TarWriter tar_;
  bool keeps_mac_;
  std::string config_, status_;
  std::map<std::uint64_t, std::string*> texts_;  // which of them a member is, by its id
  Spool spool_{""};
  std::map<std::uint64_t, Waiting> waiting_;  // by the id of its member
  Error error_;
};

Error write_changed(const std::string& input, const std::vector<SocketChange>& changes, int fd) {
  FileOutput output{fd, "the engine"};
  ArchiveSink archive{output, changes.empty()};
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
  const std::string input = archive_fd == STDIN_FILENO ? "-" : descriptor_path(archive_fd);
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
