// The loops in which a job waits for CRIU, for what takes or gives its images, and for who may stop it.
#pragma once

#include <functional>

#include "critpipe/control/jobs.hpp"
#include "jobs/scripted_criu.hpp"

namespace critpipe {

// What the log says of a failure; CRIU's answer by RPC may name another line of it.
void explain(int log_fd, JobEnd& end);

// One request by RPC until its answer. When it is stopped, CRIU is hung up on.
void converse(Criu& criu, CriuRequest request, const CriuOptions& options, const CriuSetup& setup,
              const CriuNotify& notify, JobEnd& end);

// CRIU's command line until it ends. The event post-dump is passed on once `is_safe` says so.
void follow(ScriptedCriu& criu, StreamerEnd& streamer, const CriuSetup& setup, const CriuNotify& notify,
            const std::function<bool()>& is_safe, JobEnd& end);
// The same without a stream.
void follow(ScriptedCriu& criu, int stop_fd, const CriuNotify& notify, JobEnd& end);
// Waits for its end and says what its log says. An error that came first stays.
void finish_following(ScriptedCriu& criu, int log_fd, JobEnd& end);

}  // namespace critpipe
