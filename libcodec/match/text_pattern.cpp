#include "match/text_pattern.hpp"

#include <hs/hs.h>

namespace critpipe::match {

namespace {

constexpr std::size_t max_pattern_bytes = 16 << 10;

unsigned flags_of(const Regex& regex) {
  unsigned flags = HS_FLAG_SINGLEMATCH;
  if (regex.caseless) flags |= HS_FLAG_CASELESS;
  if (regex.literal) return flags;
  if (regex.dot_all) flags |= HS_FLAG_DOTALL;
  if (regex.multiline) flags |= HS_FLAG_MULTILINE;
  return flags | HS_FLAG_ALLOWEMPTY;
}

}  // namespace

struct TextPattern::Engine {
  hs_database_t* database = nullptr;
  hs_scratch_t* scratch = nullptr;

  ~Engine() {
    hs_free_scratch(scratch);
    hs_free_database(database);
  }
};

TextPattern::TextPattern() : engine_{std::make_unique<Engine>()} {}
TextPattern::~TextPattern() = default;

Error TextPattern::compile(const Regex& regex) {
  if (regex.text.size() > max_pattern_bytes) return fault(regex.column, "the pattern is longer than 16 KiB");
  if (regex.text.find('\0') != regex.text.npos) return fault(regex.column, "write \\x00 for a zero byte in a pattern");
  hs_compile_error_t* refused = nullptr;
  const char* text = regex.text.c_str();
  const hs_error_t result =
      regex.literal && !regex.text.empty()
          ? hs_compile_lit(text, flags_of(regex), regex.text.size(), HS_MODE_BLOCK, nullptr, &engine_->database,
                           &refused)
          : hs_compile(text, flags_of(regex), HS_MODE_BLOCK, nullptr, &engine_->database, &refused);
  if (result != HS_SUCCESS) {
    Error error = fault(regex.column, "no pattern that can be searched for: " +
                                          std::string{refused ? refused->message : "the processor lacks SSSE3"});
    hs_free_compile_error(refused);
    return error;
  }
  if (hs_alloc_scratch(engine_->database, &engine_->scratch) != HS_SUCCESS)
    return fault(regex.column, "no memory for the pattern");
  return {};
}

bool TextPattern::is_in(Bytes text) const {
  bool found = false;
  const auto note = [](unsigned, unsigned long long, unsigned long long, unsigned, void* to) {
    *static_cast<bool*>(to) = true;
    return 1;
  };
  const char* begin = text.empty() ? "" : reinterpret_cast<const char*>(text.data());
  hs_scan(engine_->database, begin, static_cast<unsigned>(text.size()), 0, engine_->scratch, note, &found);
  return found;
}

}  // namespace critpipe::match
