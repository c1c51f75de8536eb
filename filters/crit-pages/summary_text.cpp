// A summary for people.
#include "crit-pages/summary.hpp"

namespace critpipe::filters {

namespace {

using Unsigned = unsigned long long;

class Text {
 public:
  Text(Output& output, bool contents) : output_{output}, contents_{contents} {}

  void memory(const SurveyedSet& set, const SurveyedMemory& memory, const Users& users);
  void stored(const StoredTotals& stored, std::uint64_t page_size);
  void totals(const PageTotals& totals, std::uint64_t page_size);
  void contents(const ContentTotals& contents, std::uint64_t page_size);
  void estimates(const SurveyedSet& set);
  void line(const char* what, const std::string& text) { output_.write(format("  %-10s %s\n", what, text.c_str())); }
  void pages(const char* what, std::uint64_t nr_pages, std::uint64_t page_size) {
    line(what, format("%10llu  %s", Unsigned{nr_pages}, size_text(bytes_of_pages(nr_pages, page_size)).c_str()));
  }

 private:
  void estimate(const char* what, const CompressionEstimate& estimate, std::uint64_t bytes);

  Output& output_;
  bool contents_;
};

void Text::totals(const PageTotals& totals, std::uint64_t page_size) {
  line("entries", format("%10llu", Unsigned{totals.entries}));
  pages("pages", totals.pages, page_size);
  pages("present", totals.present, page_size);
  if (totals.parent > 0) pages("parent", totals.parent, page_size);
  if (totals.lazy > 0) pages("lazy", totals.lazy, page_size);
  if (totals.absent > 0) pages("absent", totals.absent, page_size);
  std::string lengths;
  for (std::size_t bits = 0; bits < totals.lengths.size(); ++bits) {
    if (totals.lengths[bits] == 0) continue;
    const Unsigned from = bits == 0 ? 0 : Unsigned{1} << (bits - 1);
    const Unsigned to = (Unsigned{1} << bits) - 1;
    if (!lengths.empty()) lengths += "  ";
    lengths += from == to ? format("%llu:%llu", from, Unsigned{totals.lengths[bits]})
                          : format("%llu-%llu:%llu", from, to, Unsigned{totals.lengths[bits]});
  }
  if (!lengths.empty()) line("lengths", lengths);
}

void Text::contents(const ContentTotals& contents, std::uint64_t page_size) {
  const char* about = contents.exact ? "" : "~";
  pages("zero", contents.zero, page_size);
  if (contents.holes > 0)
    line("holes", format("%10llu  %s of the zero pages take no room in the file",
                         Unsigned{pages_in(bytes_of_pages(contents.holes, smallest_page), page_size)},
                         size_text(bytes_of_pages(contents.holes, smallest_page)).c_str()));
  line("duplicate", format("%10s  %s", format("%s%llu", about, Unsigned{contents.duplicate()}).c_str(),
                           size_text(bytes_of_pages(contents.duplicate(), page_size)).c_str()));
  line("distinct",
       format("%10s  %s%s", format("%s%llu", about, Unsigned{contents.distinct}).c_str(),
              size_text(bytes_of_pages(contents.distinct, page_size)).c_str(),
              contents.exact ? "" : format(", estimated; standard error %.1f%%", 100 * distinct_error()).c_str()));
  std::string classes;
  for (std::size_t i = 0; i < nr_page_classes; ++i) {
    if (contents.classes[i] == 0) continue;
    if (!classes.empty()) classes += "  ";
    const std::string name{name_of(static_cast<PageClass>(i))};
    classes += format("%s:%llu", name.c_str(), Unsigned{contents.classes[i]});
  }
  if (!classes.empty()) line("looks like", classes);
}

void Text::stored(const StoredTotals& stored, std::uint64_t page_size) {
  if (stored.blocks == 0) return;
  const std::uint64_t size = bytes_of_pages(stored.pages, page_size);
  line("stored",
       format("%llu bytes for %llu, %.0f%%; %llu blocks", Unsigned{stored.bytes}, Unsigned{size},
              100.0 * static_cast<double>(stored.bytes) / static_cast<double>(size), Unsigned{stored.blocks}));
}

void Text::memory(const SurveyedSet& set, const SurveyedMemory& memory, const Users& users) {
  output_.write(memory_text(set, memory) + '\n');
  totals(memory.totals, set.page_size);
  if (memory.totals.entries > 0)
    line("addresses",
         format("0x%llx-0x%llx", Unsigned{memory.totals.first.vaddr}, Unsigned{memory.totals.last.end(set.page_size)}));
  std::string largest;
  for (const PageRun& run : memory.totals.largest)
    if (run.nr_pages > 0)
      largest += format("%s0x%llx %llu (%s)", largest.empty() ? "" : ", ", Unsigned{run.vaddr}, Unsigned{run.nr_pages},
                        flags_text(run.flags).c_str());
  if (!largest.empty()) line("largest", largest);
  const std::uint64_t claimed = memory.pagemap.stored(set.page_size).bytes;
  const std::string name = pages_name(memory.pagemap.pages_id);
  const SurveyedPages* image = set.image_of(memory);
  if (image) {
    const std::uint64_t size = image->size_bytes;
    line("image", format("%s, %llu bytes%s", name.c_str(), Unsigned{size},
                         size == claimed ? ", as the pagemap says"
                                         : format("; the pagemap says %llu", Unsigned{claimed}).c_str()));
  } else {
    line("image", format("%s, not there; the pagemap says %llu bytes", name.c_str(), Unsigned{claimed}));
  }
  StoredTotals stored_here;
  stored_here.add(memory, set.page_size);
  stored(stored_here, set.page_size);
  if (memory.memory.shmem) {
    std::string pids;
    if (const auto found = users.find(memory.memory); found != users.end())
      for (const std::uint32_t pid : found->second.pids) pids += format(pids.empty() ? "%u" : " %u", pid);
    line("used by", pids.empty() ? std::string{"no process"} : pids);
  }
  if (contents_ && memory.contents) contents(*memory.contents, set.page_size);
  if (!memory.complete) line("but", "the pagemap is damaged: this is what came before");
}

void Text::estimate(const char* what, const CompressionEstimate& estimate, std::uint64_t bytes) {
  if (!estimate.known) return line(what, "unknown");
  const double size = estimate.ratio * static_cast<double>(bytes);
  line(what, format("about %s (%.0f%% +- %.1f, from %s)", size_text(static_cast<std::uint64_t>(size)).c_str(),
                    100 * estimate.ratio, 100 * estimate.error, size_text(estimate.sampled_bytes).c_str()));
}

void Text::estimates(const SurveyedSet& set) {
  const std::uint64_t bytes = scanned_bytes(set);
  if (bytes == 0) return;
  estimate("zstd", set.zstd, bytes);
  estimate("lz4", set.lz4, bytes);
}

}  // namespace

void print_text_summary(const SurveyedSets& sets, const PageSurvey& survey, bool contents, Output& output) {
  Text text{output, contents};
  PageTotals all;
  for (const auto& set : sets) {
    if (sets.size() > 1) output.write(visible(set->name) + ":\n");
    const Users users = users_of(*set->checkpoint);
    for (const auto& [id, memory] : set->memories) text.memory(*set, memory, users);
    for (const auto& [pages_id, image] : set->images) {
      if (image.claimed) continue;
      output.write(pages_name(pages_id) + "\n");
      text.line("image", format("%llu bytes; no pagemap names it", Unsigned{image.size_bytes}));
      if (contents) text.contents(image.contents, set->page_size);
    }
    if (set->memories.size() > 1 || contents || sets.size() > 1) {
      output.write(format("total, pages of %llu bytes\n", Unsigned{set->page_size}));
      text.totals(set->totals, set->page_size);
      text.stored(stored_totals(*set), set->page_size);
      if (contents) {
        text.contents(set->contents, set->page_size);
        text.estimates(*set);
      }
    }
    all.add(set->totals);
  }
  if (sets.size() < 2) return;
  output.write("all checkpoints\n");
  text.totals(all, sets[0]->page_size);
  if (contents) text.contents(survey.contents(), sets[0]->page_size);
}

}  // namespace critpipe::filters
