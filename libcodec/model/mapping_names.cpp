// Paths of files and names of mappings.
#include "model/model.hpp"
#include "model/message_reader.hpp"

namespace critpipe {

std::uint64_t number_of(const File& file, std::string_view field) {
  return integer_or(*file.message->find(field), *file.message, file.payload, 0);
}

std::string_view text_of(const File& file, std::string_view field) {
  const auto value = find_value(*file.message->find(field), *file.message, file.payload);
  return value ? as_text(value->bytes) : std::string_view{};
}

namespace {

std::string path_of_regular(const Model& model, std::uint64_t id) {
  const File* file = model.find(type_reg, static_cast<std::uint32_t>(id));
  return std::string{file ? text_of(*file, "name") : std::string_view{}};
}

std::string numbered(std::string_view word, std::uint64_t number) {
  std::string text{word};
  text += ':';
  text += std::to_string(number);
  return text;
}

}  // namespace

std::string Checkpoint::path_of(const File& file) const {
  switch (file.type) {
    case type_reg:
    case type_unix: return std::string{text_of(file, "name")};
    case type_fifo:
    case type_tty: return path_of_regular(*model_, number_of(file, "regf_id"));
    case type_memfd: {
      const auto inode = model_->memfds.find(number_of(file, "inode_id"));
      return inode == model_->memfds.end() ? std::string{} : "memfd:" + inode->second.name;
    }
    default: return {};
  }
}

std::string Checkpoint::name_of(const Mapping& mapping) const {
  const Mapping::Kind kind = mapping.kind();
  switch (kind) {
    case Mapping::Kind::anon: return {};
    case Mapping::Kind::file:
    case Mapping::Kind::memfd: {
      const File* file = file_of(mapping);
      const std::string path = file ? path_of(*file) : std::string{};
      return path.empty() ? numbered("file", mapping.shmid) : path;
    }
    case Mapping::Kind::shmem:
    case Mapping::Kind::sysv:
    case Mapping::Kind::socket: return numbered(critpipe::name_of(kind), mapping.shmid);
    default: {
      std::string text = "[";
      text += critpipe::name_of(kind);
      text += ']';
      return text;
    }
  }
}

}  // namespace critpipe
