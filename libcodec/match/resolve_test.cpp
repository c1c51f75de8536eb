// Tests against fields: what the words of a test mean for the type of a field.
#include <algorithm>

#include "match/match_plan.hpp"
#include "base/quoted_printable.hpp"

namespace critpipe::match {

namespace {

constexpr std::uint64_t sign_bit = std::uint64_t{1} << 63;

bool is_signed(Type type) {
  return type == Type::int32 || type == Type::int64 || type == Type::sint32 || type == Type::sint64 ||
         type == Type::enumeration || type == Type::sfixed32 || type == Type::sfixed64;
}

// A type alone, or a field that knows names of its values.
struct Subject {
  Type type;
  const Field* field = nullptr;

  Show show() const { return field ? field->show : Show::plain; }
  bool is_bits() const {
    return type != Type::enumeration && (show() == Show::flags || show() == Show::hex || show() == Show::plain);
  }
  std::span<const Name> names() const {
    if (type == Type::enumeration) return field->enum_values();
    if (show() == Show::flags || show() == Show::dict) return field->names();
    return {};
  }
};

constexpr Name truths[] = {{"false", 0}, {"true", 1}};

std::span<const Name> names_of(const Subject& subject) {
  return subject.type == Type::boolean ? std::span<const Name>{truths} : subject.names();
}

std::uint64_t device_bits(const Literal& literal, Show show) {
  const std::uint64_t major = literal.number, minor = literal.minor;
  if (show == Show::dev) return major << 20 | minor;
  return (major & 0xfff) << 8 | (major & ~std::uint64_t{0xfff}) << 32 | (minor & 0xff) |
         (minor & ~std::uint64_t{0xff}) << 12;
}

// A text in place of a number is read as what stands in it: "O_RDWR | O_CLOEXEC", "0x1f", "8:1".
Error spread(const std::vector<Literal>& from, std::vector<Literal>& to) {
  for (const Literal& literal : from) {
    if (literal.kind != Literal::Kind::text) {
      to.push_back(literal);
      continue;
    }
    Scanner scan{literal.text};
    do {
      to.emplace_back();
      const Error error = scan.literal(to.back());
      to.back().column = literal.column;
      if (error || to.back().kind == Literal::Kind::text)
        return fault(literal.column, "\"" + literal.text + "\" is no number or name of a value");
    } while (scan.accept("|"));
    if (!scan.at_end()) return fault(literal.column, "\"" + literal.text + "\" is no number or name of a value");
  }
  return {};
}

// One number out of `a | b`.
Error number_of(const Test& test, const Subject& subject, const std::vector<Literal>& literals, Literal& sum) {
  std::vector<Literal> all;
  if (Error error = spread(literals, all)) return error;
  sum = {};
  sum.column = literals.front().column;
  if (all.size() > 1 && !subject.is_bits())
    return fault(all[1].column, "the values of " + test.written + " are no bits: compare twice, with || between");
  for (const Literal& literal : all) {
    const auto names = names_of(subject);
    std::uint64_t number = literal.number;
    if (literal.kind == Literal::Kind::name) {
      const auto name = std::ranges::find(names, literal.text, &Name::name);
      if (name == names.end()) {
        if (names.empty())
          return fault(literal.column, test.written + " is a number without names: what is " + literal.text + "?");
        bool alike = false;
        const std::string near = near_names(literal.text, names, alike);
        Error error = fault(literal.column, literal.text + " is no value of " + test.written + near);
        error.have = alike ? 2 : 1;
        return error;
      }
      number = name->value;
      if (subject.type == Type::enumeration && (number & sign_bit)) {
        sum.negative = true;
        number = ~number + 1;
      }
    } else if (literal.kind == Literal::Kind::device) {
      if (subject.show() != Show::dev && subject.show() != Show::old_dev)
        return fault(literal.column, test.written + " is no device: " + literal.text + " means nothing");
      number = device_bits(literal, subject.show());
    } else if (literal.kind == Literal::Kind::address) {
      return fault(literal.column, test.written + " holds no address");
    }
    sum.negative |= literal.negative;
    sum.number |= number;
  }
  if (sum.negative && sum.number == 0) sum.negative = false;
  if (all.size() > 1 && sum.negative) return fault(sum.column, "a negative number has no bits to join");
  return {};
}

// The number in the order of the check, or where it lies outside: -1 below all values, 1 above.
int place_of(const Literal& number, bool with_sign, std::uint64_t& place) {
  const std::uint64_t value = number.negative ? ~number.number + 1 : number.number;
  if (!with_sign) {
    place = value;
    return number.negative ? -1 : 0;
  }
  place = value ^ sign_bit;
  if (number.negative) return number.number > sign_bit ? -1 : 0;
  return number.number >= sign_bit ? 1 : 0;
}

void always(IntegerRange& range, bool truth) {
  range.low = 0;
  range.span = ~std::uint64_t{0};
  range.invert = !truth;
}

void bound(Compare compare, const Literal& number, bool with_sign, IntegerRange& range) {
  std::uint64_t place = 0;
  const int outside = place_of(number, with_sign, place);
  const std::uint64_t most = ~std::uint64_t{0};
  range.low = 0;
  switch (compare) {
    case Compare::equal:
    case Compare::unequal:
      if (outside != 0) return always(range, compare == Compare::unequal);
      range.low = place;
      range.span = 0;
      range.invert = compare == Compare::unequal;
      return;
    case Compare::less:
    case Compare::greater_equal:
      if (outside != 0) return always(range, (outside > 0) == (compare == Compare::less));
      if (place == 0) return always(range, compare == Compare::greater_equal);
      range.span = place - 1;
      range.invert = compare == Compare::greater_equal;
      return;
    default:
      if (outside != 0) return always(range, (outside > 0) == (compare == Compare::less_equal));
      if (place == most) return always(range, compare == Compare::less_equal);
      range.span = place;
      range.invert = compare == Compare::greater;
  }
}

Error integer_check_of(const Test& test, const Subject& subject, Check& check) {
  check.kind = Check::Kind::range;
  Literal number;
  if (!test.mask.empty()) {
    if (subject.type == Type::boolean) return fault(test.mask[0].column, test.written + " is true or false: no bits");
    if (Error error = number_of(test, subject, test.mask, number)) return error;
    if (number.negative) return fault(number.column, "bits cannot be negative");
    check.range.mask = number.number;
  }
  if (test.compare == Compare::truth) {
    number = {};
    bound(Compare::unequal, number, false, check.range);
    return {};
  }
  if (Error error = number_of(test, subject, test.values, number)) return error;
  const bool with_sign = is_signed(subject.type) && test.mask.empty();
  check.range.bias = with_sign ? sign_bit : 0;
  bound(test.compare, number, with_sign, check.range);
  return {};
}

// Names of values that a pattern fits; of flags their bits.
Error name_pattern_check(const Test& test, const Subject& subject, Check& check) {
  const auto names = names_of(subject);
  if (names.empty() || test.regex.texts_only)
    return fault(test.regex.column, test.written + " is a number: =~ looks at texts and names");
  check.invert = test.compare == Compare::matches_not;
  const bool flags = subject.show() == Show::flags;
  check.kind = flags ? Check::Kind::range : Check::Kind::among;
  check.range.mask = flags ? 0 : check.range.mask;
  for (const Name& name : names) {
    if (!test.regex.compiled->is_in(std::as_bytes(std::span{name.name}))) continue;
    check.values.push_back(name.value);
    if (flags) check.range.mask |= name.value;
  }
  bound(check.invert ? Compare::equal : Compare::unequal, {}, false, check.range);
  return {};
}

Error address_check(const Test& test, const Literal& literal, Check& check) {
  if (test.compare != Compare::equal && test.compare != Compare::unequal)
    return fault(literal.column, "addresses are compared with == and != only");
  check.kind = Check::Kind::address;
  check.invert = test.compare == Compare::unequal;
  check.value = literal.address;
  for (unsigned i = 0; i < literal.address.nr_words; ++i) {
    unsigned char bytes[4];
    for (unsigned k = 0; k < 4; ++k) {
      const unsigned begin = 32 * i + 8 * k;
      const unsigned bits = literal.prefix_bits <= begin ? 0 : std::min(literal.prefix_bits - begin, 8u);
      bytes[k] = static_cast<unsigned char>(0xff00 >> bits);
    }
    std::memcpy(&check.address_mask[i], bytes, 4);
    check.value.words[i] &= check.address_mask[i];
  }
  return {};
}

bool begins_with_address(const std::vector<Literal>& literals, Literal& address) {
  std::vector<Literal> all;
  if (literals.empty() || spread(literals, all) || all.size() != 1) return false;
  address = all[0];
  address.column = literals[0].column;
  return address.kind == Literal::Kind::address;
}

}  // namespace

Error integer_check(const Test& test, Type type, Check& check) {
  if (test.compare == Compare::matches || test.compare == Compare::matches_not)
    return fault(test.regex.column, test.written + " is a number: =~ looks at texts and names");
  return integer_check_of(test, {type}, check);
}

Error text_check(const Test& test, Check& check) {
  switch (test.compare) {
    case Compare::truth:
      if (!test.mask.empty()) return fault(test.mask[0].column, test.written + " is a text: no bits");
      check.kind = Check::Kind::filled;
      return {};
    case Compare::matches:
    case Compare::matches_not:
      check.kind = Check::Kind::pattern;
      check.pattern = test.regex.compiled;
      check.invert = test.compare == Compare::matches_not;
      return {};
    case Compare::equal:
    case Compare::unequal: break;
    default: return fault(test.values[0].column, test.written + " is a text: there are ==, != and =~");
  }
  const Literal& literal = test.values[0];
  if (literal.kind != Literal::Kind::text)
    return fault(literal.column, test.written + " is a text: write \"" + literal.text + "\"");
  if (test.values.size() > 1) return fault(test.values[1].column, "texts are no bits: compare twice, with || between");
  check.kind = Check::Kind::text;
  check.text = literal.text;
  check.invert = test.compare == Compare::unequal;
  return {};
}

Error check_of(const Test& test, const Field& field, Check& check) {
  check.kind = Check::Kind::present;
  if (test.compare == Compare::has) return {};
  if (field.type == Type::message) {
    if (test.compare == Compare::truth && test.mask.empty()) return {};
    return fault(test.column, test.written + " is a message: name a field in it, as " + test.written + "." +
                                  std::string{field.message().nr_fields > 0 ? field.message().fields[0].name() : "x"});
  }
  if (field.type == Type::string || field.type == Type::bytes) {
    check.unix_name = field.show == Show::unix_name;
    return text_check(test, check);
  }
  if (field.type == Type::float32 || field.type == Type::float64)
    return fault(test.column, test.written + " is a floating-point number, which is not compared");
  if (test.compare == Compare::matches || test.compare == Compare::matches_not)
    return name_pattern_check(test, {field.type, &field}, check);
  Literal address;
  if (field.show == Show::ip_address && begins_with_address(test.values, address))
    return address_check(test, address, check);
  return integer_check_of(test, {field.type, &field}, check);
}

}  // namespace critpipe::match
