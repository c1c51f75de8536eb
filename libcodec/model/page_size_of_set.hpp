// What the images of a set without tasks tell of the size of its pages. Internal.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "critpipe/checkpoint.hpp"
#include "pages/page_size.hpp"

namespace critpipe {

// When all members of a set came: if its images do not tell the page size, `add` is called to add each pagemap with its
// pages image, and the checkpoint knows what they tell.
template <class Add>
void learn_page_size(Checkpoint& checkpoint, const Add& add) {
  if (checkpoint.pages_only().empty()) return;
  PageSizeByImages images;
  add(images);
  checkpoint.learn_page_size(images.size());
}

// Of a task of a finished checkpoint, which has read it.
Pagemap pagemap_of(const Checkpoint& checkpoint, const Task& task);

// The pages images of a set for who does not read them: their sizes, and where those of directories are.
class UnreadPages {
 public:
  // Null: the member tells its size. Requires: it is a pages image; *this stays where it is.
  std::unique_ptr<Sink> sink_for(const Member& member);
  // Requires: the checkpoint has read the pagemaps, and is finished.
  void learn_page_size(Checkpoint& checkpoint) const;

 private:
  struct Image {
    std::uint64_t bytes = 0;  // or Member::unknown
    std::string directory = {};
  };
  std::map<std::uint64_t, Image> images_;
};

}  // namespace critpipe
