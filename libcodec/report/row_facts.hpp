// When all that a line of a table says of an archive has come, so that the rest of it may stay packed. Internal.
#pragma once

#include <string>

#include "critpipe/source.hpp"

namespace critpipe {

// Of one archive that holds one container, as engines write it: the configuration first. Members are told as they
// begin.
class RowFacts {
 public:
  // Is the row known before this member? It then need not be told.
  bool is_known_before(const Member& next) const;
  void add(const Member& member);

 private:
  bool has_configuration() const { return has_config_ && has_spec_; }
  bool has_all_tasks_before(const Member& next) const;

  bool has_config_ = false, has_spec_ = false;
  bool has_tree_ = false;  // the image of the process tree
  // Engines write the images of a directory in the order of their names, so that those of tasks stand before pages.
  bool is_in_order_ = true, has_task_ = false, has_inventory_ = false;
  std::size_t nr_images_ = 0;
  std::string last_image_ = {};
};

}  // namespace critpipe
