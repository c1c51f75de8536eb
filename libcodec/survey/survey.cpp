// Inputs into sets of pagemaps and pages images.
#include "survey/survey_work.hpp"

#include <algorithm>

#include "memory/join_parents.hpp"

namespace critpipe {

namespace {

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
  MemorySink(SurveyedSet& set, const Member& member, const SurveyOptions& options,
             const std::function<void(const Error&)>& report)
      : set_{set},
        name_{member.name},
        place_{member.place},
        member_set_{member.set},
        alone_{!member.in_set},
        options_{options},
        report_{report} {}

  Step end() override {
    if (!memory_) return Step::go;
    set_.state().index.lay_out(memory_->pagemap, reader().layout());
    memory_->pagemap.is_complete = memory_->complete;
    memory_->pagemap.seal();
    return Step::go;
  }
  void fail(const Error&) override {
    if (!memory_) return;
    memory_->complete = false;
    set_.state().index.lay_out(memory_->pagemap, reader().layout());
    memory_->pagemap.seal();
  }

 protected:
  Step head(std::uint64_t pages_id) override {
    const Whose of = whose(name_);
    if (options_.memories && !options_.memories(of.memory)) {
      set_.state().left_out.insert(pages_id);
      return Step::go;
    }
    memory_ = &set_.memories[of.memory];
    memory_->memory = memory_->pagemap.memory = of.memory;
    memory_->named = of.named;
    memory_->set = set_.id;
    memory_->alone = alone_;
    memory_->place = place_;
    set_.state().index.name(memory_->pagemap, pages_id);
    return Step::go;
  }
  Step runs(std::span<const PageRun> runs) override {
    if (!memory_) return Step::go;
    memory_->totals.add(runs);
    for (const PageRun& run : runs) memory_->pagemap.address_bits |= run.vaddr;
    memory_->pagemap.nr_present = reader().nr_present();
    memory_->compressed |= reader().has_compressed();
    // Where compressed pages are is known when all of them have come.
    const bool streams = options_.on_runs && !(alone_ && reader().layout());
    if (options_.runs && set_.directory.empty() && !(alone_ && streams))
      for (const PageRun& run : runs)
        if (run.nr_pages > 0) memory_->pagemap.runs.push_back(run);
    return streams ? options_.on_runs(*memory_, runs) : Step::go;
  }
  void refused(const Error& error) override {
    if (memory_) {
      memory_->complete = false;
      memory_->compressed |= reader().has_compressed();
      set_.state().index.lay_out(memory_->pagemap, reader().layout());
    }
    Error placed = error;
    placed.image = place_;
    placed.set = member_set_;
    report_(placed);
  }

 private:
  SurveyedSet& set_;
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
  StreamedPages(SurveyWork& work, SurveyedSet& set, SurveyedPages& image, bool contents)
      : work_{work},
        state_{set.state()},
        image_{image},
        contents_{contents},
        waits_{work.options.memories && !state_.index.has_any(image.pages_id)} {}

  Step pass_over(std::uint64_t size) override {
    if ((contents_ || (has_blocks() && work_.options.check_blocks)) && !image_.on_disk) return Step::stop;
    image_.size_bytes = image_.content_bytes = size;
    passed_over_ = true;
    return Step::go;
  }
  void fail(const Error&) override {
    image_.complete = false;
    end_sample();
  }
  void refused(const Error& error) override;

 protected:
  Step pages(std::uint64_t first, Bytes bytes) override;
  Step done(std::uint64_t size_bytes) override {
    if (!passed_over_) image_.content_bytes = size_bytes;
    if (!passed_over_) image_.size_bytes = stored_bytes();
    end_sample();
    return Step::go;
  }

 private:
  void take_sample(std::uint64_t first, Bytes bytes, std::span<const PageFact> facts);
  void end_block();
  void end_sample();

  CompressionSample& sample() { return waits_ ? state_.waiting[image_.pages_id] : state_.sample; }

  SurveyWork& work_;
  SurveyedSet::State& state_;
  SurveyedPages& image_;
  bool contents_;
  bool waits_;  // for its pagemap, which says whether somebody wants the image
  bool passed_over_ = false;
  // Of the sample:
  CompressionSample::Place block_ = {};
  bool is_in_block_ = false;  // not behind a part of it that is lost
  bool is_filled_ = false;    // it is not all zeros so far
  bool is_sampled_ = false;
  std::vector<std::byte> block_bytes_;
};

// Said when all came: perhaps pages are larger, or the image is read again. Blocks are named one by one only where they
// are asked for.
void StreamedPages::refused(const Error& error) {
  const auto is_of_image = [this](const Error& one) { return one.image == image_.place; };
  const bool was_named = !work_.options.check_blocks && std::ranges::any_of(state_.refused, is_of_image);
  Error placed = error;
  placed.image = image_.place;
  if (!was_named && state_.refused.size() < max_kept_errors) state_.refused.push_back(std::move(placed));
  if (!contents_) return;
  constexpr std::uint64_t pages_of_block = pages_in(CompressionSample::block_bytes, smallest_page);
  const std::uint64_t first = pages_in(image_.content_bytes, smallest_page);
  image_.content_bytes += error.want;
  const std::uint64_t end = pages_in(image_.content_bytes, smallest_page);
  image_.facts.chunks().grow(end);
  image_.facts.chunks().lose(first, end);
  // Blocks of which something is lost are not sampled.
  if (first % pages_of_block == 0) end_block();
  is_in_block_ = false;
  block_bytes_.clear();
}

Step StreamedPages::pages(std::uint64_t first, Bytes bytes) {
  image_.size_bytes = stored_bytes();
  image_.content_bytes = content_position(first, smallest_page, bytes.size());
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
    take_sample(first, here, std::span{facts}.first(count));
    work_.done_bytes += here.size();
    first += count;
    bytes = bytes.subspan(here.size());
  }
  if (work_.options.progress) work_.options.progress(work_.done_bytes, 0);
  return Step::go;
}

void StreamedPages::take_sample(std::uint64_t first, Bytes bytes, std::span<const PageFact> facts) {
  constexpr std::uint64_t pages_of_block = pages_in(CompressionSample::block_bytes, smallest_page);
  for (const PageFact& fact : facts) {
    if (first % pages_of_block == 0) {
      end_block();
      block_ = CompressionSample::Place::of(image_.pages_id, first / pages_of_block);
      is_sampled_ = state_.sample.takes(block_) && sample().takes(block_);
      is_in_block_ = true;
      is_filled_ = false;
    }
    is_filled_ |= !fact.is_zero();
    if (is_in_block_ && is_sampled_)
      block_bytes_.insert(block_bytes_.end(), bytes.begin(), bytes.begin() + smallest_page);
    bytes = bytes.subspan(smallest_page);
    ++first;
  }
}

void StreamedPages::end_block() {
  if (is_in_block_ && is_filled_ && is_sampled_) sample().add(block_, block_bytes_);
  is_in_block_ = false;
  block_bytes_.clear();
}

// At the end of each image, so that sets which come together do not all hold bytes.
void StreamedPages::end_sample() {
  if (!contents_) return;
  end_block();
  sample().compress(work_.compressors);
}

}  // namespace

PageSurvey::PageSurvey(SurveyOptions options, std::function<void(const Error&)> report)
    : Decoding{options.limits}, work_{std::make_unique<SurveyWork>(std::move(options), std::move(report))} {}
PageSurvey::~PageSurvey() = default;

Needs SurveyWork::needs() const { return options.mappings ? needs_of_memory() : Needs{.kinds = {"INVENTORY"}}; }

SurveyedSet& SurveyWork::set_of(const Member& member) {
  SurveyedSet& found = sets.of(member, [&] {
    auto set = std::make_unique<SurveyedSet>();
    set->directory = member.directory;
    set->checkpoint = std::make_unique<Checkpoint>(needs());
    return set;
  });
  found.is_set |= member.in_set;
  return found;
}

bool PageSurvey::wants(const Member& member) {
  const std::string& file = member.name;
  if (file == "parent") return true;
  if (work_->options.wanted && !work_->options.wanted(member.path)) return false;
  const Kind* kind = kind_of_name(file);
  if (!kind || memory_of_name(file) || is_pages_name(file)) return true;
  return work_->needed.wants(file);
}

std::unique_ptr<Sink> PageSurvey::sink_for(const Member& member) {
  if (!member.is_image) return parent_link_sink(work_->sets, member);
  SurveyedSet& set = work_->set_of(member);
  const std::string& file = member.name;
  set.checkpoint->note(file);
  if (const auto pages_id = pages_id_of_name(file)) {
    if (set.state().left_out.contains(*pages_id)) return nullptr;
    SurveyedPages& image = set.images[*pages_id];
    image.pages_id = *pages_id;
    image.place = member.place;
    image.on_disk = member.fd >= 0;
    const auto make = [this, &set, &image, id = *pages_id] {
      auto sink = std::make_unique<StreamedPages>(*work_, set, image, work_->options.contents);
      if (!image.on_disk) sink->stored_as(image.blocks = work_->blocks_of(set, id));
      return sink;
    };
    if (set.state().again) return make();
    const bool is_decoded = (work_->options.contents || work_->options.check_blocks) && !image.on_disk;
    return set.state().pages_to_try.sink_for(
        member, set.checkpoint->kind() == SetKind::checkpoint, work_->room_to_try, make,
        is_decoded ? early_of(set.state().index, *set.checkpoint) : EarlyPageSize{});
  }
  if (const Error error = fault_of_pages(member); error && work_->options.places) report(error);
  const Kind* kind = kind_of_name(file);
  const bool other = kind && !memory_of_name(file);
  if (other && set.checkpoint->wants(file)) return set.checkpoint->sink_for(file);
  if (other) return nullptr;
  return std::make_unique<MemorySink>(set, member, work_->options, work_->report);
}

void PageSurvey::report(const Error& error) {
  const auto pages_id = pages_id_of_name(error.member);
  if (pages_id && error.set && work_->faulty.size() < max_kept_errors) work_->faulty.insert({*error.set, *pages_id});
  work_->cut.note(error);
  work_->report(error);
}

const ContentTotals& PageSurvey::contents() const { return work_->contents; }

// As far as is known by now; null: plain, or a list of blocks that is wrong, which finish() says.
std::shared_ptr<const StoredPages> SurveyWork::blocks_of(SurveyedSet& set, std::uint64_t pages_id) const {
  Error error;
  return set.state().index.blocks_of(pages_id, set.checkpoint->page_size(options.page_size), error);
}

// Blocks of pages that came before their pagemap were taken for pages. All pages of such a set are forgotten, and read
// again where that can be done.
class PageSurvey::Again final : public Decoding {
 public:
  explicit Again(PageSurvey& survey) : Decoding{survey.work_->options.limits}, survey_{survey} {}
  bool wants(const Member& member) override { return pages_id_of_name(member.name) && survey_.wants(member); }
  bool reads_raw() const override { return false; }
  std::unique_ptr<Sink> sink_for(const Member& member) override {
    SurveyedSet* const set = member.is_image ? survey_.work_->sets.find(*member.set) : nullptr;
    return set && set->state().again ? survey_.sink_for(member) : nullptr;
  }
  void report(const Error&) override {}  // which the first pass has done

 private:
  PageSurvey& survey_;
};

void PageSurvey::read_again(const std::vector<std::string>& inputs, const SourceOptions& options) {
  const bool can = std::ranges::all_of(inputs, [&](const std::string& one) { return can_read_again(one, options); });
  bool any = false;
  for (const auto& set : work_->sets.all()) {
    for (auto& [pages_id, image] : set->images) {
      const std::uint64_t page_size = set->checkpoint->page_size(work_->options.page_size);
      Error late = set->state().index.came_before(pages_id, page_size, image.blocks.get(), image.place);
      if (image.on_disk || !PagemapIndex::is_late(late)) continue;  // finish() says what is wrong with it
      set->state().again = true;
      if (can) continue;
      image.facts = {};
      image.complete = false;
      image.content_bytes = 0;
      work_->report_in(*set, std::move(late));
      set->state().refused.clear();
    }
    if (!can || !set->state().again) continue;
    any = true;
    for (auto& [pages_id, image] : set->images) image = {};
    set->state().refused.clear();
    set->state().sample = {};
    set->state().waiting.clear();
  }
  if (!any) return;
  Again again{*this};
  (void)read_inputs(inputs, again, options);
}

std::vector<std::unique_ptr<SurveyedSet>>& PageSurvey::read(const std::vector<std::string>& inputs,
                                                            const SourceOptions& options) {
  SourceOptions source = options;
  source.parents = true;
  source.parent_sets = linked_sets(inputs, options);
  const Step step = read_inputs(inputs, *this, source);
  const std::set<SurveyedSet*> parents = join_parents(work_->sets, options.set);
  if (work_->options.page_size == 0)
    for (const auto& set : work_->sets.all()) work_->learn_page_size(*set);
  if (step == Step::go && (work_->options.contents || work_->options.check_blocks)) read_again(inputs, source);
  work_->finish(parents);
  return work_->sets.all();
}

void SurveyWork::finish(const std::set<SurveyedSet*>& parents) {
  for (const auto& set : sets.all())
    for (Error& error : set->state().refused) report_in(*set, std::move(error));
  // Their memory is that of the sets which they are the parents of.
  ancestors = sets.take_out(parents);
  const std::vector<std::string> names = set_texts(ids_of(sets.all()));
  for (std::size_t i = 0; i < names.size(); ++i) sets.all()[i]->name = names[i];
  for (const auto& set : sets.all()) {
    std::erase_if(set->images, [&](const auto& one) { return set->state().left_out.contains(one.first); });
    for (const auto& [id, image] : set->images)
      if (image.on_disk) all_bytes += image.size_bytes;
  }
  for (const auto& set : sets.all()) finish(*set);
  if (!options.contents) return;
  const auto all = distinct.in_all();
  contents.distinct = std::min(all.pages, contents.scanned);
  contents.exact = all.exact;
}

SurveyedSet::SurveyedSet() : state_{std::make_unique<State>()} {}
SurveyedSet::~SurveyedSet() = default;

std::optional<std::uint64_t> SurveyedSet::dump_uptime() { return checkpoint->dump_uptime(); }
std::optional<std::uint64_t> SurveyedSet::block_bytes() { return checkpoint->block_bytes(); }
std::uint64_t SurveyedSet::page_size_of_tasks() { return told_page_size(*checkpoint); }

PageStore::Held SurveyedSet::held(std::uint64_t pages_id, MemoryId memory, std::uint64_t with_page_size) {
  const auto image = images.find(pages_id);
  const Pagemap* const stored_by = image == images.end() ? nullptr : pagemap(memory);
  return {place + pages_name(pages_id),
          stored_by ? stored_by->nr_pages_in({image->second.size_bytes}, with_page_size) : 0};
}

std::unique_ptr<const PagesImage> SurveyedSet::stored_image(std::uint64_t pages_id) {
  return state_->pages_to_try.stored_image(pages_id);
}

PageDirectory* SurveyedSet::page_directory() {
  auto& opened = state_->page_directory;
  if (!opened && !directory.empty())
    opened = std::make_unique<PageDirectory>(directory, Limits{}, PageDirectory::ErrorsOf::parents);
  return opened.get();
}

const Pagemap* SurveyedSet::pagemap(MemoryId memory) {
  if (PageDirectory* opened = page_directory()) return opened->pagemap(memory);
  const auto found = memories.find(memory);
  return found == memories.end() ? nullptr : &found->second.pagemap;
}

void SurveyedSet::forget(MemoryId memory) {
  if (PageDirectory* opened = page_directory()) opened->forget(memory);
}

const SurveyedPages* SurveyedSet::image_of(const SurveyedMemory& memory) const {
  const auto found = images.find(memory.pagemap.pages_id);
  return found == images.end() ? nullptr : &found->second;
}

}  // namespace critpipe
