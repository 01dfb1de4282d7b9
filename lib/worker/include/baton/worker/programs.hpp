// The ways to run baton-worker, but for `check` (check.hpp). Each gives the process' exit code and writes one line to
// stderr if it fails.
#pragma once
#include <chrono>
#include <string>

namespace baton::worker {

struct SupervisorOptions {
  std::string folder;
  std::chrono::milliseconds idle_exit{60'000};  // leave when there was nothing to do for so long
};

// Makes sure that a supervisor runs, hands it this process' stdin and stdout, and waits until the session on them ends.
int attach(const SupervisorOptions& options);
// Forks sessions, reaps, appends to the journal. `ready_fd` gets one byte when it listens; -1: nobody waits for that.
int supervise(const SupervisorOptions& options, int ready_fd);
// Speaks the protocol on stdin and stdout. `notify_fd` becomes readable when the supervisor has appended to the
// journal, and reports its end.
int run_session(const SupervisorOptions& options, int notify_fd);

}  // namespace baton::worker
