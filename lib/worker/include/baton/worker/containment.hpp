// Which processes belong to which attempt, and how to end them all.
//
// Containment is the port; the one implementation here works everywhere: a task's main process leads a session of its
// own, the session program and the supervisor are subreapers, and the environment carries a marker. So whatever a task
// leaves behind is among the subreapers' descendants, and is told apart by ancestry, session id or marker.
#pragma once
#include <baton/base/ids.hpp>
#include <baton/worker/record.hpp>

#include <sys/types.h>

#include <memory>
#include <string>
#include <string_view>

namespace baton::worker {

class Containment {
 public:
  virtual ~Containment() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;  // Welcome::containment

  // A main process runs (or ran). `adopted`: it is not this process' child.
  virtual void add(AttemptId attempt, const Record& started, bool adopted) = 0;
  // The attempt is over and nothing of it is left, or it was given up.
  virtual void remove(AttemptId attempt) = 0;
  // The main process is reaped, or may have been: from now on its pid may be a stranger's.
  virtual void main_reaped(AttemptId attempt) = 0;
  // A child of this process that is no main process was reaped.
  virtual void orphan_reaped(pid_t pid) = 0;

  // The main process ended, best before it is reaped: false if nothing is left of the attempt. Cheap when no task left
  // orphans.
  virtual bool may_be_left(AttemptId attempt) = 0;
  // Sends the signal to every process of the attempt, also to those forked meanwhile; the number of those seen living.
  virtual std::size_t signal_all(AttemptId attempt, int signal) = 0;
};

// `slots_path`: the absolute folder of this worker's slots, which is part of the marker, so that a Baton inside a task
// is not mistaken for this one.
std::unique_ptr<Containment> make_session_containment(std::string slots_path);

// The environment variable with the attempt's id.
inline constexpr std::string_view kMarkerVariable = "BATON_ATTEMPT_ID";
inline constexpr std::string_view kScratchVariable = "BATON_TMPDIR";

}  // namespace baton::worker
