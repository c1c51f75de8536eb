// bench-protobuf FILE: a pagemap, files or mm image as JSON by protobuf's own printer of JSON.
//
// What a program costs that is written straight against libprotobuf, in its fastest way: all messages are one message
// with a list, so that the library looks up types once and not for each entry. Names and forms are protobuf's.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/type_resolver_util.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

namespace pb = google::protobuf;

namespace {

struct Known {
  std::uint32_t magic;
  const char* file;  // where the messages are
  const char* head;  // the message of the first entry, if it is another one
  const char* entry;
};

constexpr Known known[] = {
    {0x56084025, "pagemap.proto", "pagemap_head", "pagemap_entry"},
    {0x56303138, "fdinfo.proto", nullptr, "file_entry"},
    {0x57492820, "mm.proto", nullptr, "mm_entry"},
};

enum : int { head_number = 1, entries_number = 2 };

// message image { repeated HEAD head = 1; repeated ENTRY entries = 2; }
pb::FileDescriptorProto image_file(const Known& kind) {
  pb::FileDescriptorProto file;
  file.set_name("image.proto");
  file.add_dependency(kind.file);
  pb::DescriptorProto* message = file.add_message_type();
  message->set_name("image");
  const auto add = [&](const char* name, int number, const char* type) {
    pb::FieldDescriptorProto* field = message->add_field();
    field->set_name(name);
    field->set_number(number);
    field->set_label(pb::FieldDescriptorProto::LABEL_REPEATED);
    field->set_type(pb::FieldDescriptorProto::TYPE_MESSAGE);
    field->set_type_name(std::string{".critpipe.oracle."} + type);
  };
  if (kind.head) add("head", head_number, kind.head);
  add("entries", entries_number, kind.entry);
  return file;
}

std::uint32_t word(const std::string& bytes, std::size_t at) {
  std::uint32_t value;
  std::memcpy(&value, bytes.data() + at, 4);
  return value;
}

// The entries of an image as the one message.
std::string message_of(const std::string& image, const Known& kind) {
  std::string all;
  for (std::size_t at = 8; at + 4 <= image.size();) {
    const std::uint32_t size = word(image, at);
    all += static_cast<char>((at == 8 && kind.head ? head_number : entries_number) << 3 | 2);
    std::uint32_t rest = size;
    for (; rest >= 0x80; rest >>= 7) all += static_cast<char>(rest | 0x80);
    all += static_cast<char>(rest);
    all.append(image, at + 4, size);
    at += 4 + size;
  }
  return all;
}

int print(const std::string& image, const Known& kind) {
  pb::DescriptorPool pool{pb::DescriptorPool::generated_pool()};
  if (!pool.BuildFile(image_file(kind))) return std::fputs("bench-protobuf: no schema\n", stderr), 2;
  const std::unique_ptr<pb::util::TypeResolver> types{
      pb::util::NewTypeResolverForDescriptorPool("type.googleapis.com", &pool)};
  pb::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  const std::string message = message_of(image, kind);
  pb::io::ArrayInputStream in{message.data(), static_cast<int>(message.size())};
  pb::io::FileOutputStream out{STDOUT_FILENO, 256 << 10};
  const auto status = pb::util::BinaryToJsonStream(types.get(), "type.googleapis.com/image", &in, &out, options);
  if (!status.ok()) return std::fprintf(stderr, "bench-protobuf: %s\n", status.ToString().c_str()), 2;
  return out.Flush() ? 0 : 2;
}

}  // namespace

int main(int argc, char** argv) {
  std::ifstream file{argc == 2 ? argv[1] : "", std::ios::binary};
  const std::string image{std::istreambuf_iterator<char>{file}, {}};
  if (image.size() >= 8)
    for (const Known& kind : known)
      if (kind.magic == word(image, 4)) return print(image, kind);
  return std::fputs("usage: bench-protobuf FILE        a pagemap, files or mm image\n", stderr), 2;
}
