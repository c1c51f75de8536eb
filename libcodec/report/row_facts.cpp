#include "report/row_facts.hpp"

namespace critpipe {

namespace {

// Fewer than these may be in order by chance.
constexpr std::size_t least_images = 8;

}  // namespace

bool RowFacts::has_all_tasks_before(const Member& next) const {
  const bool is_behind_tasks = next.name.ends_with(".img") && next.name > last_image_ && next.name > "core.";
  return has_tree_ || (is_in_order_ && has_task_ && has_inventory_ && nr_images_ >= least_images && is_behind_tasks);
}

bool RowFacts::is_known_before(const Member& next) const {
  return next.set->set.empty() && has_configuration() && has_all_tasks_before(next);
}

void RowFacts::add(const Member& member) {
  if (!member.set->set.empty()) return;
  has_config_ |= member.name == "config.dump";
  has_spec_ |= member.name == "spec.dump";
  if (!member.name.ends_with(".img")) return;
  is_in_order_ &= last_image_ < member.name;
  last_image_ = member.name;
  ++nr_images_;
  has_task_ |= member.name.starts_with("core-");
  has_inventory_ |= member.name == "inventory.img";
  has_tree_ |= member.name == "pstree.img";
}

}  // namespace critpipe
