// A clause made ready for one message: which fields to look at, and what to ask of them. Internal.
//
// A plan has a slot for each field that somebody asks about, in ascending number, the order of a canonical payload: one
// walk takes both along. A slot holds checks of that field and the plan for what is inside it. Messages that nest in
// themselves make plans that point back.
#pragma once

#include <deque>
#include <map>
#include <tuple>
#include <vector>

#include "critpipe/fields.hpp"
#include "match/text_pattern.hpp"
#include "match/expression_tree.hpp"

namespace critpipe::match {

struct Scope;

// low <= ((value & mask) ^ bias) <= low + span; the bias brings signed numbers into order.
struct Range {
  std::uint64_t mask = ~std::uint64_t{0};
  std::uint64_t bias = 0;
  std::uint64_t low = 0;
  std::uint64_t span = ~std::uint64_t{0};
  bool invert = false;

  bool holds(std::uint64_t value) const { return (((value & mask) ^ bias) - low <= span) != invert; }
};

// One test of one value; sets the bit of its test.
struct Check {
  enum class Kind : std::uint8_t {
    present,
    range,
    filled,
    text,
    pattern,  // of bytes
    among,    // an enum's values that a pattern fits
    address,
    inside
  };
  Kind kind = Kind::present;
  bool invert = false;     // other kinds than range
  bool unix_name = false;  // is looked at as it is and as quoted-printable text
  std::uint64_t bit = 0;   // one is set
  Range range = {};
  std::string text = {};
  const Pattern* pattern = nullptr;
  std::vector<std::uint64_t> values = {};
  Address value = {};  // address: under its mask
  std::uint32_t address_mask[4] = {};
  const Scope* scope = nullptr;
};

struct Plan {
  struct Slot {
    enum class Way : std::uint8_t { one_range, integers, address, bytes, fixed };
    std::uint32_t tag = 0;
    Way way = Way::bytes;
    bool repeated = false;
    const Field* field = nullptr;
    std::uint64_t bit = 0;  // of the only check, a range
    Range range = {};
    const Plan* inside = nullptr;
    std::vector<Check> checks = {};
  };
  std::vector<Slot> slots;
  std::uint64_t possible = 0;  // bits that this plan or one inside it may set
};

// The tree as jumps: look at a bit, go on or end.
struct Jump {
  static constexpr int yes = -1, no = -2;
  std::uint8_t bit;
  int if_set, if_clear;
};
using Jumps = std::vector<Jump>;  // begins with the last one

Jumps jumps_of(const Clause& clause);
inline bool decide(const Jumps& jumps, std::uint64_t bits) {
  const Jump* const first = jumps.data();
  int at = static_cast<int>(jumps.size()) - 1;
  do at = bits >> first[at].bit & 1 ? first[at].if_set : first[at].if_clear;
  while (at >= 0);
  return at == Jump::yes;
}
// Can it end in `wanted` when of the bits `known` those in `bits` are set, and of the others nothing is known?
bool can_end_in(const Jumps& jumps, bool wanted, std::uint64_t known, std::uint64_t bits);

struct Scope {
  const Plan* plan = nullptr;
  Jumps jumps;
};

// What is asked of one varint that is no address.
void look_at_varints(const Plan::Slot& slot, std::uint64_t wire, std::uint64_t& bits);
inline void look_at_varint(const Plan::Slot& slot, std::uint64_t wire, std::uint64_t& bits) {
  if (slot.way != Plan::Slot::Way::one_range) return look_at_varints(slot, wire, bits);
  if (slot.range.holds(wire)) bits |= slot.bit;
}

// Requires: payload is checked and canonical.
void look(const Plan& plan, Bytes payload, std::uint64_t& bits);

// A message of single varints, as nearly all entries are written: the fields that may come and what is asked of each.
struct Simple {
  std::uint32_t tag;
  bool required;
  std::uint64_t most;      // a larger value is not of that type
  const Plan::Slot* slot;  // null: nobody asks
};
// Empty: the message has other fields.
std::vector<Simple> simple_fields(const Message& message, const Plan& plan);
// False: this is not the usual way, or nothing that can be. May read 8 bytes behind the payload.
bool look_simply(std::span<const Simple> fields, Bytes unchecked, std::uint64_t& bits);

// What a value must be for the test to hold. A fault says why the field cannot be tested so.
Error check_of(const Test& test, const Field& field, Check& check);
// Of integers without a schema (index), and of texts (image, magic).
Error integer_check(const Test& test, Type type, Check& check);
Error text_check(const Test& test, Check& check);
bool holds(const Check& check, std::uint64_t integer);
bool holds(const Check& check, Bytes bytes);

std::uint64_t bit_of(const Clause& clause, const Test& test);

// Makes plans, and remembers which tests found a field.
class Planner {
 public:
  const Plan* plan(const Clause& clause, const Message& message);
  // The first test that no message can have, as planned so far.
  Error fault_of(const Clause& clause) const;

 private:
  struct State {
    std::size_t test;
    std::size_t step;
    auto operator<=>(const State&) const = default;
  };
  using States = std::vector<State>;
  struct Found {
    bool usable = false;
    Error fault = {};  // of the field that comes nearest: the one with the highest `have`
  };

  Plan* plan(const Clause& clause, const Message& message, const States& states);
  void plan_field(const Clause& clause, const Field& field, const States& states, Plan::Slot& slot);
  void add_check(const Clause& clause, const Test& test, const Field& field, Plan::Slot& slot);
  void settle();

  std::deque<Plan> plans_;
  std::deque<Scope> scopes_;
  std::map<std::tuple<const Clause*, const Message*, States>, Plan*> known_;
  std::map<const Test*, Found> found_;
  std::map<const Clause*, std::vector<const Message*>> roots_;
};

// " (near: a, b)", or nothing. Paths from the messages that look like the one of the test.
std::string near_paths(const Test& test, const std::vector<const Message*>& roots);
std::string near_names(std::string_view name, std::span<const Name> names, bool& alike);

// image, magic, index, extra: of the clause of whole entries only.
enum class Special : std::uint8_t { none, image, magic, index, extra };
Special special_of(const Clause& clause, const Test& test);

}  // namespace critpipe::match
