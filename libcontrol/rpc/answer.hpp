// A criu_resp, read.
#pragma once

#include "critpipe/control/criu.hpp"

namespace critpipe {

// Is it a valid criu_resp of type NOTIFY?
bool is_notification(Bytes payload);
// Requires: is_notification.
void read_notification(Bytes payload, pid_t& pid, std::string& name);

// Anything else, to that request. What is no valid answer to it is an error in the answer.
CriuAnswer read_answer(CriuRequest request, std::string payload);
// The features of an answer; empty: there are none.
Bytes features_in(const CriuAnswer& answer);

}  // namespace critpipe
