// How an Inspection is filled: each part of it by a function of its own. Internal.
#pragma once

#include <unordered_map>

#include "critpipe/inspect.hpp"
#include "report/captured_pages.hpp"

namespace critpipe {

// What is known of a set beside its images' entries.
struct SetFacts {
  InspectedSizes sizes;
  std::string directory;                                          // its path, if it is files of a directory
  std::unique_ptr<CapturedSet> pages;                             // null: it has no pages images, or is a directory
  std::unordered_map<std::uint64_t, std::uint32_t> pid_of_pages;  // by the id of pages images, as far as known
};

// Reads bytes at addresses of processes. They may be in parents.
class TextReader {
 public:
  // `input`: the archive's file, for images that are read by position.
  TextReader(const Checkpoint& checkpoint, CapturedSet* captured, const std::string& directory, InputFile* input);
  // False: the bytes are not there, or not in reach.
  bool read(const Task& task, TextPlace place, std::string& bytes);

 private:
  bool read_stored(const Stretch& stretch, std::uint64_t page_size, std::uint64_t skip, std::span<std::byte> into);

  const Checkpoint& checkpoint_;
  CapturedSet* captured_;
  std::unique_ptr<PageDirectory> directory_;
  InputFile* input_;
};

void inspect_processes(Inspection& inspection);
void read_texts(Inspection& inspection, TextReader& reader);
void inspect_memory(Inspection& inspection);  // sizes of pages by what is mapped
void inspect_files(Inspection& inspection);
void inspect_sockets(Inspection& inspection);
void inspect_mounts(Inspection& inspection);
void inspect_namespaces(Inspection& inspection);
void inspect_statistics(Inspection& inspection);
void inspect_attention(Inspection& inspection);

// "chown net_admin", "all", "none"; in the order of their numbers.
std::string capability_names(std::uint64_t set);
std::size_t nr_capabilities(std::uint64_t set);
bool has_capability(std::uint64_t set, std::string_view name);
std::string seccomp_text(const Credentials& credentials);  // "a filter"
// "/usr/bin/nginx -g daemon off;" with blanks where the words are; comm in brackets if it is not known.
std::string command_line(const InspectedProcess& process);
bool looks_secret(std::string_view variable);  // "NAME=value"
std::string address_text(const InspectedSocket& socket, bool is_peer);
std::string protocol_text(const InspectedSocket& socket);
std::string user_text(const Credentials& credentials);
bool is_chosen(const std::vector<std::uint32_t>& pids, std::uint32_t pid);

}  // namespace critpipe
