// Sentences of findings. Internal.
#pragma once

#include <string>

namespace critpipe {

[[gnu::format(printf, 1, 2)]] std::string sentence(const char* form, ...);

}  // namespace critpipe
