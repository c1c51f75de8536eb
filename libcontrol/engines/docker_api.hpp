// docker's API, as its engine and its copies of containers use it. Internal.
#pragma once

#include <string>

#include "engines/engine.hpp"

namespace critpipe::docker {

constexpr std::string_view who = "docker";
constexpr ContainerApi http_api{who, "/v1.41"};  // of docker 20.10, which knows all that is asked here

// Does it make checkpoints, and start from them?
bool is_experimental(const std::string& socket);
// docker passes no options on; runc reads them in a file. Reasons: usage: they are not there.
[[nodiscard]] Error against_options(bool tcp, bool file_locks);
// Where the daemon keeps everything.
std::string root_of(const std::string& socket);
// Where it keeps what belongs to the container.
std::string home_of(const RunningContainer& container);
// A new directory in which docker looks for the checkpoint of that name, or of another one where there is such already.
[[nodiscard]] Error new_checkpoint(const std::string& home, std::string& name, std::string& place);
// Removes what lies beside the images: docker takes all that is there for such.
void keep_images(const std::string& place);
// The directories of an overlay's layers below the container's own, the topmost first; none: it is no overlay.
std::vector<std::string> layers_of(const JsonAnswer& inspection);
// Starts the container from a checkpoint; asks again where it is known to fail once.
[[nodiscard]] Error start(const RunningContainer& container, const std::string& checkpoint, int stop_fd, int& tries);

// Engine::copy.
[[nodiscard]] Error copy(const RunningContainer& original, const EngineCopy& copy, int& tries);

}  // namespace critpipe::docker
