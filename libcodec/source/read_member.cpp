// Handing on the bytes of one member.
#include "source/input_form.hpp"

namespace critpipe {

bool is_raw_name(std::string_view name) {
  const Kind* kind = kind_of_name(name);
  return kind && kind->is_raw();
}

Error named_error(Reason reason, std::string place, std::string name) {
  Error error{reason, std::move(place)};
  error.name = std::move(name);
  return error;
}

Step read_member(ByteReader& reader, const Member& given, Receiver& receiver) {
  Member member = given;
  for (;;) {
    const Bytes block = reader.read();
    member.packed = reader.packed();
    if (!block.empty()) {
      if (receiver.bytes(member, block) == Step::stop) return Step::stop;
      continue;
    }
    if (!reader.error()) return receiver.end(member);
    receiver.fail(&member, reader.error());
    return Step::go;
  }
}

Step read_file(OpenFile file, Member& member, Receiver& receiver) {
  FileReader reader{std::move(file), member.place, member.size};
  if (is_raw_name(member.name) || !member.is_image) member.fd = reader.fd();
  if (receiver.begin(member) == Step::stop) return Step::stop;
  if (member.fd >= 0) reader.taken(receiver.take_file(member));
  const bool has_size = reader.size() != Member::unknown && reader.size() > 0;
  if (has_size && !receiver.needs_bytes(member)) return receiver.end(member);
  return read_member(reader, member, receiver);
}

}  // namespace critpipe
