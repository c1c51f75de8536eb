// One image by itself.
#include "critpipe/fields.hpp"
#include "source/input_form.hpp"

namespace critpipe {

bool is_image_head(Bytes begin) {
  if (begin.size() < 4) return false;
  const std::uint32_t word = load_u32(begin.data());
  return word == common_magic || word == service_magic || find_kind(word) || is_big_endian_head(word);
}

namespace {

bool is_image(OpenedInput& opened) { return is_raw_name(opened.name) || is_image_head(opened.reader->peek(4)); }

// What is no image is an input like any other: a damaged archive keeps its own name.
std::string directory_of(OpenedInput& opened) {
  return is_image_name(opened.name) || is_image(opened) ? opened.called.directory() : std::string{};
}

std::string checkpoint_of(OpenedInput& opened) {
  std::string directory = directory_of(opened);
  return directory.empty() ? opened.called.checkpoint() : directory;
}

Step read_image(std::vector<OpenedInput>& inputs, Delivery& delivery) {
  OpenedInput& image = inputs.front();
  Receiver& receiver = delivery.receiver;
  const std::optional<std::string>& set = delivery.options.set;
  if (set && !set->empty()) {
    delivery.fail(named_error(Reason::no_set, image.place, *set));
    return Step::go;
  }
  Member member;
  member.name = image.name;
  member.path = image.path;
  member.place = image.place;
  member.set_place = image.called.input.substr(0, image.called.input.rfind('/') + 1);
  member.set = std::make_shared<const SetId>(SetId{checkpoint_of(image), {}});
  member.id = delivery.next_id;
  member.size = image.size;
  if (!receiver.wants(member)) {
    // Of what cannot be unpacked so far, nobody knows what it is.
    if (image.reader && image.reader->error() && !is_image(image)) delivery.fail(image.reader->error());
    return Step::go;
  }
  if (image.file.is_open()) {
    const std::uint64_t most = delivery.options.max_bytes;
    return read_file(std::move(image.file), member, receiver, {most, most});
  }
  if (receiver.begin(member) == Step::stop) return Step::stop;
  return read_member(*image.reader, member, receiver);
}

}  // namespace

const InputForm image_form{.head_bytes = 4, .recognise = is_image, .read = read_image, .part_of = directory_of};

}  // namespace critpipe
