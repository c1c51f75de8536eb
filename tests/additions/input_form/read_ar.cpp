// Archives of ar: "!<arch>\n", then for each member 60 bytes, which hold its name up to a slash, its size in decimal at
// 48 and an end mark, and its bytes, padded to an even number.
#include <charconv>

#include "source/input_form.hpp"

namespace critpipe {

namespace {

constexpr std::string_view magic = "!<arch>\n";
constexpr std::size_t head_bytes = 60, size_at = 48;

std::string_view text_of(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

bool is_ar(OpenedInput& opened) { return text_of(opened.reader->peek(magic.size())).starts_with(magic); }

Step read_one(PeekReader& reader, Delivery& to, std::string_view name, std::uint64_t size) {
  Member member;
  member.size = size;
  member.is_image = is_image_name(name);
  const bool is_wanted = to.name(member, name) && member.is_image && to.wants(member);
  if (is_wanted && to.receiver.begin(member) == Step::stop) return Step::stop;
  while (size > 0) {
    const Bytes bytes = reader.read_some(size);
    if (bytes.empty()) break;
    size -= bytes.size();
    if (is_wanted && to.receiver.bytes(member, bytes) == Step::stop) return Step::stop;
  }
  if (is_wanted && size > 0) to.receiver.fail(&member, named_error(Reason::cut_member, member.place, ""));
  return is_wanted && size == 0 ? to.receiver.end(member) : Step::go;
}

Step read_ar(std::vector<OpenedInput>& inputs, Delivery& delivery) {
  PeekReader& reader = *inputs.front().reader;
  reader.skip(magic.size());
  for (Bytes bytes = reader.peek(head_bytes); bytes.size() >= head_bytes; bytes = reader.peek(head_bytes)) {
    const std::string head{text_of(bytes.first(head_bytes))};
    reader.skip(head_bytes);
    std::uint64_t size = 0;
    std::from_chars(head.data() + size_at, head.data() + head_bytes, size);
    if (read_one(reader, delivery, head.substr(0, head.find_first_of(" /")), size) == Step::stop) return Step::stop;
    reader.skip(size % 2);
  }
  delivery.end();
  return Step::go;
}

}  // namespace

extern const InputForm ar_form;
const InputForm ar_form{.head_bytes = magic.size(), .recognise = is_ar, .read = read_ar};

}  // namespace critpipe
