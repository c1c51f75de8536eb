#include "model/collect.hpp"

#include <algorithm>
#include <charconv>

namespace critpipe {

namespace {

using Model = Checkpoint::Model;

bool always(const Needs&) { return true; }
bool needs_descriptors(const Needs& needs) { return needs.descriptors; }
bool memory(const Needs& needs) { return needs.mappings || needs.pagemaps; }
bool mappings(const Needs& needs) { return needs.mappings; }
bool pagemaps(const Needs& needs) { return needs.pagemaps; }
bool files(const Needs& needs) { return needs.descriptors || needs.mappings; }
bool queues(const Needs& needs) { return needs.queues; }

constexpr Collected rows[] = {
    {"PSTREE", always, take_pstree},
    {"CORE", always, take_core},
    {"IDS", needs_ids, take_ids},
    {"MM", memory, take_mm},
    {"VMAS", mappings, take_vma},
    {"PAGEMAP", pagemaps, take_pagemap},
    {"FS", needs_descriptors, take_fs},
    {"FDINFO", needs_descriptors, take_fdinfo},
    {"FILES", files, take_files},
    {"MEMFD_INODE", files, take_memfd},
    {"TTY_INFO", needs_descriptors, take_tty_info},
    {"EVENTPOLL_TFD", needs_descriptors, take_watch},
    {"INOTIFY_WD", needs_descriptors, take_watch},
    {"FANOTIFY_MARK", needs_descriptors, take_watch},
    {"SK_QUEUES", queues, take_packet},
    {"TCP_STREAM", queues, take_tcp_stream},
};

// The images of their own that types of files had before files.img.
constexpr Collected own_image{{}, needs_descriptors, take_own_image};
constexpr Collected own_mapped_image{{}, files, take_own_image};

class Collector final : public Sink {
 public:
  Collector(Model& model, std::string_view name) : model_{model}, number_{number_in(name)} {}

  // What the image holds decides, not its name.
  Step begin(const Image& image) override {
    if (image.is_raw()) return Step::go;
    row_ = collected_of(*image.kind);
    if (row_ && !row_->needed(model_.needs)) row_ = nullptr;
    return Step::go;
  }
  Step entry(const Entry& entry) override {
    if (row_) row_->take(model_, number_, entry);
    return Step::go;
  }

 private:
  Model& model_;
  std::uint32_t number_;
  const Collected* row_ = nullptr;
};

}  // namespace

const Collected* collected_of(const Kind& kind) {
  const auto found = std::ranges::find(rows, kind.name, &Collected::kind);
  if (found != std::end(rows)) return found;
  const FileType* type = file_type_of_kind(kind);
  if (!type) return nullptr;
  return type->mapped ? &own_mapped_image : &own_image;
}

bool is_needed(const Needs& needs, std::string_view name) {
  if (name == "-") return true;
  const Kind* kind = kind_of_name(name);
  const Collected* row = kind ? collected_of(*kind) : nullptr;
  return row && row->needed(needs);
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

}  // namespace critpipe
