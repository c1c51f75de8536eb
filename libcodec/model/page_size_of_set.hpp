// What the images of a set without tasks tell of the size of its pages. Internal.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "critpipe/checkpoint.hpp"
#include "pages/held_pages.hpp"
#include "pages/page_size.hpp"
#include "pages/pagemaps.hpp"

namespace critpipe {

// Of a task of a finished checkpoint, which has read it.
Pagemap pagemap_of(const Checkpoint& checkpoint, const Task& task);
std::uint64_t nr_present_pages(const Task& task);  // in its pages image

std::uint64_t told_page_size(const Checkpoint& checkpoint);  // as PageStore::page_size_of_tasks()

// What the sets of a reader may keep of their pages images, in bytes; and is any page size to be learned at all?
struct RoomToTry {
  explicit RoomToTry(std::uint64_t given_page_size = 0) : is_needed{given_page_size == 0} {}
  bool is_needed;
  std::uint64_t left = 16 << 20;
};

// For a reader that decodes blocks as they come: with pages as large as can be told by then.
struct EarlyPageSize {
  // Calls `visit` with the pagemaps that have come and name a pages image.
  std::function<void(std::uint64_t pages_id, const std::function<void(const Pagemap&)>& visit)> pagemaps_of = {};
  std::function<std::optional<std::uint64_t>()> block_bytes = {};  // as PageStore::block_bytes()
  std::function<void(std::uint64_t page_size)> learned = {};
};
// Of a set with these pagemaps, whose checkpoint learns what they tell. Both must outlive it.
EarlyPageSize early_of(const PagemapIndex& pagemaps, Checkpoint& checkpoint);

// The pages images of a set, for who learns its page size: how large they are, and what can be read of them again,
// which is all of those in directories, and else the beginning. There the first blocks are, or plain pages come before
// them, which make the image of another size for each size of pages. Of a set with tasks nothing is kept, and nothing
// more once the size is certain.
class CRITPIPE_INNER PagesToTry {
 public:
  using MakeSink = std::function<std::unique_ptr<Sink>()>;

  // A pages image comes. Its bytes go to the sink that is made, if there is one: at once; or, with `early`, where its
  // blocks are of pages whose size is not known, when the first of them have told it. Null: nothing of the member is
  // needed. All that is passed must live until the last byte has come. Requires: *this stays where it is.
  std::unique_ptr<Sink> sink_for(const Member& member, bool has_tasks, RoomToTry& room, MakeSink make = {},
                                 EarlyPageSize early = {});
  // As PageStore::stored_image().
  std::unique_ptr<const PagesImage> stored_image(std::uint64_t pages_id) const;
  // Has an image told a size that no other can change?
  bool is_certain() const { return is_certain_; }

 private:
  class Keep;
  struct Image {
    std::string place = {}, directory = {};
    std::uint64_t bytes = 0;  // or Member::unknown
    std::uint64_t share = 0;  // of the room of the set
    std::shared_ptr<HeldPages> beginning = {};
  };
  Image& note(const Member& member, RoomToTry& room);
  bool learn(std::uint64_t pages_id, const EarlyPageSize& early);

  std::map<std::uint64_t, Image> images_;
  std::uint64_t room_ = 1 << 20;       // of which images to come may keep some
  std::optional<std::uint64_t> last_;  // that came, by pages_id
  bool is_certain_ = false;
};

// Adds what the images of a set tell whose checkpoint has read the pagemaps, and is finished.
void add_images(PageSizeByImages& sizes, const Checkpoint& checkpoint, const PagesToTry& pages);

}  // namespace critpipe
