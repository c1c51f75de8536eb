// Names of pagemaps and pages images.
#include <charconv>

#include "critpipe/pages.hpp"
#include "critpipe/source.hpp"

namespace critpipe {

namespace {

// The number between prefix and suffix of the last part of a path.
std::optional<std::uint64_t> number_in(std::string_view path, std::string_view prefix,
                                       std::string_view suffix = ".img") {
  std::string_view name = path.substr(path.rfind('/') + 1);
  if (!name.starts_with(prefix) || !name.ends_with(suffix)) return {};
  name.remove_prefix(prefix.size());
  name.remove_suffix(std::min(suffix.size(), name.size()));
  std::uint64_t number = 0;
  const auto [end, fault] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (fault != std::errc{} || end != name.data() + name.size()) return {};
  return number;
}

std::optional<std::uint64_t> compressed_pages_id(std::string_view name) {
  return number_in(name, "pages-", ".comp.img");
}

}  // namespace

std::optional<MemoryId> memory_of_name(std::string_view name) {
  if (const auto id = number_in(name, "pagemap-shmem-")) return MemoryId{true, *id};
  if (const auto id = number_in(name, "pagemap-")) return MemoryId{false, *id};
  return {};
}

std::optional<std::uint64_t> pages_id_of_name(std::string_view name) { return number_in(name, "pages-"); }

bool is_pages_name(std::string_view name) { return pages_id_of_name(name) || compressed_pages_id(name); }

Error fault_of_pages(const Member& member) {
  const auto pages_id = compressed_pages_id(member.name);
  if (!pages_id) return {};
  Error error{Reason::limit_compressed_image, member.place};
  error.name = pages_name(*pages_id);
  error.set = member.set;
  return error;
}

std::string pagemap_name(MemoryId memory) { return image_name(memory.shmem ? "SHMEM_PAGEMAP" : "PAGEMAP", memory.id); }

std::string pages_name(std::uint64_t pages_id) { return image_name("PAGES", pages_id); }

}  // namespace critpipe
