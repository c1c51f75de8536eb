#include "check/raw_check.hpp"

#include <algorithm>
#include <array>

#include "source/packing.hpp"

namespace critpipe {

namespace {

// Netlink messages, each with its length; what iproute2 saves has a magic before them.
class NetlinkCheck final : public RawCheck {
 public:
  explicit NetlinkCheck(std::uint32_t magic) : magic_{magic}, need_{magic ? word : header} {}

  void feed(Bytes bytes) override {
    for (; !bytes.empty() && why_.empty(); any_ = true) {
      const std::size_t skipped = static_cast<std::size_t>(std::min<std::uint64_t>(skip_, bytes.size()));
      skip_ -= skipped;
      bytes = bytes.subspan(skipped);
      const std::size_t taken = std::min(need_ - held_, bytes.size());
      std::ranges::copy(bytes.first(taken), head_.begin() + static_cast<std::ptrdiff_t>(held_));
      held_ += taken;
      bytes = bytes.subspan(taken);
      if (held_ == need_) take_head();
    }
  }

  std::string finish() override {
    if (why_.empty() && magic_ != 0 && need_ == word) return any_ ? "its magic is cut short" : "it is empty";
    if (why_.empty() && any_ && (held_ > 0 || skip_ > 0)) return "a message in it is cut short";
    return why_;
  }

 private:
  static constexpr std::size_t word = 4, header = 16;

  void take_head() {
    const std::uint32_t value = load_u32(head_.data());
    held_ = 0;
    if (need_ == word) {
      if (value != magic_) why_ = format("begins with %08x instead of %08x", value, magic_);
      need_ = header;
    } else if (value < header) {
      why_ = format("a message of %u bytes", value);
    } else {
      skip_ = (std::uint64_t{value} + 3) / 4 * 4 - header;
    }
  }

  std::uint32_t magic_;
  std::size_t need_, held_ = 0;
  std::uint64_t skip_ = 0;
  std::array<std::byte, header> head_ = {};
  bool any_ = false;
  std::string why_;
};

// The content of a tmpfs mount: a tar in gzip, which has a checksum.
class GzipCheck final : public RawCheck {
 public:
  GzipCheck() : room_(64 << 10) {
    for (const Packing* packing : std::span{packings, nr_packings})
      if (packing->suffix == ".gz") unpacker_ = packing->make();
    is_ready_ = unpacker_ && unpacker_->begin();
  }

  void feed(Bytes bytes) override {
    while (!bytes.empty() && why_.empty() && is_ready_ && !has_ended_) {
      const Unpacked step = unpacker_->unpack(bytes, room_);
      any_ = true;
      bytes = bytes.subspan(step.taken);
      if (step.state == Unpacked::State::failed) why_ = "its compression is damaged: " + step.why;
      has_ended_ = step.state == Unpacked::State::frame_ended;
      if (step.taken == 0 && step.given == 0) break;
    }
  }

  std::string finish() override {
    // The last step may have filled the room.
    for (bool more = is_ready_ && any_ && !has_ended_ && why_.empty(); more;) {
      const Unpacked step = unpacker_->unpack({}, room_);
      has_ended_ = step.state == Unpacked::State::frame_ended;
      more = !has_ended_ && step.state == Unpacked::State::more && step.given > 0;
    }
    if (why_.empty() && is_ready_ && !has_ended_) return "its compressed data is cut short";
    return why_;
  }

 private:
  std::vector<std::byte> room_;
  std::unique_ptr<Unpacker> unpacker_;
  bool is_ready_ = false, has_ended_ = false, any_ = false;
  std::string why_;
};

// What iptables-save prints: each table ends with COMMIT.
class TablesCheck final : public RawCheck {
 public:
  void feed(Bytes bytes) override {
    for (const std::byte byte : bytes) {
      const char letter = static_cast<char>(byte);
      if (letter == '\n') {
        take_line();
        line_.clear();
      } else if (line_.size() < 8) {
        line_ += letter;
      }
    }
  }

  std::string finish() override { return is_open_ || !line_.empty() ? "a table in it is cut short" : ""; }

 private:
  void take_line() {
    if (line_.starts_with('*')) is_open_ = true;
    if (line_ == "COMMIT") is_open_ = false;
  }

  std::string line_;  // its beginning
  bool is_open_ = false;
};

}  // namespace

std::unique_ptr<RawCheck> make_raw_check(const Kind& kind) {
  constexpr std::uint32_t address_magic = 0x47361222, route_magic = 0x45311224, rule_magic = 0x71706986;
  if (kind.name == "IFADDR") return std::make_unique<NetlinkCheck>(address_magic);
  if (kind.name == "ROUTE" || kind.name == "ROUTE6") return std::make_unique<NetlinkCheck>(route_magic);
  if (kind.name == "RULE") return std::make_unique<NetlinkCheck>(rule_magic);
  if (kind.name == "NETNF_CT" || kind.name == "NETNF_EXP") return std::make_unique<NetlinkCheck>(0);
  if (kind.name == "TMPFS_IMG" || kind.name == "TMPFS_DEV") return std::make_unique<GzipCheck>();
  if (kind.name == "IPTABLES" || kind.name == "IP6TABLES") return std::make_unique<TablesCheck>();
  return nullptr;
}

}  // namespace critpipe
