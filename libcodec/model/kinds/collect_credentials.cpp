// creds-N, of the oldest sets: users and capabilities of a task.
#include "model/credentials.hpp"

#include "model/collect.hpp"

namespace critpipe {

namespace {

void collect_creds(Model& model, std::uint32_t pid, const Entry& entry) {
  read_credentials(entry.payload, model.collected[pid].credentials);
}

bool needed(const Needs& needs) { return needs.credentials; }

constexpr CollectedKind rows[] = {
    {"CREDS", needed, collect_creds, nullptr},
};

}  // namespace

std::span<const CollectedKind> credentials_kinds() { return rows; }

}  // namespace critpipe
