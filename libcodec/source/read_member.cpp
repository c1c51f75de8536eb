// What a member is called, and handing on its bytes.
#include <algorithm>
#include <utility>

#include "base/path_names.hpp"
#include "source/input_form.hpp"
#include "source/set_places.hpp"

namespace critpipe {

std::shared_ptr<const SetId> SetIds::of(std::string_view set) {
  if (last_ && last_->set == set) return last_;
  const auto known = ids_.find(set);
  if (known != ids_.end()) return last_ = known->second;
  if (ids_.size() == max_sets || name_bytes_ + set.size() > max_set_name_bytes) return nullptr;
  name_bytes_ += set.size();
  last_ = std::make_shared<const SetId>(SetId{checkpoint_, std::string{set}});
  ids_.emplace(last_->set, last_);
  return last_;
}

NameInSet split_name(std::string_view inner) {
  constexpr std::string_view usual = usual_directory;
  const std::size_t slash = inner.rfind('/');
  if (slash == inner.npos) return {{}, inner};
  std::string_view set = inner.substr(0, slash);
  if (set == usual) set = {};
  else if (set.ends_with(usual) && set[set.size() - usual.size() - 1] == '/') set.remove_suffix(usual.size() + 1);
  return {set, inner.substr(slash + 1)};
}

// The directory in which a set is found again by split_name(), with a slash behind it.
std::string directory_of(std::string_view set) {
  std::string directory{set};
  if (last_part(set) == usual_directory) directory.append(1, '/').append(usual_directory);
  return set.empty() ? directory : directory + '/';
}

bool Delivery::count(std::string_view inner) {
  if (++nr_members <= max_members) return true;
  fail(named_error(Reason::limit_members, place, std::string{inner.substr(0, max_name_bytes)}));
  return false;
}

namespace {

// Of the set that is asked for.
bool is_parent_set(const SourceOptions& options, std::string_view set) {
  if (!options.parents) return false;
  if (std::ranges::find(options.parent_sets, set) != options.parent_sets.end()) return true;
  const Generation wanted = generation_of(*options.set), one = generation_of(set);
  return one.base == wanted.base && one.number > wanted.number;
}

}  // namespace

bool Delivery::name(Member& member, std::string_view inner, std::string_view written) {
  const NameInSet split = split_name(inner);
  member.name = split.name;
  member.set_place.assign(place).append(1, joint).append(written.substr(0, written.rfind('/') + 1));
  member.place = member.set_place + member.name;
  std::string set = nested.own_set;
  if (!set.empty() && !split.set.empty()) set += '/';
  set += split.set;
  const bool is_chosen = options.set && *options.set == set;
  if (options.set && !is_chosen && !is_parent_set(options, set)) return false;
  has_set |= member.is_image && is_chosen;
  member.set = ids.of(set);
  if (!member.set) {
    if (std::exchange(has_all_sets, false)) fail(named_error(Reason::limit_sets, place, std::move(set)));
    return false;
  }
  member.path = prefix;
  if (!is_chosen) member.path += directory_of(set);
  member.path += split.name;
  if (!nested.own_set.empty()) member.within = nested.own_set + "/";
  member.within += inner.substr(0, inner.size() - split.name.size());
  member.id = next_id++;
  member.in_set = true;
  return true;
}

Error Delivery::seen_before(const Member& member) {
  if (names.add(std::string_view{member.path}.substr(prefix.size()))) return {};
  nested.is_another = nested.in_layer;
  return named_error(Reason::bad_duplicate, member.place, member.path);
}

bool Delivery::wants(const Member& member) {
  const bool is_wanted = receiver.wants(member);
  handed_on |= is_wanted && !member.is_image && options.any_file;
  return is_wanted;
}

Step Delivery::read_layer(std::vector<OpenedInput>& layer, std::string_view path) {
  OpenedInput& opened = layer.front();
  look_into(opened, options);
  if (!opened.form || opened.reader->error()) {
    fail(opened.form ? opened.reader->error() : opened.error);
    layer_failed = true;
    return Step::go;
  }
  if (opened.form == &image_form) return Step::go;
  std::string above = std::exchange(place, opened.place);
  const char joint_above = std::exchange(joint, ':');
  nested.in_layer = true;
  nested.own_set = short_layer_name(path);
  const Step step = opened.form->read(layer, *this);
  nested = {};
  place = std::move(above);
  joint = joint_above;
  return step;
}

void Delivery::fail(Error error) {
  if (stopped) return;
  error.set = ids.input();
  receiver.fail(nullptr, error);
}

void Delivery::end(const char* what) {
  if (nested.in_layer || (!has_image && handed_on)) return;
  if (what && !has_image && layer_failed) return;
  if (what && !has_image)
    fail(named_error(Reason::no_images, place, others.empty() ? what : what + (": it holds " + others.text())));
  else if (options.set && !has_set)
    fail(named_error(Reason::no_set, place, options.set->empty() ? "at the top" : *options.set));
}

bool is_parent_link(std::string_view name) { return last_part(name) == "parent"; }

Step read_text(std::string_view text, Member& member, Receiver& receiver) {
  member.size = text.size();
  if (receiver.begin(member) == Step::stop) return Step::stop;
  const bool is_wanted = !text.empty() && receiver.needs_bytes(member);
  if (is_wanted && receiver.bytes(member, bytes_of(text)) == Step::stop) return Step::stop;
  return receiver.end(member);
}

void FirstNames::add(std::string_view name) {
  constexpr std::size_t most = 5, longest = 250;
  if (++count_ > most) return;
  names_.emplace_back(name.substr(0, longest));
  if (name.size() > longest) names_.back() += "...";
}

std::string FirstNames::text() const {
  std::string text;
  for (const std::string& name : names_) (text += text.empty() ? "" : ", ") += name;
  if (count_ > names_.size()) text += ", ... (" + std::to_string(count_) + " in all)";
  return text;
}

bool is_raw_name(std::string_view name) {
  const Kind* kind = kind_of_name(name);
  return kind && kind->is_raw();
}

Step read_member(ByteReader& reader, Member& member, Receiver& receiver) {
  std::uint64_t unneeded = 0;
  if (receiver.take_run(member, reader).step == Step::stop) return Step::stop;
  for (;;) {
    const Bytes block = reader.read();
    member.packed = reader.packed();
    if (!block.empty()) {
      if (receiver.bytes(member, block) == Step::stop) return Step::stop;
      if (!receiver.has_enough(member)) continue;
      // The writer of a pipe must not be left waiting, and the rest of what is compressed may be damaged.
      unneeded += block.size();
      const bool goes_on = reader.is_pipe() || (member.packed != Member::unknown && unneeded <= free_held_bytes);
      if (!goes_on) return receiver.end(member);
      continue;
    }
    if (!reader.error()) return receiver.end(member);
    receiver.fail(&member, reader.error());
    return Step::go;
  }
}

namespace {

// Nobody else may read a file that is over the limit: the receiver gets no descriptor.
Step read_too_large(InputFile file, Member& member, Receiver& receiver, const MemberBound& bound) {
  if (receiver.begin(member) == Step::stop) return Step::stop;
  if (member.size != Member::unknown && !receiver.needs_bytes(member)) {
    receiver.fail(&member, {Reason::limit_size, member.place, Error::nowhere, Error::nowhere, bound.limit});
    return Step::go;
  }
  BoundedReader reader{std::make_unique<FileReader>(std::move(file)), bound.most, member.place, bound.limit};
  return read_member(reader, member, receiver);
}

}  // namespace

Step read_file(InputFile file, Member& member, Receiver& receiver, const MemberBound& bound) {
  if (file.size() > bound.most) return read_too_large(std::move(file), member, receiver, bound);
  FileReader reader = FileReader::whole(std::move(file));
  if (is_raw_name(member.name) || !member.is_image) member.fd = reader.fd();
  if (receiver.begin(member) == Step::stop) return Step::stop;
  if (member.fd >= 0) reader.taken(receiver.take_file(member));
  const bool has_size = reader.size() != Member::unknown && reader.size() > 0;
  if (has_size && !receiver.needs_bytes(member)) return receiver.end(member);
  return read_member(reader, member, receiver);
}

}  // namespace critpipe
