#include "model/credentials.hpp"

#include "model/message_reader.hpp"

namespace critpipe {

namespace {

// Sets are written as words of 32 bits, the lowest first.
struct SetRow {
  std::string_view field;
  std::uint64_t Credentials::*set;
};
constexpr SetRow set_rows[] = {{"cap_inh", &Credentials::inheritable},
                               {"cap_prm", &Credentials::permitted},
                               {"cap_eff", &Credentials::effective},
                               {"cap_bnd", &Credentials::bounding},
                               {"cap_amb", &Credentials::ambient}};

}  // namespace

void read_credentials(Bytes payload, Credentials& credentials) {
  using Own = Credentials;
  static const MessageReader<Own> reader{"creds_entry",
                                         {{"uid", put<&Own::uid>},
                                          {"gid", put<&Own::gid>},
                                          {"euid", put<&Own::euid>},
                                          {"egid", put<&Own::egid>},
                                          {"suid", put<&Own::suid>},
                                          {"sgid", put<&Own::sgid>},
                                          {"lsm_profile", put<&Own::lsm_profile>},
                                          {"no_new_privs", put<&Own::no_new_privileges>}}};
  static const Field& groups = *reader.message().find("groups");
  constexpr std::size_t word_bits = 32;
  std::size_t nr_words[std::size(set_rows)] = {};
  reader.read(payload, credentials, [&](const Value& value) {
    if (value.field == &groups)
      each_integer(value, [&](std::uint64_t id) { credentials.groups.push_back(static_cast<std::uint32_t>(id)); });
    for (std::size_t i = 0; i < std::size(set_rows); ++i) {
      if (value.field->name() != set_rows[i].field) continue;
      each_integer(value, [&](std::uint64_t word) {
        if (nr_words[i] < 2) credentials.*set_rows[i].set |= word << (word_bits * nr_words[i]);
        ++nr_words[i];
      });
    }
  });
  credentials.is_known = true;
}

}  // namespace critpipe
