// Users and capabilities of a task, from a creds_entry. Internal.
#pragma once

#include "critpipe/base.hpp"
#include "critpipe/task.hpp"

namespace critpipe {

// Requires: the payload was checked as a creds_entry.
void read_credentials(Bytes payload, Credentials& credentials);

}  // namespace critpipe
