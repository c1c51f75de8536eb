// The parser behind JsonEncoder: documents, and in them entries, as their text arrives.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "critpipe/json.hpp"
#include "json/parse/value_scanner.hpp"
#include "json/parse/entry_encoder.hpp"
#include "json/parse/text_runs.hpp"
#include "json/parse/unicode_reader.hpp"
#include "json/parse/text_window.hpp"
#include "base/base64.hpp"

namespace critpipe {

class JsonEncoder::Parser final : private RunTaker {
 public:
  Parser(EncodeSink& sink, std::string_view source_name, const Limits& limits);
  void use_threads(unsigned threads);
  Step feed(Bytes block) { return runs_ ? runs_->feed(block) : feed_text(block); }
  Step finish();
  const Error& error() const { return error_; }

 private:
  enum class State : std::uint8_t {
    between,  // documents
    first_key,
    key,
    colon,
    value,
    after_value,  // of a document
    skip_string,
    skip_brackets,
    hold,  // values that nobody wants, or wants yet
    first_element,
    element_start,
    element,
    separator,
    extra_text,
    raw_text  // base64 in pieces
  };
  enum class Key : std::uint8_t { other, image, magic, head, index, entries, entry, raw, size, error, continued };
  struct Document {
    std::string image;
    const Kind* kind = nullptr;
    std::optional<Head> head;
    std::optional<std::uint64_t> index, size;
    std::optional<std::string> error;
    bool has_image = false, has_entries = false, has_raw = false, continued = false;
    bool index_checked = false;
    Key held_key = Key::other;  // a value that waits for its "magic"
    std::uint64_t held_begin = 0;
    std::uint64_t resume_at = 0;  // not 0: the held value is being read
  };
  struct OpenImage {
    bool open = false;
    bool lines = false;  // its entries come as documents of their own
    std::string name;
    const Kind* kind = nullptr;
    Head head = Head::none;
    std::optional<std::uint64_t> index;  // of the last line that says it
  };

  struct Paused {
    const Kind* kind;
    Head head;
    EntryEncoder::Resume entries;
  };

  // What every line of an image begins with, and has between its index and its entry: where the next one has the same,
  // its keys need not be read again.
  struct LineForm {
    bool known = false;  // of the line that has just ended
    LineWords words;
    std::uint64_t begin = 0, index = 0, index_end = 0, entry = 0, entry_end = 0;  // offsets in the line being read
  };

  Step feed_text(Bytes block) override;
  RunForm form_of_next() override;
  bool take_run(TextRun& run) override;
  bool is_stopped() const override { return stopped_; }
  bool fits(const TextRun& run) const;

  void take(std::string_view text);
  bool step();  // false: wants more text, or has stopped

  // Documents.
  bool take_between();
  bool take_key();
  bool take_colon();
  bool take_value();
  bool take_after_value();
  bool end_document();
  bool skip_string();
  bool skip_brackets();
  bool take_known(std::string_view token);
  bool take_magic(const std::string& name, const char* at);
  bool take_head(const std::string& name, const char* at);
  bool take_number(std::string_view token);
  bool scalar(std::string_view& token);
  bool string_of(std::string_view token, std::string& out);
  bool name_of_bytes(std::string_view token, std::string& out);

  // Lines.
  void learn_line();
  bool take_small_lines();

  // Entries.
  bool start_value(char first);
  bool take_first_element();
  bool take_element_start();
  bool take_small_elements();
  bool take_element();
  bool take_separator();
  bool wait_for_element();
  bool take_batch(char* begin, char* end);
  bool read_batch(char* begin, char* end, bool single);
  bool fail_batch(simdjson::error_code error, const char* begin, const char* end);
  bool read_one_by_one(char* at, char* end, bool wants_comma);
  bool read_entry(ondemand::value& value);

  // Base64 in pieces.
  bool start_extra_text();
  bool find_open_part(char* begin, char* end, char*& quote, int& part);
  bool take_base64();
  bool end_extra_text();

  // Images.
  bool start_image(bool lines, bool empty);
  bool start_raw();
  bool check_index(std::uint64_t nr_before);  // entries of the image before this line
  bool end_image();
  bool pause_image();
  bool resume_image();
  bool flush(std::size_t threshold, std::size_t keep = 0);
  bool deliver(Step step);

  bool skip_blanks();  // false: the text ends first
  char peek() { return *window_.at(at_); }
  bool fail(Reason reason, const char* at, std::string name, std::uint64_t want = 0);
  bool fail_entry();
  bool bad(const char* at, std::string sentence) { return fail(Reason::bad_json, at, std::move(sentence)); }
  void note_incomplete(const std::string& text);
  void tell_doubts();
  bool in_entries() const { return state_ >= State::first_element && state_ <= State::extra_text; }

  EncodeSink& sink_;
  std::string source_name_;
  Limits limits_;
  Error error_;
  Error incomplete_;  // reported at the end
  bool stopped_ = false;
  std::uint64_t nr_documents_ = 0;

  UnicodeReader reader_;
  TextWindow window_;
  std::uint64_t at_ = 0;    // the next character to be read
  std::uint64_t scan_ = 0;  // to be seen by the cutter
  State state_ = State::between;
  Key key_ = Key::other;
  Document document_;
  OpenImage image_;
  LineForm line_;
  std::map<std::string, Paused> paused_;  // images that go on in a later document
  ValueScanner cutter_;
  ondemand::parser simdjson_;
  bool continued_ = false;    // the element is the rest of one
  bool after_small_ = false;  // elements were read the short way
  bool alone_ = false;        // the element is not, but others around it
  int open_part_ = 0;
  std::uint64_t next_try_ = 0;  // size of an element at which to look for a long extra
  Base64Decoder base64_{Base64Decoder::Text::json};
  WireBuffer out_;
  EntryEncoder entry_{out_, limits_};
  std::unique_ptr<TextRuns> runs_;  // null: there is one thread
};

}  // namespace critpipe
