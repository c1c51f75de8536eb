// files.img and, in sets before CRIU 3.3, an image a type of file: what descriptors and mappings refer to.
#include <vector>

#include "model/collect.hpp"
#include "model/message_reader.hpp"

namespace critpipe {

namespace {

void collect_files(Model& model, std::uint32_t, const Entry& entry) {
  static const Field& id_field = *find_message("file_entry")->find("id");
  const auto id = static_cast<std::uint32_t>(integer_or(id_field, *entry.message, entry.payload, 0));
  for (Fields fields{*entry.message, entry.payload}; fields.next();) {
    const Value& value = fields.value();
    if (!value.field || value.field->type != Type::message) continue;
    if (const FileType* row = file_type_of_field(*value.field)) model.add_file(*row, id, value.bytes);
  }
}

void collect_own_image(Model& model, std::uint32_t, const Entry& entry) {
  const FileType& row = *file_type_of_kind(*entry.kind);
  const Field& id = *row.message->find("id");
  model.add_file(row, static_cast<std::uint32_t>(integer_or(id, *row.message, entry.payload, 0)), entry.payload);
}

// A file that something refers to is in files.img or in the image of its type.
void want_file(const Model& model, Missing& missing, std::uint32_t type) {
  const FileType* row = file_type_of(type);
  if (row && !(row->kind && model.has_image(row->kind->file))) missing.want("files.img");
}

void expect_files(const Model& model, Missing& missing) {
  if (model.needs.descriptors)
    for (const auto& [id, table] : model.tables)
      for (const Descriptor& descriptor : table) want_file(model, missing, descriptor.type);
  if (model.needs.mappings && !model.tasks.empty()) want_file(model, missing, type_reg);
}

std::vector<CollectedKind> all_rows() {
  std::vector<CollectedKind> rows{{"FILES", needs_files, collect_files, expect_files}};
  for (const FileType& type : all_file_types())
    if (type.kind)
      rows.push_back({type.image, type.mapped ? needs_files : needs_descriptors, collect_own_image, nullptr});
  return rows;
}

}  // namespace

std::span<const CollectedKind> files_kinds() {
  static const std::vector<CollectedKind> rows = all_rows();
  return rows;
}

}  // namespace critpipe
