// Documents and lines around what the Printer prints.
#include "critpipe/source.hpp"
#include "json/print/json_sink.hpp"

#include "json/print/print_fast_path.hpp"

namespace critpipe {

namespace {

constexpr std::string_view head_name(Head head) {
  switch (head) {
    case Head::bare: return "bare";
    case Head::common: return "common";
    case Head::service: return "service";
    case Head::none: break;
  }
  return "none";
}

template <bool human, bool indent, typename Print>
void with_printer(Output& output, bool big_as_text, Print& print) {
  if (big_as_text) print(Printer<human, indent, true>{output});
  else print(Printer<human, indent, false>{output});
}

template <typename Print>
void with_printer(Output& output, bool human, bool indent, bool big_as_text, Print print) {
  if (human && indent) with_printer<true, true>(output, big_as_text, print);
  else if (human) with_printer<true, false>(output, big_as_text, print);
  else if (indent) with_printer<false, true>(output, big_as_text, print);
  else with_printer<false, false>(output, big_as_text, print);
}

}  // namespace

void JsonSink::Writer::item(int depth, bool first) {
  output_.commit(put_separator(output_.reserve(member_room), indent_, depth, first));
}

void JsonSink::Writer::key(std::string_view name, int depth, bool first) {
  item(depth, first);
  put("\"");
  put(name);
  put("\": ");
}

void JsonSink::Writer::close_bracket(char bracket, int depth, bool empty) {
  char* at = output_.reserve(member_room);
  if (indent_ && !empty) at = put_newline(at, depth);
  *at++ = bracket;
  output_.commit(at);
}

void JsonSink::Writer::put_image(std::string_view name) {
  JsonWriter json{output_, indent_};
  json.begin('{').key("image").bytes(bytes_of(name));
  if (options_.set) put_set(json, *options_.set);
}

// {"image": NAME, "checkpoint": INPUT, "set": SET, "magic": KIND, "head": ...
void JsonSink::Writer::head(const Image& image) {
  const bool named = options_.form != JsonOptions::Form::document;
  if (named) put_image(name_);
  else put("{");
  if (image.is_raw()) {
    if (!kind_) return;
    key("kind", 1, !named);
    put_quoted(kind_->name);
    return;
  }
  key("magic", 1, !named);
  put_quoted(kind_->magic_name);
  if (image.head == kind_->head || !options_.wire) return;
  key("head", 1, false);
  put_quoted(head_name(image.head));
}

const std::string& JsonSink::Writer::line_head() {
  if (line_head_.empty()) {
    StringOutput text{2 * member_room};
    Writer writer{text, options_};
    writer.name_ = name_;
    writer.kind_ = kind_;
    writer.head({name_, kind_, head_});
    line_head_ = text.take() + ", \"index\": ";
  }
  return line_head_;
}

void JsonSink::Writer::start(const Image& image) {
  begun_ = true;
  name_ = image.name;
  kind_ = image.kind;
  head_ = image.head;
  nr_entries_ = 0;
  nr_before_ = 0;
  raw_bytes_ = 0;
  paused_ = false;
  flat_ = !options_.pretty && !big_as_text() && kind_ && !kind_->has_extra();
  line_head_.clear();
}

void JsonSink::Writer::begin(const Image& image) {
  start(image);
  open_document();
}

// What opens the document stands before those entries.
void JsonSink::Writer::resume(const Image& image, std::uint64_t nr_entries) {
  start(image);
  nr_entries_ = nr_entries;
}

void JsonSink::Writer::open_document() {
  const Image image{name_, kind_, head_};
  if (image.is_raw()) {
    head(image);
    if (!options_.raw) return;
    key("raw", 1, !kind_ && options_.form == JsonOptions::Form::document);
    put("\"");
    base64_ = {};
    return;
  }
  if (options_.form == JsonOptions::Form::lines) return;
  head(image);
  key("entries", 1, false);
  put("[");
}

bool JsonSink::Writer::pause() {
  if (in_entry_ || !begun_ || paused_ || (head_ == Head::none && !options_.raw)) return false;
  if (head_ == Head::none) close_base64();
  else if (options_.form == JsonOptions::Form::lines) head({name_, kind_, head_});
  else put("]");
  key("continued", 1, false);
  put("true");
  end_object(0, false);
  put("\n");
  nr_before_ = nr_entries_;
  paused_ = true;
  return true;
}

void JsonSink::Writer::reopen() {
  paused_ = false;
  open_document();
}

void JsonSink::Writer::put_canonical(const Message& message, Bytes payload, bool human, int depth, bool whole) {
  char* at = output_.reserve(member_room);
  const auto print = [&](auto printer) {
    if (whole) at = printer.object(at, message, payload, depth, false);
    else at = printer.members(at, message, payload, depth + 1, false, no_member_);
  };
  with_printer(output_, human, indent_, big_as_text(), print);
  output_.commit(at);
}

void JsonSink::Writer::entry(const Entry& entry) {
  if (paused_) [[unlikely]]
    reopen();
  const bool is_line = options_.form == JsonOptions::Form::lines;
  if (flat_ && !is_line && entry.canonical) [[likely]]
    return compact_entry(entry);
  output_.mark();
  in_entry_ = true;
  no_member_ = true;
  in_extra_ = false;
  no_item_ = true;
  extra_bytes_ = 0;
  if (is_line) {
    put(line_head());
    output_.commit(put_decimal(output_.reserve(member_room), entry.index));
    put(", \"entry\": ");
  } else {
    item(entry_depth, nr_entries_ == nr_before_);
  }
  put("{");
  if (entry.canonical) [[likely]]
    return put_canonical(*entry.message, entry.payload, options_.pretty, entry_depth, false);
  const std::string written = critpipe::canonical(*entry.message, entry.payload);
  put_canonical(*entry.message, std::as_bytes(std::span{written}), options_.pretty, entry_depth, false);
  if (!options_.wire) return;
  key("_wire", entry_depth + 1, no_member_);
  no_member_ = false;
  output_.commit(put_base64(output_, output_.reserve(member_room), entry.payload));
}

// The entries of a document or of lines that are not pretty, up to the first that the fast path refuses.
Sink::Taken JsonSink::Writer::many(Bytes unchecked, std::uint64_t index) {
  if (!flat_ || paused_) return {};
  if (options_.form != JsonOptions::Form::lines)
    return print_many(
        unchecked, 2, [](char* at, std::uint64_t) { return put_text(at, ", ", 2); }, "");
  const std::string& head = line_head();
  constexpr std::string_view between = ", \"entry\": ";
  const auto before = [&](char* at, std::uint64_t nr) {
    at = put_decimal(put_text(at, head.data(), head.size()), index + nr);
    return put_text(at, between.data(), between.size());
  };
  return print_many(unchecked, head.size() + max_number_text + between.size(), before, "}\n");
}

// before: writes at most `room` bytes that stand before the entry, the so manieth of these. after: what follows it.
template <typename Before, std::size_t size>
Sink::Taken JsonSink::Writer::print_many(Bytes unchecked, std::size_t room, Before before, const char (&after)[size]) {
  Taken taken;
  const Message& message = *kind_->later;
  const std::byte* from = unchecked.data();
  const std::byte* const end = from + unchecked.size();
  char* at = output_.reserve(0);
  while (end - from >= 4) {
    const std::size_t bytes = load_u32(from);
    if (bytes > static_cast<std::size_t>(end - from) - 4) break;
    at = output_.more(at, room + fast_path_room + size);
    char* const printed = print_fast(before(at, taken.entries), message, {from + 4, bytes});
    if (!printed) break;
    at = put_text(printed, after, size - 1);
    from += 4 + bytes;
    ++taken.entries;
  }
  output_.commit(at);
  nr_entries_ += taken.entries;
  taken.bytes = static_cast<std::size_t>(from - unchecked.data());
  taken.step = step();
  return taken;
}

// In a document that is not pretty, without an extra.
void JsonSink::Writer::compact_entry(const Entry& entry) {
  char* at = output_.reserve(member_room);
  if (nr_entries_ != nr_before_) at = put_text(at, ", ", 2);
  *at++ = '{';
  bool first = true;
  at = Printer<false, false, false>{output_}.members(at, *entry.message, entry.payload, 0, false, first);
  *at++ = '}';
  output_.commit(at);
  ++nr_entries_;
}

void JsonSink::Writer::close() {
  if (!in_entry_) [[likely]]
    return;
  if (kind_->has_extra()) close_extra();
  end_object(entry_depth, no_member_);
  if (options_.form == JsonOptions::Form::lines) put("}\n");
  in_entry_ = false;
  ++nr_entries_;
  output_.release();
}

void JsonSink::Writer::end() {
  const bool was_paused = paused_;
  if (paused_) reopen();
  if (head_ == Head::none) {
    if (options_.raw) {
      close_base64();
    } else {
      key("size", 1, !kind_ && options_.form == JsonOptions::Form::document);
      if (big_as_text()) put("\"");
      output_.commit(put_decimal(output_.reserve(max_number_text), raw_bytes_));
      if (big_as_text()) put("\"");
    }
  } else if (options_.form == JsonOptions::Form::lines) {
    if (nr_entries_ > 0 && !was_paused) return;
    head({name_, kind_, head_});
    key("entries", 1, false);
    put("[]");
  } else {
    if (indent_ && nr_entries_ > 0) item(1, true);
    put("]");
  }
  end_object(0, false);
  if (options_.newline) put("\n");
}

void JsonSink::Writer::fail(const Error& error) {
  Error shown = error;
  shown.image.clear();  // the document is about this image
  const std::string text = to_string(shown);
  if (in_entry_ && !output_.rollback()) {
    // A part of its extra is out already: say so where a reader of the entry sees it.
    close_extra();
    key("error", entry_depth + 1, no_member_);
    put_quoted(text);
    end_object(entry_depth, false);
    if (options_.form == JsonOptions::Form::lines) return put("}\n");
    ++nr_entries_;
  }
  in_entry_ = false;
  if (paused_) reopen();
  if (!begun_) {
    // No kind is known, so no document has begun: only a list of documents needs a place for the fault.
    if (options_.form == JsonOptions::Form::document) return;
    put_image(error.image);
  } else if (options_.form == JsonOptions::Form::lines && head_ != Head::none) {
    head({name_, kind_, head_});
  } else if (head_ == Head::none) {
    if (options_.raw) close_base64();
  } else {
    if (indent_ && nr_entries_ > 0) item(1, true);
    put("]");
  }
  key("error", 1, false);
  put_quoted(text);
  end_object(0, false);
  put("\n");
}

JsonSink::JsonSink(Output& output, const JsonOptions& options) : writer_{std::make_unique<Writer>(output, options)} {}
JsonSink::~JsonSink() = default;

Step JsonSink::begin(const Image& image) {
  writer_->begin(image);
  return writer_->step();
}
Step JsonSink::resume(const Image& image, std::uint64_t nr_entries) {
  writer_->resume(image, nr_entries);
  return writer_->step();
}
Step JsonSink::entry(const Entry& entry) {
  writer_->entry(entry);
  return writer_->step();
}
Sink::Taken JsonSink::many(Bytes unchecked, std::uint64_t index, std::uint64_t) {
  return writer_->many(unchecked, index);
}
Step JsonSink::part(const ExtraPart& part) {
  writer_->part(part);
  return writer_->step();
}
Step JsonSink::bytes(Bytes bytes) {
  writer_->bytes(bytes);
  return writer_->step();
}
Step JsonSink::padding(Bytes bytes) {
  writer_->padding(bytes);
  return writer_->step();
}
Step JsonSink::close() {
  writer_->close();
  return writer_->step();
}
Step JsonSink::raw(Bytes bytes) {
  writer_->raw(bytes);
  return writer_->step();
}
Step JsonSink::pass_over(std::uint64_t size) {
  writer_->pass_over(size);
  return writer_->step();
}
Step JsonSink::end() {
  writer_->end();
  return writer_->step();
}
void JsonSink::fail(const Error& error) { writer_->fail(error); }
bool JsonSink::pause() { return writer_->pause(); }

void print_message(Output& output, const Message& message, Bytes payload, const MessageOptions& options) {
  const std::string written = options.canonical ? std::string{} : critpipe::canonical(message, payload);
  const Bytes view = options.canonical ? payload : std::as_bytes(std::span{written});
  char* at = output.reserve(member_room);
  with_printer(output, options.pretty, false, options.big_numbers == BigNumbers::text,
               [&](auto printer) { at = printer.object(at, message, view, 0, false); });
  output.commit(at);
}

std::string json_string(std::string_view text) {
  StringOutput output;
  output.commit(put_string(output, output.reserve(member_room), std::as_bytes(std::span{text})));
  return output.take();
}

}  // namespace critpipe
