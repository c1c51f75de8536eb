# Makes the constant field tables out of proto/*.proto. Sets
#   CRITPIPE_SCHEMA_SOURCES        sources to compile into the library
#   CRITPIPE_SCHEMA_INCLUDE_DIRS   folders of schema_index.hpp and of proto/*.inc
# and the targets fieldgen (runs while building), critpipe_schema (all that is generated) and, for tests,
# critpipe_oracle: protoc's own classes of all messages, in namespace critpipe::oracle.

if(CMAKE_CROSSCOMPILING)
  find_program(CRITPIPE_PROTOC protoc REQUIRED)
  add_executable(fieldgen IMPORTED GLOBAL)
  set_target_properties(fieldgen PROPERTIES IMPORTED_LOCATION ${CRITPIPE_RUN_DIR}/fieldgen)
else()
  find_package(Protobuf REQUIRED)
  set(CRITPIPE_PROTOC protobuf::protoc)
endif()

set(CRITPIPE_PROTO_DIR "${CMAKE_CURRENT_LIST_DIR}/../../../proto" CACHE PATH "Folder of the schema: *.proto and *.inc")
get_filename_component(proto_dir "${CRITPIPE_PROTO_DIR}" ABSOLUTE)
set(schema_dir "${CMAKE_CURRENT_BINARY_DIR}/schema")
file(MAKE_DIRECTORY "${schema_dir}/opts" "${schema_dir}/oracle/proto")
file(GLOB proto_files CONFIGURE_DEPENDS "${proto_dir}/*.proto")

if(NOT CMAKE_CROSSCOMPILING)
  # fieldgen reads the options through their classes; those are not ours to keep free of warnings.
  set(opts_source "${schema_dir}/opts/opts.pb.cc")
  add_custom_command(
    OUTPUT "${opts_source}" "${schema_dir}/opts/opts.pb.h"
    COMMAND ${CRITPIPE_PROTOC} "-I${proto_dir}" "--cpp_out=${schema_dir}/opts" opts.proto
    DEPENDS "${proto_dir}/opts.proto" VERBATIM)
  set_source_files_properties("${opts_source}" PROPERTIES COMPILE_OPTIONS -w)

  add_executable(fieldgen "${CMAKE_CURRENT_LIST_DIR}/fieldgen.cpp" "${opts_source}")
  target_compile_features(fieldgen PRIVATE cxx_std_20)
  target_include_directories(fieldgen PRIVATE "${CMAKE_CURRENT_LIST_DIR}/../.." "${proto_dir}")
  target_include_directories(fieldgen SYSTEM PRIVATE "${schema_dir}/opts")
  target_link_libraries(fieldgen PRIVATE protobuf::libprotobuf)
endif()

add_custom_command(
  OUTPUT "${schema_dir}/schema.pb"
  COMMAND ${CRITPIPE_PROTOC} "-I${proto_dir}" --include_imports "--descriptor_set_out=${schema_dir}/schema.pb"
          ${proto_files}
  DEPENDS ${proto_files} VERBATIM)
add_custom_command(
  OUTPUT "${schema_dir}/schema_tables.cpp" "${schema_dir}/schema_index.hpp"
  COMMAND fieldgen "${schema_dir}/schema.pb" "${schema_dir}"
  DEPENDS "${schema_dir}/schema.pb" fieldgen VERBATIM)
add_custom_target(critpipe_schema DEPENDS "${schema_dir}/schema_tables.cpp" "${schema_dir}/schema_index.hpp")

set(CRITPIPE_SCHEMA_SOURCES "${schema_dir}/schema_tables.cpp" "${schema_dir}/schema_index.hpp")
set(CRITPIPE_SCHEMA_INCLUDE_DIRS "${schema_dir}" "${proto_dir}")

# The rest is for tests, which no cross build makes.
if(CMAKE_CROSSCOMPILING)
  return()
endif()

# The oracle. CRIU's files have no package, and a global class timeval would meet the one of <time.h>: a copy gets one.
# protoc repeats two static names in every source; with those renamed all fit into one, which compiles ten times faster.
set(oracle_dir "${schema_dir}/oracle")
set(oracle_unit "${oracle_dir}/oracle.cpp")
set(oracle_text "extern \"C\" void critpipe_oracle_anchor() {}\n")
set(oracle_protos)
set(oracle_sources)
set(oracle_headers)
foreach(proto IN LISTS proto_files)
  get_filename_component(name "${proto}" NAME)
  get_filename_component(stem "${proto}" NAME_WLE)
  string(MAKE_C_IDENTIFIER "${stem}" id)
  list(APPEND oracle_protos "${oracle_dir}/proto/${name}")
  list(APPEND oracle_sources "${oracle_dir}/${stem}.pb.cc")
  list(APPEND oracle_headers "${oracle_dir}/${stem}.pb.h")
  string(APPEND oracle_text
    "#define schemas schemas_${id}\n#define file_default_instances file_default_instances_${id}\n"
    "#include \"${stem}.pb.cc\"\n#undef schemas\n#undef file_default_instances\n")
endforeach()
file(GENERATE OUTPUT "${oracle_unit}" CONTENT "${oracle_text}")
add_custom_command(
  OUTPUT ${oracle_sources} ${oracle_headers}
  COMMAND cp ${proto_files} "${oracle_dir}/proto"
  COMMAND chmod u+w ${oracle_protos}
  COMMAND sed -E -i "s/^ *syntax *=.*;/& package critpipe.oracle;/" ${oracle_protos}
  COMMAND ${CRITPIPE_PROTOC} "-I${oracle_dir}/proto" "--cpp_out=${oracle_dir}" ${oracle_protos}
  DEPENDS ${proto_files} COMMENT "Generating protoc's classes of all messages" VERBATIM)
set_source_files_properties(${oracle_sources} PROPERTIES HEADER_FILE_ONLY ON)
set_source_files_properties("${oracle_unit}" PROPERTIES COMPILE_OPTIONS "-w;-O0" OBJECT_DEPENDS "${oracle_sources}")

add_library(critpipe_oracle STATIC EXCLUDE_FROM_ALL "${oracle_unit}" ${oracle_sources} ${oracle_headers})
target_compile_features(critpipe_oracle PUBLIC cxx_std_20)
target_include_directories(critpipe_oracle SYSTEM PUBLIC "${oracle_dir}")
target_link_libraries(critpipe_oracle PUBLIC protobuf::libprotobuf)
# A test that only asks the pool of descriptors for messages names no symbol of the library.
target_link_options(critpipe_oracle INTERFACE "LINKER:--undefined=critpipe_oracle_anchor")
