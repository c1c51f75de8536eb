# Where a part of the library is one file, the table of such parts is made from the names of the files, since objects of
# a static library that nothing refers to are dropped. Each SOURCE, {prefix}NAME.cpp, defines NAME_{row}, a `type`;
# `header` declares the table and its length, nr_{table}.
function(critpipe_row_table output header type table prefix row)
  set(declarations)
  set(rows)
  foreach(source IN LISTS ARGN)
    get_filename_component(name ${source} NAME_WE)
    string(REGEX REPLACE "^${prefix}" "" name ${name})
    string(APPEND declarations "extern ${type} ${name}_${row};\n")
    string(APPEND rows "    &${name}_${row},\n")
  endforeach()
  list(LENGTH ARGN count)
  file(CONFIGURE OUTPUT ${output} @ONLY CONTENT [[
// Made by row_table.cmake.
#include "@header@"

namespace critpipe {

@declarations@
@type@* const @table@[] = {
@rows@};
const std::size_t nr_@table@ = @count@;

}  // namespace critpipe
]])
endfunction()

function(critpipe_model_kinds output)
  critpipe_row_table(${output} model/collect.hpp "CollectedKinds" collected_kinds collect_ kinds ${ARGN})
endfunction()
function(critpipe_packings output)
  critpipe_row_table(${output} source/packing.hpp "const Packing" packings unpack_ packing ${ARGN})
endfunction()
function(critpipe_input_forms output)
  critpipe_row_table(${output} source/input_form.hpp "const InputForm" input_forms read_ form ${ARGN})
endfunction()
function(critpipe_check_rules output)
  critpipe_row_table(${output} check/checked_images.hpp "CheckRules" check_rules rules_of_ rules ${ARGN})
endfunction()
