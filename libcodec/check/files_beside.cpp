#include "check/files_beside.hpp"

#include <algorithm>

#include "critpipe/container.hpp"

namespace critpipe {

namespace {

// What podman, CRI-O and containerd write; the first two are what their restores read first.
constexpr std::string_view names[] = {"config.dump",    "spec.dump",   "rootfs-diff.tar", "deleted.files",
                                      "network.status", "status.dump", "container.log"};

bool is_configuration(std::string_view name) { return name == "config.dump" || name == "spec.dump"; }

class Notice final : public Sink {
 public:
  Notice(EngineFiles::Seen& seen, const Member& member) : seen_{seen}, name_{member.name}, set_{*member.set} {
    seen_.names.insert(name_);
  }
  Step entry(const Entry&) override { return Step::go; }
  Step pass_over(std::uint64_t) override { return is_configuration(name_) ? Step::stop : Step::go; }
  Step raw(Bytes bytes) override {
    if (!is_configuration(name_)) return Step::go;
    const std::size_t room = max_container_file_bytes + 1 - text_.size();
    text_.append(reinterpret_cast<const char*>(bytes.data()), std::min(bytes.size(), room));
    return Step::go;
  }
  Step end() override {
    if (!is_configuration(name_)) return Step::go;
    ContainerFiles files;
    if (text_.size() > max_container_file_bytes) seen_.unreadable[name_] = "it is larger than any engine's";
    else if (Error error = files.add(set_, name_, text_))
      seen_.unreadable[name_] =
          to_string(Error{error.reason, "", error.offset, error.entry, error.want, error.have, error.name});
    return Step::go;
  }

 private:
  EngineFiles::Seen& seen_;
  std::string name_;
  SetId set_;
  std::string text_;
};

}  // namespace

bool EngineFiles::knows(std::string_view name) { return std::ranges::find(names, name) != std::end(names); }

std::unique_ptr<Sink> EngineFiles::sink_for(const Member& member) {
  return std::make_unique<Notice>(seen_.of(member), member);
}

}  // namespace critpipe
