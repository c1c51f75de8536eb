#include "check/checked_images.hpp"

#include <algorithm>
#include <span>

#include "memory/page_size_of_chain.hpp"
#include "model/collect.hpp"
#include "model/file_types.hpp"
#include "model/model.hpp"
#include "model/namespace_kinds.hpp"
#include "source/set_places.hpp"

namespace critpipe {

namespace {

Needs needs_of_rules() {
  Needs needs;
  needs.ids = needs.descriptors = needs.mappings = true;
  needs.kinds = kinds_of_rules();
  return needs;
}

}  // namespace

std::vector<std::string_view> kinds_of_rules() {
  std::vector<std::string_view> all{std::begin(listed_kinds), std::end(listed_kinds)};
  for (const FileType& type : all_file_types())
    if (type.kind) all.push_back(type.kind->name);
  return all;
}

std::uint32_t number_of(std::string_view image) { return number_in(image); }

std::uint32_t differing_namespaces(const Ids& ids, const Ids& others) {
  std::uint32_t bits = 0;
  for (const NamespaceKind& kind : namespace_kinds())
    if (kind.id != &Ids::cgroup_ns && ids.*kind.id != 0 && others.*kind.id != 0 && ids.*kind.id != others.*kind.id)
      bits |= kind.bit;
  return bits;
}

std::string file_text(std::uint32_t type, std::uint32_t id) {
  std::string text{type_name(type)};
  if (text.empty()) text = format("type %u", type);
  return text.append(" ").append(std::to_string(id));
}

std::string quoted(std::string_view text) {
  std::string all{'\''};
  return all.append(visible(text)).append("'");
}

void Reporter::operator()(FaultPlace place, std::string reason, Severity severity) const {
  Finding finding;
  finding.rule = &rule_;
  finding.severity = severity;
  finding.image = place.image.empty() ? images_.id.text() : images_.place + place.image;
  if (!place.beside.empty()) finding.image = images_.place_of(place.beside);
  finding.entry = place.entry;
  finding.field = std::move(place.field);
  finding.reason = std::move(reason);
  take_(std::move(finding));
}

void Reporter::need(FaultPlace place, std::string reason) const {
  (*this)(std::move(place), std::move(reason), images_.plan.is_complete ? rule_.severity : Severity::warning);
}

// The directory of the images is one that engines make.
std::string CheckedImages::place_of(std::string_view beside) const {
  std::string_view above = place;
  if (above.ends_with('/')) above.remove_suffix(1);
  const std::size_t last = above.find_last_of("/:");
  const bool is_made = last != above.npos && is_images_directory(above.substr(last + 1));
  return std::string{is_made ? above.substr(0, last + 1) : std::string_view{place}}.append(beside);
}

CheckedImages::CheckedImages(const RestorePlan& told) : plan{told}, checkpoint{needs_of_rules()} {}
CheckedImages::~CheckedImages() = default;

bool CheckedImages::is_damaged(std::string_view name) const {
  const auto found = images.find(name);
  return found == images.end() ? is_cut : found->second.is_damaged || found->second.is_other_kind;
}

bool CheckedImages::has_whole_tree() const { return has("pstree.img") && !is_damaged("pstree.img"); }

bool CheckedImages::knows_all() const {
  if (!has_whole_tree() || running().empty() || is_cut) return false;
  return std::ranges::none_of(images,
                              [](const auto& one) { return one.second.is_damaged || one.second.is_other_kind; });
}

Record CheckedImages::first(ListedKind kind, std::uint32_t number) const {
  const auto all = checkpoint.messages(kind.name, number);
  return all.empty() ? Record{} : Record{*all.front().message, all.front().payload};
}

const SeenFile* CheckedImages::find_file(std::uint32_t type, std::uint32_t file_id) const {
  const auto found = file_index_.find({type, file_id});
  return found == file_index_.end() ? nullptr : &files_[found->second];
}

// What is missing altogether is told once, not for each file.
bool CheckedImages::lacks_files(std::uint32_t type) const {
  const FileType* const row = file_type_of(type);
  // One that we do not know has no image of its own.
  if (!has("files.img") && (files_.empty() || !row)) return true;
  return is_damaged("files.img") || (row && row->kind && is_damaged(row->kind->file));
}

void CheckedImages::collect_files() {
  const auto add = [this](std::uint32_t type, std::string_view image, std::uint64_t entry, const Record& record,
                          std::uint32_t file_id) {
    ids_.insert(file_id);
    if (file_index_.try_emplace({type, file_id}, files_.size()).second)
      files_.push_back({type, file_id, image, entry, record});
  };
  each("FILES", [&](const std::string&, std::uint64_t entry, const Record& record) {
    listed_.emplace(record.id("type"), record.id("id"));
    for (const FileType& type : all_file_types())
      if (const Record file = record.inner(type.field)) add(type.type, "files.img", entry, file, record.id("id"));
  });
  for (const FileType& type : all_file_types())
    if (type.kind)
      each_of(type.kind->name, [&](const std::string&, std::uint64_t entry, const Record& record) {
        add(type.type, type.kind->file, entry, record, record.id("id"));
      });
}

void CheckedImages::collect_objects() {
  each("SK_QUEUES", [&](const std::string&, std::uint64_t, const Record& packet) {
    packet.each("scm", [&](const Record& scm) {
      scm.each_number("rights", [&](std::uint64_t file) { in_flight_.insert(static_cast<std::uint32_t>(file)); });
    });
  });
  each("IPCNS_SHM", [&](const std::string&, std::uint64_t, const Record& segment) {
    const std::uint32_t number = segment.inner("desc").id("id");
    segments_.insert(number);
    if (segment.number("in_pagemaps") == 0) inline_segments_.insert(number);
  });
}

void CheckedImages::claim_files() {
  for (const Task* const task : running_) {
    for (const std::uint32_t file : {task->cwd_id, task->root_id, task->memory.exe_id})
      claimed_.emplace(type_reg, file);
    claimed_.emplace(type_memfd, task->memory.exe_id);
    for (const Mapping& mapping : task->memory.mappings)
      for (const std::uint32_t type : {+type_reg, +type_memfd, +type_packet})
        claimed_.emplace(type, static_cast<std::uint32_t>(mapping.shmid));
  }
  for (const SeenFile& file : files_)
    if (file.type == type_tty || file.type == type_fifo) claimed_.emplace(type_reg, file.record.id("regf_id"));
  each("REMAP_FPATH", [&](const std::string&, std::uint64_t, const Record& remap) {
    claimed_.emplace(type_reg, remap.id("remap_id"));
  });
}

// The root of the tree against the CRIU that dumped it.
void CheckedImages::find_namespaces() {
  const auto dumper = checkpoint.ids_of_dumper();
  if (dumper && root_) own_namespaces_ = differing_namespaces(root_->ids, *dumper);
}

void CheckedImages::finish() {
  checkpoint.finish(place, false);
  has_tasks_ = std::ranges::any_of(images, [](const auto& one) { return is_of_tasks(one.first); });
  collect_files();
  collect_objects();
  for (const Task& task : checkpoint.tasks()) {
    if (!task.in_tree) continue;
    if (!root_) root_ = &task;
    pids_.insert({task.pid, task.pgid, task.sid});
    for (const Thread& thread : task.threads) pids_.insert(thread.tid);
  }
  running_ = checkpoint.running();
  for (const Task* const task : running_)
    for (const Descriptor& descriptor : checkpoint.descriptors(*task)) {
      opened_.emplace(descriptor.type, descriptor.file_id);
      opened_ids_.insert(descriptor.file_id);
    }
  claim_files();
  find_namespaces();
  has_other_dump_ = find_other_dump();
}

void CheckedImages::learn_page_size() {
  std::vector<MemoryId> ids;
  for (const auto& [id, memory] : memories) ids.push_back(id);
  critpipe::learn_page_size(checkpoint, *this, ids);
}

std::unique_ptr<Sink> CheckedImages::to_try(const Member& member, RoomToTry& room, PagesToTry::MakeSink make) {
  EarlyPageSize early;
  early.pagemaps_of = [this](std::uint64_t pages_id, const std::function<void(const Pagemap&)>& visit) {
    for (const auto& [id, memory] : memories)
      if (memory.pagemap.pages_id == pages_id) visit(memory.pagemap);
  };
  early.block_bytes = [this] { return checkpoint.block_bytes(); };
  early.learned = [this](std::uint64_t size) { checkpoint.learn_page_size(size); };
  return pages_to_try.sink_for(member, checkpoint.kind() == SetKind::checkpoint, room, std::move(make),
                               std::move(early));
}

Severity CheckedImages::severity_of_unknown_pid() const {
  return own_namespaces() & new_pids ? Severity::error : Severity::warning;
}

const Pagemap* CheckedImages::pagemap(MemoryId memory) {
  const auto found = memories.find(memory);
  return found == memories.end() ? nullptr : &found->second.pagemap;
}

PageStore::Held CheckedImages::held(std::uint64_t pages_id, MemoryId memory, std::uint64_t with_page_size) {
  const auto bytes = pages.find(pages_id);
  const Pagemap* const stored_by = bytes == pages.end() ? nullptr : pagemap(memory);
  return {place + pages_name(pages_id), stored_by ? stored_by->nr_pages_in({bytes->second}, with_page_size) : 0};
}

PageDirectory* CheckedImages::page_directory() {
  if (!directory_ && !directory.empty()) directory_ = std::make_unique<PageDirectory>(directory);
  return directory_.get();
}

}  // namespace critpipe
