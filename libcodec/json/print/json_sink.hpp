// The parts of a JSON document around what the Printer prints. Internal: json_sink.cpp has documents and entries,
// print_extra.cpp what follows a message.
#pragma once

#include "critpipe/json.hpp"
#include "json/print/message_printer.hpp"
#include "base/base64.hpp"

namespace critpipe {

class JsonSink::Writer {
 public:
  Writer(Output& output, const JsonOptions& options)
      : output_{output}, options_{options}, indent_{options.pretty && options.form == JsonOptions::Form::document} {}

  void begin(const Image& image);
  void resume(const Image& image, std::uint64_t nr_entries);
  void entry(const Entry& entry);
  Taken many(Bytes unchecked, std::uint64_t index);
  void part(const ExtraPart& part);
  void bytes(Bytes bytes);
  void padding(Bytes bytes);
  void close();
  void raw(Bytes bytes);
  void pass_over(std::uint64_t size) { raw_bytes_ += size; }  // unread, so the size is what is printed
  void end();
  void fail(const Error& error);
  bool pause();
  Step step() const { return output_.step(); }

 private:
  enum class Open : std::uint8_t { nothing, string, numbers };  // part of an extra

  bool big_as_text() const { return options_.big_numbers == BigNumbers::text; }
  void put(std::string_view text) { output_.write(text); }
  void put_quoted(std::string_view text) {
    output_.commit(put_string(output_, output_.reserve(member_room), std::as_bytes(std::span{text})));
  }
  void item(int depth, bool first);  // the comma and the line before a member
  void key(std::string_view name, int depth, bool first);
  void head(const Image& image);
  const std::string& line_head();
  template <typename Before, std::size_t size>
  Taken print_many(Bytes unchecked, std::size_t room, Before before, const char (&after)[size]);
  void put_image(std::string_view name);
  void start(const Image& image);
  void open_document();
  void reopen();
  void compact_entry(const Entry& entry);
  void put_canonical(const Message& message, Bytes payload, bool human, int depth, bool whole);
  void put_base64_bytes(Bytes bytes);
  void close_base64();
  void put_number_bytes(Bytes bytes);
  void close_part();
  void close_extra();
  void open_extra();
  void nested_message(const ExtraPart& part);
  void end_object(int depth, bool empty) { close_bracket('}', depth, empty); }
  void close_bracket(char bracket, int depth, bool empty);

  Output& output_;
  JsonOptions options_;
  bool indent_;
  bool flat_ = false;      // not pretty, without extras: many(), and in documents compact_entry()
  std::string line_head_;  // {"image": ..., "index": of the image's lines; empty until one is printed
  std::string name_;
  const Kind* kind_ = nullptr;
  Head head_ = Head::none;
  std::uint64_t nr_entries_ = 0;  // complete
  std::uint64_t nr_before_ = 0;   // in earlier documents of the image
  bool begun_ = false;
  bool paused_ = false;
  bool in_entry_ = false;
  bool no_member_ = true;  // of the entry's object yet
  bool in_extra_ = false;
  bool no_item_ = true;  // of the extra's list or object
  Open open_ = Open::nothing;
  bool no_number_ = true;     // of the open list yet
  std::uint8_t unit_ = 1;     // bytes of its numbers
  std::uint64_t number_ = 0;  // the one of which bytes are here
  unsigned number_bytes_ = 0;
  std::uint64_t extra_bytes_ = 0;
  std::uint64_t raw_bytes_ = 0;
  Base64Encoder base64_;
};

}  // namespace critpipe
