#include "match/match_plan.hpp"

#include <algorithm>

namespace critpipe::match {

namespace {

Plan::Slot::Way way_of(const Plan::Slot& slot) {
  using Way = Plan::Slot::Way;
  const Field& field = *slot.field;
  const auto is_address = [](const Check& check) { return check.kind == Check::Kind::address; };
  if (field.wire() == Wire::bytes) return Way::bytes;
  if (field.packed) return Way::packed;
  if (field.wire() != Wire::varint) return Way::fixed;
  if (std::ranges::any_of(slot.checks, is_address)) return Way::address;
  const bool zigzag = field.type == Type::sint32 || field.type == Type::sint64;
  const bool one_range = slot.checks.size() == 1 && slot.checks[0].kind == Check::Kind::range;
  return one_range && !zigzag ? Way::one_range : Way::integers;
}

struct Joiner {
  Jumps jumps;

  // Where to begin so that the node ends in those places. Built from the end, so that places exist when they are named.
  int add(const Node& node, int if_true, int if_false) {
    switch (node.kind) {
      case Node::Kind::negation: return add(*node.left, if_false, if_true);
      case Node::Kind::both: return add(*node.left, add(*node.right, if_true, if_false), if_false);
      case Node::Kind::either: return add(*node.left, if_true, add(*node.right, if_true, if_false));
      case Node::Kind::test: break;
    }
    jumps.push_back({static_cast<std::uint8_t>(node.test), if_true, if_false});
    return static_cast<int>(jumps.size()) - 1;
  }
};

}  // namespace

Jumps jumps_of(const Clause& clause) {
  Joiner joiner;
  joiner.add(*clause.tree, Jump::yes, Jump::no);
  return std::move(joiner.jumps);
}

bool can_end_in(const Jumps& jumps, bool wanted, std::uint64_t known, std::uint64_t bits) {
  const int end = wanted ? Jump::yes : Jump::no;
  std::vector<bool> reached(jumps.size());
  reached.back() = true;
  for (std::size_t at = jumps.size(); at-- > 0;) {  // jumps only lead down
    if (!reached[at]) continue;
    const Jump& jump = jumps[at];
    for (const bool set : {true, false}) {
      if ((known >> jump.bit & 1) && (bits >> jump.bit & 1) != set) continue;
      const int next = set ? jump.if_set : jump.if_clear;
      if (next == end) return true;
      if (next >= 0) reached[static_cast<std::size_t>(next)] = true;
    }
  }
  return false;
}

std::uint64_t bit_of(const Clause& clause, const Test& test) {
  return std::uint64_t{1} << static_cast<unsigned>(&test - clause.tests.data());
}

Special special_of(const Clause& clause, const Test& test) {
  if (!clause.outermost || test.of_entry || test.anywhere || test.path.size() != 1) return Special::none;
  const std::string& name = test.path[0];
  if (name == "image") return Special::image;
  if (name == "magic") return Special::magic;
  if (name == "index") return Special::index;
  return name == "extra" ? Special::extra : Special::none;
}

const Plan* Planner::plan(const Clause& clause, const Message& message) {
  States states;
  for (std::size_t test = 0; test < clause.tests.size(); ++test)
    if (special_of(clause, clause.tests[test]) == Special::none) states.push_back({test, 0});
  auto& roots = roots_[&clause];
  if (std::ranges::find(roots, &message) == roots.end()) roots.push_back(&message);
  const Plan* made = plan(clause, message, states);
  settle();
  return made;
}

Plan* Planner::plan(const Clause& clause, const Message& message, const States& states) {
  const auto [row, is_new] = known_.try_emplace({&clause, &message, states}, nullptr);
  if (!is_new) return row->second;
  Plan& made = plans_.emplace_back();
  row->second = &made;
  for (const Field& field : message.all()) {
    Plan::Slot slot;
    plan_field(clause, field, states, slot);
    if (!slot.field) continue;
    for (const Check& check : slot.checks) made.possible |= check.bit;
    made.slots.push_back(std::move(slot));
  }
  return &made;
}

void Planner::plan_field(const Clause& clause, const Field& field, const States& states, Plan::Slot& slot) {
  States inside;
  for (const State state : states) {
    const Test& test = clause.tests[state.test];
    const std::string& name = test.path[state.step];
    if (field.type == Type::message && test.anywhere && state.step == 0) inside.push_back(state);
    if (name != "*" && name != field.name()) continue;
    if (state.step + 1 == test.path.size()) add_check(clause, test, field, slot);
    else if (field.type == Type::message) inside.push_back({state.test, state.step + 1});
  }
  if (inside.empty()) {
    if (!slot.checks.empty()) slot.field = &field;
  } else {
    std::ranges::sort(inside);
    slot.inside = plan(clause, field.message(), inside);
    slot.field = &field;
  }
  if (!slot.field) return;
  slot.tag = field.tag;
  slot.repeated = field.repeated;
  slot.way = way_of(slot);
  if (slot.way != Plan::Slot::Way::one_range) return;
  slot.bit = slot.checks[0].bit;
  slot.range = slot.checks[0].range;
}

void Planner::add_check(const Clause& clause, const Test& test, const Field& field, Plan::Slot& slot) {
  Check check;
  check.bit = bit_of(clause, test);
  Usability& found = found_[&test];
  Error fault;
  if (!test.inside) {
    fault = check_of(test, field, check);
  } else if (field.type != Type::message) {
    fault = match::fault(test.column, test.written + " is no message: [...] looks at the fields of one");
  } else {
    check.kind = Check::Kind::inside;
    Scope& scope = scopes_.emplace_back();
    scope.plan = plan(*test.inside, field.message());
    scope.jumps = jumps_of(*test.inside);
    check.scope = &scope;
  }
  // "*" means only the fields whose types the test can look at.
  if (!fault) {
    found.usable = true;
    slot.checks.push_back(std::move(check));
  } else if (!found.fault || fault.have > found.fault.have) {
    found.fault = std::move(fault);
  }
}

// Bits that an inner plan may set are possible for the outer one. Messages that can set no bit are skipped.
void Planner::settle() {
  for (bool changed = true; changed;) {
    changed = false;
    for (Plan& plan : plans_)
      for (const Plan::Slot& slot : plan.slots) {
        if (!slot.inside || (slot.inside->possible & ~plan.possible) == 0) continue;
        plan.possible |= slot.inside->possible;
        changed = true;
      }
  }
  for (Plan& plan : plans_) {
    for (Plan::Slot& slot : plan.slots)
      if (slot.inside && slot.inside->possible == 0) slot.inside = nullptr;
    std::erase_if(plan.slots, [](const Plan::Slot& slot) { return !slot.inside && slot.checks.empty(); });
  }
}

Error Planner::fault_of(const Clause& clause) const {
  for (const Test& test : clause.tests) {
    if (special_of(clause, test) != Special::none) continue;
    const auto row = found_.find(&test);
    if (row == found_.end()) {
      const auto roots = roots_.find(&clause);
      return fault(test.column, "no image has a field " + test.written +
                                    (roots == roots_.end() ? "" : near_paths(test, roots->second)));
    }
    if (!row->second.usable) return row->second.fault;
    if (!test.inside) continue;
    if (Error inner = fault_of(*test.inside)) return inner;
  }
  return {};
}

}  // namespace critpipe::match
