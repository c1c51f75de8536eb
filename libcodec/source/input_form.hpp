// The forms of an input: each reads its members into a Receiver.
#pragma once

#include "base/path_names.hpp"
#include "source/byte_reader.hpp"
#include "source/name_set.hpp"

namespace critpipe {

struct Form {
  Receiver& receiver;
  const SourceOptions& options;
  std::string place;   // of the input
  std::string prefix;  // before the names of members
  std::uint64_t next_id;
};

Step read_tar(PeekReader& reader, Form form);
bool is_tar(Bytes begin);  // wants 512 bytes

// The shards of one image stream.
struct Shard {
  std::unique_ptr<PeekReader> reader;
  std::string place;
};
Step read_stream(std::vector<Shard>& shards, Form form);
bool is_stream(PeekReader& reader, std::uint64_t& sequence);  // of the first marker

// Hands on what the reader gives as the bytes of a member that has begun, and ends it.
Step read_member(ByteReader& reader, const Member& member, Receiver& receiver);

// A member that is an open file by itself, which it closes.
Step read_file(OpenFile file, Member& member, Receiver& receiver);

bool is_raw_name(std::string_view name);

Error named_error(Reason reason, std::string place, std::string name);

}  // namespace critpipe
