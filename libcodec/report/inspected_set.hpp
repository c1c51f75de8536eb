// What an InspectionReader keeps of a set beside its images' entries, and the bytes at addresses of its processes.
// Internal.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "critpipe/inspect.hpp"
#include "critpipe/memory.hpp"
#include "memory/text_places.hpp"
#include "model/page_size_of_set.hpp"

namespace critpipe {

// What may be kept of one checkpoint's memory.
constexpr std::uint64_t kept_text_bytes = 8 << 20;    // of all command lines and environments
constexpr std::uint64_t longest_text = 256 << 10;     // of one
constexpr std::uint64_t kept_tail_bytes = 256 << 10;  // of a pages image whose pagemap has not come
constexpr std::uint64_t all_tails_bytes = 4 << 20;

// One set. Its pages are in a directory, in the input's file, or what was kept of them.
class InspectedSet final : public PageStore {
 public:
  SetId id;
  std::string place;
  std::size_t source = 0;   // 0: the input; 1 and more: one of the parents that were given
  bool has_images = false;  // beside statistics
  bool has_tasks = false;
  std::size_t nr_pagemaps = 0;                  // of processes
  std::shared_ptr<const InputFile> input = {};  // for images that are read by position; null: there are none
  InspectedSizes sizes = {};
  std::string directory = {};                                          // its path, if it is files of a directory
  std::map<std::uint64_t, PagesImage::Part> images = {};               // of pages, if it is in no directory
  std::unordered_map<std::uint64_t, std::uint32_t> pid_of_pages = {};  // by the id of pages images, as far as known
  InspectedSet* child = nullptr;                                       // whose parent it is
  const Checkpoint* checkpoint = nullptr;                              // once it is finished

  // Which pages images there are, and their bytes, or Member::unknown.
  void note_pages(std::uint64_t pages_id, std::uint64_t bytes) { pages_[pages_id] = bytes; }
  // As they are stored; nothing: the image is not there.
  std::optional<std::uint64_t> pages_bytes(std::uint64_t pages_id) const;
  // Of a pages image that comes and was captured; null: it can be read again, or tells nothing.
  std::unique_ptr<Sink> sink_to_try(const Member& member, RoomToTry& room);
  // What members say by being there.
  void note(const Member& member);
  // Adds bytes of a member to the sizes.
  void count(const Member& member, std::uint64_t size);
  InspectedSizes all_sizes() const;  // when all members came
  const Pagemap* pagemap(MemoryId memory) override;
  PageDirectory* page_directory() override;
  std::optional<std::uint64_t> dump_uptime() override { return checkpoint ? checkpoint->dump_uptime() : std::nullopt; }
  std::optional<std::uint64_t> block_bytes() override { return checkpoint ? checkpoint->block_bytes() : std::nullopt; }
  std::uint64_t page_size_of_tasks() override { return checkpoint ? told_page_size(*checkpoint) : 0; }
  std::unique_ptr<const PagesImage> stored_image(std::uint64_t pages_id) override;
  std::vector<MemoryId> memories() const;  // of tasks with a pagemap
  // Reads what was kept, here or in a parent; holes of anonymous memory are zeros. False: nothing of it is stored, or
  // some of the bytes are not there, or not in reach.
  bool read(const Task& task, TextPlace place, std::string& bytes);

 private:
  bool read_stored(const Stretch& stretch, std::uint64_t page_size, std::uint64_t skip, std::span<std::byte> into);
  bool read_part(const Stretch& stretch, std::uint64_t page_size, std::uint64_t skip, std::span<std::byte> into);

  std::map<std::uint64_t, std::uint64_t> pages_;
  PagesToTry to_try_;
  // Statistics beside the images are in their directory, but not those above the usual one.
  std::uint64_t statistics_ = 0;  // bytes
  bool has_usual_directory_ = false;
  std::unique_ptr<PageDirectory> opened_;
  MemoryId last_ = {};
  Pagemap pagemap_;  // of last_
};

// Adds the files of a set without images to the sizes of the one that they belong to.
void add_files(InspectedSizes& sizes, const InspectedSizes& others);

// The page size of a process, or else that of the checkpoint.
std::uint64_t page_size_of(const Checkpoint& checkpoint, const Task& task);

}  // namespace critpipe
