// Archives, streams and single images: pages are searched as they come.
#include <algorithm>
#include <set>

#include "critpipe/checkpoint.hpp"
#include "search/waiting_matches.hpp"
#include "search/memory_search_work.hpp"

namespace critpipe {

using namespace search;

namespace {

class Inputs;

struct LoadedPagemap {
  Pagemap pagemap;
  bool whole = false;
};

// A pages image: what was found in it, at addresses if these were known, else waiting.
struct SearchedPages {
  std::string name;
  std::string path;
  std::string place;
  std::uint64_t seen_bytes = 0;
  bool is_damaged = false;         // and that was said
  std::optional<MemoryId> memory;  // known from the start
  std::vector<Placed> parts;
  std::unique_ptr<WaitingMatches> waiting;
};

struct Set {
  std::shared_ptr<const SetId> id;
  std::string place;  // before the names of its images
  Checkpoint checkpoint{Needs{.mappings = true}};
  std::set<std::string> whole;  // names of images that came to their end
  std::map<MemoryId, LoadedPagemap> pagemaps;
  std::map<std::uint64_t, SearchedPages> pages;
  std::uint64_t page_size(const MemorySearchOptions& options) const {
    return options.page_size != 0 ? options.page_size : checkpoint.page_size();
  }
};

std::string_view file_of(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// Says when an image has come to its end.
class Noting final : public Sink {
 public:
  Noting(std::unique_ptr<Sink> to, Set& set, std::string name)
      : to_{std::move(to)}, set_{set}, name_{std::move(name)} {}
  Step begin(const Image& image) override { return to_->begin(image); }
  Step entry(const Entry& entry) override { return to_->entry(entry); }
  Taken many(Bytes unchecked, std::uint64_t index, std::uint64_t offset) override {
    return to_->many(unchecked, index, offset);
  }
  Step part(const Part& part) override { return to_->part(part); }
  Step bytes(Bytes bytes) override { return to_->bytes(bytes); }
  Step padding(Bytes bytes) override { return to_->padding(bytes); }
  Step close() override { return to_->close(); }
  Step end() override {
    set_.whole.insert(name_);
    return to_->end();
  }
  void fail(const Error& error) override { to_->fail(error); }

 private:
  std::unique_ptr<Sink> to_;
  Set& set_;
  std::string name_;
};

class Inputs final : public Decoding {
 public:
  explicit Inputs(MemorySearch::Work& work) : Decoding{work.options.limits}, work_{work} {}

  bool wants(std::string_view name) override;
  std::unique_ptr<Sink> sink_for(const Member& member) override;
  void report(const Error& error) override { work_.fault(error); }
  Step finish();

 private:
  class PagesSink;
  Set& set_of(const Member& member);
  Step finish(Set& set, Places& places, MemoryId memory, LoadedPagemap& loaded);
  void check_size(const SearchedPages& pages, const std::vector<Placed>& parts);
  bool is_told(const Set& set, MemoryId memory) const;
  // Memory that nobody is known to have is not what a filter asks for.
  bool takes_unclaimed() const {
    const MemoryFilter& filter = work_.options.filter;
    return filter.pids.empty() && filter.ranges.empty() && filter.areas.empty() && filter.protection.empty();
  }

  MemorySearch::Work& work_;
  std::map<SetId, std::unique_ptr<Set>> sets_;
  bool stopped_ = false;
};

// A pages image on its way.
class Inputs::PagesSink final : public Sink {
 public:
  PagesSink(Inputs& inputs, Set& set, SearchedPages& pages);
  Step entry(const Entry&) override { return Step::go; }
  Step raw(Bytes bytes) override;
  Step end() override { return finish(); }
  void fail(const Error&) override {
    pages_.is_damaged = true;
    (void)finish();
  }

 private:
  Step found(const Found& found);
  Step finish();

  Inputs& inputs_;
  SearchedPages& pages_;
  std::unique_ptr<Places> places_;  // matches go out at once
  std::unique_ptr<Search> search_;
  std::unique_ptr<Feeder> feeder_;
  std::vector<Placed>::const_iterator part_;
  std::uint64_t at_ = 0;
  bool full_ = false;
};

bool Inputs::wants(std::string_view name) {
  const std::string_view file = file_of(name);
  const Kind* kind = kind_of_name(file);
  return !kind || memory_of_name(file) || pages_id_of_name(file) || Checkpoint{Needs{.mappings = true}}.wants(file);
}

Set& Inputs::set_of(const Member& member) {
  auto& set = sets_[*member.set];
  if (!set) {
    set = std::make_unique<Set>();
    set->id = member.set;
    set->place = place_beside(member, {});
  }
  return *set;
}

std::unique_ptr<Sink> Inputs::sink_for(const Member& member) {
  if (!member.is_image) return nullptr;
  Set& set = set_of(member);
  const std::string& file = member.name;
  if (const auto pages_id = pages_id_of_name(file)) {
    SearchedPages& pages = set.pages[*pages_id];
    pages.name = member.name;
    pages.path = member.path;
    pages.place = member.place;
    return std::make_unique<PagesSink>(*this, set, pages);
  }
  std::unique_ptr<Sink> to;
  if (const auto memory = memory_of_name(file)) {
    LoadedPagemap& loaded = set.pagemaps[*memory];
    loaded.pagemap.memory = *memory;
    to = std::make_unique<PagemapLoader>(loaded.pagemap, [this, place = member.place](Error error) {
      error.image = place;
      report(error);
    });
  } else if (set.checkpoint.wants(file)) {
    to = set.checkpoint.sink_for(file);
  }
  if (!to) return nullptr;
  return std::make_unique<Noting>(std::move(to), set, file);
}

// Are all images read that say whose memory that is, and what is mapped there?
bool Inputs::is_told(const Set& set, MemoryId memory) const {
  const bool files = set.whole.contains("files.img") || set.whole.contains("reg-files.img");
  return !memory.shmem && files && set.whole.contains("mm-" + std::to_string(memory.id) + ".img");
}

Inputs::PagesSink::PagesSink(Inputs& inputs, Set& set, SearchedPages& pages) : inputs_{inputs}, pages_{pages} {
  const MemorySearch::Work& work = inputs.work_;
  for (auto& [memory, loaded] : set.pagemaps) {
    const bool whole = set.whole.contains(pagemap_name(memory));
    if (!whole || pages_name(loaded.pagemap.pages_id) != pages.name || !inputs.is_told(set, memory)) continue;
    places_ = std::make_unique<Places>(*set.id, set.checkpoint, work.options);
    loaded.pagemap.seal();
    pages.memory = memory;
    pages.parts = parts_of(loaded.pagemap, set.page_size(work.options), places_->wanted(memory));
  }
  std::size_t context = work.options.context;
  if (!places_) {
    pages.waiting = std::make_unique<WaitingMatches>(work.patterns, context);
    context = std::max(context, around_bytes);
  }
  search_ = std::make_unique<Search>(work.patterns, context, [this](const Found& match) { return found(match); });
  feeder_ = std::make_unique<Feeder>(*search_);
  part_ = pages.parts.begin();
}

Step Inputs::PagesSink::found(const Found& found) {
  const MemorySearch::Work& work = inputs_.work_;
  if (places_) return places_->report(*pages_.memory, found, work.report);
  if (full_ || pages_.waiting->add(found)) return Step::go;
  full_ = true;
  Error error{Reason::limit_waiting, pages_.place};
  error.want = max_waiting_bytes;
  work.fault(error);
  return Step::go;
}

Step Inputs::PagesSink::raw(Bytes bytes) {
  Step step = Step::go;
  if (pages_.waiting) step = feeder_->feed(at_, bytes);
  const std::uint64_t end = at_ + bytes.size();
  for (; part_ != pages_.parts.end() && step == Step::go; ++part_) {
    const std::uint64_t from = std::max(at_, part_->from), to = std::min(end, part_->from + part_->size);
    if (from < to)
      step = feeder_->feed(part_->address + (from - part_->from),
                           bytes.subspan(static_cast<std::size_t>(from - at_), static_cast<std::size_t>(to - from)));
    if (end < part_->from + part_->size) break;
  }
  at_ = end;
  if (step == Step::stop) inputs_.stopped_ = true;
  return step;
}

Step Inputs::PagesSink::finish() {
  pages_.seen_bytes = at_;
  const Step step = feeder_->end();
  if (step == Step::stop) inputs_.stopped_ = true;
  return step;
}

// Are the bytes there that the pagemap says?
void Inputs::check_size(const SearchedPages& pages, const std::vector<Placed>& parts) {
  std::uint64_t claimed = 0;
  for (const Placed& part : parts) claimed = std::max(claimed, part.from + part.size);
  if (pages.is_damaged || pages.seen_bytes >= claimed) return;
  Error error{Reason::cut_pages, pages.place, pages.seen_bytes};
  error.want = claimed;
  error.have = pages.seen_bytes;
  work_.fault(error);
}

// What waited, in the order of addresses.
Step Inputs::finish(Set& set, Places& places, MemoryId memory, LoadedPagemap& loaded) {
  loaded.pagemap.seal();
  std::uint64_t in_parent = 0;
  for (const PageRun& run : loaded.pagemap.runs) in_parent += run.is_parent() ? run.nr_pages : 0;
  if (in_parent > 0) {
    Error error{Reason::unsearched_pages, set.place + pagemap_name(memory)};
    error.have = in_parent;
    work_.fault(error);
  }
  const auto parts = parts_of(loaded.pagemap, set.page_size(work_.options), places.wanted(memory));
  const auto pages = set.pages.find(loaded.pagemap.pages_id);
  if (pages == set.pages.end()) {
    if (!parts.empty()) work_.fault({Reason::missing_image, set.place + pages_name(loaded.pagemap.pages_id)});
    return Step::go;
  }
  check_size(pages->second, parts);
  if (!pages->second.waiting) return Step::go;
  const auto give = [&](const Found& found) { return places.report(memory, found, work_.report); };
  const auto lost = [&](std::uint64_t length) {
    Error error{Reason::limit_match, pages->second.place};
    error.have = length;
    work_.fault(error);
  };
  const Step step = pages->second.waiting->resolve(parts, give, lost);
  pages->second.waiting.reset();
  return step;
}

Step Inputs::finish() {
  if (stopped_) return Step::stop;
  for (auto& [id, set] : sets_) {
    set->checkpoint.finish(set->place);
    Places places{id, set->checkpoint, work_.options};
    for (auto& [memory, loaded] : set->pagemaps)
      if (finish(*set, places, memory, loaded) == Step::stop) return Step::stop;
    for (auto& [pages_id, pages] : set->pages) {
      if (!pages.waiting || !takes_unclaimed()) continue;
      const auto give = [this, &id = id, &pages = pages](const Found& found) {
        return work_.report({id,
                             {},
                             {},
                             found.address,
                             found.length,
                             found.pattern,
                             nullptr,
                             {},
                             pages.path,
                             found.before,
                             found.match,
                             found.after});
      };
      if (pages.waiting->as_they_stand(give) == Step::stop) return Step::stop;
    }
  }
  return Step::go;
}

}  // namespace

Step MemorySearch::Work::search_inputs(const std::vector<std::string>& inputs, const SourceOptions& source_options) {
  Inputs receiver{*this};
  Pieces pieces{inputs, source_options};
  while (const auto piece = pieces.next())
    if (piece->read(receiver) == Step::stop) return Step::stop;
  return receiver.finish();
}

}  // namespace critpipe
