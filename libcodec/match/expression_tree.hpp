// Expressions as they are written: the tree that the parser makes and the resolver reads. Internal.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "critpipe/error.hpp"
#include "base/ip_address.hpp"

namespace critpipe::match {

struct Literal {
  enum class Kind : std::uint8_t { number, text, name, address, device };
  Kind kind = Kind::number;
  std::size_t column = 0;
  bool negative = false;
  std::uint64_t number = 0;  // without its sign; of a device the major
  std::uint64_t minor = 0;
  std::string text = {};  // what stands there; of a text what it means
  Address address = {};
  unsigned prefix_bits = 0;
};

class TextPattern;

struct Regex {
  std::string text;
  const TextPattern* compiled = nullptr;
  bool caseless = false;
  bool dot_all = false;
  bool multiline = false;
  bool literal = false;
  bool texts_only = false;  // not the names of values
  std::size_t column = 0;
};

enum class Compare : std::uint8_t {
  truth,  // a path by itself: there, and not 0, false or empty
  has,
  equal,
  unequal,
  less,
  less_equal,
  greater,
  greater_equal,
  matches,
  matches_not
};

struct Clause;

// One test of a path. Its place among the tests of the clause is its bit.
struct Test {
  std::vector<std::string> path;  // "*": any field
  std::string written;            // for messages
  std::size_t column = 0;
  bool anywhere = false;  // ..path
  bool of_entry = false;  // .path: a field even if image, magic, ... have that name
  Compare compare = Compare::truth;
  std::vector<Literal> mask;  // after &
  std::vector<Literal> values;
  Regex regex;
  std::unique_ptr<Clause> inside;  // path[...]
};

struct Node {
  enum class Kind : std::uint8_t { test, both, either, negation };
  Kind kind = Kind::test;
  std::size_t test = 0;
  std::unique_ptr<Node> left, right;
};

struct Clause {
  bool outermost = false;  // its tests may name image, magic, index, extra
  std::vector<Test> tests;
  std::unique_ptr<Node> tree;
};

constexpr std::size_t max_tests = 64;  // a bit of one word each
constexpr int max_parentheses = 100;

Error fault(std::size_t column, std::string sentence);  // bad_expression

Error parse_clause(std::string_view text, Clause& clause);

// Characters and words of an expression.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_{text} {}

  std::size_t column() {
    skip_blanks();
    return at_ + 1;
  }
  bool at_end() {
    skip_blanks();
    return at_ == text_.size();
  }
  bool next_is(std::string_view sign) {
    skip_blanks();
    return text_.substr(at_, sign.size()) == sign;
  }
  bool accept(std::string_view sign);
  std::string_view identifier();    // empty: none here
  std::string_view what_is_here();  // for messages
  Error literal(Literal& literal);  // number, "text", NAME, address
  Error regex(Regex& regex);        // /.../i or "text"
  Error quoted(std::string& text);

 private:
  void skip_blanks() {
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
  }
  static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
  std::string_view word();
  bool escape(std::string& text);

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace critpipe::match
