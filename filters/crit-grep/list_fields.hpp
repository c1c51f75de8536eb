// crit-grep --fields: what an expression can ask for.
#pragma once

#include "cli/option_rules.hpp"

namespace critpipe::filters {

inline constexpr Option fields_options[] = {
    Option{0, "fields", nullptr,
           "Print the fields that EXPR can name, with their types and the names of their values, instead: those of the "
           "kinds that are named (CORE, or core-1.img), or of all."}
        .excludes("invert-match count files-with-matches quiet max-count lines json pretty any memory stream")
        .one_of(words_of_kinds),
};

int list_fields(Program& program);

}  // namespace critpipe::filters
