// Archives, streams and single images: pages are searched as they come, by address if everything that tells their
// addresses has come before; else matches wait for it. Where waiting is not exact, or takes too much memory, an image
// is searched in a second pass if the inputs are files. Memory with pages in a parent in the same input is searched
// when all is known.
#include <algorithm>

#include "critpipe/checkpoint.hpp"
#include "memory/join_parents.hpp"
#include "memory/page_size_of_chain.hpp"
#include "search/searched_set.hpp"
#include "source/cut_inputs.hpp"

namespace critpipe {

using namespace search;

namespace {

// Records that an image was read to its end.
class EndRecorder final : public Stage {
 public:
  EndRecorder(std::unique_ptr<Sink> to, SearchedSet& set, std::string name)
      : Stage{to.get()}, to_{std::move(to)}, set_{set}, name_{std::move(name)} {}
  Step end() override {
    const Step step = Stage::end();
    if (const auto memory = memory_of_name(name_)) set_.whole_pagemaps.insert(*memory);
    else set_.whole.insert(name_);
    return step;
  }

 private:
  std::unique_ptr<Sink> to_;
  SearchedSet& set_;
  std::string name_;
};

Error other_page_size(const SearchedPages& pages, std::uint64_t page_size) {
  return named_error(Reason::no_bytes, pages.place,
                     "came before what tells that pages have " + std::to_string(page_size) +
                         " bytes: give --page-size, or the file itself, not a pipe");
}

class InputSearch final : public Decoding {
 public:
  InputSearch(MemorySearch::Work& work, bool is_rereadable, std::optional<std::string> chosen)
      : Decoding{work.options.limits}, work_{work}, chosen_{std::move(chosen)}, pass_{work, is_rereadable} {}

  bool wants(const Member& member) override;
  bool reads_raw() const override { return false; }  // Sink::pass_over decides
  std::unique_ptr<Sink> sink_for(const Member& member) override;
  void report(const Error& error) override;
  Step finish();
  // After finish(): in memory that the filter leaves.
  bool maps_unlinked() const {
    return std::ranges::any_of(sets_.all(), [this](const auto& set) {
      return !set->is_parent && critpipe::maps_unlinked(set->checkpoint, set->id, work_.options);
    });
  }
  bool has_joined() const { return has_joined_; }
  // After finish(): is there anything to be read again? Then all inputs are.
  bool begin_second_pass();

 private:
  SearchedSet& set_of(const Member& member);
  void meet(SearchedSet& set);
  Step finish(SearchedSet& set);
  Step finish(SearchedSet& set, MemoryOwners& owners, Pagemap& pagemap);
  Step finish_waiting(MemoryOwners& owners, const Pagemap& pagemap, SearchedPages& pages,
                      const std::vector<PlacedBytes>& extents);
  Step finish_unclaimed(SearchedSet& set);
  void report_in_parents(SearchedSet& set, MemoryId memory, const Ranges& wanted);
  void check_size(const SearchedSet& set, const SearchedPages& pages, const Pagemap& pagemap,
                  std::uint64_t asked_bytes);
  bool is_decoded(const SearchedSet& set, const Pagemap& pagemap, SearchedPages& pages);
  // A filter asks for memory of known owners only.
  bool takes_unclaimed() const { return work_.options.filter.is_empty(); }

  MemorySearch::Work& work_;
  const std::optional<std::string> chosen_;  // of the sets; the others are read as they may be its parents
  SearchPass pass_;
  SetsOf<SearchedSet> sets_;
  CutInputs cut_;
  bool has_joined_ = false;
  RoomToTry room_to_try_{work_.options.page_size};
  std::set<std::pair<Reason, std::string>> known_;  // errors of the first pass, and their images
  const Checkpoint needed_{needs_of_memory()};      // empty: tells which images the others take
};

bool InputSearch::wants(const Member& member) {
  const std::string& file = member.name;
  if (pass_.is_second) return pages_id_of_name(file).has_value();
  const Kind* kind = kind_of_name(file);  // null: also the link to a parent
  return !kind || memory_of_name(file) || is_pages_name(file) || needed_.wants(file);
}

// The second pass reads what the first one passed over.
void InputSearch::report(const Error& error) {
  cut_.note(error);
  const bool is_room = known_.size() < max_kept_errors;
  const bool is_new = is_room && known_.emplace(error.reason, error.image).second;
  if (is_new || !pass_.is_second) work_.on_error(error);
}

// That of a set which may turn out to be a parent is met when that is known.
void InputSearch::meet(SearchedSet& set) {
  if (work_.options.on_set) work_.options.on_set(set.id);
}

SearchedSet& InputSearch::set_of(const Member& member) {
  if (SearchedSet* const known = sets_.find(*member.set)) return *known;
  SearchedSet& set = sets_.of(member);
  set.in_set = member.in_set;
  set.is_chosen = !chosen_ || set.id.set == *chosen_;
  if (!set.may_be_parent()) meet(set);
  return set;
}

std::unique_ptr<Sink> InputSearch::sink_for(const Member& member) {
  if (pass_.stopped) return nullptr;
  if (!member.is_image) return pass_.is_second ? nullptr : parent_link_sink(sets_, member);
  SearchedSet& set = set_of(member);
  const std::string& file = member.name;
  if (const auto pages_id = pages_id_of_name(file)) {
    SearchedPages& pages = set.pages[*pages_id];
    if (pass_.is_second && !std::exchange(pages.again, false)) return nullptr;
    pages.place = member.place;
    set.checkpoint.note(file);
    const auto make = [this, &set, id = *pages_id] { return std::make_unique<ImageSearch>(pass_, set, id); };
    return pass_.is_second ? make() : set.to_try(member, room_to_try_, make);
  }
  if (pass_.is_second) return nullptr;
  if (const Error error = fault_of_pages(member)) report(error);
  std::unique_ptr<Sink> to;
  if (const auto memory = memory_of_name(file)) {
    set.checkpoint.note(file);
    to = set.pagemaps.load(*memory, [this, place = member.place](Error error) {
      error.image = place;
      report(error);
    });
  } else if (set.checkpoint.wants(file)) {
    to = set.checkpoint.sink_for(file);
  }
  // What no name tells is at least an image.
  if (!to && !member.in_set && !kind_of_name(file)) to = std::make_unique<Stage>(nullptr);
  if (!to) return nullptr;
  return std::make_unique<EndRecorder>(std::move(to), set, file);
}

// Has the image all pages that are asked for, and no more than the pagemap claims? Faults of its blocks are reported
// with the pagemap.
void InputSearch::check_size(const SearchedSet& set, const SearchedPages& pages, const Pagemap& pagemap,
                             std::uint64_t asked_bytes) {
  const std::uint64_t page_size = set.page_size(work_.options);
  Error wrong;
  (void)pagemap.blocks(page_size, wrong);
  if (wrong || pages.is_damaged) return;
  const StoredSize there{pages.seen_bytes};
  if (pagemap.content_bytes_in(there, page_size) < asked_bytes)
    work_.on_error(pagemap.cut(there, pages.place, page_size));
  if (!work_.may_have_larger_pages(set.checkpoint) || !pagemap.is_complete) return;
  if (Error error = set.pagemaps.index().larger_pages(pagemap.pages_id, there, pages.place, page_size))
    work_.on_error(error);
}

// Were the blocks known when the pages came, with the size that pages have? If not, what was found in them counts for
// nothing.
bool InputSearch::is_decoded(const SearchedSet& set, const Pagemap& pagemap, SearchedPages& pages) {
  Error late =
      set.pagemaps.index().came_before(pagemap.pages_id, set.page_size(work_.options), pages.blocks.get(), pages.place);
  const Error refused = std::exchange(pages.refused, {});
  if (!late && refused) work_.report_once(refused);
  if (!late) return true;
  pages.waiting.reset();
  pages.again = PagemapIndex::is_late(late) && pass_.is_rereadable;
  if (pages.again) return false;
  if (!PagemapIndex::is_late(late)) late.image = set.place + late.image;
  work_.on_error(late);
  return false;
}

// Pages that were asked for and are in a parent that is not there, or went by on a pipe.
void InputSearch::report_in_parents(SearchedSet& set, MemoryId memory, const Ranges& wanted) {
  const std::uint64_t page_size = set.page_size(work_.options);
  std::uint64_t nr_missing = 0, nr_lazy = 0;
  for (const auto& [begin, end] : wanted)
    (void)visit_stretches(set, memory, page_size, begin, end, [&](const Stretch& stretch) {
      nr_lazy += stretch.where == Stretch::Where::lazy ? stretch.nr_pages : 0;
      if (stretch.where == Stretch::Where::missing || stretch.level > 0) nr_missing += stretch.nr_pages;
      return Step::go;
    });
  const std::string place = set.place + pagemap_name(memory);
  work_.report_lazy(place, nr_lazy);
  if (nr_missing == 0) return;
  Error error{Reason::unsearched_pages, place};
  if (set.has_given_parent())
    error = {.reason = Reason::no_bytes,
             .image = place,
             .name = std::to_string(nr_missing) +
                     " pages in a parent were not searched: give the archive or stream itself, not a pipe"};
  error.have = nr_missing;
  work_.on_error(error);
}

// Reports what waited for this pagemap.
Step InputSearch::finish(SearchedSet& set, MemoryOwners& owners, Pagemap& pagemap) {
  const MemoryId memory = pagemap.memory;
  const std::uint64_t page_size = set.page_size(work_.options);
  pagemap.seal();
  work_.use.add(memory, &pagemap, page_size);
  const bool is_joined = pass_.is_rereadable && set.is_joined(pagemap);
  has_joined_ |= is_joined;
  if (is_joined) return Step::go;
  const Ranges wanted = owners.wanted(memory);
  report_in_parents(set, memory, wanted);
  const auto extents = stored_extents(pagemap, page_size, wanted);
  if (extents.empty()) return Step::go;
  work_.use.add_stored();
  const auto pages = set.pages.find(pagemap.pages_id);
  if (pages == set.pages.end()) {
    work_.on_error({Reason::missing_image, set.place + pages_name(pagemap.pages_id)});
    return Step::go;
  }
  check_size(set, pages->second, pagemap, std::ranges::max_element(extents, {}, &PlacedBytes::end)->end());
  if (!is_decoded(set, pagemap, pages->second)) return Step::go;
  if (pages->second.searched.contains(memory) && pages->second.page_size != page_size)
    work_.on_error(other_page_size(pages->second, page_size));
  if (pages->second.again || pages->second.searched.contains(memory)) return Step::go;
  const bool is_cut = pages->second.waiting && pages->second.waiting->any_is_cut(extents);
  if (pass_.is_rereadable && (!pages->second.waiting || is_cut || set.pagemaps.index().has_several(pagemap.pages_id))) {
    pages->second.again = true;
    pages->second.waiting.reset();
    return Step::go;
  }
  return finish_waiting(owners, pagemap, pages->second, extents);
}

Step InputSearch::finish_waiting(MemoryOwners& owners, const Pagemap& pagemap, SearchedPages& pages,
                                 const std::vector<PlacedBytes>& extents) {
  if (!pages.waiting) {
    work_.on_error({.reason = Reason::no_bytes,
                    .image = pages.place,
                    .name = "was searched for another pagemap only, before " + pagemap_name(pagemap.memory) +
                            " came: give the archive or stream itself, not a pipe"});
    return Step::go;
  }
  const auto give = [&](const Match& found) { return owners.report(pagemap.memory, found, work_.on_match); };
  const auto lost = [&](Error error) {
    error.image = pages.place;
    work_.on_error(error);
  };
  return pages.waiting->resolve(extents, give, lost);
}

Step InputSearch::finish_unclaimed(SearchedSet& set) {
  for (auto& [pages_id, pages] : set.pages) {
    const bool is_claimed = set.pagemaps.index().has_any(pages_id);
    const auto give = [&, &image = pages](const Match& found) { return pass_.report_unclaimed(set, image, found); };
    if (pages.waiting && !is_claimed && takes_unclaimed())
      if (pages.waiting->resolve_without_pagemap(give) == Step::stop) return Step::stop;
    pages.waiting.reset();
  }
  return Step::go;
}

Step InputSearch::finish(SearchedSet& set) {
  set.checkpoint.finish(set.place, !cut_.may_lack(set.id, false));
  if (set.is_parent) {  // its memory is that of its child
    for (auto& [pages_id, pages] : set.pages) pages.waiting.reset();
    return Step::go;
  }
  if (work_.options.page_size == 0) {
    std::vector<MemoryId> ids;
    for (const Pagemap& pagemap : set.pagemaps.all()) ids.push_back(pagemap.memory);
    learn_page_size(set.checkpoint, set, ids);
  }
  if (set.may_be_parent()) meet(set);
  set.sharers = std::make_shared<SharedOwners>();
  MemoryOwners owners{set.id, set.checkpoint, work_.options, set.sharers};
  work_.use.add(set.checkpoint);
  if (!set.pages.empty()) work_.use.add_pages_image();
  else if (set.in_set && set.pagemaps.all().empty()) work_.use.add_without_memory(set.id);
  if (set.in_set)
    work_.report_missing(set.checkpoint, set.place, [&](MemoryId memory) { return set.pagemaps.contains(memory); });
  for (Pagemap& pagemap : set.pagemaps.all())
    if (finish(set, owners, pagemap) == Step::stop) return Step::stop;
  return finish_unclaimed(set);
}

Step InputSearch::finish() {
  if (pass_.stopped) return Step::stop;
  for (SearchedSet* const parent : join_parents(sets_, chosen_)) parent->is_parent = true;
  for (const auto& set : sets_.all())
    if (finish(*set) == Step::stop) return Step::stop;
  return Step::go;
}

bool InputSearch::begin_second_pass() {
  pass_.is_second = true;
  bool any = false;
  for (const auto& set : sets_.all())
    for (auto& [pages_id, pages] : set->pages) {
      const auto is_left = [&, &image = pages](const Pagemap& pagemap) {
        return !image.searched.contains(pagemap.memory) && !set->is_joined(pagemap);
      };
      const auto named = set->pagemaps.index().of(pages_id);
      const bool is_asked_for = named.empty() ? takes_unclaimed() : std::ranges::any_of(named, is_left);
      pages.again = pages.again && !set->is_parent && is_asked_for;
      any = any || pages.again;
    }
  return any;
}

}  // namespace

Step MemorySearch::Work::search_inputs(const std::vector<std::string>& inputs, const SourceOptions& source_options) {
  const bool is_rereadable =
      std::ranges::all_of(inputs, [&](const std::string& input) { return can_read_again(input, source_options); });
  SourceOptions source = source_options;
  source.parents = true;
  source.parent_sets = linked_sets(inputs, source_options);
  InputSearch receiver{*this, is_rereadable, source_options.set};
  if (read_inputs(inputs, receiver, source) == Step::stop || receiver.finish() == Step::stop) return Step::stop;
  if (receiver.begin_second_pass() && read_inputs(inputs, receiver, source) == Step::stop) return Step::stop;
  if (receiver.has_joined() && search_joined(inputs, source_options) == Step::stop) return Step::stop;
  if (!receiver.maps_unlinked()) return Step::go;
  if (is_rereadable) return search_unlinked(inputs, source_options);
  on_error({.reason = Reason::no_bytes,
            .name = "unlinked files that are mapped were not searched: give the archive itself, not a pipe"});
  return Step::go;
}

Step MemorySearch::Work::step_behind(const FedSearch& search, const std::string& place) const {
  if (!search.error()) return Step::stop;
  Error error = search.error();
  error.image = place;
  on_error(error);
  return Step::go;
}

}  // namespace critpipe
