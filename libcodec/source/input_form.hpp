// The forms of an input: each hands its members to a Receiver.
#pragma once

#include <map>

#include "base/path_names.hpp"
#include "source/byte_reader.hpp"
#include "source/name_set.hpp"

namespace critpipe {

// Ids of the sets of one input, each made once.
class SetIds {
 public:
  explicit SetIds(std::string checkpoint) : checkpoint_{std::move(checkpoint)} {}
  SetIds(SetIds&&) = default;
  const std::shared_ptr<const SetId>& of(std::string_view set);

 private:
  std::string checkpoint_;
  std::map<std::string, std::shared_ptr<const SetId>, std::less<>> ids_;
  const std::shared_ptr<const SetId>* last_ = nullptr;
};

// The members of one input: what they are called, and who gets them.
struct Delivery {
  Receiver& receiver;
  const SourceOptions& options;
  std::string place;   // of the input
  std::string prefix;  // before the paths of members, with its slash; empty where the input is the only one
  SetIds ids;
  std::uint64_t next_id;
  bool has_set = false;  // the one that the options ask for

  // Calls the member `inner`, which is its path in the input. False: it is of a set that nobody asked for.
  bool name(Member& member, std::string_view inner);
  // The input cannot be read further.
  void fail(Error error);
  // Says so if the options ask for a set that did not come.
  void end();
};

// "app/checkpoint/core-1.img": set "app", name "core-1.img".
struct NameInSet {
  std::string_view set, name;
};
NameInSet split_name(std::string_view inner);

Step read_tar(PeekReader& reader, Delivery delivery);
bool is_tar(Bytes begin);  // wants 512 bytes

// The shards of one image stream.
struct Shard {
  std::unique_ptr<PeekReader> reader;
  std::string place;
};
Step read_stream(std::vector<Shard>& shards, Delivery delivery);
bool is_stream(PeekReader& reader, std::uint64_t& sequence);  // of the first marker

// Hands on what the reader gives as the bytes of a member that has begun, and ends it.
Step read_member(ByteReader& reader, Member& member, Receiver& receiver);

// A member that is an open file by itself, which stands at its begin.
Step read_file(InputFile file, Member& member, Receiver& receiver);

bool is_raw_name(std::string_view name);

Error named_error(Reason reason, std::string place, std::string name);

}  // namespace critpipe
