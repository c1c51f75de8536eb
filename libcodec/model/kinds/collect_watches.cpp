// What epolls, inotifies and fanotifies look at, in old sets an image of its own with an entry a target.
#include "model/collect.hpp"
#include "model/message_reader.hpp"

namespace critpipe {

namespace {

void collect_watch(Model& model, std::uint32_t, const Entry& entry) {
  const Field& id = *entry.message->find("id");
  const auto file_id = static_cast<std::uint32_t>(integer_or(id, *entry.message, entry.payload, 0));
  ++model.watches[{entry.kind, file_id}];
}

constexpr CollectedKind rows[] = {
    {"EVENTPOLL_TFD", needs_descriptors, collect_watch, nullptr},
    {"INOTIFY_WD", needs_descriptors, collect_watch, nullptr},
    {"FANOTIFY_MARK", needs_descriptors, collect_watch, nullptr},
};

}  // namespace

std::span<const CollectedKind> watches_kinds() { return rows; }

}  // namespace critpipe
