#include "check/findings.hpp"

#include <algorithm>
#include <set>

#include "base/path_names.hpp"
#include "model/collect.hpp"

namespace critpipe {

namespace {

// Its places are names within the set.
PagesView view_of(CheckedImages& images) {
  PagesView view;
  view.page_size = images.page_size();
  view.checkpoint = &images.checkpoint;
  view.store = &images;
  view.may_have_parents = !images.directory.empty() || images.has_given_parent();
  const bool is_elsewhere = images.directory.empty() && !images.has_given_parent() && images.has_link;
  std::set<std::uint64_t> claimed;
  for (const auto& [id, memory] : images.memories) {
    PagesView::OneMemory one{id, pagemap_name(id)};
    one.pages_id = memory.pagemap.pages_id;
    one.stored_bytes = memory.pagemap.stored(view.page_size).bytes;
    one.nr_parent = is_elsewhere ? 0 : memory.nr_parent;
    one.nr_entries = memory.nr_entries;
    one.address_bits = memory.pagemap.address_bits;
    one.is_alone = !images.is_set;
    one.is_complete = !memory.is_damaged;
    one.is_compressed = memory.is_compressed;
    claimed.insert(one.pages_id);
    view.memories.push_back(std::move(one));
  }
  for (const auto& [pages_id, bytes] : images.pages)
    view.images.push_back({pages_id, pages_name(pages_id), bytes, claimed.contains(pages_id)});
  view.pagemap = [&images](MemoryId id) { return images.pagemap(id); };
  return view;
}

}  // namespace

void Findings::add(Finding&& finding, std::uint64_t times) {
  // Of a parent only what its child needs is an error, and that is found there.
  if (images_.is_parent && !images_.has_tasks() && finding.severity == Severity::error)
    finding.severity = Severity::warning;
  found_.add({finding.rule, finding.severity}, std::move(finding), times);
}

void Findings::add(std::string_view name, FaultPlace place, std::string reason, std::optional<Severity> severity,
                   std::uint64_t times) {
  const Rule& rule = *find_rule(name);
  const Reporter::Take take = [&](Finding&& finding) { add(std::move(finding), times); };
  const Reporter report{images_, rule, take};
  report(std::move(place), std::move(reason), severity.value_or(rule.severity));
}

// CRIU reads statistics and caches for nobody's restore, and passes over images of a set that it does not know.
void Findings::damage(const Error& error, bool is_of_parent) {
  Finding finding;
  const bool is_own = !is_of_parent && error.set && *error.set == images_.id;
  const bool is_known = !is_own || error.member.empty() || kind_of_name(error.member) || !images_.is_set;
  const bool is_restored = !is_aside(error.member);
  finding.rule = find_rule(is_known ? "damaged" : "image-unknown");
  finding.severity = !is_restored ? Severity::warning : finding.rule->severity;
  finding.image = error.image;
  finding.entry = error.entry;
  Error inner = error;
  inner.image.clear();
  inner.entry = Error::nowhere;
  finding.reason = to_string(inner);
  add(std::move(finding));
}

void Findings::contradictions() {
  for (const Error& error : images_.checkpoint.errors()) {
    FaultPlace place{error.member, error.entry, {}};
    Error inner = error;
    inner.image.clear();
    inner.entry = inner.offset = Error::nowhere;
    if (error.reason == Reason::bad_pid) {
      place.field = "pid";
      add("pid-twice", std::move(place), to_string(inner));
    }
  }
}

void Findings::add_pages(const PagesFault& fault, std::uint64_t times) {
  const std::string& name = fault.image;
  std::string rule = std::string{"pages-"}.append(fault.name);
  const bool has_no_pagemap = fault.name == "missing" && !images_.has(name);
  if (has_no_pagemap || !find_rule(rule)) rule = std::string{"pagemap-"}.append(fault.name);
  // What is missing may have stood behind the damage.
  if (rule == "pagemap-missing" && images_.is_damaged(name)) return;
  if (images_.is_cut && (fault.name == "missing" || fault.name == "unclaimed" || fault.name == "parent")) return;
  std::string reason = fault.vaddr ? format("0x%llx: ", static_cast<unsigned long long>(*fault.vaddr)) : "";
  std::optional<Severity> severity;
  if (fault.is_tolerated) severity = rule == "pages-size" ? Severity::loss : Severity::warning;
  // Pages of nobody are lost where a pagemap may be. The tasks of a tree have theirs, or lack them by other rules.
  if (rule == "pages-unclaimed" && images_.has_tasks()) severity = Severity::warning;
  if (rule == "pagemap-owner") severity = images_.severity_of_strangers();
  add(rule, {name, fault.entry, fault.entry == Error::nowhere ? "" : "vaddr"}, reason + fault.text, severity, times);
}

// CRIU opens all of them, whether it needs them or not.
void Findings::parents_of_directory() {
  PageDirectory* const directory = images_.page_directory();
  if (!directory || images_.memories.empty() || images_.has_given_parent()) return;
  for (PageDirectory* above = directory; above; above = above->linked_parent()) {
  }
  for (const Error& error : directory->errors()) {
    Error inner = error;
    inner.image.clear();
    const bool is_link = error.reason == Reason::bad_parents || error.reason == Reason::no_parent;
    if (!is_link) damage(error);
    else add("parent-link", {directory->linked_parent() ? "" : "parent"}, to_string(inner));
  }
}

// How blocks fit to pages is known only when the size of pages is.
void Findings::blocks() {
  for (auto& [id, memory] : images_.memories) {
    Error error;
    (void)memory.pagemap.blocks(images_.page_size(), error);
    if (!error) continue;
    error.member = pagemap_name(id);
    error.image = images_.place + error.member;
    memory.is_damaged = true;
    damage(error);
  }
}

void Findings::pages() {
  const auto report = [this](const PagesFault& fault) { add_pages(fault); };
  const auto take = [this](const PagesFault& fault, std::uint64_t times) { add_pages(fault, times); };
  images_.early_faults.each(take);
  for (auto& [pages_id, decoded] : images_.decoded)
    if (decoded.page_size == images_.page_size()) decoded.faults.each(take);
  if (images_.has_circle && !images_.memories.empty()) add("parent-link", {"parent"}, "parents form a circle");
  parents_of_directory();
  // A page server has them: another rule.
  if (!images_.memories.empty() || !images_.pages.empty()) check_pages(view_of(images_), report);
}

void Findings::fields() {
  if (!images_.is_set) return;
  images_.field_faults.each([this](const FieldFault& fault, std::uint64_t times) {
    add(fault.rule, {fault.image, fault.entry, fault.field}, fault.reason, fault.severity, times);
  });
}

void Findings::rules() {
  if (!images_.is_set) return;
  for (CheckRules* const rows : std::span{check_rules, nr_check_rules})
    for (const RuleRow& row : rows())
      if (row.check) row.check(images_, Reporter{images_, *find_rule(row.rule.name), take_});
}

void Findings::count(Severity severity, std::uint64_t times) {
  switch (severity) {
    case Severity::error: checked_.nr_errors += times; break;
    case Severity::loss: checked_.nr_losses += times; break;
    case Severity::warning: checked_.nr_warnings += times; break;
    case Severity::note: checked_.nr_notes += times; break;
  }
}

CheckedSet Findings::finish() {
  constexpr std::string_view more = "; and so on";  // which one pagemap may have said already
  found_.each([&](Finding& finding, std::uint64_t times) {
    count(finding.severity, times);
    if (times > 1 && !finding.reason.ends_with(more)) finding.reason += more;
    checked_.findings.push_back(std::move(finding));
  });
  const auto number_of = [](const Rule* rule) { return rule - all_rules().data(); };
  std::ranges::stable_sort(checked_.findings, [&](const Finding& left, const Finding& right) {
    if (left.severity != right.severity) return left.severity < right.severity;
    if (left.rule != right.rule) return number_of(left.rule) < number_of(right.rule);
    return left.image != right.image && natural_less(left.image, right.image);
  });
  if (checked_.findings.size() > max_findings) checked_.findings.resize(max_findings);
  checked_.id = images_.id;
  const SetKind kind = images_.has_tasks() ? SetKind::checkpoint : images_.checkpoint.kind();
  checked_.kind = name_of(images_.is_set ? kind : SetKind::images);
  return std::move(checked_);
}

}  // namespace critpipe
