// The kinds of images that the model reads, and the sink that hands their entries to them.
#include "model/collect.hpp"

#include <algorithm>
#include <charconv>

namespace critpipe {

namespace {

// Null: the model has no use for the kind.
const CollectedKind* collected_of(const Kind& kind) {
  static const std::vector<const CollectedKind*> of_kinds = [] {
    std::vector<const CollectedKind*> all(all_kinds().size());
    for (CollectedKinds* const rows : std::span{collected_kinds, nr_collected_kinds})
      for (const CollectedKind& row : rows()) {
        const Kind* const known = find_kind(row.kind);
        if (!known) continue;
        const CollectedKind*& place = all[static_cast<std::size_t>(known - all_kinds().data())];
        if (!place) place = &row;
      }
    return all;
  }();
  return of_kinds[static_cast<std::size_t>(&kind - all_kinds().data())];
}

// The inventory tells how large blocks of pages are.
bool is_named(const Needs& needs, const Kind& kind) {
  return (needs.pagemaps && kind.name == "INVENTORY") || std::ranges::find(needs.kinds, kind.name) != needs.kinds.end();
}

class Collector final : public Sink {
 public:
  Collector(Model& model, std::string_view name) : model_{model}, name_{name}, number_{number_in(name)} {}

  // What the image holds decides, not its name; but then one of the two is wrong.
  Step begin(const Image& image) override {
    if (image.is_raw()) return Step::go;
    check_name(*image.kind);
    row_ = collected_of(*image.kind);
    if (row_ && !row_->needed(model_.needs)) row_ = nullptr;
    if (is_named(model_.needs, *image.kind)) messages_ = &model_.messages[image.kind];
    return Step::go;
  }
  Step entry(const Entry& entry) override {
    if (row_) {
      model_.entry = {.image = &name_, .offset = entry.offset, .index = entry.index};
      row_->collect(model_, number_, entry);
    }
    if (messages_) messages_->push_back({number_, entry.message, model_.arena.keep(entry.payload)});
    return Step::go;
  }

 private:
  void check_name(const Kind& kind) {
    const Kind* const named = kind_of_name(name_);
    if (!named || named->magic == kind.magic) return;
    model_.contradict({.reason = Reason::bad_kind, .image = name_, .name = std::string{kind.name}});
  }

  Model& model_;
  std::string name_;
  std::uint32_t number_;
  const CollectedKind* row_ = nullptr;
  std::vector<ImageMessage>* messages_ = nullptr;
};

}  // namespace

bool is_needed(const Needs& needs, std::string_view name) {
  if (name == "-") return true;
  const Kind* kind = kind_of_name(name);
  if (!kind) return false;
  const CollectedKind* row = collected_of(*kind);
  return (row && row->needed(needs)) || is_named(needs, *kind);
}

std::uint32_t number_in(std::string_view name) {
  const Kind* kind = kind_of_name(name);
  const std::size_t place = kind ? kind->file.find('%') : std::string_view::npos;
  if (place == std::string_view::npos) return 0;
  std::uint32_t number = 0;
  std::from_chars(name.data() + place, name.data() + name.size(), number, kind->file[place + 1] == 'x' ? 16 : 10);
  return number;
}

std::unique_ptr<Sink> make_collector(Model& model, std::string_view name) {
  return std::make_unique<Collector>(model, name);
}

Missing::Missing(Model& model, std::string_view directory) : model_{model}, directory_{directory} {
  for (const Error& error : model.errors) named_.insert(error.image);
}

void Missing::want(const std::string& name) {
  if (model_.has_image(name) || !named_.insert(directory_ + name).second) return;
  model_.report({Reason::missing_image, directory_ + name});
}

void Missing::lacks(const std::string& name, const char* what) {
  if (!model_.has_image(name) || !named_.insert(directory_ + name).second) return;
  model_.report({.reason = Reason::no_bytes, .image = directory_ + name, .name = what});
}

void Missing::say(Reason reason, std::string_view what) {
  std::string set = model_.called.empty() ? directory_ : model_.called;
  if (set.ends_with('/') || set.ends_with(':')) set.pop_back();
  model_.report({.reason = reason, .image = set, .name = std::string{what}});
}

void name_missing(Model& model, std::string_view directory) {
  Missing missing{model, directory};
  if (const std::string_view what = model.pages_only(); !what.empty()) {
    if (!model.needs.pagemaps || !model.has_pagemaps) missing.say(Reason::no_tree, what);
    return;
  }
  for (CollectedKinds* const rows : std::span{collected_kinds, nr_collected_kinds})
    for (const CollectedKind& row : rows())
      if (row.expect && row.needed(model.needs)) row.expect(model, missing);
}

}  // namespace critpipe
