// What is encoded as it stands although it is hardly meant: numbers that have been rounded on their way here, and
// mappings that no kernel makes, which come from such numbers and from slips in editing.
#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

#include "critpipe/error.hpp"
#include "critpipe/schema.hpp"

namespace critpipe {

// Readers that take numbers for doubles (jq before 1.7, JavaScript) write 17 digits at most, and zeros behind them. So
// may others: of numbers with 18 digits one in a hundred looks so. Where several do, and most long numbers do, it is no
// chance.
class Doubts {
 public:
  struct Doubt {
    Error error;     // without its place
    const char* at;  // in the text that is being read
  };

  void begin_image(const Kind& kind);
  // A number of a field of 64 bits, as it stands in the text, with 18 digits or more.
  void long_number(const Field& field, std::string_view digits, const char* at);
  // An entry that has been encoded. Where they are runs, run() says the same of those whose numbers are known.
  void entry(const Message& message, Bytes payload, const char* at) {
    if (looks_ != Looks::nowhere) [[unlikely]]
      look(message, payload, at);
  }

  bool wants_runs() const { return looks_ == Looks::at_runs; }
  void run(std::uint64_t begin, std::uint64_t nr_pages, const char* at) {
    const std::uint64_t end = begin + std::min(nr_pages, ~begin / smallest_page) * smallest_page;
    if (begin % smallest_page != 0 || begin < end_) [[unlikely]]
      return range("run", begin, end, at);
    begin_ = begin;
    end_ = end;
  }

  // The entries of another, of which there are no doubts, follow; the first has this payload. False: not all that would
  // be seen of them is known.
  bool take_run(const Doubts& run, Bytes first);

  // Those that are new; whoever reports them empties the list.
  std::vector<Doubt>& found() { return found_; }
  // After the last entry: have the numbers been rounded?
  Error verdict() const;

 private:
  static constexpr std::uint64_t smallest_page = 4096;  // every page size is a multiple
  static constexpr std::size_t most = 20;  // that are told; a file that is wrong all through has one in each entry
  enum class Looks : std::uint8_t { nowhere, at_mappings, at_vmas, at_runs };

  void look(const Message& message, Bytes payload, const char* at);
  void vma(const Message& message, Bytes payload, const char* at);
  void range(std::string_view what, std::uint64_t begin, std::uint64_t end, const char* at);
  void add(Reason reason, std::string name, std::uint64_t want, std::uint64_t have, const char* at);

  std::vector<Doubt> found_;
  std::size_t nr_told_ = 0;
  std::uint64_t nr_exact_ = 0, nr_rounded_ = 0;  // long numbers
  std::uint64_t first_rounded_ = 0;
  bool differ_ = false;  // the rounded ones
  Looks looks_ = Looks::nowhere;
  std::uint64_t begin_ = 0, end_ = 0;  // of the one before
};

// Is it what is left of a number that has been a double? Requires: decimal digits.
bool looks_rounded(std::string_view digits);

}  // namespace critpipe
