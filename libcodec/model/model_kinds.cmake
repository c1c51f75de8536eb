# Writes the table of the kinds of images that the model reads: for each SOURCE collect_NAME.cpp its function NAME_kinds().
function(critpipe_model_kinds output)
  set(declarations)
  set(rows)
  foreach(source IN LISTS ARGN)
    get_filename_component(name ${source} NAME_WE)
    string(REGEX REPLACE "^collect_" "" name ${name})
    string(APPEND declarations "CollectedKinds ${name}_kinds;\n")
    string(APPEND rows "  ${name}_kinds,\n")
  endforeach()
  list(LENGTH ARGN count)
  file(CONFIGURE OUTPUT ${output} @ONLY CONTENT [[
// Made by model_kinds.cmake.
#include "model/collect.hpp"

namespace critpipe {

@declarations@
CollectedKinds* const collected_kinds[] = {
@rows@};
const std::size_t nr_collected_kinds = @count@;

}  // namespace critpipe
]])
endfunction()
