#include "check/field_limits.hpp"

#include <algorithm>
#include <map>

namespace critpipe {

namespace {

using Unsigned = unsigned long long;

// Values of a list, packed or not, or bytes of a text.
std::uint64_t length_of(const Field& field, const Message& message, Bytes payload) {
  std::uint64_t length = 0;
  for (Fields fields{message, payload}; fields.next();) {
    const Value& value = fields.value();
    if (value.field != &field) continue;
    if (!field.repeated) length = value.bytes.size();
    else if (value.wire != Wire::bytes || field.wire() == Wire::bytes) ++length;
    else if (field.wire() != Wire::varint) length += value.bytes.size() / (field.wire() == Wire::fixed64 ? 8 : 4);
    else
      length += static_cast<std::uint64_t>(
          std::ranges::count_if(value.bytes, [](std::byte byte) { return std::to_integer<unsigned>(byte) < 0x80; }));
  }
  return length;
}

// The limits of one message, with its fields.
struct OfMessage {
  template <typename Limit>
  using Rows = std::vector<std::pair<const Field*, const Limit*>>;
  Rows<FieldLength> lengths = {};
  Rows<FieldRange> ranges = {};
  Rows<FieldChoice> choices = {};
  Rows<FieldRelation> relations = {};
  bool is_looked_at = false;  // it has limits, or a message in it has
};

class LimitsByMessage {
 public:
  LimitsByMessage() : all_(all_messages.size()) {
    add(field_lengths(), &OfMessage::lengths);
    add(field_ranges(), &OfMessage::ranges);
    add(field_choices(), &OfMessage::choices);
    add(field_relations(), &OfMessage::relations);
    while (spread()) {
    }
  }
  const OfMessage& of(const Message& message) const { return all_[number_of(message)]; }

 private:
  static std::size_t number_of(const Message& message) {
    return static_cast<std::size_t>(&message - all_messages.data());
  }
  template <typename Limit>
  void add(std::span<const Limit> limits, OfMessage::Rows<Limit> OfMessage::*rows) {
    for (const Limit& limit : limits) {
      const Field* const field = field_of(limit.message, limit.field);
      if (!field) continue;
      OfMessage& own = all_[number_of(*find_message(limit.message))];
      (own.*rows).emplace_back(field, &limit);
      own.is_looked_at = true;
    }
  }
  bool spread() {
    bool has_changed = false;
    for (const Message& message : all_messages)
      for (const Field& field : message.all()) {
        if (field.type != Type::message || !of(field.message()).is_looked_at || of(message).is_looked_at) continue;
        all_[number_of(message)].is_looked_at = has_changed = true;
      }
    return has_changed;
  }

  std::vector<OfMessage> all_;
};

const OfMessage& limits_of(const Message& message) {
  static const LimitsByMessage all;
  return all.of(message);
}

std::string fault_of(const FieldLength& limit, const Field& field, std::uint64_t length) {
  if (length == 0 && limit.may_be_empty) return {};
  std::string have = format("%llu %s%s", Unsigned{length}, field.repeated ? "value" : "byte", length == 1 ? "" : "s");
  const char* const more = limit.least == limit.most ? "" : "at least ";
  if (length < limit.least) return have + format(", and CRIU wants %s%llu", more, Unsigned{limit.least});
  if (length > limit.most) return have + format(", of %llu at most", Unsigned{limit.most});
  if (length % limit.unit != 0) return have + format(", and not a multiple of %llu", Unsigned{limit.unit});
  return {};
}

std::string fault_of(const FieldRange& limit, const Field& field, std::int64_t number) {
  if (number >= limit.least && number <= limit.most) return {};
  const bool is_huge = number < 0 && (field.type == Type::uint64 || field.type == Type::fixed64);
  const std::string text = is_huge ? std::to_string(static_cast<std::uint64_t>(number)) : std::to_string(number);
  return format("%s is not from %lld to %lld", text.c_str(), static_cast<long long>(limit.least),
                static_cast<long long>(limit.most));
}

std::string fault_of(const FieldChoice& limit, const Field& field, std::uint64_t number) {
  const std::uint64_t value = number & ~limit.free_bits;
  const bool is_known = limit.known.empty()
                            ? std::ranges::find(field.enum_values(), value, &Name::value) != field.enum_values().end()
                            : std::ranges::find(limit.known, value) != limit.known.end();
  return is_known ? std::string{} : unknown_value(number);
}

class Look {
 public:
  explicit Look(const std::function<void(FieldFault&&)>& report) : report_{report} {}
  void at(const Message& message, Bytes payload);

 private:
  void own(const OfMessage& limits, const Message& message, Bytes payload);
  void below(const Message& message, Bytes payload);
  void add(std::string_view rule, std::string_view field, std::string reason,
           Severity severity = Severity::error) const {
    if (!reason.empty())
      report_({.rule = rule, .severity = severity, .field = path_ + std::string{field}, .reason = std::move(reason)});
  }

  const std::function<void(FieldFault&&)>& report_;
  std::string path_ = {};  // of the message: "tc.rlimits."
};

void Look::at(const Message& message, Bytes payload) {
  const OfMessage& limits = limits_of(message);
  if (!limits.is_looked_at) return;
  own(limits, message, payload);
  below(message, payload);
}

void Look::own(const OfMessage& limits, const Message& message, Bytes payload) {
  for (const auto& [field, limit] : limits.lengths)
    add(list_length, limit->field, fault_of(*limit, *field, length_of(*field, message, payload)), limit->severity);
  for (const auto& [field, limit] : limits.ranges)
    if (const auto value = find_value(*field, message, payload))
      add(value_range, limit->field, fault_of(*limit, *field, as_integer(field->type, value->integer)),
          limit->severity);
  for (const auto& [field, limit] : limits.choices)
    if (const auto value = find_value(*field, message, payload))
      add(value_unknown, limit->field,
          fault_of(*limit, *field, static_cast<std::uint64_t>(as_integer(field->type, value->integer))),
          limit->severity);
  for (const auto& [field, limit] : limits.relations)
    add(limit->rule, limit->field, limit->fault(Record{message, payload}), limit->severity);
}

void Look::below(const Message& message, Bytes payload) {
  std::map<const Field*, std::size_t> counts;  // of messages in lists
  const std::size_t length = path_.size();
  for (Fields fields{message, payload}; fields.next();) {
    const Field* const field = fields.value().field;
    if (!field || field->type != Type::message || !limits_of(field->message()).is_looked_at) continue;
    path_ += field->name();
    if (field->repeated) path_ += format("[%zu]", counts[field]++);
    path_ += '.';
    at(field->message(), fields.value().bytes);
    path_.resize(length);
  }
}

}  // namespace

const Field* field_of(std::string_view message_name, std::string_view path) {
  const Message* const message = find_message(message_name);
  const std::size_t end = path.find('.');
  const Field* const field = message ? message->find(path.substr(0, end)) : nullptr;
  if (!field || end == path.npos) return field;
  return field->type == Type::message ? field_of(field->message().name, path.substr(end + 1)) : nullptr;
}

void look_at_fields(const Message& message, Bytes payload, const std::function<void(FieldFault&&)>& report) {
  Look{report}.at(message, payload);
}

std::string unknown_value(std::uint64_t value) { return format("%llu is no value that CRIU knows", Unsigned{value}); }

}  // namespace critpipe
