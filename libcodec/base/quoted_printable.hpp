// Names of unix sockets as quoted-printable text: abstract names begin with a zero byte, which becomes =00.
//
//     std::string text;
//     append_quoted(name, text);                        // "=00abs"; ASCII, may hold line feeds, tabs, quotes
//     append_unquoted(text, name);
//
// Source of the facts: Python's quopri, which crit calls.
#pragma once

#include <string>
#include <string_view>

#include "critpipe/base.hpp"

namespace critpipe {

void append_quoted(Bytes bytes, std::string& out);

// False, and nothing appended, when the text is not ASCII.
bool append_unquoted(std::string_view text, std::string& out);

// Is the text the base64 of a name rather than a name in quoted-printable? Few texts can be both: what is base64 all
// through is taken for it if it is padded, or is that of a path, an abstract name or printable ASCII.
bool is_base64_name(std::string_view text);
// "=41" for 'A': it means the same in quoted-printable, and makes a text no base64.
std::string quoted_letter(char letter);

// Does decoding give the same bytes? Not where CR LF and LF are mixed.
bool quoted_survives(Bytes bytes);

}  // namespace critpipe
