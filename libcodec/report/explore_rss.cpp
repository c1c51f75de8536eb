// rss: the runs of pages of each task, and the mappings that they lie in.
#include <algorithm>

#include "report/explorers.hpp"

namespace critpipe {

namespace {

// Mappings by address. Guards stand behind all others and never hold pages. What overlaps the one before it, as no
// kernel has it, is left out.
std::vector<Mapping> by_address(const std::vector<Mapping>& mappings) {
  std::vector<Mapping> sorted;
  sorted.reserve(mappings.size());
  for (const Mapping& mapping : mappings)
    if (mapping.kind() != Mapping::Kind::guard) sorted.push_back(mapping);
  if (!std::ranges::is_sorted(sorted, {}, &Mapping::start)) std::ranges::stable_sort(sorted, {}, &Mapping::start);
  std::uint64_t end = 0;
  std::erase_if(sorted, [&](const Mapping& mapping) {
    const bool overlaps = mapping.start < end;
    end = std::max(end, mapping.end);
    return overlaps;
  });
  return sorted;
}

// Walks runs and mappings side by side; both ascend. Says for each run where its mappings begin and end. Only where
// runs overlap, as no image of CRIU has them, are there more pairs than runs and mappings: their mappings are left out.
class Overlaps {
 public:
  Overlaps(const std::vector<Mapping>& mappings, std::size_t nr_runs, std::uint64_t page_size)
      : mappings_{mappings}, page_size_{page_size}, room_{nr_runs + mappings.size()} {}

  std::span<const Mapping> of(const PageRun& run) {
    if (run.vaddr < last_) go_back(run.vaddr);
    last_ = run.vaddr;
    while (at_ < mappings_.size() && mappings_[at_].end <= run.vaddr) ++at_;
    std::size_t end = at_;
    while (end < mappings_.size() && end - at_ < room_ && mappings_[end].start < run.end(page_size_)) ++end;
    room_ -= end - at_;
    return std::span{mappings_}.subspan(at_, end - at_);
  }

 private:
  // Only in images that CRIU would not write.
  void go_back(std::uint64_t vaddr) {
    const auto after = std::ranges::upper_bound(mappings_, vaddr, {}, &Mapping::start);
    at_ = static_cast<std::size_t>(after - mappings_.begin());
    if (at_ > 0 && mappings_[at_ - 1].end > vaddr) --at_;
  }

  const std::vector<Mapping>& mappings_;
  std::uint64_t page_size_;
  std::size_t room_;  // for pairs
  std::uint64_t last_ = 0;
  std::size_t at_ = 0;
};

std::string_view mark_of(const PageRun& run) {
  if (run.is_here()) return {};
  return run.is_parent() ? " parent" : run.is_lazy() ? " lazy" : " absent";
}

std::string name_text(const Exploring& exploring, const Mapping& mapping, std::string_view unknown) {
  return mapping.has_file() ? path_text(exploring, exploring.checkpoint.file_of(mapping), unknown) : std::string{};
}

struct TaskRuns {
  const Task& task;
  std::vector<Mapping> mappings;
  std::uint64_t page_size;
  Overlaps overlaps;
  const Mapping* shown = nullptr;  // the last one

  TaskRuns(const Exploring& exploring, const Task& of)
      : task{of},
        mappings{by_address(of.memory.mappings)},
        page_size{of.memory.page_size ? of.memory.page_size : exploring.checkpoint.page_size()},
        overlaps{mappings, of.pagemap.size(), page_size} {}
  std::uint64_t pages_of(const Mapping& mapping) const {
    return mapping.end < mapping.start ? 0 : pages_in(mapping.end - mapping.start, page_size);
  }
};

void print_run(const Exploring& exploring, TaskRuns& runs, const PageRun& run) {
  const std::string count = format("%lu", run.nr_pages) + std::string{mark_of(run)};
  std::string line = format("%-24s", format("\t%lx / %-8s", run.vaddr, count.c_str()).c_str());
  for (const Mapping& mapping : runs.overlaps.of(run)) {
    if (&mapping == runs.shown) {
      line += " ~";
    } else {
      line += format(" %08lx / %-8lu", mapping.start, runs.pages_of(mapping));
      const std::string name = name_text(exploring, mapping, "unknown path");
      if (mapping.has_file()) line += " " + name;
      runs.shown = &mapping;
    }
    line += format("\n\t%23s", "");
  }
  exploring.write(line + "\n");
}

void put_flags(JsonWriter& json, const PageRun& run) {
  json.begin('[');
  if (run.is_present()) json.text("present");
  if (run.is_parent()) json.text("parent");
  if (run.is_lazy()) json.text("lazy");
  json.end(']');
}

// Returns the name of the last that is shown and has one.
std::string put_mappings(JsonWriter& json, const Exploring& exploring, TaskRuns& runs,
                         std::span<const Mapping> mappings) {
  std::string resource;
  json.begin('[');
  for (const Mapping& mapping : mappings) {
    json.begin('{').key("addr");
    if (&mapping == runs.shown && !exploring.is_lines()) {
      json.text("~");
    } else {
      json.hex(mapping.start).key("pages").number(runs.pages_of(mapping));
      const std::string name = name_text(exploring, mapping, "unknown");
      if (!name.empty()) resource = name;
      runs.shown = &mapping;
    }
    json.end('}');
  }
  json.end(']');
  return resource;
}

// The keys of go-criu leave out what is zero or empty. `resource` is that of the last mapping that is shown.
void put_run(Exploring& exploring, TaskRuns& runs, const PageRun& run) {
  JsonWriter& json = exploring.json;
  json.key("phy_addr").hex(run.vaddr);
  if (run.nr_pages != 0) json.key("phy_pages").number(run.nr_pages);
  const auto mappings = runs.overlaps.of(run);
  std::string resource;
  if (!mappings.empty())
    exploring.put_nested("vmas", [&](JsonWriter& list) { resource = put_mappings(list, exploring, runs, mappings); });
  if (!resource.empty()) put_name(json, "resource", resource);
  json.key("address").number(run.vaddr).key("pages").number(run.nr_pages);
  json.key("bytes").number(bytes_of_pages(run.nr_pages, runs.page_size));
  exploring.put_nested("page_flags", [&](JsonWriter& list) { put_flags(list, run); });
}

void put_task(Exploring& exploring, const Task& task) {
  JsonWriter& json = exploring.json;
  TaskRuns runs{exploring, task};
  exploring.put_pid(exploring.begin_line(), task);
  if (!task.pagemap.empty()) {
    json.key("rss").begin('[');
    for (const PageRun& run : task.pagemap) {
      json.begin('{');
      put_run(exploring, runs, run);
      json.end('}');
    }
    json.end(']');
  }
  json.key("page_size").number(runs.page_size).end('}');
}

}  // namespace

void explore_rss(Exploring& exploring) {
  const bool document = !exploring.is_text() && !exploring.is_lines();
  if (document) exploring.begin_list();
  for (const Task& task : exploring.checkpoint.tasks()) {
    if (!task.is_running()) continue;
    if (document) {
      put_task(exploring, task);
      continue;
    }
    TaskRuns runs{exploring, task};
    if (exploring.is_text()) exploring.write(format("%u\n", task.pid));
    for (const PageRun& run : task.pagemap) {
      if (exploring.is_text()) {
        print_run(exploring, runs, run);
        continue;
      }
      exploring.put_pid(exploring.begin_line(), task);
      put_run(exploring, runs, run);
      exploring.end_line();
    }
  }
  if (document) exploring.end_list();
}

}  // namespace critpipe
