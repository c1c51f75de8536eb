// SocketChanger: members on their way.
#include <map>
#include <variant>

#include "critpipe/image_writer.hpp"
#include "stream/change_sockets.hpp"

namespace critpipe {

namespace {

constexpr std::uint64_t most_held = 64 << 20;

bool is_netlink(std::string_view name) {
  return (name.starts_with("ifaddr-") || name.starts_with("route-") || name.starts_with("route6-")) &&
         name.ends_with(".img");
}

// Writes to the next receiver.
class NextOutput final : public Output {
 public:
  NextOutput(Receiver& next, Member member) : next_{next}, member_{std::move(member)} {}
  const Member& member() const { return member_; }

 private:
  bool drain(const char* bytes, std::size_t size) override {
    return next_.bytes(member_, bytes_of({bytes, size})) == Step::go;
  }
  Receiver& next_;
  Member member_;
};

// Looks at each entry.
class EntryChanger final : public Stage {
 public:
  EntryChanger(Sink& next, SocketChanges& changes) : Stage{&next}, changes_{changes} {}

  Step entry(const Entry& entry) override {
    const Field* const field = entry.message->find("isk");  // now; before CRIU 3.3 the entry is one
    const auto found = field ? find_value(*field, *entry.message, entry.payload) : std::nullopt;
    if (field && !found) return Stage::entry(entry);
    const Message& message = field ? field->message() : *entry.message;
    const Bytes payload = field ? found->bytes : entry.payload;
    const std::string socket = changed_socket(message, payload, changes_);
    if (std::string_view{reinterpret_cast<const char*>(payload.data()), payload.size()} == socket)
      return Stage::entry(entry);
    Entry changed = entry;
    const std::string whole = field ? with_part(entry, *field, socket) : socket;
    changed.payload = bytes_of(whole);
    return Stage::entry(changed);
  }
  Taken many(Bytes, std::uint64_t, std::uint64_t) override { return {}; }  // each is looked at

 private:
  static std::string with_part(const Entry& entry, const Field& field, const std::string& part) {
    std::string other = without(*entry.message, entry.payload, field);
    append_varint(other, (std::uint64_t{field.number} << 3) | 2);
    append_varint(other, part.size());
    return canonical(*entry.message, bytes_of(other.append(part)));
  }

  SocketChanges& changes_;
};

// An image of sockets.
struct Sockets {
  Sockets(Receiver& next, const Member& member, SocketChanges& changes)
      : output{next, member}, writer{&output}, changer{writer, changes}, decoder{changer, member.name} {}
  NextOutput output;
  ImageSink writer;
  EntryChanger changer;
  Decoder decoder;
};

// Another member, which is changed as a whole.
struct Held {
  Member member;
  void (*change)(std::string&, SocketChanges&) = nullptr;
  std::string bytes = {};
};

}  // namespace

struct SocketChanger::State {
  State(Receiver& to, std::vector<SocketChange> all) : next{to}, changes{std::move(all)} {}

  Step fail(const Member& member, Error error) {
    open.erase(member.id);
    if (error.image.empty()) error.image = member.place;
    next.fail(&member, error);
    return Step::stop;
  }

  Receiver& next;
  SocketChanges changes;
  std::map<std::uint64_t, std::variant<std::unique_ptr<Sockets>, Held>> open;  // members that are changed, by id
};

SocketChanger::SocketChanger(Receiver& next, std::vector<SocketChange> changes)
    : state_{std::make_unique<State>(next, std::move(changes))} {}
SocketChanger::~SocketChanger() = default;

Error SocketChanger::missed() const { return state_->changes.missed(); }

bool SocketChanger::wants(const Member& member) { return state_->next.wants(member); }

Step SocketChanger::begin(const Member& member) {
  const bool has_sockets = member.name == "files.img" || member.name == "inetsk.img";
  const bool is_status = member.name == "network.status";
  if (!has_sockets && !is_status && !is_netlink(member.name)) return state_->next.begin(member);
  Member changed = member;
  changed.size = changed.at = Member::unknown;
  changed.fd = -1;
  if (has_sockets)
    state_->open.insert_or_assign(member.id, std::make_unique<Sockets>(state_->next, changed, state_->changes));
  else state_->open.insert_or_assign(member.id, Held{changed, is_status ? change_json : change_netlink});
  return state_->next.begin(changed);
}

std::uint64_t SocketChanger::take_file(const Member& member) {
  return state_->open.contains(member.id) ? 0 : state_->next.take_file(member);
}
bool SocketChanger::needs_bytes(const Member& member) {
  return state_->open.contains(member.id) || state_->next.needs_bytes(member);
}
Receiver::Run SocketChanger::take_run(const Member& member, ByteReader& bytes) {
  return state_->open.contains(member.id) ? Run{} : state_->next.take_run(member, bytes);
}

Step SocketChanger::bytes(const Member& member, Bytes bytes) {
  const auto found = state_->open.find(member.id);
  if (found == state_->open.end()) return state_->next.bytes(member, bytes);
  if (Held* const held = std::get_if<Held>(&found->second)) {
    if (held->bytes.size() + bytes.size() > most_held)
      return state_->fail(
          member,
          {Reason::limit_held, {}, Error::nowhere, Error::nowhere, most_held, held->bytes.size() + bytes.size()});
    held->bytes.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return Step::go;
  }
  Sockets& sockets = *std::get<std::unique_ptr<Sockets>>(found->second);
  const Step step = sockets.decoder.feed(bytes);
  return sockets.decoder.error() ? state_->fail(member, sockets.decoder.error()) : step;
}

Step SocketChanger::end(const Member& member) {
  const auto found = state_->open.find(member.id);
  if (found == state_->open.end()) return state_->next.end(member);
  Step step = Step::go;
  if (Held* const held = std::get_if<Held>(&found->second)) {
    held->change(held->bytes, state_->changes);
    step = state_->next.bytes(held->member, bytes_of(held->bytes));
    if (step == Step::go) step = state_->next.end(held->member);
  } else {
    Sockets& sockets = *std::get<std::unique_ptr<Sockets>>(found->second);
    step = sockets.decoder.finish();
    if (sockets.decoder.error()) return state_->fail(member, sockets.decoder.error());
    if (step == Step::go) step = sockets.output.flush();
    if (step == Step::go) step = state_->next.end(sockets.output.member());
  }
  state_->open.erase(found);
  return step;
}

bool SocketChanger::has_enough(const Member& member) {
  return !state_->open.contains(member.id) && state_->next.has_enough(member);
}

void SocketChanger::fail(const Member* member, const Error& error) {
  if (member) state_->open.erase(member->id);
  state_->next.fail(member, error);
}

}  // namespace critpipe
