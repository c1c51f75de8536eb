// What the images of a set without tasks tell of the size of its pages. Internal.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "critpipe/checkpoint.hpp"
#include "pages/held_pages.hpp"
#include "pages/page_size.hpp"

namespace critpipe {

// Of a task of a finished checkpoint, which has read it.
Pagemap pagemap_of(const Checkpoint& checkpoint, const Task& task);
std::uint64_t nr_present_pages(const Task& task);  // in its pages image

// The pages images of a set, for who learns its page size: how large they are, and what can be read of them again,
// which is all of those in directories, and else the begin. There the first block is, or plain pages come before it,
// which make the image of another size for each size of pages.
class PagesToTry {
 public:
  // What all sets of a reader may keep, and each of them: less the less is left for the others, so that none goes
  // without.
  static constexpr std::uint64_t most_room = 16 << 20, room_of_set = 1 << 20;
  // A pages image comes, of which nothing is kept yet. `room`: what is left for all sets. It must live until the last
  // byte has come. Requires: *this stays where it is.
  void note(const Member& member, std::uint64_t& room);
  // Hands all on to `next`, if there is one. Null: nothing of the member is needed. As note(), of which it does
  // the work.
  std::unique_ptr<Sink> sink_for(const Member& member, std::uint64_t& room, std::unique_ptr<Sink> next = {});
  // As PageStore::stored_image().
  std::unique_ptr<const PagesImage> stored_image(std::uint64_t pages_id) const;

 private:
  class Keep;
  struct Image {
    std::string place = {}, directory = {};
    std::uint64_t bytes = 0;  // or Member::unknown
    std::uint64_t share = 0;  // of the room of the set
    std::shared_ptr<HeldPages> begin = {};
  };
  std::map<std::uint64_t, Image> images_;
  std::uint64_t room_ = room_of_set;  // of which images to come may keep some
};

// The checkpoint of a set without tasks learns what its own images tell, in bytes; 0: nothing. Requires: it has read
// the pagemaps, and is finished.
std::uint64_t learn_page_size(Checkpoint& checkpoint, const PagesToTry& pages);

}  // namespace critpipe
