// How many raw bytes follow a message: the plan of its kind with the numbers of the message.
#include "critpipe/fields.hpp"

namespace critpipe {

namespace {

std::uint64_t number_in(const Message& message, Bytes payload, std::string_view field_name) {
  const Field* field = message.find(field_name);
  return field ? integer_or(*field, message, payload, 0) : 0;
}

// False: a sum or product overflows. So does the largest number, which stands for the rest of an image.
bool resolve(const Extra::PartPlan& part, const Message& message, Bytes payload, ExtraSizes::Size& size) {
  std::uint64_t units = number_in(message, payload, part.size);
  if (!part.added.empty() && __builtin_add_overflow(units, number_in(message, payload, part.added), &units))
    return false;
  if (__builtin_mul_overflow(units, std::uint64_t{part.unit}, &size.bytes)) return false;
  if (part.padding == 1) return size.bytes != ExtraSizes::unknown;
  size.padding = (part.padding - size.bytes % part.padding) % part.padding;
  std::uint64_t end;
  return !__builtin_add_overflow(size.bytes, size.padding, &end) && end != ExtraSizes::unknown;
}

void resolve_parts(const Extra& extra, const Message& message, Bytes payload, ExtraSizes& sizes) {
  for (std::size_t i = 0; i < Extra::most_parts && !extra.parts[i].size.empty(); ++i) {
    if (resolve(extra.parts[i], message, payload, sizes.parts[i])) continue;
    sizes.bad_field = extra.parts[i].size;
    return;
  }
}

}  // namespace

ExtraSizes extra_sizes(const Extra& extra, const Message& message, Bytes payload, std::uint64_t index) {
  using Follows = ExtraSizes::Follows;
  ExtraSizes sizes;
  const bool none = !extra.unless.empty() && number_in(message, payload, extra.unless) != 0;
  if (extra.parts[0].size.empty()) return sizes;
  if (extra.rest_of_image && index == 0) {
    if (none) return sizes;
    sizes.follows = Follows::rest_of_image;
    sizes.parts[0].bytes = ExtraSizes::unknown;
    return sizes;
  }
  sizes.follows = extra.nested ? Follows::messages : Follows::parts;
  if (none) return sizes;
  if (extra.nested) sizes.nr_messages = number_in(message, payload, extra.nr_nested);
  else resolve_parts(extra, message, payload, sizes);
  return sizes;
}

ExtraSizes nested_sizes(const Extra& extra, Bytes payload) {
  ExtraSizes sizes;
  sizes.follows = ExtraSizes::Follows::parts;
  resolve_parts(extra, *extra.nested, payload, sizes);
  return sizes;
}

}  // namespace critpipe
