// Lines that look like the one before: only the index and the entry differ.
#include <cstring>

#include "critpipe/fields.hpp"
#include "json/parse/json_parser.hpp"
#include "json/parse/line_index.hpp"

namespace critpipe {

namespace {

constexpr std::size_t longest_form = 16 << 10;

}  // namespace

// At the end of a document, which is at at_. One that says less or more than a line does is none: its end would have
// more to do than to count an entry.
void JsonEncoder::Parser::learn_line() {
  const bool is_line = image_.open && image_.lines && image_.index && document_.has_entries && document_.index &&
                       !document_.has_raw && !document_.error && !document_.continued && !document_.size;
  const bool in_order = line_.begin < line_.index && line_.index_end <= line_.entry && line_.entry_end == at_;
  if (!is_line || !in_order || line_.begin < window_.begin_offset()) return;
  if (line_.entry - line_.begin > longest_form || *window_.at(line_.index) == '"') return;
  line_.words.before.assign(window_.at(line_.begin), window_.at(line_.index));
  line_.words.between.assign(window_.at(line_.index_end), window_.at(line_.entry));
  line_.known = true;
}

// Lines of the open image with ascending indices. False: the next one is none, or is to be read the long way, which
// also finds what is wrong with it.
bool JsonEncoder::Parser::take_small_lines() {
  const char* const end = window_.end();
  const char* at = window_.at(at_);
  bool taken = false;
  std::uint64_t index;
  while (out_.size() < block_bytes && (at = line_.words.pass(at, end, index)) && index > *image_.index) {
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

// As what the text that comes next is encoded, if it is cut well.
RunForm JsonEncoder::Parser::form_of_next() {
  if (stopped_ || !image_.open || !image_.kind || image_.kind->has_extra()) return {};
  if (!image_.lines) return {image_.kind};
  return line_.words.before.empty() ? RunForm{} : RunForm{image_.kind, true, line_.words};
}

// Does the run begin where the parser is?
bool JsonEncoder::Parser::fits(const TextRun& run) const {
  if (stopped_ || at_ != window_.end_offset() || !reader_.is_plain()) return false;
  if (!image_.open || image_.kind != run.form.kind || image_.lines != run.form.lines) return false;
  if (!image_.lines) return state_ == State::element_start && key_ == Key::entries;
  return state_ == State::between && line_.known && line_.words == run.form.words && run.first_index > *image_.index;
}

bool JsonEncoder::Parser::take_run(TextRun& run) {
  if (!fits(run) || !entry_.take_run(*run.entries)) return false;
  if (image_.lines) {
    image_.index = run.last_index;
    nr_documents_ += run.entries->nr_of_run();
  }
  window_.pass_over(run.size);
  at_ = scan_ = window_.end_offset();
  cutter_.restart();
  after_small_ = !image_.lines;
  alone_ = false;
  // Handed on in the same blocks as if the entries had come one by one.
  for (Bytes entries = run.out.from(0); !entries.empty() && !stopped_;) {
    std::size_t size = 0;
    if (out_.size() + entries.size() < block_bytes) size = entries.size();
    while (size < entries.size() && out_.size() + size < block_bytes)
      size += sizeof(std::uint32_t) + load_u32(entries.data() + size);
    out_.append(entries.data(), size);
    entries = entries.subspan(size);
    flush(block_bytes);
  }
  return true;
}

}  // namespace critpipe
