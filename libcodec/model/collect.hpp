// Images into the model. Internal.
//
// Each kind of image that the model reads has its row in a file of kinds/, collect_NAME.cpp, which defines
// NAME_kinds(); CMake lists these files in a table.
#pragma once

#include <set>
#include <span>
#include <string>

#include "model/model.hpp"

namespace critpipe {

// Names images that should be there and are not, each once.
class Missing {
 public:
  // directory: what goes before the names in errors.
  Missing(Model& model, std::string_view directory);

  void want(const std::string& name);
  // What an image that was read to its end has not.
  void lacks(const std::string& name, const char* what);
  // What is wrong with the set as a whole.
  void say(Reason reason, std::string_view what = {});
  void want(std::string_view kind, std::uint64_t number) { want(image_name(kind, number)); }

 private:
  Model& model_;
  std::string directory_;
  std::set<std::string> named_;
};

struct CollectedKind {
  std::string_view kind;
  bool (*needed)(const Needs& needs);
  // Takes what the model needs from an entry. number: in the image's name.
  void (*collect)(Model& model, std::uint32_t number, const Entry& entry);
  // Tells which images of the kind a whole set has, once the tasks are joined; null: none has to be there.
  void (*expect)(const Model& model, Missing& missing);
};

inline bool always(const Needs&) { return true; }
inline bool needs_ids(const Needs& needs) { return needs.ids || needs.descriptors; }
inline bool needs_descriptors(const Needs& needs) { return needs.descriptors; }
inline bool needs_files(const Needs& needs) { return needs.descriptors || needs.mappings; }

using CollectedKinds = std::span<const CollectedKind>();
// One for each file of kinds/. Made by CMake.
extern CollectedKinds* const collected_kinds[];
extern const std::size_t nr_collected_kinds;

// Does an image of that name hold anything that is asked for? "-", an image without a name, may.
bool is_needed(const Needs& needs, std::string_view name);

// Is it an image that says what a set is by being there? It is not read.
inline bool tells_of_set(std::string_view name) { return name == "inventory.img"; }

// Is it what CRIU writes for nobody's restore, and engines put elsewhere than the images?
inline bool is_aside(std::string_view name) { return name.starts_with("stats-") || name.starts_with("irmap-cache"); }

// Of task_kobj_ids_entry.
template <typename Record>
class MessageReader;
const MessageReader<Ids>& ids_reader();

// The number in "core-12.img", or in "tcp-stream-1f.img"; 0 where there is none.
std::uint32_t number_in(std::string_view name);

std::unique_ptr<Sink> make_collector(Model& model, std::string_view name);

// Says which images a whole set lacks, or that it has nothing but pages.
void name_missing(Model& model, std::string_view directory);

}  // namespace critpipe
