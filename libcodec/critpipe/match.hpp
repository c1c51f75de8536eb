// match: Expressions that select entries: `vaddr >= 0x7f0000000000 && nr_pages > 16`.
//
// A path names a field of the entry's message ("reg.name"), `..path` one of any message within it, and `*` stands for
// any field. A test holds if any value that the path leads to makes it true; where the path leads to no value it fails,
// `!=` as much as `==`. `path[...]` is a condition on one element of a list. A path by itself means: present, and not
// 0, false or empty. Values may be written by the names that pretty JSON shows. `image`, `magic`, `index` and `extra`
// belong to the image and the entry instead of its message.
//
//     for (const char* text : {R"(vaddr >= 0x7f0000000000 && nr_pages > 16)",
//                              R"(reg.name =~ /\.so/)",
//                              R"(vmas[status & VMA_AREA_STACK && prot & PROT_EXEC])",
//                              R"(dst_addr == 10.0.0.0/8)",
//                              R"(has(tc.timers) && !(tc.comm == "nginx"))",
//                              R"(..comm == "sh")"}) {
//       Expression expression;
//       if (Error error = expression.parse(text)) return error;           // error.want: the column, from 1
//     }
//
//     Expression expression;
//     if (Error error = expression.parse("flags & PE_LAZY")) return error;
//     std::uint64_t nr_selected = 0;
//     Select select{expression, {}, std::move(sink), nr_selected};        // `sink` gets the entries that match
//     Decoder decoder{select, "pagemap-1.img"};
//
// Make an Expression once and use it for all images of an input; a Select, or an ImageMatcher where entries are to be
// judged without a sink, is for one image. Payloads are read in one pass, and only the fields that the expression
// names. One thread at a time may use an Expression and what was made from it.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "critpipe/image.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

// A parsed expression. It must outlive each ImageMatcher and Select made from it.
class Expression {
 public:
  Expression();
  ~Expression();

  // Reasons: bad_expression, also if no kind of image has a field of that name; want is the column, from 1.
  [[nodiscard]] Error parse(std::string_view text);

  struct AnyText {
    bool caseless = false;  // ignore the case of ASCII letters
    bool literal = false;   // the pattern is a text, not a regular expression
  };
  // Matches entries with any text or bytes field that the pattern matches. Reasons: bad_expression.
  [[nodiscard]] Error parse_any(std::string_view pattern, AnyText how);

  // After the input, where no entry gave the answer `wanted`: an error if no image of it is one that the expression
  // asks for, or else for the first test whose field none of them has. None if there was no image. `asked`: what
  // stands in place of an input's images, "a mapping (vma_entry)".
  Error unanswered(bool wanted = true, std::string_view asked = {}) const;
  // What an expression parsed from the same text was asked counts as if this one had been.
  void add_asked(const Expression& other);

 private:
  friend class ImageMatcher;
  struct CRITPIPE_INNER Program;
  std::unique_ptr<Program> program_;
};

// The expression for the entries of one image.
class ImageMatcher {
 public:
  // Requires: the expression is parsed, and the image is not raw.
  ImageMatcher(Expression& expression, const Image& image);
  ~ImageMatcher();

  // Can the answer for an entry of this kind be `wanted`? False: no need to look at the entries.
  bool can(bool wanted) const;
  // Does the expression use `extra`?
  bool asks_for_extra() const;
  // Does the entry match? If the expression uses `extra`, the answer is that for an entry without one.
  bool look(const Entry& entry);
  // The answer for the entry that look() saw last, once its extra is known: does it exist, and does it have bytes?
  bool look_at_extra(bool there, bool filled) const;

  // What the fast path did.
  struct Skipped {
    std::size_t bytes = 0;      // passed over, size words included
    std::uint64_t entries = 0;  // passed over
    Bytes wanted = {};          // not empty: the checked payload of the entry behind them, whose answer is `wanted`
  };
  // The fast path for Sink::many: passes over whole canonical entries from the front, up to the first whose answer is
  // `wanted` or that needs the slow path. Not for the first entry of an image.
  Skipped skip_others(Bytes unchecked, bool wanted) const;

 private:
  struct CRITPIPE_INNER Inner;
  std::unique_ptr<Inner> inner_;
};

// How a Select selects.
struct SelectOptions {
  bool invert = false;        // entries that do not match
  bool keep_head = false;     // a first entry of another message, such as pagemap_head, goes before the first match
  bool always_begin = false;  // the next sink gets begin() and end() even if nothing matches
  std::uint64_t most = ~std::uint64_t{0};  // entries of all images together
};

// A stage that passes the entries that match, with their extras, to the next sink, which it calls as a Decoder would.
// Counts them in `total`, which several images may share, and returns Step::stop when that reaches `most`.
class Select final : public Stage {
 public:
  // Requires: the expression is parsed; it and `total` outlive *this.
  Select(Expression& expression, const SelectOptions& options, std::unique_ptr<Sink> to, std::uint64_t& total);
  ~Select() override;
  // The next sink gets what comes before the first match, where that was found elsewhere.
  Step begin_selected();

 private:
  class CRITPIPE_INNER Work;
  std::unique_ptr<Work> work_;
};

}  // namespace critpipe
#pragma GCC visibility pop
