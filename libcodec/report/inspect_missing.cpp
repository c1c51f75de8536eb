// Images that a report of a set needs and that are not in it, besides those of tasks.
#include <algorithm>
#include <set>

#include "model/model.hpp"
#include "report/inspection_work.hpp"

namespace critpipe {

namespace {

class MissingOfReport {
 public:
  MissingOfReport(Inspection& inspection, const InspectedSet& set)
      : inspection_{inspection}, set_{set}, model_{model_of(*inspection.checkpoint)} {}

  void find();

 private:
  void want(const std::string& name, bool is_there) {
    const bool is_new = !is_there && named_.insert(name).second;
    if (is_new) keep_error(inspection_.errors, {Reason::missing_image, set_.place + name}, room_);
  }
  void want_read(const std::string& name) { want(name, model_.has_image(name)); }
  void look_at_pages(const Task& task);

  Inspection& inspection_;
  const InspectedSet& set_;
  const Model& model_;
  std::set<std::string> named_;
  std::size_t room_ = max_kept_errors;
};

void MissingOfReport::look_at_pages(const Task& task) {
  if (!task.has_pagemap) return;
  const Pagemap pagemap{.memory = {}, .nr_present = nr_present_pages(task), .runs = {}, .layout = task.page_layout};
  const std::string name = pages_name(task.pages_id);
  const auto bytes = set_.pages_bytes(task.pages_id);
  const std::uint64_t page_size = page_size_of(*inspection_.checkpoint, task);
  if (!bytes) want(name, pagemap.nr_present == 0);
  else if (*bytes < pagemap.stored(page_size).bytes && named_.insert(name).second)
    keep_error(inspection_.errors, pagemap.cut({*bytes}, set_.place + name, page_size), room_);
}

void MissingOfReport::find() {
  const Checkpoint& checkpoint = *inspection_.checkpoint;
  if (!model_.is_whole || checkpoint.tasks().empty() || !checkpoint.pages_only().empty()) return;
  want_read("inventory.img");
  for (const InspectedNamespace& ns : inspection_.namespaces) {
    if (ns.is_hosts.value_or(true)) continue;
    if (ns.kind == "mnt") want_read(image_name("MNTS", ns.id));
    if (ns.kind == "uts") want_read(image_name("UTSNS", ns.id));
  }
  for (const Task& task : checkpoint.tasks()) look_at_pages(task);
}

}  // namespace

void inspect_missing(Inspection& inspection, const InspectedSet& set) { MissingOfReport{inspection, set}.find(); }

}  // namespace critpipe
