#include "search/memory_owners.hpp"

#include <algorithm>
#include <array>
#include <fnmatch.h>

#include "critpipe/survey.hpp"
#include "model/model.hpp"

namespace critpipe {

namespace {

constexpr std::uint64_t no_end = ~std::uint64_t{0};
constexpr std::string_view file_area = "file=";

bool glob_fits(std::string_view glob, std::string_view path) {
  const std::string pattern{glob};
  const std::string_view last = path.substr(path.rfind('/') + 1);
  return fnmatch(pattern.c_str(), std::string{path}.c_str(), 0) == 0 ||
         fnmatch(pattern.c_str(), std::string{last}.c_str(), 0) == 0;
}

}  // namespace

std::vector<MemoryId> search::in_order(const Checkpoint& checkpoint, std::set<MemoryId> memories) {
  std::vector<MemoryId> order;
  for (const auto& branch : checkpoint.tree())
    if (const MemoryId memory{false, branch.task->pid}; memories.erase(memory) > 0) order.push_back(memory);
  order.insert(order.end(), memories.begin(), memories.end());
  return order;
}

bool MemoryFilter::knows_area(std::string_view area) {
  if (area.starts_with(file_area)) return true;
  for (int kind = 0; kind <= static_cast<int>(Mapping::Kind::guard); ++kind)
    if (name_of(static_cast<Mapping::Kind>(kind)) == area) return true;
  return false;
}

namespace search {

namespace {

// Ascending and apart; what touches is one.
Ranges joined(Ranges ranges) {
  std::ranges::sort(ranges, {}, &MemoryFilter::Range::begin);
  Ranges apart;
  for (const auto& range : ranges) {
    if (range.begin >= range.end) continue;
    if (!apart.empty() && range.begin <= apart.back().end) apart.back().end = std::max(apart.back().end, range.end);
    else apart.push_back(range);
  }
  return apart;
}

Ranges common(const Ranges& a, const Ranges& b) {
  Ranges both;
  for (auto left = a.begin(), right = b.begin(); left != a.end() && right != b.end();) {
    const MemoryFilter::Range range{std::max(left->begin, right->begin), std::min(left->end, right->end)};
    if (range.begin < range.end) both.push_back(range);
    if (left->end < right->end) ++left;
    else ++right;
  }
  return both;
}

}  // namespace

// Until all images are joined, what other images say of a task stands beside what pstree.img says.
std::span<const Mapping> mappings_of(const Checkpoint& checkpoint, const Task& task) {
  const auto& others = model_of(checkpoint).collected;
  const auto other = others.find(task.pid);
  return other == others.end() ? task.memory.mappings : other->second.memory.mappings;
}

namespace {

bool has_name(const Checkpoint& checkpoint, const Mapping& mapping) {
  const bool of_file = mapping.kind() == Mapping::Kind::file || mapping.kind() == Mapping::Kind::memfd;
  const File* const file = checkpoint.file_of(mapping);
  return !of_file || (file && !checkpoint.path_of(*file).empty());
}

bool is_told(const Checkpoint& checkpoint, const Task& task, const IsRead& is_read) {
  if (!is_read(image_name("MM", task.pid))) {
    const auto& others = model_of(checkpoint).collected;
    const auto other = others.find(task.pid);
    return is_read(image_name("CORE", task.pid)) && other != others.end() && !other->second.is_running();
  }
  const auto mappings = mappings_of(checkpoint, task);
  if (mappings.empty() && !is_read(image_name("VMAS", task.pid))) return false;
  return std::ranges::all_of(mappings, [&](const Mapping& mapping) { return has_name(checkpoint, mapping); });
}

}  // namespace

bool is_told(const Checkpoint& checkpoint, MemoryId memory, const IsRead& is_read) {
  if (!is_read("pstree.img")) return false;
  if (memory.shmem)
    return std::ranges::all_of(checkpoint.tasks(),
                               [&](const Task& task) { return is_told(checkpoint, task, is_read); });
  const Task* const task = checkpoint.find_task(static_cast<std::uint32_t>(memory.id));
  return task && is_told(checkpoint, *task, is_read);
}

bool fits_area(std::string_view area, const Mapping& mapping, const Checkpoint& checkpoint) {
  if (!area.starts_with(file_area)) return name_of(mapping.kind()) == area;
  return mapping.has_file() && glob_fits(area.substr(file_area.size()), checkpoint.name_of(mapping));
}

bool fits_protection(std::string_view wanted, const Mapping& mapping) {
  const std::string protection = protection_of(mapping);
  return std::ranges::all_of(wanted, [&](char letter) { return protection.find(letter) != protection.npos; });
}

bool MemoryOwners::wants_pid(std::uint32_t pid) const {
  return filter_.pids.empty() || std::ranges::find(filter_.pids, pid) != filter_.pids.end();
}

bool MemoryOwners::fits(const Mapping& mapping) const {
  if (!fits_protection(filter_.protection, mapping)) return false;
  return filter_.areas.empty() || std::ranges::any_of(filter_.areas, [&](const std::string& area) {
           return fits_area(area, mapping, checkpoint_);
         });
}

namespace {

void each_mapping(const Checkpoint& checkpoint, const Task& task, const std::function<void(Owner)>& take) {
  for (Mapping mapping : mappings_of(checkpoint, task)) {
    if (mapping.kind() == Mapping::Kind::guard) continue;
    find_anonymous(model_of(checkpoint), mapping);
    take({task.pid, std::move(mapping)});
  }
}

}  // namespace

const std::vector<Owner>& SharedOwners::of(const Checkpoint& checkpoint, MemoryId memory) {
  static const std::vector<Owner> nobody;
  if (!std::exchange(is_known_, true))
    for (const Task& task : checkpoint.tasks())
      each_mapping(checkpoint, task, [&](Owner owner) {
        if (const auto object = shared_object(checkpoint, owner.mapping)) owners_[*object].push_back(std::move(owner));
      });
  const auto known = owners_.find(memory);
  return known == owners_.end() ? nobody : known->second;
}

const std::vector<Owner>& MemoryOwners::owners_of(MemoryId memory) {
  if (memory.shmem) return shared_->of(checkpoint_, memory);
  if (known_ == memory.id) return own_;
  known_ = memory.id;
  own_.clear();
  if (const Task* const task = checkpoint_.find_task(static_cast<std::uint32_t>(memory.id)))
    each_mapping(checkpoint_, *task, [&](Owner owner) { own_.push_back(std::move(owner)); });
  std::ranges::stable_sort(own_, {}, [](const Owner& owner) { return owner.mapping.start; });
  return own_;
}

const Mapping* MemoryOwners::mapping_at(MemoryId memory, std::uint64_t address) {
  const auto& owners = owners_of(memory);
  const auto next =
      std::ranges::upper_bound(owners, address, {}, [](const Owner& owner) { return owner.mapping.start; });
  if (next == owners.begin()) return nullptr;
  const Mapping* mapping = &std::prev(next)->mapping;
  return address < mapping->end ? mapping : nullptr;
}

Ranges MemoryOwners::wanted(MemoryId memory) {
  const Ranges all{{0, no_end}};
  const Ranges addresses = filter_.ranges.empty() ? all : joined(filter_.ranges);
  if (!memory.shmem) {
    if (!wants_pid(static_cast<std::uint32_t>(memory.id))) return {};
    if (!has_mapping_filter()) return addresses;
    Ranges mappings;
    for (const Owner& owner : owners_of(memory))
      if (fits(owner.mapping)) mappings.push_back({owner.mapping.start, owner.mapping.end});
    return common(joined(mappings), addresses);
  }
  if (filter_.pids.empty() && filter_.ranges.empty() && !has_mapping_filter()) return all;
  Ranges offsets;
  for (const Owner& owner : owners_of(memory)) {
    const Mapping& mapping = owner.mapping;
    if (!wants_pid(owner.pid) || !fits(mapping)) continue;
    for (const auto& [begin, end] : common({{mapping.start, mapping.end}}, addresses))
      offsets.push_back({begin - mapping.start + mapping.pgoff, end - mapping.start + mapping.pgoff});
  }
  return joined(offsets);
}

Step MemoryOwners::report(MemoryId memory, const Match& found, const MemorySearch::OnMatch& on_match) {
  MemoryMatch whole{.set = set_,
                    .pid = {},
                    .memory = memory,
                    .address = found.address,
                    .length = found.length,
                    .pattern = found.pattern,
                    .mapping = nullptr,
                    .mapping_name = {},
                    .image = {},
                    .before = found.before,
                    .match = found.match,
                    .after = found.after};
  std::string name;
  const auto as = [&](std::uint32_t pid, std::uint64_t address, const Mapping* mapping) {
    name = mapping ? checkpoint_.name_of(*mapping) : "";
    whole.pid = pid;
    whole.address = address;
    whole.mapping = mapping;
    whole.mapping_name = name;
    return on_match(whole);
  };
  if (!memory.shmem) return as(static_cast<std::uint32_t>(memory.id), found.address, mapping_at(memory, found.address));
  bool owned = false;
  for (const Owner& owner : owners_of(memory)) {
    const Mapping& mapping = owner.mapping;
    const std::uint64_t size = mapping.end - mapping.start;
    const bool inside = found.address >= mapping.pgoff && found.address - mapping.pgoff + found.length <= size;
    if (!inside) continue;
    owned = true;
    const std::uint64_t address = found.address - mapping.pgoff + mapping.start;
    const bool wanted =
        wants_pid(owner.pid) && fits(mapping) &&
        (filter_.ranges.empty() || !common({{address, address + found.length}}, joined(filter_.ranges)).empty());
    if (wanted && as(owner.pid, address, &mapping) == Step::stop) return Step::stop;
  }
  return owned ? Step::go : on_match(whole);
}

std::vector<PlacedBytes> stored_extents(const Pagemap& pagemap, std::uint64_t page_size, const Ranges& wanted) {
  std::vector<PlacedBytes> extents;
  for (const PageRun& run : pagemap.runs) {
    if (!run.is_here() || run.nr_pages == 0) continue;
    const std::uint64_t end = run.end(page_size);
    auto range = std::ranges::upper_bound(wanted, run.vaddr, {}, &MemoryFilter::Range::end);
    for (; range != wanted.end() && range->begin < end; ++range) {
      const std::uint64_t begin = std::max(range->begin, run.vaddr);
      extents.push_back(PlacedBytes::of(run.page, run.vaddr, page_size, begin, std::min(range->end, end)));
    }
  }
  std::ranges::sort(extents, {}, &PlacedBytes::position);
  std::size_t nr_apart = 0;
  for (const PlacedBytes& extent : extents) {
    PlacedBytes* const before = nr_apart > 0 ? &extents[nr_apart - 1] : nullptr;
    const bool continues =
        before && extent.position == before->end() && extent.address == before->address + before->size;
    if (continues) before->size += extent.size;
    else extents[nr_apart++] = extent;
  }
  extents.resize(nr_apart);
  return extents;
}

Step Feeder::go_to(std::uint64_t address, std::uint64_t size) {
  if (open_ && address != next_ && end() == Step::stop) return Step::stop;
  if (!open_) search_.begin(address);
  open_ = true;
  next_ = address + size;
  return Step::go;
}

Step Feeder::feed(std::uint64_t address, Bytes bytes) {
  return go_to(address, bytes.size()) == Step::go ? search_.feed(bytes) : Step::stop;
}

Step Feeder::feed_read(std::uint64_t address, std::size_t size) {
  return go_to(address, size) == Step::go ? search_.feed_read(size) : Step::stop;
}

Step Feeder::feed_zeros(std::uint64_t address, std::uint64_t size) {
  static constexpr std::array<std::byte, 64 << 10> zeros{};
  const auto reach = search_.reach_into_zeros();
  if (reach && size > 2 * *reach + zeros.size()) {
    if (feed_zeros(address, *reach) == Step::stop || end() == Step::stop) return Step::stop;
    return feed_zeros(address + size - *reach, *reach);
  }
  for (std::uint64_t done = 0; done < size;) {
    const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(zeros.size(), size - done));
    if (feed(address + done, Bytes{zeros}.first(piece)) == Step::stop) return Step::stop;
    done += piece;
  }
  return Step::go;
}

Step Feeder::end() {
  if (!open_) return Step::go;
  open_ = false;
  return search_.end();
}

}  // namespace search

}  // namespace critpipe
