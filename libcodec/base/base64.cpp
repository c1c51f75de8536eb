#include "base/base64.hpp"

#include <algorithm>
#include <cstring>

#include "base/base64_lines.hpp"

namespace critpipe {

namespace {

const Base64Loops& fastest() {
  static const Base64Loops& loops = base64_loops().front();
  return loops;
}

constexpr std::uint8_t after_backslash = 5;

}  // namespace

char* Base64Encoder::feed(Bytes block, char* out) {
  if (carried_ != 0) {
    const std::size_t taken = std::min(block.size(), base64_line_bytes - carried_);
    std::memcpy(carry_ + carried_, block.data(), taken);
    carried_ += taken;
    block = block.subspan(taken);
    if (carried_ < base64_line_bytes) return out;
    out = fastest().encode(carry_, 1, out);
  }
  const std::size_t nr_lines = block.size() / base64_line_bytes;
  out = fastest().encode(block.data(), nr_lines, out);
  const Bytes rest = block.subspan(nr_lines * base64_line_bytes);
  carried_ = rest.size();
  if (carried_ != 0) std::memcpy(carry_, rest.data(), carried_);
  return out;
}

char* Base64Encoder::finish(char* out) {
  if (carried_ == 0) return out;
  const auto byte = [&](std::size_t at) { return at < carried_ ? std::to_integer<unsigned>(carry_[at]) : 0u; };
  for (std::size_t at = 0; at < carried_; at += 3) {
    const unsigned bits = byte(at) << 16 | byte(at + 1) << 8 | byte(at + 2);
    *out++ = base64_alphabet[bits >> 18];
    *out++ = base64_alphabet[bits >> 12 & 63];
    *out++ = at + 1 < carried_ ? base64_alphabet[bits >> 6 & 63] : '=';
    *out++ = at + 2 < carried_ ? base64_alphabet[bits & 63] : '=';
  }
  *out++ = '\\';
  *out++ = 'n';
  carried_ = 0;
  return out;
}

inline std::byte* Base64Decoder::character(unsigned char c, std::byte* out) {
  const unsigned value = base64_values[c];
  if (value & 0x80) {
    if (c == '=') ++nr_padding_;
    return out;
  }
  nr_padding_ = 0;
  bits_ = bits_ << 6 | value;
  if (++nr_data_ % 4 != 0) return out;
  out[0] = static_cast<std::byte>(bits_ >> 16);
  out[1] = static_cast<std::byte>(bits_ >> 8);
  out[2] = static_cast<std::byte>(bits_);
  return out + 3;
}

// A character inside of a JSON escape.
std::byte* Base64Decoder::escaped(unsigned char c, std::byte* out) {
  if (escape_ == after_backslash) {
    escape_ = 0;
    if (c == 'u') {
      escape_ = 4;
      code_unit_ = 0;
      return out;
    }
    if (c == '/') return character(c, out);
    if (std::strchr("\"\\bfnrt", c) == nullptr || c == 0) fault_ = Fault::escape;
    return out;
  }
  unsigned digit = 0;
  if (c >= '0' && c <= '9') digit = c - '0';
  else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') digit = (c | 0x20u) - 'a' + 10;
  else fault_ = Fault::escape;
  code_unit_ = static_cast<std::uint16_t>(code_unit_ << 4 | digit);
  if (--escape_ == 0 && code_unit_ < 0x80) return character(static_cast<unsigned char>(code_unit_), out);
  return out;
}

// Takes characters one by one until the loops can go on: at the start of a group, after something that stopped them.
std::byte* Base64Decoder::slow(std::string_view text, std::byte* out) {
  bool other = false;
  std::size_t at = 0;
  for (; at < text.size() && fault_ == Fault::none; ++at) {
    const auto c = static_cast<unsigned char>(text[at]);
    const bool data = !(base64_values[c] & 0x80);
    if ((other || at >= 64) && data && escape_ == 0 && nr_data_ % 4 == 0) break;
    other |= !data;
    if (escape_ != 0) out = escaped(c, out);
    else if (json_ && c == '\\') escape_ = after_backslash;
    else if (json_ && c < 0x20) fault_ = Fault::control;
    else out = character(c, out);
  }
  characters_ += at;
  return out;
}

std::byte* Base64Decoder::feed(std::string_view text, std::byte* out) {
  while (!text.empty() && fault_ == Fault::none) {
    const std::uint64_t before = characters_;
    if (escape_ == 0 && nr_data_ % 4 == 0) {
      const auto progress = fastest().decode(text.data(), text.data() + text.size(), json_, out);
      const auto nr_bytes = static_cast<std::uint64_t>(progress.out - out);
      if (nr_bytes != 0) nr_padding_ = 0;
      nr_data_ += nr_bytes / 3 * 4;
      characters_ += static_cast<std::uint64_t>(progress.in - text.data());
      text.remove_prefix(static_cast<std::size_t>(progress.in - text.data()));
      out = progress.out;
    }
    const std::uint64_t fast = characters_;
    out = slow(text, out);
    text.remove_prefix(static_cast<std::size_t>(characters_ - fast));
    if (characters_ == before) break;
  }
  return out;
}

std::byte* Base64Decoder::finish(std::byte* out) {
  if (fault_ != Fault::none) return out;
  if (escape_ != 0) {
    fault_ = Fault::escape;
    return out;
  }
  const std::uint64_t left = nr_data_ % 4;
  if (left == 1) fault_ = Fault::one_left;
  else if (left != 0 && nr_padding_ < 4 - left) fault_ = Fault::padding;
  if (fault_ != Fault::none || left == 0) return out;
  *out++ = static_cast<std::byte>(left == 2 ? bits_ >> 4 : bits_ >> 10);
  if (left == 3) *out++ = static_cast<std::byte>(bits_ >> 2);
  return out;
}

std::string Base64Decoder::sentence() const {
  switch (fault_) {
    case Fault::none: return "";
    case Fault::one_left:
      return "base64 has " + std::to_string(nr_data_) +
             " characters of data, 1 more than a multiple of 4; some are lost";
    case Fault::padding: return "base64 ends early, or its = at the end is lost";
    case Fault::control: return "a control character in a string; JSON wants it as \\n or \\u00XX";
    case Fault::escape: return "an escape that JSON does not have";
  }
  return "";
}

Base64Decoder::Fault append_decoded_base64(std::string_view text, std::string& out) {
  const std::size_t before = out.size();
  out.resize(before + Base64Decoder::room(text.size()));
  Base64Decoder decoder;
  auto* start = reinterpret_cast<std::byte*>(out.data()) + before;
  std::byte* end = decoder.finish(decoder.feed(text, start));
  out.resize(decoder.fault() == Base64Decoder::Fault::none ? before + static_cast<std::size_t>(end - start) : before);
  return decoder.fault();
}

}  // namespace critpipe
