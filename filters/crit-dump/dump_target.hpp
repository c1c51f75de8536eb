// Where a dump goes: into a directory, or through a pipe.
#pragma once

#include <functional>

#include "cli/criu/criu_job.hpp"

namespace critpipe::filters {

// What is to be dumped, and how.
struct DumpJob {
  CriuSetup setup;
  CriuOptions options;
  const HeldProcess& root;
  EventCommands& commands;
  std::string descriptors;  // where the root task's first three lead, as JSON
  bool stays = false;       // the tree lives on after the dump
  // Of a container: files beside the images. The first are written before the dump, the others by a function while the
  // tree is frozen; and who makes the images, where it is not CRIU that we ask.
  std::vector<std::pair<std::string, std::string>> files = {};
  std::function<Error(int directory)> write_while_frozen = {};
  std::function<Error(const std::string& directory)> by_engine = {};

  // CRIU knows the root task by its pid alone: is that still the process that was looked at? Then the commands of the
  // event are run. False: CRIU is to fail.
  bool goes_on(Program& program, const CriuNotification& event) const;
};

// A signal stops each of these, and crit-dump with it, as long as the tree can run on; later ones are said to be too
// late.
//
// A directory that is complete or not there: it is made beside its final name, hidden, and renamed when all is on disk.
void dump_into_directory(Program& program, DumpJob& job, const std::string& path, SignalDescriptor& signals);
// A hidden directory beside the file, then the file. If that cannot be written when the tree is given up, the directory
// stays.
void dump_into_file(Program& program, DumpJob& job, const std::string& path, SignalDescriptor& signals);
// Standard output, as an image stream.
void dump_into_pipe(Program& program, DumpJob& job, SignalDescriptor& signals);

// What has become of a tree that CRIU has not let go of.
inline constexpr const char* tree_in_hand = "CRIU still has the tree";

// Frozen for how long, from the stats-dump that lies in a directory.
void say_frozen_time(Program& program, const std::string& directory);

// How crit-dump ends after a job: as the signal that stopped it would have ended it. `state`: what has become of
// the tree. Requires: nothing is left behind.
void end_if_stopped(Program& program, int signal, const std::string& state = "the tree runs on");
// What a signal or a command is told that came when the tree was given up already.
void tell_late(Program& program, DumpJob& job, SignalDescriptor& signals);

}  // namespace critpipe::filters
