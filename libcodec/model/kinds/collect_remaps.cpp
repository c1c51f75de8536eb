// remap-fpath.img: what stands in for files that were unlinked.
#include "model/collect.hpp"
#include "model/message_reader.hpp"

namespace critpipe {

namespace {

struct Remap {
  std::uint32_t orig_id = 0, remap_id = 0, type = 0;
};

// The oldest releases mark a ghost file by a bit of its number, newer ones by the type.
void collect_remap(Model& model, std::uint32_t, const Entry& entry) {
  constexpr std::uint32_t ghost_bit = std::uint32_t{1} << 31, ghost_type = 1;
  constexpr std::uint32_t process_type = 2;  // of /proc: a process that is gone
  static const MessageReader<Remap> reader{
      "remap_file_path_entry",
      {{"orig_id", put<&Remap::orig_id>}, {"remap_id", put<&Remap::remap_id>}, {"remap_type", put<&Remap::type>}}};
  Remap remap;
  reader.read(entry.payload, remap);
  if (remap.type != process_type) model.unlinked.insert(remap.orig_id);
  if (remap.type == ghost_type || remap.remap_id & ghost_bit)
    model.ghosts.try_emplace(remap.orig_id, remap.remap_id & ~ghost_bit);
}

constexpr CollectedKind rows[] = {
    {"REMAP_FPATH", needs_files, collect_remap, nullptr},
};

}  // namespace

std::span<const CollectedKind> remaps_kinds() { return rows; }

}  // namespace critpipe
