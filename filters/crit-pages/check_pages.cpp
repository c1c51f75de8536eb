// --check: do pagemaps, pages images and parents agree?
#include <map>

#include "crit-pages/modes.hpp"
#include "critpipe/check.hpp"

namespace critpipe::filters {

namespace {

constexpr Option options[] = {
    {0, "check", nullptr, "Report where pagemaps, pages images and parents disagree; exit 1 if they do."},
};
constexpr const char* takes[] = {"json", "output", "parent"};

class Findings {
 public:
  Findings(Program& program, Output& output)
      : output_{output}, json_{output, false, big_numbers_of(program)}, as_json_{program.has("json")} {}

  void add(const SetId& set, const PagesFault& fault) {
    add(set, fault.name, fault.image, fault.entry, fault.vaddr, fault.text);
  }
  void add_damage(const SetId& set, const Error& error);
  std::uint64_t count() const { return count_; }

 private:
  void add(const SetId& set, std::string_view name, const std::string& image, std::uint64_t entry,
           std::optional<std::uint64_t> vaddr, const std::string& text);

  Output& output_;
  JsonWriter json_;
  bool as_json_;
  std::uint64_t count_ = 0;
};

void Findings::add(const SetId& set, std::string_view name, const std::string& image, std::uint64_t entry,
                   std::optional<std::uint64_t> vaddr, const std::string& text) {
  ++count_;
  if (!as_json_) {
    std::string line = visible(image) + ": ";
    if (entry != Error::nowhere) line += format("entry %llu: ", static_cast<unsigned long long>(entry));
    if (vaddr) line += format("0x%llx: ", static_cast<unsigned long long>(*vaddr));
    output_.write(line + text + '\n');
    return;
  }
  put_set(json_.begin('{'), set).key("finding").text(name).key("image").text(image);
  if (entry != Error::nowhere) json_.key("entry").number(entry);
  if (vaddr) json_.key("vaddr").number(*vaddr);
  json_.key("text").text(text).end('}').line_end();
}

void Findings::add_damage(const SetId& set, const Error& error) {
  Error inner = error;
  inner.image.clear();
  inner.entry = Error::nowhere;
  add(set, "damaged", error.image, error.entry, {}, to_string(inner));
}

PagesView view_of(SurveyedInputs& surveyed, SurveyedSet& set) {
  PagesView view;
  view.place = set.place;
  view.page_size = set.page_size;
  view.checkpoint = set.checkpoint.get();
  view.store = &set;
  view.may_have_parents = set.page_directory() || set.has_given_parent();
  for (const auto& [id, memory] : set.memories) {
    PagesView::OneMemory one{id, memory.place};
    one.pages_id = memory.pagemap.pages_id;
    one.stored_bytes = memory.pagemap.stored(set.page_size).bytes;
    one.nr_parent = memory.totals.parent;
    one.nr_entries = memory.totals.entries;
    one.address_bits = memory.pagemap.address_bits;
    one.is_named = memory.named;
    one.is_alone = memory.alone;
    // Of compressed pages, what is behind a fault of the input was not counted.
    const SurveyedPages* const image = set.image_of(memory);
    one.is_complete = memory.complete && (!image || image->complete || !image->blocks);
    one.is_compressed = memory.compressed;
    view.memories.push_back(std::move(one));
  }
  for (const auto& [pages_id, image] : set.images)
    view.images.push_back({pages_id, image.place, image.size_bytes, image.claimed});
  view.pagemap = [&surveyed, &set](MemoryId id) { return surveyed.pagemap(set, id); };
  view.is_chosen = [&surveyed](MemoryId id) { return surveyed.chosen(id); };
  return view;
}

void check_links(Findings& findings, SurveyedSet& set) {
  PageDirectory* const directory = set.page_directory();
  if (!directory || (set.memories.empty() && set.images.empty())) return;
  // CRIU opens all of them, whether it needs them or not.
  for (PageDirectory* above = set.has_given_parent() ? nullptr : directory; above; above = above->linked_parent()) {
  }
  for (const Error& error : directory->errors())
    if (error.reason == Reason::bad_parents || error.reason == Reason::no_parent)
      findings.add(set.id, {"parent",
                            error.image,
                            Error::nowhere,
                            {},
                            to_string(Error{error.reason, "", Error::nowhere, Error::nowhere, 0, 0, error.name})});
}

int run(Program& program) {
  Destination destination{program, Destination::Content::text};
  Findings findings{program, destination.output()};
  std::map<const SurveyedMemory*, EntryCheck> entries;
  const auto on_runs = [&](const SurveyedMemory& memory, std::span<const PageRun> runs) {
    const auto report = [&findings, set = memory.set](const PagesFault& fault) { findings.add(set, fault); };
    entries.try_emplace(&memory, report, memory.place).first->second.runs(runs);
    return Step::go;
  };
  // A damaged image is what is looked for; a file that cannot be read is not.
  const auto report = [&](const Error& error) {
    // Those that are links are named by check_links(), the others by SurveyedInputs.
    if (error.reason == Reason::bad_parents || error.reason == Reason::bad_parent) return;
    if (error.reason == Reason::no_parent && !program.has("parent")) return;
    const bool no_input = error.reason == Reason::no_set || error.reason == Reason::no_images;
    if (no_input || fault_of(error.reason) != Fault::data) return program.report(error);
    findings.add_damage(error.set ? *error.set : SetId{{}, {}, true}, error);
  };
  SurveyedInputs surveyed{program,
                          {.runs = true, .blocks = true, .whole = false, .on_runs = on_runs, .report = report}};
  for (const auto& set : surveyed.sets()) {
    check_pages(view_of(surveyed, *set), [&](const PagesFault& fault) { findings.add(set->id, fault); });
    check_links(findings, *set);
  }
  if (findings.count() > 0) program.set_exit_code(exit_no);
  return destination.commit();
}

const Mode mode{{.options = options, .takes = takes, .run = run, .order = 90}};

}  // namespace

}  // namespace critpipe::filters
