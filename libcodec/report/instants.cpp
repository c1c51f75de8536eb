#include "report/instants.hpp"

#include <chrono>

#include "base/path_names.hpp"
#include "report/explorers.hpp"

namespace critpipe {

namespace {

// Takes text from its beginning, as long as it is as it should be.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : left_{text} {}

  int digits(std::size_t count) {
    int number = 0;
    for (std::size_t i = 0; i < count; ++i) number = number * 10 + digit();
    return number;
  }
  void letter(std::string_view any) {
    if (!is(any)) return fail();
    left_.remove_prefix(1);
  }
  bool is(std::string_view any) const { return !left_.empty() && any.find(left_.front()) != any.npos; }
  char next() {
    const char letter = left_.empty() ? '\0' : left_.front();
    if (left_.empty()) fail();
    else left_.remove_prefix(1);
    return letter;
  }
  // Nanoseconds; digits behind them count for nothing.
  std::uint32_t fraction() {
    std::uint32_t number = 0;
    std::uint32_t unit = 100'000'000;
    if (!is("0123456789")) fail();
    for (; is("0123456789"); unit /= 10) number += static_cast<std::uint32_t>(digit()) * unit;
    return number;
  }
  bool has_all() const { return is_good_ && left_.empty(); }

 private:
  int digit() {
    if (!is("0123456789")) {
      fail();
      return 0;
    }
    return next() - '0';
  }
  void fail() {
    is_good_ = false;
    left_ = {};
  }

  std::string_view left_;
  bool is_good_ = true;
};

}  // namespace

std::optional<Instant> instant_of(std::string_view text) {
  using namespace std::chrono;
  Scanner scanner{text};
  const int year_number = scanner.digits(4);
  scanner.letter("-");
  const int month_number = scanner.digits(2);
  scanner.letter("-");
  const int day_number = scanner.digits(2);
  scanner.letter("Tt ");
  const int hour = scanner.digits(2);
  scanner.letter(":");
  const int minute = scanner.digits(2);
  scanner.letter(":");
  const int second = scanner.digits(2);
  Instant instant;
  if (scanner.is(".")) {
    scanner.letter(".");
    instant.nanoseconds = scanner.fraction();
  }
  int behind_utc = 0;  // in minutes, as they are to be added
  if (const char zone = scanner.next(); zone == '+' || zone == '-') {
    const int hours = scanner.digits(2);
    if (scanner.is(":")) scanner.letter(":");
    behind_utc = (hours * 60 + scanner.digits(2)) * (zone == '+' ? -1 : 1);
  } else if (zone != 'Z' && zone != 'z') {
    return std::nullopt;
  }
  const year_month_day date{year{year_number}, month{static_cast<unsigned>(month_number)},
                            day{static_cast<unsigned>(day_number)}};
  if (!scanner.has_all() || !date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  const std::int64_t days = sys_days{date}.time_since_epoch().count();
  instant.seconds = ((days * 24 + hour) * 60 + minute + behind_utc) * 60 + second;
  return instant;
}

std::string utc_text(const std::string& text) {
  using namespace std::chrono;
  const auto instant = instant_of(text);
  if (!instant) return text;
  const sys_seconds time{seconds{instant->seconds}};
  const sys_days date = floor<days>(time);
  const year_month_day parts{date};
  const hh_mm_ss clock{time - date};
  return format("%04d-%02u-%02uT%02ld:%02ld:%02ldZ", static_cast<int>(parts.year()),
                static_cast<unsigned>(parts.month()), static_cast<unsigned>(parts.day()),
                static_cast<long>(clock.hours().count()), static_cast<long>(clock.minutes().count()),
                static_cast<long>(clock.seconds().count()));
}

bool is_before(const std::string& left, const std::string& right) {
  const auto a = instant_of(left), b = instant_of(right);
  if (!a && !b) return natural_less(left, right);
  return a < b;
}

}  // namespace critpipe
