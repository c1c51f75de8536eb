#include "base/kept_errors.hpp"

namespace critpipe {

void keep_error(std::vector<Error>& errors, Error error, std::size_t& room) {
  const bool counts_others = error.reason == Reason::more_errors;
  if (!counts_others && room > 0) {
    --room;
    errors.push_back(std::move(error));
    return;
  }
  if (errors.empty() || errors.back().reason != Reason::more_errors) errors.push_back({Reason::more_errors});
  errors.back().have += counts_others ? error.have : 1;
}

}  // namespace critpipe
