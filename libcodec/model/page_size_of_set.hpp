// Internal.
#pragma once

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

}  // namespace critpipe
