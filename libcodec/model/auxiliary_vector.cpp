#include "model/auxiliary_vector.hpp"

#include <bit>

#include "model/message_reader.hpp"

namespace critpipe {

// The vector is a flat list of keys and values.
std::uint64_t page_size_in(const Message& message, Bytes payload) {
  constexpr std::uint64_t page_size_key = 6;  // AT_PAGESZ
  static const Field& vector = *find_message("mm_entry")->find("mm_saved_auxv");
  std::uint64_t key = 0, size = 0;
  bool is_value = false;
  for (Fields fields{message, payload}; fields.next();) {
    if (fields.value().field != &vector) continue;
    each_integer(fields.value(), [&](std::uint64_t word) {
      if (is_value && key == page_size_key) size = word;
      key = word;
      is_value = !is_value;
    });
  }
  return std::has_single_bit(size) && size >= 4096 && size <= (1 << 20) ? size : 0;
}

}  // namespace critpipe
