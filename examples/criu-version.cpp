// criu-version: asks CRIU for its version and its features, and says whether it may dump a process.
//
//   criu-version [PID]
#include <cstdio>
#include <cstdlib>

#include "critpipe/control/checks.hpp"
#include "critpipe/control/criu.hpp"

int main(int argc, char** argv) {
  critpipe::Criu criu;
  critpipe::CriuVersion version;
  if (critpipe::Error error = criu.version(version)) {
    std::printf("%s\n", to_string(error).c_str());
    return 1;
  }
  std::printf("CRIU %d.%d.%d\n", version.major, version.minor, version.sublevel);
  if (argc < 2) return 0;
  critpipe::Error error;
  const auto process = critpipe::HeldProcess::open(std::atoi(argv[1]), error);
  if (error) return std::printf("%s\n", to_string(error).c_str()), 1;
  for (const auto& finding : check_before_dump(process, {})) std::printf("%s\n", finding.text.c_str());
}
