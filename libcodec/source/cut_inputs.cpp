#include "source/cut_inputs.hpp"

namespace critpipe {

bool CutInputs::ends_input(const Error& error) {
  switch (error.reason) {
    case Reason::cut_archive:
    case Reason::bad_archive:
    case Reason::cut_compression:
    case Reason::bad_compression:
    case Reason::cut_stream:
    case Reason::cut_member:
    case Reason::bad_sequence:
    case Reason::bad_marker: return true;
    case Reason::bad_name:
    case Reason::bad_duplicate:
    case Reason::bad_member: return false;  // the next one follows
    default: return error.set && error.set->is_input;
  }
}

void CutInputs::note(const Error& error) {
  if (!ends_input(error)) return;
  if (error.set) inputs_.insert(error.set->checkpoint);
  else all_ = true;
}

}  // namespace critpipe
