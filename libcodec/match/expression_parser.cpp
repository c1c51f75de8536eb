// Recursive descent over
//     either := both ("||" both)*            both := unary ("&&" unary)*
//     unary  := "!" unary | "(" either ")" | "(" path ["&" bits] ")" test | "has" "(" path ")" | path test
//     test   := "[" either "]" | ["&" bits] [compare value] | ("=~" | "!~") regex
//     path   := [".." | "."] name ("." name)*             bits, value := literal ("|" literal)* | "(" bits ")"
#include "match/expression_tree.hpp"

namespace critpipe::match {

namespace {

struct Sign {
  std::string_view text;
  Compare compare;
};
constexpr Sign signs[] = {
    {"=~", Compare::matches},    {"!~", Compare::matches_not},   {"==", Compare::equal}, {"!=", Compare::unequal},
    {"<=", Compare::less_equal}, {">=", Compare::greater_equal}, {"<", Compare::less},   {">", Compare::greater},
};

class Parser {
 public:
  explicit Parser(std::string_view text) : scan_{text} {}

  Error whole(Clause& clause) {
    if (scan_.at_end()) return fault(1, "the expression is empty");
    if (Error error = clause_until_end(clause)) return error;
    if (scan_.at_end()) return {};
    return fault(scan_.column(), "nothing more is expected here: " + std::string{scan_.what_is_here()} + hint());
  }

 private:
  // For what other languages write.
  std::string hint() {
    constexpr std::pair<std::string_view, const char*> written[] = {
        {"==", ""},
        {"=>", " (at least is >=)"},
        {"=<", " (at most is <=)"},
        {"=", " (equality is ==)"},
        {"and", " (and is &&)"},
        {"or", " (or is ||)"},
        {"|", " (or is ||)"},
    };
    for (const auto& [word, text] : written)
      if (scan_.next_is(word)) return text;
    return {};
  }
  Error clause_until_end(Clause& clause) {
    Clause* outer = clause_;
    clause_ = &clause;
    Error error = either(clause.tree);
    clause_ = outer;
    return error;
  }
  Error either(std::unique_ptr<Node>& node);
  Error both(std::unique_ptr<Node>& node);
  Error unary(std::unique_ptr<Node>& node);
  Error test(std::unique_ptr<Node>& node);
  Error path(Test& test);
  Error comparison(Test& test);
  Error compared_with(Test& test);
  Error compared_parentheses(Node& node);
  Error bits(std::vector<Literal>& literals, int depth = 0);
  bool begins_comparison();

  static std::unique_ptr<Node> join(Node::Kind kind, std::unique_ptr<Node> left, std::unique_ptr<Node> right) {
    auto node = std::make_unique<Node>();
    node->kind = kind;
    node->left = std::move(left);
    node->right = std::move(right);
    return node;
  }

  Scanner scan_;
  Clause* clause_ = nullptr;
  int depth_ = 0;
};

Error Parser::either(std::unique_ptr<Node>& node) {
  if (++depth_ > max_parentheses) return fault(scan_.column(), "too many parentheses in each other");
  if (Error error = both(node)) return error;
  while (scan_.accept("||")) {
    std::unique_ptr<Node> right;
    if (Error error = both(right)) return error;
    node = join(Node::Kind::either, std::move(node), std::move(right));
  }
  --depth_;
  return {};
}

Error Parser::both(std::unique_ptr<Node>& node) {
  if (Error error = unary(node)) return error;
  while (scan_.accept("&&")) {
    std::unique_ptr<Node> right;
    if (Error error = unary(right)) return error;
    node = join(Node::Kind::both, std::move(node), std::move(right));
  }
  return {};
}

Error Parser::unary(std::unique_ptr<Node>& node) {
  bool negated = false;
  while (scan_.accept("!")) negated = !negated;
  if (scan_.accept("(")) {
    if (Error error = either(node)) return error;
    if (!scan_.accept(")")) return fault(scan_.column(), "a ) is missing here" + hint());
    if (!negated)
      if (Error error = compared_parentheses(*node)) return error;
    for (const Sign& sign : signs)
      if (scan_.next_is(sign.text))
        return fault(scan_.column(), "what is in these parentheses is true or false: compare inside them");
  } else if (Error error = test(node)) {
    return error;
  }
  if (negated) node = join(Node::Kind::negation, std::move(node), nullptr);
  return {};
}

Error Parser::path(Test& test) {
  test.column = scan_.column();
  test.anywhere = scan_.accept("..");
  test.of_entry = !test.anywhere && scan_.accept(".");
  test.written = test.anywhere ? ".." : "";
  do {
    std::string name{scan_.accept("*") ? "*" : scan_.identifier()};
    if (name.empty()) {
      const bool number = test.path.empty() && !test.anywhere && !scan_.at_end();
      return fault(scan_.column(), number ? "a field is expected here, not " + std::string{scan_.what_is_here()}
                                          : "the name of a field is missing here");
    }
    test.written += (test.path.empty() ? "" : ".") + name;
    test.path.push_back(std::move(name));
  } while (!scan_.next_is("..") && scan_.accept("."));
  return {};
}

// One literal, or several with | between them.
Error Parser::bits(std::vector<Literal>& literals, int depth) {
  if (depth > max_parentheses) return fault(scan_.column(), "too many parentheses in each other");
  if (scan_.accept("(")) {
    if (Error error = bits(literals, depth + 1)) return error;
    if (!scan_.accept(")")) return fault(scan_.column(), "a ) is missing here");
    return {};
  }
  do {
    literals.emplace_back();
    if (Error error = scan_.literal(literals.back())) return error;
  } while (!scan_.next_is("||") && scan_.accept("|"));
  return {};
}

Error Parser::comparison(Test& test) {
  if (!scan_.next_is("&&") && scan_.accept("&"))
    if (Error error = bits(test.mask)) return error;
  return compared_with(test);
}

// (flags & 3) == 2, as C wants it, is flags & 3 == 2; (id) == 2 is id == 2.
Error Parser::compared_parentheses(Node& node) {
  if (node.kind != Node::Kind::test) return {};
  Test& test = clause_->tests[node.test];
  if (test.compare != Compare::truth || test.inside) return {};
  return test.mask.empty() ? comparison(test) : compared_with(test);
}

Error Parser::compared_with(Test& test) {
  for (const Sign& sign : signs) {
    if (!scan_.accept(sign.text)) continue;
    test.compare = sign.compare;
    const bool pattern = sign.compare == Compare::matches || sign.compare == Compare::matches_not;
    if (pattern && !test.mask.empty()) return fault(scan_.column(), "bits have no text to match");
    return pattern ? scan_.regex(test.regex) : bits(test.values);
  }
  return {};
}

bool Parser::begins_comparison() {
  for (const std::string_view sign : {"=", "<", ">", "&", "|", "!", "[", ")", "]"})
    if (scan_.next_is(sign)) return true;
  return scan_.at_end();
}

Error Parser::test(std::unique_ptr<Node>& node) {
  Test test;
  if (Error error = path(test)) return error;
  if (test.path.size() == 1 && test.path[0] == "has" && !test.of_entry && !test.anywhere && scan_.accept("(")) {
    test = {};
    if (Error error = path(test)) return error;
    if (!scan_.accept(")")) return fault(scan_.column(), "has takes one field: has(tc.timers); a ) is missing here");
    test.compare = Compare::has;
  } else if (scan_.accept("[")) {
    test.inside = std::make_unique<Clause>();
    if (Error error = clause_until_end(*test.inside)) return error;
    if (!scan_.accept("]")) return fault(scan_.column(), "a ] is missing here");
  } else if (Error error = comparison(test)) {
    return error;
  }
  if (!begins_comparison())
    return fault(scan_.column(), "an operator is missing before " + std::string{scan_.what_is_here()} + hint());
  if (clause_->tests.size() == max_tests) return fault(test.column, "more than 64 tests");
  node = std::make_unique<Node>();
  node->test = clause_->tests.size();
  clause_->tests.push_back(std::move(test));
  return {};
}

}  // namespace

Error parse_clause(std::string_view text, Clause& clause) { return Parser{text}.whole(clause); }

}  // namespace critpipe::match
