// A clause prepared for one message: the fields to look at, and the checks of each. Internal.
//
// A plan has a slot for each field that a test names, by ascending number, which is the order of a canonical payload:
// one pass over the payload follows the slots. A slot holds the checks of its field and the plan for the message
// inside. The plan of a message that nests in itself points back to itself.
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
struct IntegerRange {
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
  bool invert = false;     // of kinds other than range
  bool unix_name = false;  // the value is tested as it is and as quoted-printable text
  std::uint64_t bit = 0;   // one is set
  IntegerRange range = {};
  std::string text = {};
  const TextPattern* pattern = nullptr;
  std::vector<std::uint64_t> values = {};
  Address value = {};  // address: under its mask
  std::uint32_t address_mask[4] = {};
  const Scope* scope = nullptr;
};

struct Plan {
  struct Slot {
    enum class Way : std::uint8_t { one_range, integers, packed, address, bytes, fixed };
    std::uint32_t tag = 0;
    Way way = Way::bytes;
    bool repeated = false;
    const Field* field = nullptr;
    std::uint64_t bit = 0;  // of the only check, a range
    IntegerRange range = {};
    const Plan* inside = nullptr;
    std::vector<Check> checks = {};
  };
  std::vector<Slot> slots;
  std::uint64_t possible = 0;  // bits that this plan or one inside it may set
};

// A clause's tree as jumps: test a bit, then go on or end.
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
// Can the jumps end in `wanted`, if the `known` bits are as in `bits` and the others are unknown?
bool can_end_in(const Jumps& jumps, bool wanted, std::uint64_t known, std::uint64_t bits);

struct Scope {
  const Plan* plan = nullptr;
  Jumps jumps;
};

// Runs the checks of one varint that is no address.
void test_varints(const Plan::Slot& slot, std::uint64_t wire, std::uint64_t& bits);
inline void test_varint(const Plan::Slot& slot, std::uint64_t wire, std::uint64_t& bits) {
  if (slot.way != Plan::Slot::Way::one_range) return test_varints(slot, wire, bits);
  if (slot.range.holds(wire)) bits |= slot.bit;
}

// Requires: payload is checked and canonical.
void run_plan(const Plan& plan, Bytes payload, std::uint64_t& bits);

// A field of a message that has only varints, none of them repeated, such as pagemap entries.
struct FastField {
  std::uint32_t tag;
  bool required;
  std::uint64_t most;      // the largest value of its type
  const Plan::Slot* slot;  // null: no test names it
};
// Empty: the message has none, or requires fields of other types.
std::vector<FastField> fast_fields(const Message& message, const Plan& plan);
// Checks and tests a payload in one pass. False: it is not canonical or not valid, or takes the slow path. May read
// 8 bytes behind the payload.
bool run_fast_path(std::span<const FastField> fields, Bytes unchecked, std::uint64_t& bits);

// Makes the check of a test for one field. The error says why such a field can't be tested like this.
Error check_of(const Test& test, const Field& field, Check& check);
// Of integers without a schema (index), and of texts (image, magic).
Error integer_check(const Test& test, Type type, Check& check);
Error text_check(const Test& test, Check& check);
bool holds(const Check& check, std::uint64_t integer);
bool holds(const Check& check, Bytes bytes);

std::uint64_t bit_of(const Clause& clause, const Test& test);

// Makes plans, and records which tests have a field to look at.
class Planner {
 public:
  const Plan* plan(const Clause& clause, const Message& message);
  // The first test that no message planned so far has a field for.
  Error fault_of(const Clause& clause) const;

 private:
  struct State {
    std::size_t test;
    std::size_t step;
    auto operator<=>(const State&) const = default;
  };
  using States = std::vector<State>;
  struct Usability {
    bool usable = false;
    Error fault = {};  // of the field that fits best: the one with the highest `have`
  };

  Plan* plan(const Clause& clause, const Message& message, const States& states);
  void plan_field(const Clause& clause, const Field& field, const States& states, Plan::Slot& slot);
  void add_check(const Clause& clause, const Test& test, const Field& field, Plan::Slot& slot);
  void settle();

  std::deque<Plan> plans_;
  std::deque<Scope> scopes_;
  std::map<std::tuple<const Clause*, const Message*, States>, Plan*> known_;
  std::map<const Test*, Usability> found_;
  std::map<const Clause*, std::vector<const Message*>> roots_;
};

// " (near: a, b)", or nothing: paths from these messages that resemble the test's.
std::string near_paths(const Test& test, const std::vector<const Message*>& roots);
std::string near_names(std::string_view name, std::span<const Name> names, bool& alike);

// image, magic, index, extra: of the clause of whole entries only.
enum class Special : std::uint8_t { none, image, magic, index, extra };
Special special_of(const Clause& clause, const Test& test);

}  // namespace critpipe::match
