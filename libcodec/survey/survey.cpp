// Inputs into sets of pagemaps and pages images.
#include "survey/survey_work.hpp"

#include <algorithm>

namespace critpipe {

namespace {

std::string_view file_of(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// Whose memory: named by the file, or that of an image without a name.
struct Whose {
  MemoryId memory;
  bool named;
};
Whose whose(std::string_view name) {
  const auto memory = memory_of_name(name);
  return memory ? Whose{*memory, true} : Whose{{}, false};
}

// Sums over a pagemap; it is entered into its set when it turns out to be one.
class MemorySink final : public PagemapSink {
 public:
  MemorySink(SetState& state, const Member& member, const SurveyOptions& options,
             const std::function<void(const Error&)>& report)
      : PagemapSink{options.places ? PagemapReader::Places::wanted : PagemapReader::Places::ignored},
        set_{*state.set},
        left_out_{state.left_out},
        name_{member.name},
        place_{member.place},
        member_set_{member.set},
        alone_{!member.in_set},
        options_{options},
        report_{report} {}

  Step end() override {
    if (memory_) memory_->pagemap.seal();
    return Step::go;
  }
  void fail(const Error&) override {
    if (!memory_) return;
    memory_->complete = false;
    memory_->pagemap.seal();
  }

 protected:
  Step head(std::uint64_t pages_id) override {
    const Whose of = whose(name_);
    if (options_.memories && !options_.memories(of.memory)) {
      left_out_.insert(pages_id);
      return Step::go;
    }
    memory_ = &set_.memories[of.memory];
    memory_->memory = memory_->pagemap.memory = of.memory;
    memory_->named = of.named;
    memory_->set = set_.id;
    memory_->alone = alone_;
    memory_->place = place_;
    memory_->pagemap.pages_id = pages_id;
    return Step::go;
  }
  Step runs(std::span<const PageRun> runs) override {
    if (!memory_) return Step::go;
    memory_->totals.add(runs);
    memory_->pagemap.nr_present = reader().nr_present();
    memory_->compressed |= reader().has_compressed();
    if (options_.runs && set_.directory.empty() && !(alone_ && options_.on_runs))
      for (const PageRun& run : runs)
        if (run.nr_pages > 0) memory_->pagemap.runs.push_back(run);
    return options_.on_runs ? options_.on_runs(*memory_, runs) : Step::go;
  }
  void refused(const Error& error) override {
    if (memory_) {
      memory_->complete = false;
      memory_->compressed |= reader().has_compressed();
    }
    Error placed = error;
    placed.image = place_;
    placed.set = member_set_;
    report_(placed);
  }

 private:
  SurveyedSet& set_;
  std::set<std::uint64_t>& left_out_;
  std::string name_, place_;
  std::shared_ptr<const SetId> member_set_;
  bool alone_;
  const SurveyOptions& options_;
  const std::function<void(const Error&)>& report_;
  SurveyedMemory* memory_ = nullptr;
};

// Pages as they come: facts by number of smallest page, and blocks for the compressors.
class StreamedPages final : public PagesSink {
 public:
  StreamedPages(SurveyWork& work, SetState& state, SurveyedPages& image, bool contents)
      : work_{work}, state_{state}, image_{image}, contents_{contents} {}

  Step pass_over(std::uint64_t size) override {
    if (contents_ && !image_.on_disk) return Step::stop;
    image_.size_bytes = size;
    passed_over_ = true;
    return Step::go;
  }
  void fail(const Error&) override { image_.complete = false; }

 protected:
  Step pages(std::uint64_t first, Bytes bytes) override;
  Step done(std::uint64_t size_bytes) override {
    if (!passed_over_) image_.size_bytes = size_bytes;
    sample(true);
    return Step::go;
  }

 private:
  void take_sample(std::uint64_t first, Bytes bytes);
  void sample(bool last);

  SurveyWork& work_;
  SetState& state_;
  SurveyedPages& image_;
  bool contents_;
  bool passed_over_ = false;
  std::uint64_t block_ = 0;  // of block_bytes_
  std::vector<std::byte> block_bytes_;
};

Step StreamedPages::pages(std::uint64_t first, Bytes bytes) {
  image_.size_bytes += bytes.size();
  if (!contents_) return Step::go;
  bytes = bytes.first(bytes.size() - bytes.size() % smallest_page);
  PageFacts::Chunks& chunks = image_.facts.chunks();
  chunks.grow(first + pages_in(bytes.size(), smallest_page));
  while (!bytes.empty()) {
    const std::size_t at = first % PageFacts::Chunks::chunk_pages;
    const std::size_t count =
        std::min<std::size_t>({pages_in(bytes.size(), smallest_page), PageFacts::Chunks::chunk_pages - at, 16});
    const std::size_t chunk = first / PageFacts::Chunks::chunk_pages;
    const Bytes here = bytes.first(count * smallest_page);
    std::array<PageFact, 16> facts = {};
    scan_pages(here, facts.data());
    // A hole of an archive comes as zeros, and may be very large.
    if (chunks.has_chunk(chunk) || !std::ranges::all_of(std::span{facts}.first(count), &PageFact::is_zero))
      std::copy_n(facts.begin(), count, chunks.chunk(chunk, at + count) + at);
    take_sample(first, here);
    work_.done_bytes += here.size();
    first += count;
    bytes = bytes.subspan(here.size());
  }
  if (work_.options.progress) work_.options.progress(work_.done_bytes, 0);
  return Step::go;
}

// Blocks are numbered as their first page comes, whatever image they belong to.
void StreamedPages::take_sample(std::uint64_t first, Bytes bytes) {
  constexpr std::uint64_t pages_of_block = pages_in(CompressionSample::block_bytes, smallest_page);
  for (; !bytes.empty(); bytes = bytes.subspan(smallest_page), ++first) {
    if (first % pages_of_block == 0) {
      sample(true);
      block_ = state_.nr_blocks++;
    }
    if (!CompressionSample::takes(block_)) continue;
    block_bytes_.insert(block_bytes_.end(), bytes.begin(), bytes.begin() + smallest_page);
    sample(false);
  }
}

void StreamedPages::sample(bool last) {
  if (block_bytes_.empty() || (!last && block_bytes_.size() < CompressionSample::block_bytes)) return;
  state_.sample.add(block_, block_bytes_, work_.compressors);
  block_bytes_.clear();
}

}  // namespace

PageSurvey::PageSurvey(SurveyOptions options, std::function<void(const Error&)> report)
    : Decoding{options.limits}, work_{std::make_unique<SurveyWork>(std::move(options), std::move(report))} {}
PageSurvey::~PageSurvey() = default;

Needs SurveyWork::needs() const {
  Needs needs{.mappings = options.mappings};
  if (options.mappings) needs.kinds.emplace_back("IPCNS_SHM");
  return needs;
}

SetState& SurveyWork::state_of(const Member& member) {
  const auto [known, added] = by_id.try_emplace(*member.set, sets.size());
  if (!added) return *states[known->second];
  auto& set = *sets.emplace_back(std::make_unique<SurveyedSet>());
  auto& state = *states.emplace_back(std::make_unique<SetState>());
  state.set = &set;
  state.place = place_beside(member, {});
  if (member.in_directory) set.directory = state.place.substr(0, state.place.size() - 1);
  set.id = *member.set;
  set.place = state.place;
  set.checkpoint = std::make_unique<Checkpoint>(needs());
  return state;
}

// The memory of a parent is that of the set which it is the parent of.
void SurveyWork::take_parents_out() {
  std::vector<SetId> ids;
  for (const auto& set : sets) ids.push_back(set->id);
  const std::vector<std::size_t> parents = parents_among(ids);
  std::set<const SurveyedSet*> above;
  for (std::size_t i = 0; i < sets.size(); ++i) {
    if (parents[i] == sets.size() || !sets[i]->directory.empty()) continue;
    sets[i]->given_parent = sets[parents[i]].get();
    above.insert(sets[i]->given_parent);
  }
  std::erase_if(states, [&](const auto& state) { return above.contains(state->set); });
  for (auto& set : sets)
    if (above.contains(set.get())) ancestors.push_back(std::move(set));
  std::erase(sets, nullptr);
}

bool PageSurvey::wants(std::string_view name) {
  if (work_->options.wanted && !work_->options.wanted(name)) return false;
  const std::string_view file = file_of(name);
  const Kind* kind = kind_of_name(file);
  if (!kind || memory_of_name(file) || is_pages_name(file)) return true;
  return work_->needed.wants(file);
}

std::unique_ptr<Sink> PageSurvey::sink_for(const Member& member) {
  if (!member.is_image) return nullptr;
  SetState& state = work_->state_of(member);
  SurveyedSet& set = *state.set;
  const std::string& file = member.name;
  if (const auto pages_id = pages_id_of_name(file)) {
    if (state.left_out.contains(*pages_id)) return nullptr;
    SurveyedPages& image = set.images[*pages_id];
    image.pages_id = *pages_id;
    image.place = member.place;
    image.on_disk = member.fd >= 0;
    return std::make_unique<StreamedPages>(*work_, state, image, work_->options.contents);
  }
  if (const Error error = fault_of_pages(member); error && work_->options.places) report(error);
  set.checkpoint->note(file);
  const Kind* kind = kind_of_name(file);
  const bool other = kind && !memory_of_name(file);
  if (other && set.checkpoint->wants(file)) return set.checkpoint->sink_for(file);
  if (other) return nullptr;
  return std::make_unique<MemorySink>(state, member, work_->options, work_->report);
}

void PageSurvey::report(const Error& error) {
  const bool is_pages = pages_id_of_name(file_of(error.image)).has_value();
  if (is_pages && work_->faulty.size() < max_kept_errors) work_->faulty.insert(error.image);
  work_->report(error);
}

const ContentTotals& PageSurvey::contents() const { return work_->contents; }

std::vector<std::unique_ptr<SurveyedSet>>& PageSurvey::read(const std::vector<std::string>& inputs,
                                                            const SourceOptions& options) {
  Pieces pieces{inputs, options};
  while (const auto piece = pieces.next())
    if (piece->read(*this) == Step::stop) break;
  work_->take_parents_out();
  std::vector<SetId> ids;
  for (const auto& set : work_->sets) ids.push_back(set->id);
  const std::vector<std::string> names = texts_of(ids);
  for (std::size_t i = 0; i < names.size(); ++i) work_->sets[i]->name = names[i];
  for (const auto& state : work_->states)
    std::erase_if(state->set->images, [&](const auto& one) { return state->left_out.contains(one.first); });
  for (const auto& state : work_->states)
    for (const auto& [id, image] : state->set->images)
      if (image.on_disk) work_->all_bytes += image.size_bytes;
  for (const auto& state : work_->states) work_->finish(*state);
  if (work_->options.contents) {
    const auto all = work_->distinct.in_all();
    work_->contents.distinct = std::min(all.pages, work_->contents.scanned);
    work_->contents.exact = all.exact;
  }
  return work_->sets;
}

PageDirectory* SurveyedSet::page_directory() {
  if (!page_directory_ && !directory.empty()) page_directory_ = std::make_unique<PageDirectory>(directory);
  return page_directory_.get();
}

const Pagemap* SurveyedSet::pagemap(MemoryId memory) {
  if (page_directory()) return page_directory_->pagemap(memory);
  const auto found = memories.find(memory);
  return found == memories.end() ? nullptr : &found->second.pagemap;
}

SurveyedSet& SurveyedSet::holder(Stretch& stretch) {
  SurveyedSet* set = this;
  for (; stretch.level > 0 && set->given_parent; --stretch.level) set = set->given_parent;
  return *set;
}

PageStore* SurveyedSet::parent() {
  if (given_parent) return given_parent;
  return page_directory() ? page_directory_->parent() : nullptr;
}

void SurveyedSet::forget(MemoryId memory) {
  if (page_directory()) page_directory_->forget(memory);
}

const SurveyedPages* SurveyedSet::image_of(const SurveyedMemory& memory) const {
  const auto found = images.find(memory.pagemap.pages_id);
  return found == images.end() ? nullptr : &found->second;
}

}  // namespace critpipe
