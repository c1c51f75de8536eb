// One entry: the object of its message, with "extra", "_wire" and "error" among its keys -> size, payload, extra.
//
// An extra too large to be held comes in pieces: the text up to it is read with `open` naming the part whose bytes
// follow, then the bytes, then what stands after them as an object of its own (`continued`).
#pragma once

#include <string>
#include <string_view>

#include "critpipe/base.hpp"
#include "critpipe/fields.hpp"
#include "critpipe/schema.hpp"
#include "json/parse/message_encoder.hpp"

namespace critpipe {

class EntryEncoder final : private OtherKeys {
 public:
  static constexpr int no_part = -1;
  struct Place {
    const char* at;          // where the object begins
    bool continued = false;  // the rest of an entry
    int open = no_part;      // this part of the extra follows in pieces
  };

  EntryEncoder(WireBuffer& out, const Limits& limits) : out_{out}, limits_{limits} {}

  // What an image that goes on in a later document has had.
  struct Resume {
    std::uint64_t nr_entries = 0;
    bool has_rest = false;  // the first entry has the rest of the image
  };
  void begin_image(const Kind& kind, const Resume& from);
  Resume pause() const { return {nr_entries_, has_rest_}; }
  bool entry(ondemand::object object, const Place& place);
  // Entries as crit-tojson prints them, the short way: one that } follows on its line, or those of a list, until one
  // has raised a doubt or a block is full. Returns where the last ends; null: entry() is to read the first.
  enum class Stand : std::uint8_t { in_list, alone, at_end_of_line };
  const char* small_entries(const char* at, const char* end, Stand stand);
  // Encodes some entries of an image, of which others encode those before; and takes what came of that, behind its own.
  // False: it is not as if this one had encoded them.
  void begin_run(const Kind& kind);
  bool take_run(const EntryEncoder& run);
  std::uint64_t nr_of_run() const { return nr_entries_ - 1; }
  bool has_doubts() { return !doubts_.found().empty(); }
  const Kind& kind() const { return *kind_; }
  std::uint64_t nr_entries() const { return nr_entries_; }

  bool part_bytes(std::uint64_t size, const char* at);  // so many have been appended to out
  void part_text(std::string_view text) { in_lines_ |= text.find('\\') != text.npos; }  // they come out of it

  JsonFault& fault() { return fault_; }
  Doubts& doubts() { return doubts_; }
  bool json_error(simdjson::error_code code, const char* at) { return fields_.json_error(code, at); }
  bool is_incomplete() const { return incomplete_; }  // an entry has said so: nothing may follow
  const std::string& error_text() const { return error_text_; }

 private:
  struct Held {  // a part, in held_
    std::size_t begin = 0, size = 0;
  };
  struct Wired {  // what "_wire" says
    bool there = false;
    WireBuffer bytes;
  };
  struct NestedKeys final : OtherKeys {
    explicit NestedKeys(EntryEncoder& entry) : entry_{entry} {}
    bool take(std::string_view key, ondemand::value& value, bool& known) override;
    EntryEncoder& entry_;
    Wired wired;
  };

  bool take(std::string_view key, ondemand::value& value, bool& known) override;
  const Message* draft_with(std::string_view key) override;
  bool take_wire(std::string_view token, Wired& wired);
  bool take_error(std::string_view token);
  bool take_extra(ondemand::value& value);
  bool take_parts(ondemand::value& value, const char* at);
  bool take_numbers(ondemand::value& value, std::string_view token, int part);
  bool take_numbers_text(std::string_view token, int part);
  bool put_number(const Integer& number, int part, const char* at);
  bool wants_numbers(int part, const char* at);
  bool take_nested(ondemand::value& value, const char* at);
  bool take_nested_message(ondemand::value& value, const char* at, ExtraSizes::Size& data);
  bool held_part(ondemand::value& value, std::string_view token, int part);
  bool held_bytes(std::string_view token, int part);

  bool fields(ondemand::object object, const char* at);
  const char* small_entry(const char* at, const char* end, Stand stand);
  static void prefer_wire(const Message& message, Wired& wired, WireBuffer& out, std::size_t begin);
  bool check_unknown(const Message& message, Bytes payload, const char* at);
  bool find_sizes(const Message& message, Bytes payload, const char* at);
  bool put_parts(int end, const char* at);
  bool put_nested(const char* at);
  bool close_part(const char* at);
  bool fill_part(std::uint64_t have, const ExtraSizes::Size& size, WireBuffer& out, const char* at, int part);
  bool left_out(const char* at, std::uint64_t size = ExtraSizes::unknown);
  static void drop_go_zeros(std::uint64_t have, WireBuffer& out);
  int nr_parts() const { return static_cast<int>(kind_->extra.nr_parts()); }
  const Extra::PartPlan& plan(int part) const { return kind_->extra.parts[static_cast<std::size_t>(part)]; }
  const ExtraSizes::Size& size_of(int part) const { return sizes_.parts[static_cast<std::size_t>(part)]; }
  std::string part_for_error(int part) const;  // "the extra", or which part of it

  WireBuffer& out_;
  const Limits& limits_;
  WireBuffer held_;  // the extra of the entry until its lengths are known
  Wired wired_;
  JsonFault fault_;
  Doubts doubts_;
  MessageEncoder fields_{out_, fault_, doubts_};
  MessageEncoder nested_{held_, fault_, doubts_};
  NestedKeys nested_keys_{*this};

  const Kind* kind_ = nullptr;
  const Message* message_ = nullptr;  // of the entry that is being read
  std::uint64_t nr_entries_ = 0;
  bool has_rest_ = false;
  bool go_zeros_ = false;  // go-criu has read it, with zeros too many
  bool in_lines_ = false;  // the base64 of the extra, as it is not in go-criu's JSON
  bool incomplete_ = false;
  bool says_error_ = false;  // the entry that is being read
  std::string error_text_;

  bool continued_ = false;
  const char* extra_at_ = nullptr;  // null: the entry has no such key
  Held parts_[Extra::most_parts];
  std::uint64_t nr_nested_ = 0;
  bool has_extra_ = false;  // not null, that is
  ExtraSizes sizes_;
  int next_part_ = 0;           // to be written
  std::uint64_t streamed_ = 0;  // of that part
};

}  // namespace critpipe
