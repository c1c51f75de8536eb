// A summary as one JSON object.
#include <algorithm>

#include "crit-pages/modes.hpp"
#include "crit-pages/summary.hpp"

namespace critpipe::filters {

namespace {

class Json {
 public:
  Json(JsonWriter& json, bool contents) : json_{json}, contents_{contents} {}

  void stored(const StoredTotals& stored);
  void totals(const PageTotals& totals, const ContentTotals* contents);
  void memory(const SurveyedSet& set, const SurveyedMemory& memory, const Users& users);
  void estimates(const SurveyedSet& set);
  void unclaimed(const SurveyedSet& set, std::uint64_t pages_id, const SurveyedPages& image);

 private:
  void number(const char* key, std::uint64_t value) { json_.key(key).number(value); }
  void contents(const ContentTotals& contents);
  void estimate(const char* key, const CompressionEstimate& estimate, std::uint64_t bytes);

  JsonWriter& json_;
  bool contents_;
};

void Json::totals(const PageTotals& totals, const ContentTotals* held) {
  number("entries", totals.entries);
  number("pages", totals.pages);
  number("present", totals.present);
  number("parent", totals.parent);
  number("lazy", totals.lazy);
  number("absent", totals.absent);
  number("present_parent", totals.present_parent);
  number("present_lazy", totals.present_lazy);
  if (held) contents(*held);
  json_.key("run_lengths").begin('[');
  for (std::size_t bits = 0; bits < totals.lengths.size(); ++bits) {
    if (totals.lengths[bits] == 0) continue;
    json_.begin('{');
    number("from", bits == 0 ? 0 : std::uint64_t{1} << (bits - 1));
    number("to", (std::uint64_t{1} << bits) - 1);
    number("entries", totals.lengths[bits]);
    json_.end('}');
  }
  json_.end(']');
  json_.key("largest").begin('[');
  for (const PageRun& run : totals.largest) {
    if (run.nr_pages == 0) continue;
    json_.begin('{');
    number("vaddr", run.vaddr);
    number("nr_pages", run.nr_pages);
    json_.key("flags").number(run.flags);
    json_.end('}');
  }
  json_.end(']');
}

void Json::contents(const ContentTotals& contents) {
  number("scanned", contents.scanned);
  number("zero", contents.zero);
  number("duplicate", contents.duplicate());
  number("distinct", contents.distinct);
  number("shared", contents.shared);
  number("holes", contents.holes);
  json_.key("exact").boolean(contents.exact);
  json_.key("classes").begin('{');
  for (std::size_t i = 0; i < nr_page_classes; ++i)
    json_.key(name_of(static_cast<PageClass>(i))).number(contents.classes[i]);
  json_.end('}');
}

void Json::memory(const SurveyedSet& set, const SurveyedMemory& memory, const Users& users) {
  put_set(json_.begin('{'), set.id);
  json_.key(memory.memory.shmem ? "id" : "pid");
  if (memory.named) put_number(json_, memory.memory);
  else json_.null();
  if (!memory.memory.shmem) {
    const Task* task = task_of(set, memory.memory);
    if (task && memory.named) put_name(json_, "comm", task->comm);
    else json_.key("comm").null();
  }
  totals(memory.totals, contents_ && memory.contents ? &*memory.contents : nullptr);
  if (memory.totals.entries > 0) {
    number("first_vaddr", memory.totals.first.vaddr);
    number("end_vaddr", memory.totals.last.end(set.page_size));
  }
  json_.key("pages_image").text(pages_name(memory.pagemap.pages_id));
  number("claimed_bytes", memory.pagemap.stored(set.page_size).bytes);
  json_.key("image_bytes");
  if (const SurveyedPages* image = set.image_of(memory)) json_.number(image->size_bytes);
  else json_.null();
  if (memory.compressed) json_.key("compressed").boolean(true);
  Error refused;
  if (memory.pagemap.blocks(set.page_size, refused)) number("blocks", memory.pagemap.all_blocks().count);
  if (!memory.complete) json_.key("complete").boolean(false);
  if (memory.memory.shmem) {
    json_.key("users").begin('[');
    if (const auto found = users.find(memory.memory); found != users.end())
      for (const std::uint32_t pid : found->second.pids) json_.number(pid);
    json_.end(']');
  }
  json_.end('}');
}

void Json::estimate(const char* key, const CompressionEstimate& estimate, std::uint64_t bytes) {
  json_.key(key);
  if (!estimate.known) return void(json_.null());
  json_.begin('{');
  number("bytes", static_cast<std::uint64_t>(estimate.ratio * static_cast<double>(bytes)));
  json_.key("ratio").raw(format("%.6f", estimate.ratio));
  json_.key("error").raw(format("%.6f", estimate.error));
  number("sampled_bytes", estimate.sampled_bytes);
  json_.end('}');
}

void Json::estimates(const SurveyedSet& set) {
  const std::uint64_t bytes = scanned_bytes(set);
  estimate("zstd", set.zstd, bytes);
  estimate("lz4", set.lz4, bytes);
}

// Of sets with compressed pages.
void Json::stored(const StoredTotals& stored) {
  if (stored.blocks == 0) return;
  number("claimed_bytes", stored.bytes);
  number("blocks", stored.blocks);
}

void Json::unclaimed(const SurveyedSet& set, std::uint64_t pages_id, const SurveyedPages& image) {
  put_set(json_.begin('{'), set.id);
  json_.key("pages_image").text(pages_name(pages_id));
  number("image_bytes", image.size_bytes);
  if (contents_) contents(image.contents);
  json_.end('}');
}

}  // namespace

void print_json_summary(const SurveyedSets& sets, const PageSurvey& survey, bool contents, JsonWriter& json) {
  Json writer{json, contents};
  PageTotals all;
  std::vector<Users> users;
  for (const auto& set : sets) {
    all.add(set->totals);
    users.push_back(users_of(*set->checkpoint));
  }
  json.begin('{').key("schema").number(1);
  if (sets.size() == 1) put_set(json, sets[0]->id).key("page_size").number(sets[0]->page_size);
  for (const bool shmem : {false, true}) {
    json.key(shmem ? "shmem" : "processes").begin('[');
    for (std::size_t i = 0; i < sets.size(); ++i)
      for (const auto& [id, memory] : sets[i]->memories)
        if (id.shmem == shmem) writer.memory(*sets[i], memory, users[i]);
    json.end(']');
  }
  const auto is_unclaimed = [](const auto& image) { return !image.second.claimed; };
  if (std::ranges::any_of(sets, [&](const auto& set) { return std::ranges::any_of(set->images, is_unclaimed); })) {
    json.key("unclaimed").begin('[');
    for (const auto& set : sets)
      for (const auto& [pages_id, image] : set->images)
        if (!image.claimed) writer.unclaimed(*set, pages_id, image);
    json.end(']');
  }
  if (sets.size() > 1) {
    json.key("checkpoints").begin('[');
    for (const auto& set : sets) {
      put_set(json.begin('{'), set->id).key("page_size").number(set->page_size);
      writer.totals(set->totals, contents ? &set->contents : nullptr);
      writer.stored(stored_totals(*set));
      if (contents) writer.estimates(*set);
      json.end('}');
    }
    json.end(']');
  }
  json.key("total").begin('{');
  writer.totals(all, contents ? &survey.contents() : nullptr);
  if (sets.size() == 1) writer.stored(stored_totals(*sets[0]));
  if (contents && sets.size() == 1) writer.estimates(*sets[0]);
  json.end('}').end('}');
  json.line_end();
}

}  // namespace critpipe::filters
