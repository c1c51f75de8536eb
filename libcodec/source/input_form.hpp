// The forms of an input: each is one file in forms/, read_NAME.cpp, which defines the row NAME_form. Nothing else names
// it: the table of rows is made from the names of the files (row_table.cmake). A directory is none of them: it has no
// bytes to be known by, and its members are read at the same time (directory_list.hpp).
#pragma once

#include <map>

#include "base/path_names.hpp"
#include "source/byte_reader.hpp"
#include "source/name_set.hpp"
#include "source/nested_place.hpp"
#include "source/open_input.hpp"

namespace critpipe {

// What an error of the input as a whole belongs to.
inline std::shared_ptr<const SetId> input_id(const std::string& checkpoint) {
  return std::make_shared<const SetId>(SetId{checkpoint, {}, true});
}

// Ids of the sets of one input, each made once.
class SetIds {
 public:
  explicit SetIds(const std::string& checkpoint) : checkpoint_{checkpoint}, input_{input_id(checkpoint)} {}
  SetIds(SetIds&&) = default;
  // Null: it is one too many.
  std::shared_ptr<const SetId> of(std::string_view set);
  const std::shared_ptr<const SetId>& input() const { return input_; }  // as a whole

 private:
  std::string checkpoint_;
  std::shared_ptr<const SetId> input_;
  std::map<std::string_view, std::shared_ptr<const SetId>> ids_;  // the names are theirs
  std::size_t name_bytes_ = 0;
  std::shared_ptr<const SetId> last_;
};

// Names for a message: the first few, and how many there were.
class FirstNames {
 public:
  void add(std::string_view name);
  std::string text() const;  // "a, b, c, ... (12)"
  std::size_t size() const { return count_; }
  bool empty() const { return count_ == 0; }

 private:
  std::vector<std::string> names_;
  std::size_t count_ = 0;
};

// The members of one input: what they are called, and who gets them. An archive within it delivers by the same.
struct Delivery {
  Receiver& receiver;
  const SourceOptions& options;
  std::string place;   // of the input; while one within it is read, of that; paths of members stand behind it
  std::string prefix;  // before the paths of members, with its slash; empty where the input is the only one
  SetIds ids;
  std::uint64_t next_id;
  NestedPlace nested = {};  // where the archive that is read stands in the input
  NameSet names = {};       // of members
  bool has_set = false;     // the one that the options ask for
  bool has_all_sets = true;
  std::size_t nr_members = 0;
  bool has_image = false;
  bool handed_on = false;     // a file that is no image, to someone who wanted it
  bool layer_failed = false;  // and perhaps was what is missed
  bool stopped = false;       // by the receiver, while archives were read within each other
  FirstNames others = {};     // files that are no images
  char joint = ':';           // between `place` and paths

  // One more member. False: it is one too many, which was reported. Every name counts, also one that is refused.
  bool count(std::string_view inner);
  // Calls the member `inner`, which is its path in its archive. In messages it has `written` in place of that, which is
  // the path as it stands there. False: it is of a set that nobody asked for, or that is one too many; the first such
  // set is reported. Requires: is_image is set.
  bool name(Member& member, std::string_view inner, std::string_view written);
  bool name(Member& member, std::string_view path) { return name(member, path, path); }
  // Nothing, if no other member had the name. Requires: name() gave it one.
  Error seen_before(const Member& member);
  bool wants(const Member& member);
  // Hands on what the opened member holds, if that is an archive. `path` is the member's.
  Step read_layer(std::vector<OpenedInput>& layer, std::string_view path);
  // The archive cannot be read further, or does not give a member that it names.
  void fail(Error error);
  // Says so if nothing was there that the options ask for; `what` there was, where it may be something else.
  void end(const char* what = nullptr);
};

// "app/checkpoint/core-1.img": set "app", name "core-1.img".
struct NameInSet {
  std::string_view set, name;
};
NameInSet split_name(std::string_view inner);

struct InputForm {
  // How many bytes tell it from the others. Those that need fewer are asked first: a pipe may give the next ones later.
  std::size_t head_bytes;
  // Is the input of this form? It may look ahead in opened.reader, and note what it found in opened.sequence.
  bool (*recognise)(OpenedInput& opened);
  // Hands all members to delivery.receiver. Of several inputs where `continues` says so, else of one.
  Step (*read)(std::vector<OpenedInput>& inputs, Delivery& delivery);
  // Does an input belong with those before it? Null: each stands by itself.
  bool (*continues)(const std::vector<OpenedInput>& before, OpenedInput& next) = nullptr;
  // The SetId::checkpoint of what other inputs, wherever they stand, may be parts of, too. Null or empty: of none.
  std::string (*part_of)(OpenedInput& opened) = nullptr;
};

extern const InputForm* const input_forms[];
extern const std::size_t nr_input_forms;

extern const InputForm image_form;  // also of what no form recognises: the decoder says why it is no image

bool is_image_head(Bytes begin);  // wants 4 bytes

// Hands on what the reader gives as the bytes of a member that has begun, and ends it.
Step read_member(ByteReader& reader, Member& member, Receiver& receiver);

// How many bytes of a member may be read: what the members before it have left of the input's limit.
struct MemberBound {
  std::uint64_t most = Member::unknown;
  std::uint64_t limit = Member::unknown;
};

// A member that is an open file by itself, which stands at its begin.
Step read_file(InputFile file, Member& member, Receiver& receiver, const MemberBound& bound);

// The link of a set to its parent is a member with what it leads to. An image stream has it as a file.
bool is_parent_link(std::string_view name);
// Hands on a member that is this text.
Step read_text(std::string_view text, Member& member, Receiver& receiver);

bool is_raw_name(std::string_view name);

}  // namespace critpipe
