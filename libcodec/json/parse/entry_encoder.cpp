#include "json/parse/entry_encoder.hpp"

#include <algorithm>
#include <cstring>

#include "json/parse/encode_fast_path.hpp"
#include "json/parse/json_text.hpp"

namespace critpipe {

void EntryEncoder::begin_image(const Kind& kind, const Resume& from) {
  kind_ = &kind;
  doubts_.begin_image(kind);
  nr_entries_ = from.nr_entries;
  has_rest_ = from.has_rest;
  incomplete_ = false;
}

void EntryEncoder::begin_run(const Kind& kind) {
  doubts_ = {};
  begin_image(kind, {1, false});
}

bool EntryEncoder::take_run(const EntryEncoder& run) {
  if (nr_entries_ == 0 || incomplete_ || run.out_.size() < sizeof(std::uint32_t)) return false;
  const std::size_t size = load_u32(run.out_.data());
  if (!doubts_.take_run(run.doubts_, run.out_.from(sizeof(std::uint32_t)).first(size))) return false;
  nr_entries_ += run.nr_of_run();
  return true;
}

bool EntryEncoder::entry(ondemand::object object, const Place& place) {
  continued_ = place.continued;
  extra_at_ = nullptr;
  says_error_ = false;
  if (incomplete_)
    return fault_.set(Reason::bad_json_value, place.at,
                      "an entry follows one that says \"error\"; it would be misread");
  const std::size_t begin = out_.size();
  if (continued_) {
    static constexpr Message none{"the rest of an entry", nullptr, nullptr, 0, 0, 0};
    if (!fields_.message(none, object, place.at, 0, this)) return false;
  } else if (!fields(object, place.at)) {
    return false;
  }
  if (says_error_) {
    incomplete_ = true;
    out_.truncate(begin);
    return true;
  }
  const char* at = extra_at_ ? extra_at_ : place.at;
  if (continued_ && !close_part(at)) return false;
  if (kind_->extra.nested) {
    if (!put_nested(at)) return false;
  } else if (kind_->has_extra()) {
    if (!put_parts(place.open == no_part ? nr_parts() : place.open, at)) return false;
  }
  if (place.open == no_part) ++nr_entries_;
  return true;
}

const char* EntryEncoder::small_entries(const char* at, const char* end, Stand stand) {
  if (kind_->has_extra() || incomplete_ || limits_.entry_bytes < block_bytes) return nullptr;
  const char* after = nullptr;  // the last of them
  for (; at != end && *at == '{' && out_.size() < block_bytes; at = after + 2) {
    const char* const next = small_entry(at, end, stand);
    if (!next) break;
    after = next;
    if (stand != Stand::in_list || end - after < 3 || after[0] != ',' || after[1] != ' ') break;
    if (!doubts_.found().empty()) [[unlikely]]
      break;
  }
  return after;
}

inline const char* EntryEncoder::small_entry(const char* at, const char* end, Stand stand) {
  constexpr std::uint32_t vaddr = 1, compat_nr_pages = 2, nr_pages = 5;
  const Message& message = nr_entries_ == 0 ? *kind_->first : *kind_->later;
  const bool notes = doubts_.wants_runs() && &message == kind_->later;
  const std::size_t begin = out_.size();
  NotedNumbers noted;
  noted.of_field[vaddr] = noted.of_field[compat_nr_pages] = 0;
  noted.of_field[nr_pages] = NotedNumbers::absent;
  out_.word(std::uint32_t{0});
  const char* const after = notes ? encode_fast(message, at, end, out_, noted) : encode_fast(message, at, end, out_);
  if (!after || (stand == Stand::at_end_of_line && (after == end || *after != '}'))) {
    out_.truncate(begin);
    return nullptr;
  }
  const auto size = static_cast<std::uint32_t>(out_.size() - begin - sizeof(std::uint32_t));
  std::memcpy(out_.data() + begin, &size, sizeof size);
  ++nr_entries_;
  if (notes) {
    const std::uint64_t* const found = noted.of_field;
    doubts_.run(found[vaddr], found[nr_pages] != NotedNumbers::absent ? found[nr_pages] : found[compat_nr_pages], at);
  } else {
    doubts_.entry(message, out_.from(begin + sizeof size), at);
  }
  return after;
}

// Size and payload.
bool EntryEncoder::fields(ondemand::object object, const char* at) {
  message_ = nr_entries_ == 0 ? kind_->first : kind_->later;
  const bool has_extra = kind_->has_extra();
  has_extra_ = false;
  if (has_extra) {
    held_.truncate(0);
    std::ranges::fill(parts_, Held{});
    nr_nested_ = 0;
    next_part_ = 0;
    streamed_ = 0;
  }
  wired_.there = false;
  fields_.begin_entry();
  out_.word(std::uint32_t{0});
  const std::size_t begin = out_.size();
  if (!fields_.message(*message_, object, at, 0, this)) return false;
  const Message& message = *message_;
  if (fields_.has_unknown() && !check_unknown(message, out_.from(begin), at)) return false;
  if (wired_.there) prefer_wire(message, wired_, out_, begin);
  const std::uint64_t size = out_.size() - begin;
  if (size > limits_.entry_bytes)
    return fault_.set(Reason::limit_json, at, "the message of an entry", limits_.entry_bytes);
  const auto word = static_cast<std::uint32_t>(size);
  std::memcpy(out_.data() + begin - sizeof word, &word, sizeof word);
  doubts_.entry(message, out_.from(begin), at);
  return !has_extra || find_sizes(message, out_.from(begin), at);
}

bool EntryEncoder::take(std::string_view key, ondemand::value& value, bool& known) {
  known = true;
  const std::string_view token = token_of(value);
  if (key == "extra") return take_extra(value);
  if (key == "error") return take_error(token);
  if (continued_)
    return fault_.set(Reason::bad_json_value, token.data(), "an extra over 4 MiB must stand last in its entry");
  if (key == "_wire") return take_wire(token, wired_);
  known = false;
  return true;
}

const Message* EntryEncoder::draft_with(std::string_view key) {
  if (continued_ || nr_entries_ == 0 || !kind_->draft || !kind_->draft->find(key)) return nullptr;
  return message_ = kind_->draft;
}

bool EntryEncoder::NestedKeys::take(std::string_view key, ondemand::value& value, bool& known) {
  known = key == "_wire";
  return !known || entry_.take_wire(token_of(value), wired);
}

bool EntryEncoder::take_error(std::string_view token) {
  says_error_ = true;
  error_text_.clear();
  const std::string_view text = trim_json(token);
  std::size_t bad;
  if (text.size() < 2 || text.front() != '"') return true;
  append_unescaped(text.substr(1, text.size() - 2), error_text_, bad);
  return true;
}

bool EntryEncoder::take_wire(std::string_view token, Wired& wired) {
  wired.bytes.truncate(0);
  wired.there = !is_null(token);
  return !wired.there || fields_.base64(token, wired.bytes);
}

// The payload as it was, if it still says what the fields say.
void EntryEncoder::prefer_wire(const Message& message, Wired& wired, WireBuffer& out, std::size_t begin) {
  const Bytes wire = wired.bytes.from(0), payload = out.from(begin);
  Checked checked;
  if (!check(message, wire, checked)) return;
  const std::string same = canonical(message, wire);
  if (same.size() != payload.size() || std::memcmp(same.data(), payload.data(), same.size()) != 0) return;
  out.truncate(begin);
  out.append(wire.data(), wire.size());
}

bool EntryEncoder::check_unknown(const Message& message, Bytes payload, const char* at) {
  Checked checked;
  if (check(message, payload, checked)) return true;
  return fault_.set(Reason::bad_json_value, at,
                    "with its \"_unknown\" fields the message would not be readable: " +
                        to_string({.reason = checked.reason,
                                   .want = checked.want,
                                   .have = checked.have,
                                   .name = checked.field ? std::string{checked.field->name()} : ""}));
}

}  // namespace critpipe
