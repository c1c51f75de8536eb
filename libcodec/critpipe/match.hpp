// match: Conditions on entries: which ones say what is asked for.
//
//     vaddr >= 0x7f0000000000 && nr_pages > 16
//     reg.name =~ /\.so/
//     vmas[status & VMA_AREA_STACK && prot & PROT_EXEC]
//     dst_addr == 10.0.0.0/8
//     has(tc.timers) && !(tc.comm == "nginx")
//     ..comm == "sh"
//
// A path begins at the entry's message; `..path` begins at any message in it, `*` is any field. A test holds when any
// element or place that the path leads to makes it true; where there is none it does not hold, != as little as ==.
// `path[...]` is a condition on one element. By itself a path means: there, and not 0, false or empty. Names that
// pretty JSON shows stand for their values. image, magic, index and extra belong to the image and the entry as a whole.
//
// An Expression is made once; a Matching is one for the kind of one image, and walks each payload once, over the fields
// that are named. A Select is a Sink that hands on the entries that match:
//
//     Expression expression;
//     if (Error error = expression.parse("flags & PE_LAZY")) return error;     // want: the column, from 1
//     std::uint64_t total = 0;
//     Select select{expression, {}, std::move(sink), total};
//     Decoder decoder{select, "pagemap-1.img"};
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "critpipe/image.hpp"

#pragma GCC visibility push(default)
namespace critpipe {

class Expression {
 public:
  Expression();
  ~Expression();

  // Reasons: bad_expression, also where no kind of image has a field of that name.
  [[nodiscard]] Error parse(std::string_view text);

  struct AnyText {
    bool caseless = false;
    bool literal = false;
  };
  // Entries with a text or bytes field that the pattern fits.
  [[nodiscard]] Error parse_any(std::string_view pattern, AnyText how);

  // After the input: the first test that no image of it could answer. No error where there was no image.
  Error unanswered() const;

 private:
  friend class Matching;
  struct CRITPIPE_INNER Program;
  std::unique_ptr<Program> program_;
};

// The expression for the entries of one image. Requires: the image is not raw, and the expression was parsed.
class Matching {
 public:
  Matching(Expression& expression, const Image& image);
  ~Matching();

  // Is there an entry, as far as its kind tells, for which the answer is `wanted`?
  bool can(bool wanted) const;
  bool asks_for_extra() const;
  // The answer; where the expression asks for extra, as if the entry had none.
  bool look(const Entry& entry);
  // The answer for the last entry, now that its extra is known: is there one, and has it bytes?
  bool look_at_extra(bool there, bool filled) const;

  // What Sink::many gets: entries at the front that are written in the usual way, whose answer is not `wanted`. Behind
  // them may stand one whose answer is `wanted`; its payload, which is checked and canonical, is then not empty.
  struct Others {
    std::size_t bytes = 0;
    std::uint64_t entries = 0;
    Bytes wanted = {};
  };
  Others pass_others(Bytes unchecked, bool wanted) const;

 private:
  struct CRITPIPE_INNER Inner;
  std::unique_ptr<Inner> inner_;
};

struct SelectOptions {
  bool invert = false;
  bool keep_head = false;     // the first entry of another message (pagemap_head, ...) comes before what matches
  bool always_begin = false;  // `to` sees begin and end also where nothing matches
  std::uint64_t most = ~std::uint64_t{0};
};

// Hands on what matches, as a Decoder would. Stops when `total`, which several images share, reaches `most`.
class Select final : public Sink {
 public:
  Select(Expression& expression, const SelectOptions& options, std::unique_ptr<Sink> to, std::uint64_t& total);
  ~Select() override;
  Step begin(const Image& image) override;
  Step entry(const Entry& entry) override;
  Taken many(Bytes unchecked, std::uint64_t index, std::uint64_t offset) override;
  Step part(const Part& part) override;
  Step bytes(Bytes bytes) override;
  Step padding(Bytes bytes) override;
  Step close() override;
  Step end() override;
  void fail(const Error& error) override;

 private:
  struct CRITPIPE_INNER Held;
  enum class State : std::uint8_t { idle, waiting, selected };
  Step hand_on(const Entry& entry);
  void keep_head(const Entry& entry);
  Step settle(bool filled);
  Step begin_to();

  Expression& expression_;
  SelectOptions options_;
  std::unique_ptr<Sink> to_;
  std::uint64_t& total_;
  std::unique_ptr<Matching> matching_;
  std::unique_ptr<Held> held_;
  State state_ = State::idle;
  bool hopeless_ = false;  // no entry of this image can match
  bool waits_ = false;     // for the extra
  bool begun_ = false;
};

}  // namespace critpipe
#pragma GCC visibility pop
