#include "critpipe/schema.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstddef>

#include "schema_index.hpp"

namespace critpipe {
namespace {

// The words that proto/kinds.inc uses for what follows an entry. A new shape is one more.
constexpr Extra nothing;

consteval Extra bytes(std::string_view size, std::string_view added = {}) {
  return {.parts = {{{.size = size, .added = added}}}};
}

consteval Extra two_parts(std::string_view first_name, std::string_view first_size, std::string_view second_name,
                          std::string_view second_size) {
  return {.parts = {{{.size = first_size, .name = first_name}, {.size = second_size, .name = second_name}}}};
}

consteval Extra numbers(std::string_view count, std::uint8_t unit, std::uint8_t padding) {
  return {.parts = {{{.size = count, .form = Extra::Form::numbers, .unit = unit, .padding = padding}}}};
}

consteval Extra padded(std::string_view size, std::uint8_t padding, std::string_view unless) {
  return {.parts = {{{.size = size, .padding = padding}}}, .unless = unless};
}

consteval Extra messages(std::string_view count, std::string_view message, std::string_view size,
                         std::uint8_t padding) {
  return {.parts = {{{.size = size, .padding = padding}}}, .nested = message_named(message), .nr_nested = count};
}

consteval Extra rest_or_chunks(std::string_view unless, std::string_view size) {
  return {.parts = {{{.size = size}}}, .unless = unless, .rest_of_image = true};
}

// Is there a message of that name with _draft behind it?
consteval const Message* draft_of(std::string_view name) {
  constexpr std::string_view suffix = "_draft";
  for (const MessageIndex& other : message_index)
    if (other.name.starts_with(name) && other.name.substr(name.size()) == suffix)
      return message_table + (&other - message_index);
  return nullptr;
}

#define IMAGE(name, magic, file, message, about) \
  {name, name, magic, Head::common, file, message_named(message), message_named(message), nullptr, nothing, about},
#define KIND(name, json_name, magic, head, file, about, first, later, extra) \
  {name, json_name, magic, Head::head, file, message_named(first), message_named(later), draft_of(later), extra, about},
#define RAW(name, file, about) {name, "", 0, Head::none, file, nullptr, nullptr, nullptr, nothing, about},
constexpr Kind kinds[] = {
#include "kinds.inc"
};
#undef IMAGE
#undef KIND
#undef RAW

constexpr bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }

// Whether a template's %u, %x or %s may stand for the letter.
constexpr bool stands_for(char conversion, char letter) {
  if (is_digit(letter)) return true;
  if (conversion == 'x') return letter >= 'a' && letter <= 'f';
  return conversion == 's' && ((letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || letter == '_');
}

// One pass without going back is enough, because the check below sees to it that no conversion can eat what follows.
constexpr bool fits(std::string_view file, std::string_view name) {
  std::size_t at = 0;
  for (std::size_t i = 0; i < file.size(); ++i) {
    if (file[i] != '%') {
      if (at == name.size() || name[at++] != file[i]) return false;
      continue;
    }
    const char conversion = file[++i];
    const std::size_t begin = at;
    while (at < name.size() && stands_for(conversion, name[at])) ++at;
    if (at == begin) return false;
  }
  return at == name.size();
}

constexpr std::size_t nr_fixed_letters(std::string_view file) {
  return file.size() - 2 * static_cast<std::size_t>(std::ranges::count(file, '%'));
}

// The checks of the rows; a throw makes the compiler stop and show its words.

constexpr bool holds(std::string_view list, std::string_view word) {
  for (std::size_t at = list.find(word); at != list.npos; at = list.find(word, at + 1))
    if (at > 0 && list[at - 1] == ' ' && list[at + word.size()] == ' ') return !word.empty();
  return false;
}

constexpr const MessageIndex& index_of(const Message* message) { return message_index[message - message_table]; }

consteval void check_file(std::string_view file) {
  if (file.empty() || file.front() < 'a' || file.front() > 'z') throw "file: begins with no small letter";
  for (std::size_t i = 0; i < file.size(); ++i) {
    if (file[i] != '%') continue;
    if (++i == file.size() || (file[i] != 'u' && file[i] != 'x' && file[i] != 's')) throw "file: no %u, %x or %s";
    if (i + 1 < file.size() && (file[i + 1] == '%' || stands_for(file[i], file[i + 1])))
      throw "file: no telling where a number or word ends";
  }
}

consteval void check_count(const Message* message, std::string_view field) {
  if (!holds(index_of(message).integers, field)) throw "extra: no such integer field";
}

consteval void check_part(const Extra& extra, std::size_t place, const Message* message) {
  const Extra::PartPlan& part = extra.parts[place];
  check_count(message, part.size);
  if (!part.added.empty()) check_count(message, part.added);
  if (part.unit == 0 || part.padding == 0) throw "extra: no unit or padding";
  if (part.form == Extra::Form::numbers) {
    if (!std::has_single_bit(part.unit) || part.unit > 8) throw "extra: numbers of no such size";
    if (part.padding != 1 && part.padding % part.unit != 0) throw "extra: padding ends within a number";
  }
  if (part.name.size() >= Field::key_room) throw "extra: a name is too long";
  if (part.name.empty() && extra.nr_parts() > 1) throw "extra: one part of many has no name";
  for (std::size_t earlier = 0; earlier < place; ++earlier)
    if (extra.parts[earlier].name == part.name) throw "extra: name is used twice";
}

consteval void check_extra(const Kind& kind) {
  const Extra& extra = kind.extra;
  for (std::size_t i = extra.nr_parts(); i < Extra::most_parts; ++i)
    if (!extra.parts[i].size.empty()) throw "extra: a part without a size stands before another";
  if (!kind.has_extra()) {
    if (!extra.parts[0].name.empty() || extra.nested || extra.rest_of_image) throw "extra: no size";
    return;
  }
  if ((extra.nested || extra.rest_of_image) && (extra.nr_parts() != 1 || extra.is_object()))
    throw "extra: one part without a name is wanted";
  if ((extra.nested || extra.rest_of_image) && extra.parts[0].form != Extra::Form::text) throw "extra: text is wanted";
  if (extra.nested && extra.rest_of_image) throw "extra: messages, or the rest of the image?";
  if (!extra.rest_of_image && kind.first != kind.later) throw "extra: of which message?";
  for (std::size_t i = 0; i < extra.nr_parts(); ++i) check_part(extra, i, extra.nested ? extra.nested : kind.later);
  if (extra.nested) check_count(kind.later, extra.nr_nested);
  if (!extra.unless.empty() && !holds(index_of(kind.first).booleans, extra.unless)) throw "extra: no such bool field";
}

// Kinds share a magic only where they are one kind in JSON.
consteval void check_pair(const Kind& kind, const Kind& earlier) {
  if (kind.name == earlier.name) throw "name is used twice";
  if (kind.file == earlier.file) throw "file is used twice";
  if (kind.head != Head::none && (kind.magic == earlier.magic) != (kind.magic_name == earlier.magic_name))
    throw "magic is used twice";
}

// The row that gave a shared magic its name is the current form, and the one that find_kind is to find.
consteval void check_magic(const Kind& kind) {
  if (kind.magic == 0 || kind.magic == common_magic || kind.magic == service_magic) throw "magic of no kind";
  if (std::ranges::find(kinds, kind.magic, &Kind::magic)->name != kind.magic_name) throw "current form must come first";
}

consteval bool rows_are_sound() {
  for (const Kind& kind : kinds) {
    check_file(kind.file);
    check_extra(kind);
    if (kind.head != Head::none) check_magic(kind);  // g++ with -fsanitize=undefined cannot ask is_raw() here
    for (const Kind* earlier = kinds; earlier != &kind; ++earlier) check_pair(kind, *earlier);
  }
  return true;
}
static_assert(rows_are_sound());

// The kinds whose files begin with a letter, as a chain in the order of the rows.
constexpr std::uint8_t end_of_kinds = std::size(kinds);
static_assert(std::size(kinds) < 256);

struct ByLetter {
  std::array<std::uint8_t, 26> first = {};
  std::array<std::uint8_t, std::size(kinds)> next = {};
};

constexpr ByLetter by_letter = [] {
  ByLetter index;
  index.first.fill(end_of_kinds);
  for (std::uint8_t i = end_of_kinds; i-- > 0;) {
    std::uint8_t& first = index.first[static_cast<std::size_t>(kinds[i].file.front() - 'a')];
    index.next[i] = first;
    first = i;
  }
  return index;
}();

}  // namespace

std::span<const Kind> all_kinds() { return kinds; }

const Kind* find_kind(std::uint32_t magic) {
  const auto found = std::ranges::find_if(kinds, [magic](const Kind& k) { return !k.is_raw() && k.magic == magic; });
  return found == std::end(kinds) ? nullptr : found;
}

bool is_big_endian_head(std::uint32_t word) {
  const std::uint32_t turned = __builtin_bswap32(word);
  return turned == common_magic || turned == service_magic || find_kind(turned);
}

// A name in JSON is the name of a row too: check_magic sees to that.
const Kind* find_kind(std::string_view name) {
  const auto found = std::ranges::find(kinds, name, &Kind::name);
  return found == std::end(kinds) ? nullptr : found;
}

const Kind* kind_of_name(std::string_view path) {
  const std::string_view name = path.substr(path.rfind('/') + 1);
  const Kind* best = nullptr;
  if (name.empty() || name.front() < 'a' || name.front() > 'z') return best;
  for (std::size_t i = by_letter.first[static_cast<std::size_t>(name.front() - 'a')]; i != end_of_kinds;
       i = by_letter.next[i]) {
    const Kind& kind = kinds[i];
    if (!fits(kind.file, name)) continue;
    if (!best || nr_fixed_letters(kind.file) > nr_fixed_letters(best->file)) best = &kind;
  }
  return best;
}

std::string image_name(const Kind& kind, std::uint64_t number) {
  const std::size_t place = kind.file.find('%');
  if (place == std::string_view::npos) return std::string{kind.file};
  std::array<char, 20> digits;
  const int base = kind.file[place + 1] == 'x' ? 16 : 10;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, base).ptr;
  std::string name{kind.file.substr(0, place)};
  return name.append(digits.data(), end).append(kind.file.substr(place + 2));
}

std::string image_name(std::string_view kind, std::uint64_t number) { return image_name(*find_kind(kind), number); }

bool is_image_name(std::string_view path) {
  const std::string_view last = path.substr(path.rfind('/') + 1);
  return last.ends_with(".img") ? last.size() > 4 : kind_of_name(last) != nullptr;
}

}  // namespace critpipe
