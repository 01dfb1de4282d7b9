// Deliberate defects, each of which the simulator must find (tests/sim). Only a build with tests has them at all, and
// there only the simulator turns one on; in every other build mutated() is false at compile time.
#pragma once
#include <cstdint>

namespace baton {

enum class Mutation : std::uint8_t {
  none,
  launch_before_commit,   // scheduler: an attempt is given to its worker before it is on disk
  forget_before_commit,   // scheduler: the worker may drop an end that is not on disk
  answer_before_commit,   // scheduler: a request is answered before it is on disk
  skip_incarnation,       // worker: a daemon of an earlier start is admitted
  commit_without_room,    // store: what finds the disk full counts as committed
  skip_commit_fence,      // store: a daemon of an earlier start commits
  start_repeated_launch,  // worker: a launch that comes again starts again
  drop_tombstone,         // worker: a kill of what has not started is answered and not remembered
  success_for_lost,       // worker: an exit that nobody saw is a success
  report_unrecorded,      // worker: an exit is reported and not recorded
  fail_without_room,      // worker: what has succeeded fails if its outputs find no room
  retry_after_cancel,     // engine: what fails after a cancel is tried again
  launch_after_cancel,    // engine: a worker that comes back is given attempts of a cancelled run
  run_after_skip,         // engine: what needs a skipped task runs
  ignore_reboot,          // worker and link: a boot is not noticed
  ignore_pool,            // engine: a pool has room for everybody
  forget_grants,          // worker: a session gives away what attempts of the one before still have
  share_device,           // worker: the first GPU is given to everybody
  wait_by_the_clock,      // scheduler: what waits, waits until the clock says so
  ignore_silence,         // link: a session that says nothing is waited for
  skip_session_lock,      // simulator's session: starts while children of the one before are between fork and exec
};

#ifdef BATON_MUTATIONS
inline Mutation active_mutation = Mutation::none;
inline bool mutated(Mutation mutation) { return active_mutation == mutation; }
#else
constexpr bool mutated(Mutation /*mutation*/) { return false; }
#endif

}  // namespace baton
