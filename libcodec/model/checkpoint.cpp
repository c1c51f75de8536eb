// The model: filled by collectors, joined when all images came.
#include "critpipe/checkpoint.hpp"

#include <algorithm>
#include <cstring>

#include "model/collect.hpp"
#include "model/model.hpp"
#include "model/message_reader.hpp"

namespace critpipe {

Bytes Arena::keep(Bytes bytes) {
  constexpr std::size_t block = 64 << 10;
  if (bytes.size() > left_) {
    left_ = std::max(block, bytes.size());
    blocks_.push_back(std::make_unique<std::byte[]>(left_));
    at_ = blocks_.back().get();
  }
  if (!bytes.empty()) std::memcpy(at_, bytes.data(), bytes.size());
  const Bytes kept{at_, bytes.size()};
  at_ += bytes.size();
  left_ -= bytes.size();
  return kept;
}

void Model::add_file(const FileType& row, std::uint32_t id, Bytes payload) {
  if (!needs.descriptors && !row.mapped) return;
  const auto [at, added] = files.try_emplace(file_key(row.type, id));
  if (added) at->second = {id, row.type, row.message, arena.keep(payload)};
}

const File* Model::find(std::uint32_t type, std::uint32_t id) const {
  const auto found = files.find(file_key(type, id));
  return found == files.end() ? nullptr : &found->second;
}

Checkpoint::Checkpoint(const Needs& needs) : model_{std::make_unique<Model>(needs)} {}
Checkpoint::~Checkpoint() = default;
Checkpoint::Checkpoint(Checkpoint&&) noexcept = default;
Checkpoint& Checkpoint::operator=(Checkpoint&&) noexcept = default;

void Model::contradict(Reason reason, std::uint64_t have) {
  contradict({.reason = reason, .image = *entry.image, .offset = entry.offset, .entry = entry.index, .have = have});
}

bool is_of_tasks(std::string_view name) {
  constexpr std::string_view begins[] = {"pstree.img", "core-", "mm-", "fs-", "fdinfo-", "ids-", "files.img"};
  return std::ranges::any_of(begins, [name](std::string_view begin) { return name.starts_with(begin); });
}

void Model::note(std::string_view name) {
  has_tasks |= is_of_tasks(name);
  has_pagemaps |= name.starts_with("pagemap-");
  has_pages |= is_pages_name(name);
  has_inventory |= tells_of_set(name);
  has_images |= !is_aside(name);
}

// A page server writes no inventory.
SetKind Model::kind() const {
  if (has_tasks) return SetKind::checkpoint;
  if (has_inventory) return SetKind::pre_dump;
  return has_pagemaps ? SetKind::pages : has_images ? SetKind::images : SetKind::aside;
}

std::string_view Model::pages_only() const {
  switch (kind()) {
    case SetKind::pre_dump:
      return has_pagemaps ? "a pre-dump: pages only, no pstree"
                          : "a pre-dump without its pages, which went to a page server: no pstree";
    case SetKind::pages: return "pages only, no pstree: of a page server or a pre-dump";
    default: return {};
  }
}

std::string_view name_of(SetKind kind) {
  switch (kind) {
    case SetKind::checkpoint: return "checkpoint";
    case SetKind::pre_dump: return "pre-dump";
    case SetKind::pages: return "pages";
    case SetKind::images:
    case SetKind::aside: break;
  }
  return "images";
}

bool Checkpoint::wants(std::string_view name) const { return is_needed(model_->needs, name) || tells_of_set(name); }

void Checkpoint::note(std::string_view name) { model_->note(name); }

SetKind Checkpoint::kind() const { return model_->kind(); }

std::string_view Checkpoint::pages_only() const { return model_->pages_only(); }

std::unique_ptr<Sink> Checkpoint::sink_for(std::string_view name) {
  model_->note(name);
  if (!is_needed(model_->needs, name)) return nullptr;
  model_->seen.emplace(name);
  return make_collector(*model_, name);
}

void Checkpoint::report(const Error& error) { model_->report(error); }

std::span<const Task> Checkpoint::tasks() const { return model_->tasks; }

const Task* Checkpoint::find_task(std::uint32_t pid) const {
  const auto found = model_->task_index.find(pid);
  return found == model_->task_index.end() ? nullptr : &model_->tasks[found->second];
}

std::vector<const Task*> Checkpoint::running() const {
  std::vector<const Task*> running;
  for (const Task& task : tasks())
    if (task.in_tree && task.is_running() && task.state != TaskState::unknown && find_task(task.pid) == &task)
      running.push_back(&task);
  return running;
}

namespace {

std::optional<std::uint64_t> number_in_inventory(const Checkpoint& checkpoint, std::string_view field) {
  static const Message& inventory = *find_message("inventory_entry");
  for (const ImageMessage& message : checkpoint.messages("INVENTORY"))
    if (const auto value = find_value(*inventory.find(field), inventory, message.payload)) return value->integer;
  return std::nullopt;
}

}  // namespace

std::optional<Ids> Checkpoint::ids_of_dumper() const {
  static const Message& inventory = *find_message("inventory_entry");
  for (const ImageMessage& message : messages("INVENTORY"))
    if (const auto value = find_value(*inventory.find("root_ids"), inventory, message.payload)) {
      Ids ids;
      ids_reader().read(value->bytes, ids);
      return ids;
    }
  return std::nullopt;
}

std::optional<std::uint64_t> Checkpoint::dump_uptime() const { return number_in_inventory(*this, "dump_uptime"); }

std::optional<std::uint64_t> Checkpoint::block_bytes() const {
  return number_in_inventory(*this, "compress_block_size");
}

// Without recursion: a chain of tasks may be as long as the image. What no root leads to hangs on a cycle.
std::vector<Checkpoint::TreeNode> Checkpoint::tree() const {
  const auto& tasks = model_->tasks;
  constexpr std::size_t none = ~std::size_t{0};
  std::vector<std::size_t> first_child(tasks.size(), none), next(tasks.size(), none);
  std::vector<bool> is_child(tasks.size()), shown(tasks.size());
  for (std::size_t i = tasks.size(); i-- > 0;) {
    const auto parent = model_->task_index.find(tasks[i].ppid);
    if (tasks[i].ppid == 0 || parent == model_->task_index.end() || parent->second == i) continue;
    is_child[i] = true;
    next[i] = first_child[parent->second];
    first_child[parent->second] = i;
  }
  std::vector<TreeNode> branches;
  std::vector<std::pair<std::size_t, std::size_t>> stack;
  const auto walk = [&](std::size_t root) {
    stack.emplace_back(root, 0);
    while (!stack.empty()) {
      const auto [at, depth] = stack.back();
      stack.pop_back();
      if (at != root && next[at] != none) stack.emplace_back(next[at], depth);
      if (shown[at]) continue;
      shown[at] = true;
      branches.push_back({&tasks[at], depth});
      if (first_child[at] != none) stack.emplace_back(first_child[at], depth + 1);
    }
  };
  for (std::size_t i = 0; i < tasks.size(); ++i)
    if (!is_child[i]) walk(i);
  for (std::size_t i = 0; i < tasks.size(); ++i)
    if (!shown[i]) walk(i);
  return branches;
}

std::span<const Descriptor> Checkpoint::descriptors(const Task& task) const {
  const auto found = model_->tables.find(task.ids.files);
  if (found == model_->tables.end() || task.ids.files == 0) return {};
  return found->second;
}

const File* Checkpoint::find_file(std::uint32_t type, std::uint32_t id) const { return model_->find(type, id); }

const File* Checkpoint::file_of(const Mapping& mapping) const {
  const auto id = static_cast<std::uint32_t>(mapping.shmid);
  if (mapping.kind() == Mapping::Kind::socket) return model_->find(type_packet, id);
  if (!mapping.has_file()) return nullptr;
  if (mapping.kind() == Mapping::Kind::memfd)
    if (const File* memfd = model_->find(type_memfd, id)) return memfd;
  return model_->find(type_reg, id);
}

std::string Checkpoint::ghost_of(const Mapping& mapping) const {
  if (model_->ghosts.empty() || mapping.kind() != Mapping::Kind::file) return {};
  const auto found = model_->ghosts.find(static_cast<std::uint32_t>(mapping.shmid));
  if (found == model_->ghosts.end()) return {};
  return image_name("GHOST_FILE", found->second);
}

bool Checkpoint::is_deleted(const File& file) const {
  return file.type == type_reg && model_->unlinked.contains(file.id);
}

const File* Checkpoint::directory(std::uint32_t id) const { return model_->find(type_reg, id); }

std::uint64_t Checkpoint::page_size(std::uint64_t supplied) const {
  if (model_->page_size) return model_->page_size;
  return supplied ? supplied : model_->usual_page_size;
}

void Checkpoint::learn_page_size(std::uint64_t size) {
  if (size != 0) model_->usual_page_size = size;
}

std::span<const ImageMessage> Checkpoint::messages(std::string_view kind) const {
  const auto found = model_->messages.find(find_kind(kind));
  return found == model_->messages.end() ? std::span<const ImageMessage>{} : found->second;
}

std::span<const ImageMessage> Checkpoint::messages(std::string_view kind, std::uint32_t number) const {
  const auto all = messages(kind);
  const auto begin = std::ranges::lower_bound(all, number, {}, &ImageMessage::number);
  const auto end = std::ranges::upper_bound(all, number, {}, &ImageMessage::number);
  return {begin, end};
}

std::span<const Error> Checkpoint::errors() const { return model_->errors; }

}  // namespace critpipe
