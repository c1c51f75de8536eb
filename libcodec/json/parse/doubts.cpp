#include "json/parse/doubts.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <limits>
#include <string>

#include "critpipe/fields.hpp"

namespace critpipe {

namespace {

constexpr std::size_t double_digits = 17;  // that tell all doubles apart
constexpr std::size_t least_digits = 16;   // a number with fewer, before its zeros, is one that people choose

std::string_view without_zeros(std::string_view digits) {
  while (digits.ends_with('0')) digits.remove_suffix(1);
  return digits;
}

// The digits of a double before the exponent, without the point and the zeros at their end.
std::string digits_of(double value, int precision) {
  char text[40];
  const auto end = precision == 0
                       ? std::to_chars(text, text + sizeof text, value, std::chars_format::scientific).ptr
                       : std::to_chars(text, text + sizeof text, value, std::chars_format::scientific, precision).ptr;
  std::string digits{text, std::find(text, end, 'e')};
  std::erase(digits, '.');
  return std::string{without_zeros(digits)};
}

}  // namespace

bool looks_rounded(std::string_view digits) {
  const std::string_view significant = without_zeros(digits);
  if (digits.size() <= double_digits || significant.size() > double_digits || significant.size() < least_digits)
    return false;
  // One that a double can hold is as it was: masks, addresses of pages, patterns in registers.
  std::uint64_t number = 0;
  const bool fits = std::from_chars(digits.data(), digits.data() + digits.size(), number).ec == std::errc{};
  if (fits && std::bit_width(number) - std::countr_zero(number) <= std::numeric_limits<double>::digits) return false;
  double value = 0;
  (void)std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return significant == digits_of(value, 0) || significant == digits_of(value, double_digits - 1);
}

void Doubts::begin_image(const Kind& kind) {
  looks_ = Looks::nowhere;
  begin_ = end_ = 0;
  if (kind.later->name == "mm_entry") looks_ = Looks::at_mappings;
  if (kind.later->name == "vma_entry") looks_ = Looks::at_vmas;
  if (kind.later->name == "pagemap_entry") looks_ = Looks::at_runs;
}

void Doubts::add(Reason reason, std::string name, std::uint64_t want, std::uint64_t have, const char* at) {
  if (nr_told_ == most) return;
  ++nr_told_;
  Error error{reason};
  error.want = want;
  error.have = have;
  error.name = std::move(name);
  found_.push_back({std::move(error), at});
}

void Doubts::long_number(const Field& field, std::string_view digits, const char* at) {
  if (digits.starts_with('-')) digits.remove_prefix(1);
  if (!looks_rounded(digits)) {
    ++nr_exact_;
    return;
  }
  std::uint64_t value = 0;
  (void)std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (nr_rounded_++ == 0) first_rounded_ = value;
  differ_ |= value != first_rounded_;
  add(Reason::rounded_number, '"' + std::string{field.name()} + '"', 0, value, at);
}

Error Doubts::verdict() const {
  constexpr std::uint64_t several = 3;
  if (nr_rounded_ < several || !differ_ || nr_rounded_ <= nr_exact_) return {};
  Error error{Reason::rounded_numbers};
  error.have = nr_rounded_;
  error.want = nr_rounded_ + nr_exact_;
  return error;
}

namespace {

struct Run {
  std::uint64_t vaddr = 0, nr_pages = 0;
};

// The fields in question are varints with small numbers, which stand before all others.
Run run_of(Bytes payload) {
  constexpr std::uint32_t vaddr = 1, compat_nr_pages = 2, nr_pages = 5;
  Run run;
  const std::byte* at = payload.data();
  const std::byte* const end = at + payload.size();
  while (at != end) {
    const auto tag = std::to_integer<std::uint32_t>(*at);
    if ((tag & 0x87) != 0 || tag > nr_pages << 3) break;
    ++at;
    const std::uint64_t value = trusted_varint(at, end);
    if (tag == vaddr << 3) run.vaddr = value;
    if (tag == nr_pages << 3 || (tag == compat_nr_pages << 3 && run.nr_pages == 0)) run.nr_pages = value;
  }
  return run;
}

}  // namespace

bool Doubts::take_run(const Doubts& run, Bytes first) {
  if (looks_ == Looks::nowhere) return true;
  if (looks_ != Looks::at_runs || run_of(first).vaddr < end_) return false;
  begin_ = run.begin_;
  end_ = run.end_;
  return true;
}

void Doubts::look(const Message& message, Bytes payload, const char* at) {
  if (looks_ == Looks::at_vmas) return vma(message, payload, at);
  if (looks_ == Looks::at_runs) {
    static const Message& head = *find_message("pagemap_head");
    if (&message == &head) return;
    const Run found = run_of(payload);
    return run(found.vaddr, found.nr_pages, at);
  }
  static const Field& vmas = *find_message("mm_entry")->find("vmas");
  for (Fields fields{message, payload}; fields.next();)
    if (fields.value().field == &vmas) vma(vmas.message(), fields.value().bytes, at);
}

void Doubts::vma(const Message& message, Bytes payload, const char* at) {
  static const Field& start = *find_message("vma_entry")->find("start");
  static const Field& end = *find_message("vma_entry")->find("end");
  range("mapping", integer_or(start, message, payload, 0), integer_or(end, message, payload, 0), at);
}

void Doubts::range(std::string_view what, std::uint64_t begin, std::uint64_t end, const char* at) {
  const std::string name{what};
  if (begin % smallest_page != 0) {
    add(Reason::unaligned_mapping, name + " that begins", 0, begin, at);
  } else if (end % smallest_page != 0) {
    add(Reason::unaligned_mapping, name + " that ends", 0, end, at);
  } else if (begin < end_ && end > begin_) {
    const std::string text = format("%s that begins at 0x%llx", name.c_str(), static_cast<unsigned long long>(begin));
    add(Reason::overlapping_mapping, text, 0, end_, at);
  }
  begin_ = begin;
  end_ = end;
}

}  // namespace critpipe
