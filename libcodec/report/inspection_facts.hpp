// Parts of an inspection as members of a JSON object, which documents and lines share. Internal.
#pragma once

#include "report/inspection_work.hpp"

namespace critpipe {

// What a record has is empty or 0 where it is not known; then its key is left out.
void put_known(JsonWriter& json, const char* key, const std::string& text);
void put_known(JsonWriter& json, const char* key, std::uint64_t number);
void put_container(JsonWriter& json, const Container& container, bool environment);
void put_host(JsonWriter& json, const Inspection& inspection);
void put_sizes(JsonWriter& json, const InspectedSizes& sizes);
void put_page_sizes(JsonWriter& json, const InspectedSizes& sizes);  // "pages": [{"kind": "heap", "bytes": 4096}]
// In a line, lists are texts.
void put_numbers(JsonWriter& json, const char* key, std::span<const std::uint32_t> numbers, bool is_line);
void put_process(JsonWriter& json, const InspectedProcess& process, bool environment, bool is_line);
void put_socket(JsonWriter& json, const InspectedSocket& socket);
void put_file(JsonWriter& json, const InspectedFile& file);
void put_mount(JsonWriter& json, const InspectedMount& mount);
void put_namespace(JsonWriter& json, const InspectedNamespace& ns);
// [{"pid": 1, "fd": 3, "comm": "nginx"}]
void put_owners(JsonWriter& json, const char* key, const Inspection& inspection, const std::vector<Owner>& owners);
// An element of the array that checkpointctl prints.
void put_checkpointctl(JsonWriter& json, Output& output, const Inspection& inspection, const InspectionJson& options);
std::string_view what_it_is(const Inspection& inspection);  // "container", "processes", "pre-dump", "pages"

}  // namespace critpipe
