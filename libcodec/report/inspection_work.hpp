// How an Inspection is filled: each part of it by a function of its own. Internal.
#pragma once

#include "critpipe/inspect.hpp"
#include "report/inspected_set.hpp"

namespace critpipe {

Needs needs_of(const InspectOptions& options);  // of images
void inspect_processes(Inspection& inspection);
void read_texts(Inspection& inspection, InspectedSet& set);  // command lines and environments
void inspect_memory(Inspection& inspection);                 // sizes of pages by what is mapped
void inspect_files(Inspection& inspection);
void inspect_sockets(Inspection& inspection);
void inspect_mounts(Inspection& inspection);
void inspect_namespaces(Inspection& inspection);
void inspect_missing(Inspection& inspection, const InspectedSet& set);  // after the namespaces
void inspect_statistics(Inspection& inspection,
                        const Checkpoint& found);  // in the images of one that is set aside, too
void inspect_attention(Inspection& inspection);

// "chown net_admin", "all", "none"; in the order of their numbers.
std::string capability_names(std::uint64_t set);
std::size_t nr_capabilities(std::uint64_t set);
bool has_capability(std::uint64_t set, std::string_view name);
// Is the tree that of a container: does an engine say so, or has it pids and mounts of its own?
bool is_container(const Inspection& inspection);
std::string seccomp_text(const Credentials& credentials);  // "a filter"
// "/usr/bin/nginx -g daemon off;" with blanks where the words are; comm in brackets if it is not known.
std::string command_line(const InspectedProcess& process);
bool looks_secret(std::string_view variable);  // "NAME=value"
std::string address_text(const InspectedSocket& socket, bool is_peer);
std::string protocol_text(const InspectedSocket& socket);
std::string user_text(const Credentials& credentials);
bool is_chosen(const std::vector<std::uint32_t>& pids, std::uint32_t pid);
// What of it is of the chosen processes or of none in particular, with its whole text. Nothing: all of it is of others.
std::optional<Attention> chosen_of(const Attention& attention, const std::vector<std::uint32_t>& pids);

}  // namespace critpipe
