// The loops in which a job waits for CRIU, for what takes or gives its images, and for who may stop it.
#pragma once

#include <functional>

#include "critpipe/control/jobs.hpp"
#include "jobs/scripted_criu.hpp"

namespace critpipe {

// The log that CRIU writes in an open directory.
struct LogFile {
  int directory = -1;
  std::string name = {};
  OwnedDescriptor open() const;
  // A restore looks at all images before its first event, which may take long; its log says that it does.
  bool has_text() const;
  // CRIU and the tasks that it makes have it open, until they are what they were.
  bool is_open_in(pid_t pid) const;
};

// What the log says of a failure; CRIU's answer by RPC may name another line of it.
void explain(const LogFile& log, JobEnd& end);

// One request by RPC until its answer. When it is stopped, CRIU is hung up on; a restore that does not end then is
// killed with all that was made of the tree.
void converse(Criu& criu, CriuRequest request, const CriuOptions& options, const CriuSetup& setup,
              const CriuNotify& notify, const LogFile& log, JobEnd& end);

// CRIU's command line until it ends. The event post-dump is passed on once `is_safe` says so.
void follow(ScriptedCriu& criu, StreamerEnd& streamer, const CriuSetup& setup, const CriuNotify& notify,
            const std::function<bool()>& is_safe, JobEnd& end);
// The same without a stream.
void follow(ScriptedCriu& criu, const CriuSetup& setup, const CriuNotify& notify, const LogFile& log, JobEnd& end);
// Waits for its end and says what its log says; ends it as converse() does. An error that came first stays.
void finish_following(ScriptedCriu& criu, const CriuSetup& setup, const LogFile& log, JobEnd& end);

}  // namespace critpipe
