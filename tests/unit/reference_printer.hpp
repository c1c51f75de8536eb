// A slow printer of crit's JSON over libprotobuf's reflection, written from the description of the dialect alone.
#pragma once

#include <google/protobuf/message.h>

#include <string>

namespace critpipe::testing {

struct ReferenceForm {
  bool human = false;  // annotated values as people read them
  bool indent = false;
  int depth = 0;  // of the object in its document
};
std::string reference_json(const google::protobuf::Message& message, const ReferenceForm& form);

}  // namespace critpipe::testing
