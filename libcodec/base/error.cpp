// Sentences of errors.
#include "critpipe/error.hpp"

#include <array>
#include <cstring>

#include "base/decimal.hpp"

namespace critpipe {

namespace {

struct Row {
  std::string_view name;
  Fault fault;
  std::string_view sentence;
};

constexpr auto rows = std::to_array<Row>({{"none", Fault::data, ""},
#define X(reason, fault, sentence) {#reason, Fault::fault, sentence},
                                          CRITPIPE_REASONS(X)
#undef X
});

const Row& row_of(Reason reason) { return rows[static_cast<std::size_t>(reason)]; }

void append_sentence(std::string& out, const Error& error) {
  std::string_view rest = row_of(error.reason).sentence;
  while (!rest.empty()) {
    const std::size_t open = rest.find('{');
    out += rest.substr(0, open);
    if (open == rest.npos) return;
    const std::size_t close = rest.find('}', open);
    const std::string_view slot = rest.substr(open + 1, close - open - 1);
    if (slot == "want") out += std::to_string(error.want);
    if (slot == "have") out += std::to_string(error.have);
    if (slot == "have:x") {
      char text[max_number_text];
      out.append(text, put_hex(text, error.have));
    }
    if (slot == "name") out += visible(error.name);
    rest.remove_prefix(close + 1);
  }
}

}  // namespace

Fault fault_of(Reason reason) { return row_of(reason).fault; }
std::string_view sentence_of(Reason reason) { return row_of(reason).sentence; }
std::string_view name_of(Reason reason) { return row_of(reason).name; }

std::string to_string(const Error& error) {
  std::string out;
  if (!error.image.empty()) {
    out += visible(error.image);
    out += ": ";
  }
  if (error.offset != Error::nowhere) out += "offset " + std::to_string(error.offset) + ": ";
  if (error.entry != Error::nowhere) out += "entry " + std::to_string(error.entry) + ": ";
  append_sentence(out, error);
  return out;
}

std::string SetId::text() const { return set.empty() ? checkpoint : checkpoint + " (" + set + ")"; }

Error named_error(Reason reason, std::string image, std::string name) {
  Error error{reason, std::move(image)};
  error.name = std::move(name);
  return error;
}

Error system_error(Reason reason, std::string image, int number) {
  Error error{reason, std::move(image)};
  error.name = std::strerror(number);
  return error;
}

}  // namespace critpipe
