#include "crit-grep/list_fields.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "critpipe/schema.hpp"

namespace critpipe::filters {

namespace {

constexpr std::size_t most_names = 12;

std::string_view type_of(const Field& field) {
  if (field.show == Show::ip_address) return "address";
  if (field.is_integer()) return "number";
  switch (field.type) {
    case Type::message: return "message";
    case Type::enumeration: return "name";
    case Type::string: return "text";
    case Type::bytes: return field.show == Show::unix_name ? "text" : "bytes";
    case Type::boolean: return "true or false";
    default: return "number";
  }
}

std::span<const Name> values_of(const Field& field) {
  if (field.type == Type::enumeration) return field.enum_values();
  if (field.show == Show::flags || field.show == Show::dict) return field.names();
  return {};
}

// A line for each field of a message and, below it, those of the messages in it; no message within itself.
class List {
 public:
  List(Output& output, std::string_view kind) : output_{output}, kind_{kind} {}
  void message(const Message& message, const std::string& before) {
    if (std::ranges::find(above_, &message) != above_.end()) return;
    above_.push_back(&message);
    for (const Field& field : message.all()) {
      const std::string path = before + std::string{field.name()};
      line(path, field);
      if (field.type == Type::message) this->message(field.message(), path + ".");
    }
    above_.pop_back();
  }

 private:
  void line(const std::string& path, const Field& field) {
    std::string text{kind_};
    text.append(1, '\t').append(path).append(1, '\t').append(type_of(field)).append(field.repeated ? ", list" : "");
    const std::span<const Name> names = values_of(field);
    for (std::size_t i = 0; i < std::min(names.size(), most_names); ++i)
      text.append(1, i == 0 ? '\t' : ' ').append(names[i].name);
    output_.write(text.append(names.size() > most_names ? " ...\n" : "\n"));
  }

  Output& output_;
  std::string_view kind_;
  std::vector<const Message*> above_;
};

const Kind* kind_named(Program& program, const std::string& word) {
  std::string upper = word;
  for (char& c : upper) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  const Kind* kind = find_kind(upper);
  if (!kind) kind = kind_of_name(word);
  if (kind && !kind->is_raw()) return kind;
  if (kind) program.usage(word + " is a raw image, which has no fields: " + std::string{kind->about});
  std::string near;
  for (const Kind& one : all_kinds())
    if (!one.is_raw() && edit_distance(upper, one.name, 2) <= 2)
      near += (near.empty() ? "" : ", ") + std::string{one.name};
  program.usage("no kind of image is called " + word +
                (near.empty() ? "; crit-grep --fields without a name lists all" : "; did you mean " + near + "?"));
}

}  // namespace

int list_fields(Program& program) {
  std::vector<const Kind*> kinds;
  for (const std::string& word : program.arguments()) kinds.push_back(kind_named(program, word));
  if (kinds.empty())
    for (const Kind& kind : all_kinds())
      if (!kind.is_raw()) kinds.push_back(&kind);
  Destination destination{program, Destination::Content::text};
  for (const Kind* kind : kinds) {
    List list{destination.output(), kind->name};
    list.message(*kind->first, "");
    if (kind->later != kind->first) list.message(*kind->later, "");
  }
  return destination.commit();
}

}  // namespace critpipe::filters
