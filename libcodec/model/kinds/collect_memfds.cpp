// memfd.img: names and sizes of memfds.
#include <algorithm>

#include "model/collect.hpp"
#include "model/message_reader.hpp"

namespace critpipe {

namespace {

void collect_memfd(Model& model, std::uint32_t, const Entry& entry) {
  static const MessageReader<MemfdInode> reader{"memfd_inode_entry",
                                                {{"inode_id", put<&MemfdInode::inode_id>},
                                                 {"size", put<&MemfdInode::size>},
                                                 {"shmid", put<&MemfdInode::shmid>},
                                                 {"seals", put<&MemfdInode::seals>},
                                                 {"name", put<&MemfdInode::name>}}};
  MemfdInode inode;
  reader.read(entry.payload, inode);
  const std::uint64_t id = inode.inode_id;
  model.memfds.try_emplace(id, std::move(inode));
}

void expect_memfds(const Model& model, Missing& missing) {
  if (std::ranges::any_of(model.files, [](const auto& one) { return one.second.type == type_memfd; }))
    missing.want("memfd.img");
}

constexpr CollectedKind rows[] = {
    {"MEMFD_INODE", needs_files, collect_memfd, expect_memfds},
};

}  // namespace

std::span<const CollectedKind> memfds_kinds() { return rows; }

}  // namespace critpipe
