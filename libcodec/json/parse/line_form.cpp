// Lines that look like the one before: only the index and the entry differ.
#include <cstring>

#include "json/parse/json_parser.hpp"

namespace critpipe {

namespace {

constexpr std::size_t longest_form = 16 << 10;
constexpr std::ptrdiff_t most_digits = 15;

// Digits without zeros before them; null: something else.
const char* take_index(const char* at, const char* end, std::uint64_t& index) {
  const char* const begin = at;
  for (index = 0; at != end && *at >= '0' && *at <= '9' && at - begin < most_digits; ++at)
    index = index * 10 + static_cast<std::uint64_t>(*at - '0');
  return at == begin || (*begin == '0' && at - begin > 1) ? nullptr : at;
}

}  // namespace

// At the end of a document, which is at at_. One that says less or more than a line does is none: its end would have
// more to do than to count an entry.
void JsonEncoder::Parser::learn_line() {
  const bool is_line = image_.open && image_.lines && image_.index && document_.has_entries && document_.index &&
                       !document_.has_raw && !document_.error && !document_.continued && !document_.size;
  const bool in_order = line_.begin < line_.index && line_.index_end <= line_.entry && line_.entry_end == at_;
  if (!is_line || !in_order || line_.begin < window_.begin_offset()) return;
  if (line_.entry - line_.begin > longest_form || *window_.at(line_.index) == '"') return;
  line_.before.assign(window_.at(line_.begin), window_.at(line_.index));
  line_.between.assign(window_.at(line_.index_end), window_.at(line_.entry));
  line_.known = true;
}

// Lines of the open image with ascending indices. False: the next one is none, or is to be read the long way, which
// also finds what is wrong with it.
bool JsonEncoder::Parser::take_small_lines() {
  const char* const end = window_.end();
  const char* at = window_.at(at_);
  bool taken = false;
  const auto skip = [&](const std::string& text) {
    if (static_cast<std::size_t>(end - at) < text.size() || std::memcmp(at, text.data(), text.size()) != 0)
      return false;
    at += text.size();
    return true;
  };
  while (out_.size() < block_bytes && skip(line_.before)) {
    std::uint64_t index;
    at = take_index(at, end, index);
    if (!at || index <= *image_.index || !skip(line_.between)) break;
    at = entry_.small_entries(at, end, EntryEncoder::Stand::at_end_of_line);
    if (!at) break;
    image_.index = index;
    ++nr_documents_;
    ++at;  // }
    at_ = window_.offset_of(at);
    taken = true;
    if (!entry_.doubts().found().empty()) [[unlikely]]
      tell_doubts();
    if (at == end || *at != '\n') break;
    ++at;
  }
  return taken;
}

}  // namespace critpipe
