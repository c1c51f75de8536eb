// Numbers, base64, quoted-printable, addresses. Expected texts come from Python 3.14.
#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <random>
#include <string>
#include <vector>

#include "base/ip_address.hpp"
#include "base/base64.hpp"
#include "base/base64_lines.hpp"
#include "base/decimal.hpp"
#include "base/quoted_printable.hpp"
#include "critpipe/error.hpp"

namespace critpipe {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

Bytes bytes_of(std::string_view text) { return std::as_bytes(std::span{text}); }

std::string encode(std::string_view bytes, std::size_t block = ~std::size_t{0}) {
  Base64Encoder encoder;
  std::string out;
  std::vector<char> room(Base64Encoder::json_room(std::min(block, bytes.size())));
  for (; !bytes.empty(); bytes.remove_prefix(std::min(block, bytes.size())))
    out.append(room.data(), encoder.feed(bytes_of(bytes.substr(0, block)), room.data()));
  return out.append(room.data(), encoder.finish(room.data()));
}

struct Decoded {
  std::string bytes;
  Base64Decoder::Fault fault;
};

Decoded decode(std::string_view text, Base64Decoder::Text form, std::size_t block = ~std::size_t{0}) {
  Base64Decoder decoder{form};
  std::string out;
  std::vector<std::byte> room(Base64Decoder::room(std::min(block, text.size())));
  const auto take = [&](const std::byte* end) {
    out.append(reinterpret_cast<const char*>(room.data()), static_cast<std::size_t>(end - room.data()));
  };
  for (; !text.empty(); text.remove_prefix(std::min(block, text.size())))
    take(decoder.feed(text.substr(0, block), room.data()));
  take(decoder.finish(room.data()));
  return {out, decoder.fault()};
}

std::string random_bytes(std::size_t size, unsigned seed) {
  std::mt19937 random{seed};
  std::string out(size, '\0');
  for (char& c : out) c = static_cast<char>(random());
  return out;
}

TEST(Base64, EncodesLikeCrit) {
  EXPECT_EQ(encode(""), "");
  EXPECT_EQ(encode("a"), "YQ==\\n");
  EXPECT_EQ(encode("abc"), "YWJj\\n");
  EXPECT_EQ(encode("ab\xff"), "YWL/\\n");
  const std::string line(57, 'x');
  std::string text;
  for (int i = 0; i < 19; ++i) text += "eHh4";
  EXPECT_EQ(encode(line), text + "\\n");
  EXPECT_EQ(encode(line + "x"), text + "\\neA==\\n");
}

TEST(Base64, BlocksDoNotShow) {
  const std::string bytes = random_bytes(1000, 1);
  for (std::size_t size : {0, 1, 2, 3, 56, 57, 58, 113, 114, 115, 1000}) {
    const std::string_view part{bytes.data(), size};
    const std::string text = encode(part);
    for (std::size_t block : {1, 2, 7, 56, 57, 58, 300}) {
      EXPECT_EQ(encode(part, block), text) << size << " in " << block;
      EXPECT_EQ(decode(text, Base64Decoder::Text::json, block).bytes, part) << size << " in " << block;
    }
  }
}

TEST(Base64, AllLoopsAgree) {
  constexpr std::size_t nr_lines = 50;
  const std::string bytes = random_bytes(nr_lines * base64_line_bytes, 2);
  std::string reference(nr_lines * 78, '\0');
  base64_loops().back().encode(bytes_of(bytes).data(), nr_lines, reference.data());
  for (const Base64Loops& loops : base64_loops()) {
    std::string text(nr_lines * 78, '\0');
    loops.encode(bytes_of(bytes).data(), nr_lines, text.data());
    EXPECT_EQ(text, reference) << loops.name;
    std::vector<std::byte> out(bytes.size() + 64);
    const auto progress = loops.decode(text.data(), text.data() + text.size(), true, out.data());
    EXPECT_EQ(progress.in, text.data() + text.size()) << loops.name;
    EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), reinterpret_cast<const char*>(out.data()))) << loops.name;
  }
}

// Each of the 256 characters at places that different vectors see.
TEST(Base64, AllLoopsKnowTheAlphabet) {
  const std::string line = encode(random_bytes(57, 3));
  for (const Base64Loops& loops : base64_loops())
    for (int c = 0; c < 256; ++c)
      for (std::size_t place : {0u, 5u, 31u, 32u, 43u, 44u, 63u, 64u, 75u}) {
        std::string text = line;
        text[place] = static_cast<char>(c);
        std::vector<std::byte> out(57 + 64);
        const auto progress = loops.decode(text.data(), text.data() + text.size(), true, out.data());
        const bool known = std::string_view{base64_alphabet}.find(text[place]) != std::string_view::npos;
        EXPECT_EQ(progress.in == text.data() + text.size(), known) << loops.name << ' ' << c << ' ' << place;
        EXPECT_TRUE(known || progress.in <= text.data() + place) << loops.name << ' ' << c << ' ' << place;
      }
}

TEST(Base64, DecodesLikePython) {
  using enum Base64Decoder::Fault;
  const struct {
    std::string_view text;
    std::string bytes;
    Base64Decoder::Fault fault;
  } rows[] = {
      {"", "", none},
      {"YQ==", "a", none},
      {"YQ==\n", "a", none},
      {"Y Q\n=!=", "a", none},
      {"YWI=", "ab", none},
      {"YWJj", "abc", none},
      {"YWJj=", "abc", none},
      {"YW-_Jj", "abc", none},          // the URL alphabet is skipped
      {"YQ==YQ==", "a\x06\x10", none},  // padding only counts at the end
      {"\xc3\xa9YQ==", "a", none},
      {"YQ", "", padding},
      {"YQ=", "", padding},
      {"YWI", "", padding},
      {"Y", "", one_left},
      {"YWJjY===", "abc", one_left},
      {"====", "", none},
  };
  for (const auto& row : rows) {
    const Decoded decoded = decode(row.text, Base64Decoder::Text::plain);
    EXPECT_EQ(decoded.fault, row.fault) << row.text;
    if (row.fault == none) {
      EXPECT_EQ(decoded.bytes, row.bytes) << row.text;
    }
  }
}

TEST(Base64, ReadsEscapesOfJson) {
  using enum Base64Decoder::Fault;
  const struct {
    std::string_view text;
    std::string bytes;
    Base64Decoder::Fault fault;
  } rows[] = {
      {R"(YQ==\n)", "a", none},    {R"(Y\nQ\r=\t=)", "a", none},  {R"(\/\/\/\/)", "\xff\xff\xff", none},
      {R"(\u0059Q==)", "a", none}, {R"(\u00e9YQ==)", "a", none},  {R"(\"\\YQ==)", "a", none},
      {R"(YQ==\x)", "", escape},   {R"(YQ==\u00g0)", "", escape}, {R"(YQ==\)", "", escape},
      {R"(YQ==\u00)", "", escape}, {"YQ==\n", "", control},
  };
  for (const auto& row : rows)
    for (std::size_t block : {1, 3, 100}) {
      const Decoded decoded = decode(row.text, Base64Decoder::Text::json, block);
      EXPECT_EQ(decoded.fault, row.fault) << row.text;
      if (row.fault == none) {
        EXPECT_EQ(decoded.bytes, row.bytes) << row.text;
      }
    }
}

// Lines of other lengths, one line, noise in between: the same bytes.
TEST(Base64, AnyLayout) {
  const std::string bytes = random_bytes(700, 4);
  std::string flat = encode(bytes);
  for (std::size_t at; (at = flat.find("\\n")) != flat.npos;) flat.erase(at, 2);
  for (std::size_t columns : {3, 4, 60, 64, 75, 76, 77, 128, 5000}) {
    std::string text;
    for (std::size_t at = 0; at < flat.size(); at += columns) text += flat.substr(at, columns) + "\\n";
    for (std::size_t block : {1, 50, 333, 5000})
      EXPECT_EQ(decode(text, Base64Decoder::Text::json, block).bytes, bytes) << columns << ' ' << block;
  }
}

std::string quote_text(std::string_view bytes) {
  std::string out;
  append_quoted(bytes_of(bytes), out);
  return out;
}

TEST(Quoted, EncodesLikePython) {
  const struct {
    std::string bytes, text;
  } rows[] = {
      {"", ""},
      {"\0abs"s, "=00abs"},
      {"/run/a b", "/run/a b"},
      {"a ", "a=20"},
      {"a\t", "a=09"},
      {"a=b", "a=3Db"},
      {".", "=2E"},
      {".a", ".a"},
      {"a.", "a."},
      {".\nb", "=2E\nb"},
      {"\x7f\xff", "=7F=FF"},
      {"a \nb", "a=20\nb"},
      {"a\rb", "a\rb"},
      {"a\r\nb", "a\r\nb"},
      {"_~", "_~"},
      {std::string(76, 'x'), std::string(76, 'x')},
      {std::string(77, 'x'), std::string(75, 'x') + "=\nxx"},
      {std::string(75, 'x') + "\xff", std::string(75, 'x') + "=\n=FF"},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(quote_text(row.bytes), row.text);
    std::string back;
    EXPECT_TRUE(append_unquoted(row.text, back));
    EXPECT_EQ(back, row.bytes) << row.text;
    EXPECT_TRUE(quoted_survives(bytes_of(row.bytes)));
  }
}

TEST(Quoted, DecodesLikePython) {
  const struct {
    std::string_view text;
    std::string_view bytes;
  } rows[] = {
      {"=00=ab=AB", "\0\xab\xab"sv},
      {"a=\nb", "ab"},
      {"a=\r\nb", "ab"},
      {"a=\rbc", "a"},
      {"a==b", "a=b"},
      {"a=", "a"},
      {"a=g1", "a=g1"},
      {"a=1", "a=1"},
      {"a ", "a "},
  };
  for (const auto& row : rows) {
    std::string bytes;
    EXPECT_TRUE(append_unquoted(row.text, bytes));
    EXPECT_EQ(bytes, row.bytes) << row.text;
  }
  std::string none;
  EXPECT_FALSE(append_unquoted("\xc3\xa9", none));
}

TEST(Quoted, KnowsWhatDoesNotSurvive) {
  EXPECT_FALSE(quoted_survives(bytes_of("x\r\ny\nz")));
  EXPECT_FALSE(quoted_survives(bytes_of("a\nb\r\nc")));
  EXPECT_TRUE(quoted_survives(bytes_of("a\r\nb\r\n")));
  std::mt19937 random{5};
  for (int i = 0; i < 20000; ++i) {
    std::string bytes(random() % 120, '\0');
    for (char& c : bytes) c = "\n ab=.\t~\0\xff"[random() % 10];
    EXPECT_TRUE(quoted_survives(bytes_of(bytes)));
    std::string back;
    append_unquoted(quote_text(bytes), back);
    ASSERT_EQ(back, bytes);
  }
}

std::string address_text(const Address& address) {
  char text[address_room];
  const char* end = address.nr_words == 1 ? write_ipv4(text, address.words[0]) : write_ipv6(text, address.words);
  return {text, static_cast<std::size_t>(end - text)};
}

TEST(QuotedPrintable, NamesThatCouldBeBase64) {
  for (const char* name : {"", "/tmp/sock123", "/run/foo", "abc", "abcd", "=00abstract", "L3J1=2Fx", "@/tmp/x"})
    EXPECT_FALSE(is_base64_name(name)) << name;
  // A path, an abstract name, a relative one, a padded one.
  for (const char* base64 : {"L3RtcC9z", "AGFi", "YWJj", "L3J1bg=="}) EXPECT_TRUE(is_base64_name(base64)) << base64;
  std::string back;
  EXPECT_TRUE(append_unquoted(quoted_letter('L') + "3Rt", back));
  EXPECT_EQ(back, "L3Rt");
  EXPECT_FALSE(is_base64_name(quoted_letter('L') + "3RtcC9z"));
}

TEST(Address, BothWays) {
  const struct {
    std::string_view text;
    std::string_view printed;
  } rows[] = {
      {"0.0.0.0", "0.0.0.0"},
      {"127.0.0.1", "127.0.0.1"},
      {"255.255.255.255", "255.255.255.255"},
      {"::", "::"},
      {"::1", "::1"},
      {"fe80::1%eth0", "fe80::1"},
      {"2001:DB8::A", "2001:db8::a"},
      {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"},
      {"1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"},
      {"1:0:0:2:0:0:0:3", "1:0:0:2::3"},
      {"1:0:0:2:3:0:0:4", "1::2:3:0:0:4"},
      {"0:0:1::", "0:0:1::"},
      {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
      {"::ffff:1.2.3.4", "::ffff:1.2.3.4"},
      {"::1.2.3.4", "::102:304"},
      {"64:ff9b::1.2.3.4", "64:ff9b::102:304"},
  };
  for (const auto& row : rows) {
    const auto address = parse_address(row.text);
    ASSERT_TRUE(address) << row.text;
    EXPECT_EQ(address_text(*address), row.printed);
  }
  EXPECT_EQ(parse_address("127.0.0.1")->words[0], 0x0100007fu);
  EXPECT_EQ(parse_address("::1")->words[3], 0x01000000u);
}

TEST(Address, Refuses) {
  for (std::string_view text :
       {"",           "1",     "1.2.3",   "1.2.3.4.5",     "1.2.3.04",          "1.2.3.256",        "1.2.3.4/8",
        "1.2.3. 4",   ":1::2", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "12345::",          "g::",
        "1.2.3.4::1", ":",     ":::",     "::1%",          "::1%a%b",           "1::2:3:4:5:6:7:8", "::1.2.3"})
    EXPECT_FALSE(parse_address(text)) << text;
}

TEST(Address, RandomWordsSurvive) {
  std::mt19937 random{6};
  for (int i = 0; i < 20000; ++i) {
    Address address{4, {}};
    for (auto& word : address.words)
      word = static_cast<std::uint32_t>(random()) & (random() % 2 ? 0xffff0000u : 0xffu) & (random() % 3 ? ~0u : 0u);
    const auto back = parse_address(address_text(address));
    ASSERT_TRUE(back) << address_text(address);
    EXPECT_TRUE(std::ranges::equal(back->words, address.words)) << address_text(address);
  }
}

TEST(Visible, TextStaysInItsLineAndOrder) {
  EXPECT_EQ(visible("caf\u00e9 \u65e5\u672c \U0001f600"), "caf\u00e9 \u65e5\u672c \U0001f600");
  EXPECT_EQ(visible("a\x1b[2J\x7f\n\xc2\x9b"), "a\\x1b[2J\\x7f\\x0a\\xc2\\x9b");
  EXPECT_EQ(visible("ev\u202eexe.fdp"), "ev\\xe2\\x80\\xaeexe.fdp");
  for (const char* turns : {"\u061c", "\u200e", "\u200f", "\u2028", "\u2029", "\u202a", "\u202d", "\u2066", "\u2069"})
    EXPECT_TRUE(visible(turns).starts_with("\\x")) << visible(turns);
  for (const char* stays : {"\u200d", "\u2027", "\u202f", "\u2065", "\u206a"}) EXPECT_EQ(visible(stays), stays);
}

TEST(Format, AnyLength) {
  EXPECT_EQ(format("%s", ""), "");
  EXPECT_EQ(format("%d of %#x: %.1f%%", -1, 255u, 12.34), "-1 of 0xff: 12.3%");
  for (const std::size_t size : {254u, 255u, 256u, 257u, 100'000u}) {
    const std::string text(size, 'x');
    EXPECT_EQ(format("%s", text.c_str()), text) << size;
    EXPECT_EQ(format("%s%u", text.c_str(), 7u), text + "7") << size;
  }
}

TEST(EditDistance, CountsChangesUpToALimit) {
  const struct {
    const char *a, *b;
    std::size_t distance;
  } rows[] = {{"", "", 0},        {"vaddr", "VADDR", 0}, {"vaddr", "vadr", 1},  {"vaddr", "vdadr", 1},
              {"pid", "ppid", 1}, {"core", "code", 1},   {"files", "flies", 1}, {"mm", "core", 4}};
  for (const auto& row : rows) {
    EXPECT_EQ(edit_distance(row.a, row.b, 4), row.distance) << row.a << ' ' << row.b;
    EXPECT_EQ(edit_distance(row.b, row.a, 4), row.distance) << row.b << ' ' << row.a;
  }
  EXPECT_GT(edit_distance("pstree", "p", 2), 2u);
}

TEST(Number, IsWhatToCharsWrites) {
  std::mt19937_64 random{7};
  const auto expect = [](std::uint64_t value) {
    char wanted[max_number_text], room[max_number_text + 8];
    const auto text = [&](auto number, int base) {
      return std::string{wanted, std::to_chars(wanted, std::end(wanted), number, base).ptr};
    };
    const auto signed_value = static_cast<std::int64_t>(value);
    EXPECT_EQ((std::string{room, put_decimal(room, value)}), text(value, 10));
    EXPECT_EQ((std::string{room, put_signed(room, signed_value)}), text(signed_value, 10));
    EXPECT_EQ((std::string{room, put_hex(room, value)}), "0x" + text(value, 16));
  };
  for (int bits = 0; bits < 64; ++bits)
    for (const std::uint64_t near : {0, 1, 2}) expect((std::uint64_t{1} << bits) + near - 1);
  for (std::uint64_t power = 1, i = 0; i < 20; ++i, power *= 10)
    for (const std::uint64_t near : {0, 1, 2}) expect(power + near - 1);
  for (int i = 0; i < 100000; ++i) expect(random() >> random() % 64);
}

}  // namespace
}  // namespace critpipe
