#include "model/auxiliary_vector.hpp"

#include <bit>

#include "model/message_reader.hpp"

namespace critpipe {

namespace {

// In a vector of 64-bit numbers the upper half of every key is 0; in one of pairs it is a value, and not all of those
// are 0: the first are addresses.
bool is_of_pairs(const std::vector<std::uint64_t>& words) {
  for (std::size_t i = 0; i < words.size() && words[i] != 0; i += 2)
    if (words[i] >> 32 != 0) return true;
  return false;
}

}  // namespace

std::vector<std::uint64_t> auxiliary_vector_in(const Message& message, Bytes payload) {
  static const Field& vector = *find_message("mm_entry")->find("mm_saved_auxv");
  std::vector<std::uint64_t> words;
  for (Fields fields{message, payload}; fields.next();)
    if (fields.value().field == &vector)
      each_integer(fields.value(), [&](std::uint64_t word) { words.push_back(word); });
  if (!is_of_pairs(words)) return words;
  std::vector<std::uint64_t> pairs;
  for (const std::uint64_t word : words) {
    pairs.push_back(word & 0xffffffff);
    pairs.push_back(word >> 32);
  }
  return pairs;
}

std::uint64_t page_size_in(const std::vector<std::uint64_t>& vector) {
  constexpr std::uint64_t page_size_key = 6;  // AT_PAGESZ
  std::uint64_t size = 0;
  for (std::size_t i = 0; i + 1 < vector.size(); i += 2)
    if (vector[i] == page_size_key) size = vector[i + 1];
  return std::has_single_bit(size) && size >= 4096 && size <= (1 << 20) ? size : 0;
}

}  // namespace critpipe
