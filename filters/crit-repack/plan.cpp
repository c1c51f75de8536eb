// --plan: what compression would save, and what it would cost, as samples show.
#include <algorithm>
#include <chrono>

#include "cli/inputs.hpp"
#include "crit-repack/repack.hpp"
#include "critpipe/json.hpp"

namespace critpipe::filters {

namespace {

constexpr std::size_t most_samples = 512;  // blocks, and one of each mapping beyond

// Mappings of one process that are called alike.
struct Group {
  std::uint64_t memory = 0;  // number
  MemoryId id;
  std::string name;
  std::uint64_t nr_pages = 0;
  std::uint64_t sampled_bytes = 0, sampled_stored = 0;
  bool is_plain = false;  // and stays so
  bool is_sampled = false;

  std::uint64_t bytes(std::uint64_t page_size) const { return bytes_of_pages(nr_pages, page_size); }
  std::uint64_t stored(std::uint64_t page_size) const {
    if (is_plain || sampled_bytes == 0) return bytes(page_size);
    const double ratio = static_cast<double>(sampled_stored) / static_cast<double>(sampled_bytes);
    return static_cast<std::uint64_t>(static_cast<double>(bytes(page_size)) * ratio);
  }
};

// Where blocks are, and which of them are taken.
class Samples {
 public:
  Samples(const StoredSet& set, std::uint64_t block_bytes) : set_{set}, pages_{block_bytes / set.page_size} {}

  // All stored pages, twice: first to count the blocks, then to choose.
  void add(std::uint64_t memory, MemoryId id, const MappingIndex& mappings, const Stretch& stretch);
  void choose() {
    every_ = std::max<std::uint64_t>(1, nr_blocks_ / most_samples);
    chooses_ = true;
    nr_blocks_ = 0;
  }

  struct Sample {
    std::size_t group;
    Stretch pages;
  };
  std::vector<Group> groups;
  std::vector<Sample> samples;

 private:
  Group& group_of(std::uint64_t memory, MemoryId id, const Mapping* mapping);
  void add(Group& group, const Stretch& part);

  const StoredSet& set_;
  std::uint64_t pages_;
  std::map<std::pair<std::uint64_t, std::string>, std::size_t> numbers_;
  std::uint64_t nr_blocks_ = 0, every_ = 1;
  bool chooses_ = false;
};

Group& Samples::group_of(std::uint64_t memory, MemoryId id, const Mapping* mapping) {
  std::string name = id.shmem ? "shared object" : "no mapping";
  if (mapping) name = set_.checkpoint->name_of(*mapping);
  if (mapping && name.empty()) name = name_of(mapping->kind());
  const auto [number, is_new] = numbers_.try_emplace({memory, name}, groups.size());
  if (is_new) groups.push_back({.memory = memory, .id = id, .name = name, .is_plain = id.shmem || is_huge(mapping)});
  return groups[number->second];
}

// What a pagemap claims may be far more than there is: nothing here is done for each page or block.
void Samples::add(std::uint64_t memory, MemoryId id, const MappingIndex& mappings, const Stretch& stretch) {
  for (std::uint64_t done = 0; done < stretch.nr_pages;) {
    const std::uint64_t vaddr = stretch.vaddr + done * set_.page_size;
    const auto next = mappings.from(vaddr);
    const bool is_inside = next != mappings.all().end() && (*next)->start <= vaddr;
    std::uint64_t count = stretch.nr_pages - done;
    if (next != mappings.all().end())
      count = std::clamp<std::uint64_t>(pages_in((is_inside ? (*next)->end : (*next)->start) - vaddr, set_.page_size),
                                        1, count);
    Stretch part = stretch;
    part.vaddr = vaddr;
    part.nr_pages = count;
    part.page += done;
    add(group_of(memory, id, is_inside ? *next : nullptr), part);
    done += count;
  }
}

void Samples::add(Group& group, const Stretch& part) {
  const std::uint64_t nr_blocks = (part.nr_pages + pages_ - 1) / pages_;
  const std::uint64_t first = nr_blocks_;
  if (!chooses_) group.nr_pages += part.nr_pages;
  if (!group.is_plain) nr_blocks_ += nr_blocks;
  if (!chooses_ || group.is_plain) return;
  const auto take = [&](std::uint64_t block) {
    Stretch sample = part;
    sample.vaddr += block * pages_ * set_.page_size;
    sample.page += block * pages_;
    sample.nr_pages = std::min(pages_, part.nr_pages - block * pages_);
    samples.push_back({static_cast<std::size_t>(&group - groups.data()), sample});
    group.is_sampled = true;
  };
  for (std::uint64_t block = (first + every_ - 1) / every_ * every_; block < nr_blocks_; block += every_)
    take(block - first);
  if (!group.is_sampled) take(0);
}

// A block as the writer stores it, there and back.
class Trial {
 public:
  std::size_t stored(Bytes content, int acceleration) {
    const Bytes stored = pack_block(content, room_, acceleration);
    if (stored.empty() || stored.size() == content.size()) return stored.size();
    plain_.resize(content.size());
    const auto begin = std::chrono::steady_clock::now();
    (void)unpack_block(stored, plain_);
    seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return stored.size();
  }
  double seconds() const { return seconds_; }

 private:
  std::vector<std::byte> room_, plain_;
  double seconds_ = 0;
};

std::string owner_of(const Group& group) { return (group.id.shmem ? "shmem " : "") + std::to_string(group.id.id); }

void write_text(Output& output, const std::vector<Group>& groups, std::uint64_t page_size, double seconds) {
  output.write("PID\tMAPPING\tSIZE\tSTORED\tSAVED\n");
  std::uint64_t bytes = 0, stored = 0;
  const auto line = [&](const std::string& owner, const std::string& name, std::uint64_t size, std::uint64_t less) {
    const std::string saved =
        format("%.1f%%", size == 0 ? 0 : 100 - 100 * static_cast<double>(less) / static_cast<double>(size));
    output.write(owner + '\t' + visible(name) + '\t' + std::to_string(size) + '\t' + std::to_string(less) + '\t' +
                 saved + '\n');
  };
  for (const Group& group : groups) {
    line(owner_of(group), group.name, group.bytes(page_size), group.stored(page_size));
    bytes += group.bytes(page_size);
    stored += group.stored(page_size);
  }
  line("total", "", bytes, stored);
  output.write(format("restore: about %.2f s longer on one processor, if reading takes no time\n", seconds));
}

void write_json(Program& program, Output& output, const StoredSet& set, const std::vector<Group>& groups,
                double seconds) {
  JsonWriter json{output, true, big_numbers_of(program)};
  put_set(json.begin('{').key("schema").number(1u), *set.id);
  std::uint64_t bytes = 0, stored = 0;
  json.key("mappings").begin('[');
  for (const Group& group : groups) {
    json.begin('{');
    if (group.id.shmem) json.key("shmid").number(group.id.id);
    else json.key("pid").number(static_cast<std::uint32_t>(group.id.id));
    json.key("mapping").text(group.name);
    json.key("pages").number(group.nr_pages).key("bytes").number(group.bytes(set.page_size));
    json.key("sampled_bytes").number(group.sampled_bytes);
    json.key("stored_bytes").number(group.stored(set.page_size)).end('}');
    bytes += group.bytes(set.page_size);
    stored += group.stored(set.page_size);
  }
  json.end(']').key("bytes").number(bytes).key("stored_bytes").number(stored);
  json.key("decode_us").number(static_cast<std::uint64_t>(seconds * 1e6)).end('}').line_end();
}

}  // namespace

int Repack::say_plan() {
  Samples all{set_, options_.block_bytes};
  for (const bool chooses : {false, true}) {
    if (chooses) all.choose();
    for (std::size_t i = 0; i < set_.memories.size() && !failed_; ++i) {
      if (!collect(i)) return exit_error;
      const MemoryId id = set_.memories[i];
      const Task* const task = id.shmem ? nullptr : set_.checkpoint->find_task(static_cast<std::uint32_t>(id.id));
      const MappingIndex mappings = task ? MappingIndex{task->memory.mappings} : MappingIndex{};
      for (const Part& part : parts_)
        if (part.is_stored) all.add(i, id, mappings, part.stretch);
      parts_.clear();
      if (PageDirectory* const holder = set_.store->page_directory()) holder->forget(id);
    }
  }
  std::vector<Stretch> stretches;
  for (const Samples::Sample& sample : all.samples) stretches.push_back(sample.pages);
  Trial trial;
  std::vector<std::byte> block;
  const int acceleration = static_cast<int>(program_.number("acceleration", 1));
  const Error error = memory_->read(set_, stretches, [&](std::size_t number, Bytes bytes) {
    block.insert(block.end(), bytes.begin(), bytes.end());
    if (block.size() < bytes_of_pages(stretches[number].nr_pages, set_.page_size)) return Step::go;
    Group& group = all.groups[all.samples[number].group];
    group.sampled_bytes += block.size();
    group.sampled_stored += trial.stored(block, acceleration);
    block.clear();
    return Step::go;
  });
  if (error) fail(error);
  std::uint64_t sampled = 0, compressible = 0;
  for (const Group& group : all.groups) {
    sampled += group.sampled_bytes;
    compressible += group.is_plain ? 0 : group.bytes(set_.page_size);
  }
  const double seconds =
      sampled == 0 ? 0 : trial.seconds() * static_cast<double>(compressible) / static_cast<double>(sampled);
  std::ranges::stable_sort(all.groups, [&](const Group& left, const Group& right) {
    return left.memory != right.memory ? left.memory < right.memory : left.nr_pages > right.nr_pages;
  });
  FileOutput output{STDOUT_FILENO, "standard output"};
  if (program_.has("json")) write_json(program_, output, set_, all.groups, seconds);
  else write_text(output, all.groups, set_.page_size, seconds);
  return program_.finish(output);
}

}  // namespace critpipe::filters
