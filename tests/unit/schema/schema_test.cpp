// The generated tables against libprotobuf's own descriptors of the same files, and a few rows by hand.
#include "critpipe/schema.hpp"

#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <bit>
#include <set>
#include <stdexcept>
#include <string>

namespace pb = google::protobuf;

namespace critpipe {
namespace {

constexpr std::string_view package = "critpipe.oracle.";

std::string spelled(const std::string& full_name) { return full_name.substr(package.size()); }

void collect(const pb::Descriptor* message, std::set<const pb::Descriptor*>& all) {
  if (!message->full_name().starts_with(package) || !all.insert(message).second) return;
  for (int i = 0; i < message->nested_type_count(); ++i) collect(message->nested_type(i), all);
}

// Of every file of which we know a message, all messages.
std::set<const pb::Descriptor*> oracle_messages() {
  std::set<const pb::Descriptor*> all;
  for (const Message& message : all_messages) {
    const auto* found =
        pb::DescriptorPool::generated_pool()->FindMessageTypeByName(std::string(package) + std::string(message.name));
    if (!found) continue;
    for (int i = 0; i < found->file()->message_type_count(); ++i) collect(found->file()->message_type(i), all);
  }
  return all;
}

Type type_of(const pb::FieldDescriptor& field) {
  switch (field.type()) {
    case pb::FieldDescriptor::TYPE_INT32: return Type::int32;
    case pb::FieldDescriptor::TYPE_INT64: return Type::int64;
    case pb::FieldDescriptor::TYPE_UINT32: return Type::uint32;
    case pb::FieldDescriptor::TYPE_UINT64: return Type::uint64;
    case pb::FieldDescriptor::TYPE_SINT32: return Type::sint32;
    case pb::FieldDescriptor::TYPE_SINT64: return Type::sint64;
    case pb::FieldDescriptor::TYPE_BOOL: return Type::boolean;
    case pb::FieldDescriptor::TYPE_ENUM: return Type::enumeration;
    case pb::FieldDescriptor::TYPE_FIXED32: return Type::fixed32;
    case pb::FieldDescriptor::TYPE_SFIXED32: return Type::sfixed32;
    case pb::FieldDescriptor::TYPE_FLOAT: return Type::float32;
    case pb::FieldDescriptor::TYPE_FIXED64: return Type::fixed64;
    case pb::FieldDescriptor::TYPE_SFIXED64: return Type::sfixed64;
    case pb::FieldDescriptor::TYPE_DOUBLE: return Type::float64;
    case pb::FieldDescriptor::TYPE_STRING: return Type::string;
    case pb::FieldDescriptor::TYPE_BYTES: return Type::bytes;
    default: return Type::message;
  }
}

const Field& field(std::string_view message, std::string_view name) {
  const Message* found = find_message(message);
  if (!found || !found->find(name)) throw std::runtime_error(std::string(message) + '.' + std::string(name));
  return *found->find(name);
}

void expect_same_values(const Field& ours, const pb::EnumDescriptor& theirs) {
  ASSERT_EQ(ours.enum_values().size(), static_cast<std::size_t>(theirs.value_count()));
  for (int i = 0; i < theirs.value_count(); ++i) {
    const Name& value = ours.enum_values()[static_cast<std::size_t>(i)];
    EXPECT_EQ(value.name, theirs.value(i)->name());
    EXPECT_EQ(static_cast<std::int64_t>(value.value), theirs.value(i)->number());
  }
}

void expect_same(const Field& ours, const pb::FieldDescriptor& theirs) {
  SCOPED_TRACE(theirs.full_name());
  EXPECT_EQ(ours.name(), theirs.name());
  EXPECT_EQ(ours.number, static_cast<std::uint32_t>(theirs.number()));
  EXPECT_EQ(ours.type, type_of(theirs));
  EXPECT_EQ(ours.repeated, theirs.is_repeated());
  EXPECT_LE(ours.required, theirs.is_required());
  if (theirs.message_type()) {
    EXPECT_EQ(ours.message().name, spelled(theirs.message_type()->full_name()));
  }
  if (theirs.enum_type()) expect_same_values(ours, *theirs.enum_type());
}

TEST(Schema, EqualsTheOracle) {
  const auto theirs = oracle_messages();
  EXPECT_EQ(theirs.size(), all_messages.size());
  std::size_t nr_fields = 0;
  for (const pb::Descriptor* message : theirs) {
    SCOPED_TRACE(message->full_name());
    const Message* ours = find_message(spelled(message->full_name()));
    ASSERT_NE(ours, nullptr);
    ASSERT_EQ(ours->nr_fields, message->field_count());
    for (int i = 0; i < message->field_count(); ++i, ++nr_fields) {
      const Field* same = ours->find(static_cast<std::uint32_t>(message->field(i)->number()));
      ASSERT_NE(same, nullptr);
      expect_same(*same, *message->field(i));
    }
  }
  EXPECT_GT(nr_fields, 1000u);
}

// Only the rows of proto/late.inc may be laxer than the schema.
TEST(Schema, LateFieldsAreOptional) {
  std::set<std::string> late;
  for (const pb::Descriptor* message : oracle_messages())
    for (int i = 0; i < message->field_count(); ++i) {
      const auto name = spelled(message->full_name());
      if (message->field(i)->is_required() && !field(name, message->field(i)->name()).required)
        late.insert(name + '.' + message->field(i)->name());
    }
  std::set<std::string> rows;
#define LATE(message, field, release) rows.insert(message "." field);
#include "late.inc"
#undef LATE
  EXPECT_EQ(late, rows);
  EXPECT_TRUE(late.contains("dump_stats_entry.pages_lazy"));
}

TEST(Schema, FieldsAscendAndNumbersLeadToThem) {
  for (const Message& message : all_messages) {
    SCOPED_TRACE(message.name);
    std::uint32_t last = 0;
    for (const Field& field : message.all()) {
      EXPECT_GT(field.number, last);
      last = field.number;
      EXPECT_EQ(message.find(field.number), &field);
      EXPECT_EQ(message.find(field.name()), &field);
    }
    std::uint32_t nr_found = 0;
    for (std::uint32_t number = 0; number < message.nr_numbers + 10u; ++number)
      nr_found += message.find(number) != nullptr;
    EXPECT_EQ(nr_found, message.nr_fields);
    EXPECT_EQ(message.nr_numbers, message.nr_fields ? last + 1 : 0);
    EXPECT_EQ(message.find(0xffffffffu), nullptr);
  }
}

TEST(Schema, RequiredBitsAreOneAField) {
  for (const Message& message : all_messages) {
    SCOPED_TRACE(message.name);
    std::uint64_t mask = 0;
    for (const Field& field : message.all()) {
      if (!field.required) continue;
      const std::uint64_t bit = std::uint64_t{1} << field.required_bit;
      EXPECT_EQ(mask & bit, 0u);
      mask |= bit;
    }
    EXPECT_EQ(mask, message.required);
    EXPECT_EQ(std::popcount(mask), std::countr_one(mask));  // from bit 0, no gaps
  }
}

TEST(Schema, KeysAreReadyToPrint) {
  for (const Message& message : all_messages)
    for (const Field& field : message.all()) {
      const std::string_view key(field.key, field.key_size);
      EXPECT_EQ(key, ", \"" + std::string(field.name()) + "\": ");
      for (std::size_t i = field.key_size; i < Field::key_room; ++i) EXPECT_EQ(field.key[i], '\0');
    }
}

TEST(Schema, MessagesAreFoundByName) {
  for (const Message& message : all_messages) EXPECT_EQ(find_message(message.name), &message);
  for (const char* name : {"", "a", "pagemap", "pagemap_entry2", "zzz", "google.protobuf.FieldOptions"})
    EXPECT_EQ(find_message(name), nullptr) << name;
  EXPECT_EQ(find_message("pagemap_entry")->find("no_such"), nullptr);
}

TEST(Schema, ShowsFieldsAsTheOptionsSay) {
  const struct {
    const char *message, *field;
    Show show;
  } rows[] = {
      {"pagemap_entry", "vaddr", Show::hex},       {"pagemap_entry", "nr_pages", Show::plain},
      {"pagemap_entry", "flags", Show::flags},     {"inotify_wd_entry", "s_dev", Show::dev},
      {"irmap_cache_entry", "dev", Show::old_dev}, {"ghost_file_entry", "dev", Show::dev},
      {"ghost_file_entry", "rdev", Show::old_dev}, {"inet_sk_entry", "src_addr", Show::ip_address},
      {"inet_sk_entry", "family", Show::dict},     {"task_core_entry", "task_state", Show::dict},
      {"unix_sk_entry", "name", Show::unix_name},  {"core_entry", "mtype", Show::plain},
  };
  for (const auto& row : rows) EXPECT_EQ(field(row.message, row.field).show, row.show) << row.message << row.field;
}

TEST(Schema, NamesComeFromTheRightList) {
  const struct {
    const char *message, *field, *name;
    std::uint64_t value;
  } rows[] = {
      {"vma_entry", "prot", "PROT_EXEC", 4},
      {"vma_entry", "flags", "MAP_GROWSDOWN", 0x100},
      {"vma_entry", "status", "VMA_UNSUPP", 0x80000000},
      {"reg_file_entry", "flags", "O_CLOEXEC", 02000000},
      {"memfd_inode_entry", "seals", "F_SEAL_GROW", 4},
      {"pagemap_entry", "flags", "PE_PRESENT", 4},
      {"task_core_entry", "task_state", "Stopped", 6},
      {"inet_sk_entry", "family", "INET6", 10},
      {"inet_sk_entry", "type", "PACKET", 10},
      {"inet_sk_entry", "state", "LISTEN", 10},
      {"inet_sk_entry", "proto", "UDPLITE", 136},
      {"unix_sk_entry", "state", "CLOSE", 7},
  };
  for (const auto& row : rows) {
    bool found = false;
    for (const Name& name : field(row.message, row.field).names())
      found |= name.name == row.name && name.value == row.value;
    EXPECT_TRUE(found) << row.message << '.' << row.field << ' ' << row.name;
  }
}

TEST(Schema, RowsByHand) {
  const Field& vaddr = field("pagemap_entry", "vaddr");
  EXPECT_EQ(vaddr.number, 1u);
  EXPECT_EQ(vaddr.type, Type::uint64);
  EXPECT_EQ(vaddr.wire(), Wire::varint);
  EXPECT_TRUE(vaddr.required && vaddr.is_integer() && !vaddr.repeated);

  const Field& mtype = field("core_entry", "mtype");
  EXPECT_EQ(mtype.type, Type::enumeration);
  EXPECT_EQ(mtype.enum_values()[1].name, "X86_64");
  EXPECT_EQ(field("core_entry", "tc").message().name, "task_core_entry");
  EXPECT_EQ(field("core_entry", "tc").wire(), Wire::bytes);
  EXPECT_EQ(find_message("core_entry")->fields[2].name(), "tc");  // by number, not as declared
  EXPECT_FALSE(field("dump_stats_entry", "pages_lazy").required);
  EXPECT_EQ(find_message("marker")->find(3u)->name(), "file_data");
}

}  // namespace
}  // namespace critpipe
