#include "json/parse/json_parser.hpp"

#include <algorithm>

#include "json/parse/json_text.hpp"

namespace critpipe {

JsonEncoder::Parser::Parser(EncodeSink& sink, std::string_view source_name, const Limits& limits)
    : sink_{sink}, source_name_{source_name}, limits_{limits} {}

void JsonEncoder::Parser::use_threads(unsigned threads) {
  RunTaker& taker = *this;
  runs_ = threads > 1 ? std::make_unique<TextRuns>(taker, limits_, threads) : nullptr;
}

Step JsonEncoder::Parser::feed_text(Bytes block) {
  if (stopped_) return Step::stop;
  reader_.put(block);
  for (std::string_view text; !stopped_ && !(text = reader_.next()).empty();) take(text);
  if (!stopped_ && reader_.is_bad()) fail(Reason::bad_encoding, window_.end(), "");
  return stopped_ ? Step::stop : Step::go;
}

void JsonEncoder::Parser::take(std::string_view text) {
  std::uint64_t keep = at_;
  if (document_.held_key != Key::other) keep = std::min(keep, document_.held_begin);
  window_.append(text, keep);
  while (step()) continue;
}

bool JsonEncoder::Parser::step() {
  if (stopped_) return false;
  switch (state_) {
    case State::between: return take_between();
    case State::first_key:
    case State::key: return take_key();
    case State::colon: return take_colon();
    case State::value: return take_value();
    case State::after_value: return take_after_value();
    case State::skip_string: return skip_string();
    case State::skip_brackets:
    case State::hold: return skip_brackets();
    case State::first_element: return take_first_element();
    case State::element_start: return take_element_start();
    case State::element: return take_element();
    case State::separator: return take_separator();
    case State::extra_text:
    case State::raw_text: return take_base64();
  }
  return false;
}

Step JsonEncoder::Parser::finish() {
  if (runs_) runs_->finish();
  if (stopped_) return Step::stop;
  reader_.finish();
  for (std::string_view text; !stopped_ && !(text = reader_.next()).empty();) take(text);
  if (!stopped_ && reader_.is_bad()) fail(Reason::bad_encoding, window_.end(), "");
  if (stopped_) return Step::stop;
  if (state_ != State::between) {
    const char* what = "the document does not end";
    if (state_ == State::element || state_ == State::extra_text) what = "the entry does not end";
    else if (in_entries()) what = "the list of entries does not end";
    fail(Reason::cut_json, window_.end(), what);
    return Step::stop;
  }
  if (nr_documents_ == 0) {
    fail(Reason::cut_json, window_.end(), "there is no document");
    return Step::stop;
  }
  if (!end_image()) return Step::stop;
  if (!paused_.empty()) {
    fail(Reason::cut_json, window_.end(), "the image " + paused_.begin()->first + " is continued nowhere");
    return Step::stop;
  }
  if (Error verdict = entry_.doubts().verdict()) {
    verdict.image = source_name_;
    sink_.doubt(verdict);
  }
  if (!incomplete_) return Step::go;
  error_ = incomplete_;
  stopped_ = true;
  return Step::stop;
}

bool JsonEncoder::Parser::skip_blanks() {
  const char* at = window_.at(at_);
  const char* end = window_.end();
  const char* begin = at;
  while (at != end && is_json_blank(*at)) ++at;
  at_ += static_cast<std::uint64_t>(at - begin);
  return at != end;
}

bool JsonEncoder::Parser::deliver(Step step) {
  if (step == Step::stop) stopped_ = true;
  return !stopped_;
}

// Hands on what has been made, if it is enough, but for the last `keep` bytes.
bool JsonEncoder::Parser::flush(std::size_t threshold, std::size_t keep) {
  if (out_.size() < threshold || out_.size() <= keep) return true;
  const std::size_t size = out_.size() - keep;
  const Step step = sink_.bytes(out_.from(0).first(size));
  std::memmove(out_.data(), out_.data() + size, keep);
  out_.truncate(keep);
  return deliver(step);
}

// {"magic": ...} and what is known of the image by now -> its first bytes, unless its last entry has just been read.
bool JsonEncoder::Parser::start_image(bool lines, bool empty) {
  const Head head = document_.head.value_or(document_.kind->head);
  const bool same = lines && image_.open && image_.lines && image_.name == document_.image &&
                    image_.kind == document_.kind && image_.head == head;
  const bool again = document_.index == std::uint64_t{0} && entry_.nr_entries() > 0;
  // One image of a name follows another only where it has none: else lines have changed places.
  if (same && !(again && (image_.name.empty() || image_.index.value_or(0) == 0)))
    return check_index(entry_.nr_entries());
  if (!end_image()) return false;
  image_ = {true, lines, document_.image, document_.kind, head, {}};
  if (lines && !paused_.contains(image_.name) && !check_index(0)) return false;
  if (!deliver(sink_.begin({image_.name, image_.kind, lines || empty}))) return false;
  if (resume_image()) return true;
  if (head != Head::bare) out_.word(head == Head::common ? common_magic : service_magic);
  out_.word(document_.kind->magic);
  entry_.begin_image(*document_.kind, {});
  return true;
}

// The entries of lines come in the order in which they stand in the image. Some may be missing: others wanted them so.
bool JsonEncoder::Parser::check_index(std::uint64_t nr_before) {
  if (!document_.index || document_.index_checked) return true;
  document_.index_checked = true;
  const std::uint64_t found = *document_.index;
  const bool headed = image_.kind->first != image_.kind->later;
  const bool is_first = !image_.index && nr_before == 0;
  const std::uint64_t least = image_.index ? *image_.index + 1 : 0;
  if (found >= least && !(is_first && headed && found != 0)) {
    image_.index = found;
    return true;
  }
  std::string name = "line " + std::to_string(nr_documents_) + " is entry " + std::to_string(found) + ", and ";
  if (found < least) name += "entry " + std::to_string(*image_.index) + " was before it";
  else name += "entry 0, which says what the others mean, was not before it";
  return fail(Reason::bad_order, window_.at(at_), std::move(name), least);
}

bool JsonEncoder::Parser::start_raw() {
  if (!end_image()) return false;
  image_ = {true, false, document_.image, nullptr, Head::none, {}};
  if (!deliver(sink_.begin({image_.name, nullptr, false}))) return false;
  resume_image();
  return true;
}

// Others come before it goes on.
bool JsonEncoder::Parser::pause_image() {
  paused_[image_.name] = {image_.kind, image_.head, image_.kind ? entry_.pause() : EntryEncoder::Resume{}};
  image_.open = false;
  return flush(0) && deliver(sink_.pause());
}

// False: it is a new one.
bool JsonEncoder::Parser::resume_image() {
  const auto paused = paused_.find(image_.name);
  if (paused == paused_.end() || paused->second.kind != image_.kind || paused->second.head != image_.head) return false;
  if (image_.kind) entry_.begin_image(*image_.kind, paused->second.entries);
  paused_.erase(paused);
  return true;
}

bool JsonEncoder::Parser::end_image() {
  if (!image_.open) return true;
  image_.open = false;
  return flush(0) && deliver(sink_.end());
}

// What was read before the fault is written.
bool JsonEncoder::Parser::fail(Reason reason, const char* at, std::string name, std::uint64_t want) {
  const std::uint64_t offset = window_.offset_of(at);
  const std::uint64_t entry = in_entries() ? entry_.nr_entries() : Error::nowhere;
  const std::string& image = document_.image.empty() ? source_name_ : document_.image;
  flush(0);
  error_ = {reason, image, offset, entry, want, 0, std::move(name)};
  stopped_ = true;
  return false;
}

bool JsonEncoder::Parser::fail_entry() {
  JsonFault& fault = entry_.fault();
  return fail(fault.reason, fault.at ? fault.at : window_.at(at_), std::move(fault.name), fault.want);
}

// Requires: what they point to is still in the window, and the entry was the last.
void JsonEncoder::Parser::tell_doubts() {
  for (Doubts::Doubt& doubt : entry_.doubts().found()) {
    doubt.error.image = image_.name.empty() ? source_name_ : image_.name;
    doubt.error.entry = entry_.nr_entries() - 1;
    doubt.error.offset = window_.offset_of(doubt.at);
    sink_.doubt(doubt.error);
  }
  entry_.doubts().found().clear();
}

void JsonEncoder::Parser::note_incomplete(const std::string& text) {
  if (incomplete_) return;
  const std::string& image = document_.image.empty() ? source_name_ : document_.image;
  incomplete_ = {Reason::incomplete_json, image, Error::nowhere, Error::nowhere, 0, 0, text};
}

JsonEncoder::JsonEncoder(EncodeSink& sink, std::string_view source_name, const Limits& limits)
    : parser_{std::make_unique<Parser>(sink, source_name, limits)} {}
JsonEncoder::~JsonEncoder() = default;
Step JsonEncoder::feed(Bytes text) { return parser_->feed(text); }
Step JsonEncoder::finish() { return parser_->finish(); }
void JsonEncoder::use_threads(unsigned threads) { parser_->use_threads(threads); }
const Error& JsonEncoder::error() const { return parser_->error(); }

}  // namespace critpipe
