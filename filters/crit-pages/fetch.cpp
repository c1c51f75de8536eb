#include "crit-pages/fetch.hpp"

#include <algorithm>
#include <deque>
#include <sys/stat.h>
#include <unistd.h>

namespace critpipe::filters {

// A stretch of one request: bytes of a pages image, or zeros.
struct Fetch::Part {
  std::size_t request = 0;
  SurveyedSet* set = nullptr;
  Stretch stretch = {};
  std::uint64_t skip = 0;  // bytes of the stretch before those that are wanted
  std::uint64_t size = 0;

  bool is_stored() const { return stretch.where == Stretch::Where::stored; }
  std::uint64_t offset() const { return stretch.page * set->page_size + skip; }  // in the pages image
};

// A pages image from a pipe, in memory.
class Fetch::Held final : public PagesSink {
 public:
  Held(Fetch& fetch, std::vector<std::byte>& bytes) : fetch_{fetch}, bytes_{bytes} {}
  Step pass_over(std::uint64_t) override { return Step::stop; }

 protected:
  Step pages(std::uint64_t, Bytes bytes) override {
    fetch_.held_bytes_ += bytes.size();
    if (fetch_.held_bytes_ > fetch_.held_limit_) fetch_.over_limit_ = true;
    else bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return Step::go;
  }

 private:
  Fetch& fetch_;
  std::vector<std::byte>& bytes_;
};

namespace {

bool is_pipe(const std::string& input) {
  struct stat status;
  const int fault = input == "-" ? fstat(STDIN_FILENO, &status) : stat(input.c_str(), &status);
  return fault == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode);
}

}  // namespace

Fetch::~Fetch() = default;

Fetch::Fetch(Program& program)
    : program_{program},
      progress_{program},
      held_limit_{program.number("memory", std::uint64_t{1} << 30)},
      is_pipe_{std::ranges::any_of(program.inputs(), is_pipe)} {
  const Chosen chosen{program};
  SurveyOptions options = survey_options(program, progress_);
  options.budget_bytes = ~std::uint64_t{0};
  options.runs = true;
  if (is_pipe_)
    options.pages_sink = [this, chosen](SurveyedSet& set, std::uint64_t pages_id) -> std::unique_ptr<Sink> {
      // Known to be another process's: not held.
      const bool other = std::ranges::any_of(set.memories, [&](const auto& one) {
        return one.second.pagemap.pages_id == pages_id && !one.first.shmem && !chosen(one.first);
      });
      if (other) return nullptr;
      return std::make_unique<Held>(*this, held_[{&set, pages_id}]);
    };
  surveyed_ = std::make_unique<Surveyed>(program, options);
}

void Fetch::report_missing(const Request& request, const Stretch& stretch) {
  const std::uint64_t page_size = request.set->page_size;
  const std::uint64_t begin = std::max(stretch.vaddr, request.begin);
  const std::uint64_t end = std::min(stretch.vaddr + stretch.nr_pages * page_size, request.end);
  Error error{Reason::no_bytes, request.set->name};
  error.name = formatted("0x%llx-0x%llx of process %u ", static_cast<unsigned long long>(begin),
                         static_cast<unsigned long long>(end), request.task->pid);
  const MappingIndex mappings{request.task->memory.mappings};
  const Mapping* mapping = mappings.at(begin);
  switch (stretch.where) {
    case Stretch::Where::lazy: error.name += "were left behind for a lazy restore"; break;
    case Stretch::Where::missing: error.name += "are in a parent that is not here, or lacks them"; break;
    default:
      if (!mapping) error.name += "are in no mapping";
      else if (mapping->kind() == Mapping::Kind::file)
        error.name += "are as in " + request.set->checkpoint->name_of(*mapping);
      else error.name += "are not stored: zeros, if nothing else is known of them (--holes zero)";
  }
  program_.report(error);
}

bool Fetch::locate(const Request& request, bool holes_are_zero) {
  ProcessMemory memory{*request.set, *request.set->checkpoint, *request.task, request.set->page_size};
  const std::size_t number = nr_requests_++;
  bool good = true;
  memory.stretches(request.begin, request.end, [&](const Stretch& stretch) {
    const std::uint64_t begin = std::max(stretch.vaddr, request.begin);
    const std::uint64_t end = std::min(stretch.vaddr + stretch.nr_pages * request.set->page_size, request.end);
    if (begin >= end) return Step::go;
    const bool zeros = stretch.where == Stretch::Where::hole && holes_are_zero;
    if (stretch.where != Stretch::Where::stored && !zeros) {
      report_missing(request, stretch);
      good = false;
      return Step::go;
    }
    parts_.push_back({number, request.set, stretch, begin - stretch.vaddr, end - begin});
    return Step::go;
  });
  return good;
}

Step Fetch::by_position(const Part& part, const Take& take) {
  std::vector<std::byte> block(std::min<std::uint64_t>(part.size, block_bytes));
  for (std::uint64_t done = 0; done < part.size;) {
    const std::span<std::byte> here{block.data(), std::min<std::uint64_t>(block.size(), part.size - done)};
    if (part.is_stored()) {
      if (const Error error = part.set->folder()->read(part.stretch, part.set->page_size, part.skip + done, here)) {
        program_.report(error);
        return Step::stop;
      }
    }
    if (take(part.request, here) == Step::stop) return Step::stop;
    done += here.size();
  }
  return Step::go;
}

// Bytes of pages images, as they come, to the parts that want them. What is next in line is handed on at once; what is
// for later waits.
class Fetch::Assembly {
 public:
  Assembly(Fetch& fetch, const Take& take)
      : fetch_{fetch}, parts_{fetch.parts_}, take_{take}, waiting_(parts_.size()), done_(parts_.size()) {}

  bool wants(const SurveyedSet& set, std::uint64_t pages_id) const {
    return std::ranges::any_of(parts_, [&](const Part& part) {
      return part.set == &set && part.is_stored() && part.stretch.pages_id == pages_id;
    });
  }
  Step feed(const SurveyedSet& set, std::uint64_t pages_id, std::uint64_t offset, Bytes bytes);
  Step advance();
  bool complete() const { return next_ == parts_.size(); }
  bool over_limit() const { return over_limit_; }

 private:
  Fetch& fetch_;
  const std::vector<Part>& parts_;
  const Take& take_;
  std::vector<std::vector<std::byte>> waiting_;  // bytes of a part that is not next
  std::vector<std::uint64_t> done_;              // bytes that have come
  std::size_t next_ = 0;
  std::uint64_t waiting_bytes_ = 0;
  bool over_limit_ = false;
};

Step Fetch::Assembly::feed(const SurveyedSet& set, std::uint64_t pages_id, std::uint64_t offset, Bytes bytes) {
  for (std::size_t i = next_; i < parts_.size(); ++i) {
    const Part& part = parts_[i];
    if (part.set != &set || !part.is_stored() || part.stretch.pages_id != pages_id) continue;
    const std::uint64_t at = part.offset() + done_[i];
    if (done_[i] == part.size || at < offset || at >= offset + bytes.size()) continue;
    const auto size = std::min<std::uint64_t>(part.size - done_[i], offset + bytes.size() - at);
    const Bytes here = bytes.subspan(at - offset).first(size);
    done_[i] += here.size();
    if (i == next_) {
      if (take_(part.request, here) == Step::stop) return Step::stop;
      if (advance() == Step::stop) return Step::stop;
      continue;
    }
    waiting_bytes_ += here.size();
    if (waiting_bytes_ > fetch_.held_limit_) {
      over_limit_ = true;
      return Step::stop;
    }
    waiting_[i].insert(waiting_[i].end(), here.begin(), here.end());
  }
  return Step::go;
}

// Hands on what waits and is next in line now.
Step Fetch::Assembly::advance() {
  for (; next_ < parts_.size(); ++next_) {
    const Part& part = parts_[next_];
    if (!part.is_stored() || !part.set->directory.empty()) {
      if (fetch_.by_position(part, take_) == Step::stop) return Step::stop;
      continue;
    }
    std::vector<std::byte> bytes = std::move(waiting_[next_]);
    waiting_[next_] = {};
    waiting_bytes_ -= bytes.size();
    if (!bytes.empty() && take_(part.request, bytes) == Step::stop) return Step::stop;
    if (done_[next_] < part.size) return Step::go;
  }
  return Step::go;
}

Step Fetch::from_stream(const Take& take) {
  Assembly assembly{*this, take};
  if (assembly.advance() == Step::stop) return Step::stop;
  for (const auto& [key, bytes] : held_)
    if (assembly.feed(*key.first, key.second, 0, bytes) == Step::stop) return Step::stop;
  std::unique_ptr<Surveyed> again;
  if (!is_pipe_ && !assembly.complete()) {
    // The same inputs give the same sets in the same order.
    class Picked final : public PagesSink {
     public:
      Picked(Assembly& assembly, const SurveyedSet& set, std::uint64_t pages_id)
          : assembly_{assembly}, set_{set}, pages_id_{pages_id} {}
      Step pass_over(std::uint64_t) override { return Step::stop; }

     protected:
      Step pages(std::uint64_t first, Bytes bytes) override {
        return assembly_.feed(set_, pages_id_, first * smallest_page, bytes);
      }

     private:
      Assembly& assembly_;
      const SurveyedSet& set_;
      std::uint64_t pages_id_;
    };
    std::map<SetId, SurveyedSet*> by_id;
    for (const auto& set : surveyed_->sets()) by_id[set->id] = set.get();
    SurveyOptions options = survey_options(program_, progress_);
    options.mappings = false;
    options.pages_sink = [&](SurveyedSet& set, std::uint64_t pages_id) -> std::unique_ptr<Sink> {
      const auto known = by_id.find(set.id);
      if (known == by_id.end() || !assembly.wants(*known->second, pages_id)) return nullptr;
      return std::make_unique<Picked>(assembly, *known->second, pages_id);
    };
    again = std::make_unique<Surveyed>(program_, options);
  }
  if (assembly.over_limit() || (over_limit_ && !assembly.complete())) {
    Error error{Reason::limit_held, "", Error::nowhere, Error::nowhere, held_limit_};
    program_.report(error);
  } else if (!assembly.complete() && !program_.failed()) {
    Error error{Reason::no_bytes};
    error.name.assign("a pages image is missing or cut short");
    program_.report(error);
  }
  return Step::go;
}

Step Fetch::run(const Take& take) {
  const bool streams = std::ranges::any_of(parts_, [](const Part& part) { return part.set->directory.empty(); });
  if (streams) return from_stream(take);
  for (const Part& part : parts_)
    if (by_position(part, take) == Step::stop) return Step::stop;
  return Step::go;
}

std::vector<Process> chosen_processes(Program& program, Surveyed& surveyed, bool several) {
  const Chosen chosen{program};
  std::vector<Process> found;
  std::string pids;
  static std::deque<Task> unknown;  // of pagemaps without the other images of their task
  for (const auto& set : surveyed.sets())
    for (const auto& [id, memory] : set->memories) {
      if (id.shmem || !memory.named || !chosen(id)) continue;
      const Task* task = task_of(*set, id);
      if (!task) {
        task = &unknown.emplace_back();
        unknown.back().pid = static_cast<std::uint32_t>(id.id);
      }
      found.push_back({set.get(), task});
      pids += formatted(pids.empty() ? "%u" : ", %u", task->pid);
    }
  if (found.empty()) {
    Error error{Reason::usage};
    error.name.assign(program.has("pid") ? "no such process with memory in the input"
                                         : "no process with memory in the input");
    if (!program.failed()) program.report(error);
  }
  if (found.size() > 1 && !several) program.usage("--pid chooses one of these processes: " + pids);
  return found;
}

}  // namespace critpipe::filters
