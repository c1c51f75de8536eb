// Documents and lines around what the Printer prints.
#include "critpipe/json.hpp"

#include <algorithm>

#include "sink/json_print.hpp"
#include "text/base64.hpp"
#include "text/escape.hpp"

namespace critpipe {

namespace {

constexpr int entry_depth = 2;
constexpr std::size_t piece_bytes = 1024 * base64_line_bytes;

constexpr std::string_view head_name(Head head) {
  switch (head) {
    case Head::bare: return "bare";
    case Head::common: return "common";
    case Head::service: return "service";
    case Head::none: break;
  }
  return "none";
}

// 64KB, 1.5KB: divided by 1024 while that leaves 1 or more, a decimal only where the number is not whole.
std::string human_size(std::uint64_t bytes) {
  constexpr std::string_view units[] = {"", "K", "M", "G", "T", "P", "E"};
  auto number = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (number >= 1024 && unit < 6) {
    number /= 1024;
    ++unit;
  }
  char text[32];
  const bool whole = number == static_cast<double>(static_cast<std::uint64_t>(number));
  const int size = std::snprintf(text, sizeof text, whole ? "%.0f" : "%.1f", number);
  return std::string(text, static_cast<std::size_t>(size)) + std::string{units[unit]} + "B";
}

}  // namespace

class JsonSink::Writer {
 public:
  Writer(Output& output, const JsonOptions& options)
      : output_{output}, options_{options}, indent_{options.pretty && options.form == JsonOptions::Form::document} {}

  void begin(const Image& image);
  void entry(const Entry& entry);
  void part(const Part& part);
  void bytes(Bytes bytes);
  void padding(Bytes bytes);
  void close();
  void raw(Bytes bytes);
  void end();
  void fail(const Error& error);
  Step step() const { return output_.step(); }

 private:
  enum class Open : std::uint8_t { nothing, string, units };

  void put(std::string_view text) { output_.write(text); }
  void put_quoted(std::string_view text) {
    output_.commit(put_string(output_, output_.reserve(member_room), std::as_bytes(std::span{text})));
  }
  void item(int depth, bool first);             // the comma and the line before a member
  void key(std::string_view name, int depth, bool first);
  void head(const Image& image);
  void plain_entry(const Entry& entry);
  void put_canonical(const Message& message, Bytes payload, bool human, int depth, bool whole);
  void put_base64_bytes(Bytes bytes);
  void close_base64();
  void put_unit(std::uint16_t unit);
  void close_part();
  void close_extra();
  void open_extra(const Part& part);
  void end_object(int depth, bool empty);

  Output& output_;
  JsonOptions options_;
  bool indent_;
  bool plain_ = false;
  std::string name_;
  const Kind* kind_ = nullptr;
  Head head_ = Head::none;
  std::uint64_t nr_entries_ = 0;      // complete
  bool begun_ = false;
  bool in_entry_ = false;
  bool no_member_ = true;             // of the entry's object yet
  bool in_extra_ = false;
  bool no_item_ = true;               // of the extra's list
  Open open_ = Open::nothing;
  bool named_parts_ = false;
  bool odd_ = false;                  // half a unit is carried
  std::byte half_{};
  std::uint64_t extra_bytes_ = 0;
  std::uint64_t raw_bytes_ = 0;
  Base64Encoder base64_;
};

void JsonSink::Writer::item(int depth, bool first) {
  char* at = output_.reserve(member_room);
  if (!first) *at++ = ',';
  if (indent_) at = put_newline(at, depth);
  else if (!first) *at++ = ' ';
  output_.commit(at);
}

void JsonSink::Writer::key(std::string_view name, int depth, bool first) {
  item(depth, first);
  put("\"");
  put(name);
  put("\": ");
}

void JsonSink::Writer::end_object(int depth, bool empty) {
  char* at = output_.reserve(member_room);
  if (indent_ && !empty) at = put_newline(at, depth);
  *at++ = '}';
  output_.commit(at);
}

// {"image": NAME, "magic": KIND, "head": ...
void JsonSink::Writer::head(const Image& image) {
  put("{");
  const bool named = options_.form != JsonOptions::Form::document || image.is_raw();
  if (named) {
    key("image", 1, true);
    put_quoted(name_);
  }
  if (image.is_raw()) {
    if (!kind_) return;
    key("kind", 1, false);
    put_quoted(kind_->name);
    return;
  }
  key("magic", 1, !named);
  put_quoted(kind_->magic_name);
  if (image.head == kind_->head || !options_.wire) return;
  key("head", 1, false);
  put_quoted(head_name(image.head));
}

void JsonSink::Writer::begin(const Image& image) {
  begun_ = true;
  name_ = image.name;
  kind_ = image.kind;
  head_ = image.head;
  nr_entries_ = 0;
  raw_bytes_ = 0;
  plain_ = !options_.pretty && options_.form != JsonOptions::Form::lines && kind_ &&
           kind_->extra.shape == Extra::Shape::nothing;
  if (image.is_raw()) {
    head(image);
    if (!options_.raw) return;
    key("raw", 1, false);
    put("\"");
    base64_ = {};
    return;
  }
  if (options_.form == JsonOptions::Form::lines) return;
  head(image);
  key("entries", 1, false);
  put("[");
}

void JsonSink::Writer::put_canonical(const Message& message, Bytes payload, bool human, int depth, bool whole) {
  char* at = output_.reserve(member_room);
  const auto print = [&](auto printer) {
    if (whole) at = printer.object(at, message, payload, depth, false);
    else at = printer.members(at, message, payload, depth + 1, false, no_member_);
  };
  if (human && indent_) print(Printer<true, true>{output_});
  else if (human) print(Printer<true, false>{output_});
  else if (indent_) print(Printer<false, true>{output_});
  else print(Printer<false, false>{output_});
  output_.commit(at);
}

void JsonSink::Writer::entry(const Entry& entry) {
  if (plain_ && entry.canonical) [[likely]] return plain_entry(entry);
  output_.mark();
  in_entry_ = true;
  no_member_ = true;
  in_extra_ = false;
  no_item_ = true;
  extra_bytes_ = 0;
  if (options_.form == JsonOptions::Form::lines) {
    Image image{name_, kind_, head_};
    head(image);
    put(", \"index\": ");
    output_.commit(put_decimal(output_.reserve(member_room), entry.index));
    put(", \"entry\": ");
  } else {
    item(entry_depth, nr_entries_ == 0);
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

// The usual case: a document that is not pretty, nothing after the message.
void JsonSink::Writer::plain_entry(const Entry& entry) {
  char* at = output_.reserve(member_room);
  if (nr_entries_ != 0) at = put_text(at, ", ", 2);
  *at++ = '{';
  bool first = true;
  at = Printer<false, false>{output_}.members(at, *entry.message, entry.payload, 0, false, first);
  *at++ = '}';
  output_.commit(at);
  ++nr_entries_;
}

// "extra": and what stands before its first bytes.
void JsonSink::Writer::open_extra(const Part& part) {
  if (in_extra_) return;
  in_extra_ = true;
  named_parts_ = !part.name.empty();
  key("extra", entry_depth + 1, no_member_);
  no_member_ = false;
  if (!options_.payload) return;
  if (named_parts_) put("{");
  if (part.shape == Extra::Shape::units || part.shape == Extra::Shape::nested) put("[");
}

void JsonSink::Writer::part(const Part& part) {
  close_part();
  open_extra(part);
  extra_bytes_ += part.payload.size();
  if (!options_.payload) return;
  if (part.message) {
    item(entry_depth + 2, no_item_);
    no_item_ = false;
    if (part.canonical) {
      put_canonical(*part.message, part.payload, false, entry_depth + 2, true);
    } else {
      const std::string written = critpipe::canonical(*part.message, part.payload);
      bool& first = no_member_;
      put("{");
      first = true;
      put_canonical(*part.message, std::as_bytes(std::span{written}), false, entry_depth + 2, false);
      key("_wire", entry_depth + 3, first);
      first = false;
      output_.commit(put_base64(output_, output_.reserve(member_room), part.payload));
      end_object(entry_depth + 2, false);
    }
    item(entry_depth + 2, false);
  }
  if (part.shape == Extra::Shape::units) {
    open_ = Open::units;
    return;
  }
  if (named_parts_) {
    key(part.name, entry_depth + 2, no_item_);
    no_item_ = false;
  }
  open_ = Open::string;
  put("\"");
  base64_ = {};
}

void JsonSink::Writer::put_base64_bytes(Bytes bytes) {
  while (!bytes.empty()) {
    const Bytes piece = bytes.first(std::min(bytes.size(), piece_bytes));
    output_.commit(base64_.feed(piece, output_.reserve(Base64Encoder::json_room(piece.size()))));
    bytes = bytes.subspan(piece.size());
  }
}

void JsonSink::Writer::close_base64() {
  char* at = base64_.finish(output_.reserve(Base64Encoder::json_room(0)));
  *at++ = '"';
  output_.commit(at);
}

void JsonSink::Writer::put_unit(std::uint16_t unit) {
  item(entry_depth + 2, no_item_);
  no_item_ = false;
  output_.commit(put_decimal(output_.reserve(max_number_text), unit));
}

void JsonSink::Writer::bytes(Bytes bytes) {
  extra_bytes_ += bytes.size();
  if (!options_.payload) return;
  if (open_ != Open::units) return put_base64_bytes(bytes);
  for (const std::byte byte : bytes) {
    if (odd_) put_unit(static_cast<std::uint16_t>(std::to_integer<unsigned>(byte) << 8 | std::to_integer<unsigned>(half_)));
    else half_ = byte;
    odd_ = !odd_;
  }
}

// Zeros are understood; anything else is kept as further bytes of the part.
void JsonSink::Writer::padding(Bytes padding) {
  const bool zeros = std::ranges::all_of(padding, [](std::byte byte) { return byte == std::byte{0}; });
  if (!zeros && options_.payload) bytes(padding);
}

void JsonSink::Writer::close_part() {
  if (open_ == Open::string) close_base64();
  open_ = Open::nothing;
  odd_ = false;
}

void JsonSink::Writer::close_extra() {
  close_part();
  if (kind_->extra.shape == Extra::Shape::nested && !in_extra_) open_extra({{}, Extra::Shape::nested, 0});
  if (!in_extra_) return;
  in_extra_ = false;
  if (!options_.payload) return put("\"... <" + human_size(extra_bytes_) + ">\"");
  const Extra::Shape shape = kind_->extra.shape;
  const bool list = shape == Extra::Shape::units || shape == Extra::Shape::nested;
  if (!list && !named_parts_) return;
  char* at = output_.reserve(member_room);
  if (indent_ && !no_item_) at = put_newline(at, entry_depth + 1);
  *at++ = list ? ']' : '}';
  output_.commit(at);
}

void JsonSink::Writer::close() {
  if (!in_entry_) [[likely]] return;
  if (kind_->extra.shape != Extra::Shape::nothing) close_extra();
  end_object(entry_depth, no_member_);
  if (options_.form == JsonOptions::Form::lines) put("}\n");
  in_entry_ = false;
  ++nr_entries_;
  output_.release();
}

void JsonSink::Writer::raw(Bytes bytes) {
  raw_bytes_ += bytes.size();
  if (options_.raw) put_base64_bytes(bytes);
}

void JsonSink::Writer::end() {
  if (head_ == Head::none) {
    if (options_.raw) {
      close_base64();
    } else {
      key("size", 1, false);
      output_.commit(put_decimal(output_.reserve(max_number_text), raw_bytes_));
    }
  } else if (options_.form == JsonOptions::Form::lines) {
    if (!options_.keep_empty || nr_entries_ > 0) return;
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
  shown.image.clear();                // the document is about this image
  const std::string text = to_string(shown);
  if (in_entry_ && !output_.rollback()) {
    // A part of its extra is out already: say so where a reader of the entry sees it.
    if (options_.payload) close_extra();
    else in_extra_ = false;
    key("error", entry_depth + 1, no_member_);
    put_quoted(text);
    end_object(entry_depth, false);
    if (options_.form == JsonOptions::Form::lines) return put("}\n");
    ++nr_entries_;
  }
  in_entry_ = false;
  if (!begun_) {
    // No kind is known, so no document has begun: only a list of documents needs a place for the fault.
    if (options_.form == JsonOptions::Form::document) return;
    put("{");
    key("image", 1, true);
    put_quoted(error.image);
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

Step JsonSink::begin(const Image& image) { writer_->begin(image); return writer_->step(); }
Step JsonSink::entry(const Entry& entry) { writer_->entry(entry); return writer_->step(); }
Step JsonSink::part(const Part& part) { writer_->part(part); return writer_->step(); }
Step JsonSink::bytes(Bytes bytes) { writer_->bytes(bytes); return writer_->step(); }
Step JsonSink::padding(Bytes bytes) { writer_->padding(bytes); return writer_->step(); }
Step JsonSink::close() { writer_->close(); return writer_->step(); }
Step JsonSink::raw(Bytes bytes) { writer_->raw(bytes); return writer_->step(); }
Step JsonSink::end() { writer_->end(); return writer_->step(); }
void JsonSink::fail(const Error& error) { writer_->fail(error); }

void print_message(Output& output, const Message& message, Bytes payload, bool canonical, bool pretty) {
  const std::string written = canonical ? std::string{} : critpipe::canonical(message, payload);
  const Bytes view = canonical ? payload : std::as_bytes(std::span{written});
  char* at = output.reserve(member_room);
  output.commit(pretty ? Printer<true, false>{output}.object(at, message, view, 0, false)
                       : Printer<false, false>{output}.object(at, message, view, 0, false));
}

}  // namespace critpipe
