// Which processes belong to which attempt, and how to end them all.
//
// Containment is the port. By session: a task's main process leads a session of its own, the session program and the
// supervisor are subreapers, and the environment carries a marker. So whatever a task leaves behind is among the
// subreapers' descendants, and is told apart by ancestry, session id or marker. This works everywhere, and a task that
// means to hide for a while can. By control group: the kernel keeps the list, and ends all of it in one step.
#pragma once
#include <baton/base/ids.hpp>
#include <baton/worker/folder.hpp>
#include <baton/worker/record.hpp>

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace baton::worker {

class Host;

// What a process enters when it is spawned; -1: nothing. The descriptors are the containment's, until its next call.
struct Enclosure {
  int cgroup_fd = -1;        // the group's folder, for clone3(2)
  int cgroup_procs_fd = -1;  // the same group's cgroup.procs, where clone3 does not offer it
  int memory_procs_fd = -1;  // cgroup.procs of a group in the memory hierarchy of version 1
};

class Containment {
 public:
  virtual ~Containment() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;  // Welcome::containment

  // A process is about to be spawned in this slot. `memory_bytes`: what all its processes together may use; 0: no
  // limit.
  virtual Enclosure enclose(std::uint32_t slot, std::int64_t memory_bytes) = 0;

  // A main process runs (or ran). `adopted`: it is not this process' child.
  virtual void add(AttemptId attempt, const Record& started, bool adopted) = 0;
  // Every attempt of an earlier session that is not over was added. What is left of others is ended.
  virtual void settle() = 0;
  // The attempt is over and nothing of it is left. False: what enclosed it could not be removed, so that its slot must
  // not be used again.
  virtual bool remove(AttemptId attempt) = 0;
  // The main process is reaped, or may have been: from now on its pid may be a stranger's.
  virtual void main_reaped(AttemptId attempt) = 0;
  // A child of this process that is no main process was reaped.
  virtual void orphan_reaped(pid_t pid) = 0;

  // The main process ended, best before it is reaped: false if nothing is left of the attempt for certain. Cheap when
  // no task left orphans.
  virtual bool may_be_left(AttemptId attempt) = 0;
  // Sends the signal to every process of the attempt, also to those forked meanwhile; the number of those seen living,
  // which says nothing of those that could not be seen. 0 also where it could not be sent, for want of descriptors.
  virtual std::size_t signal_all(AttemptId attempt, int signal) = 0;
  // The same for several, with one look at the host where each needs one.
  virtual void signal_each(const std::vector<AttemptId>& attempts, int signal) {
    for (const AttemptId attempt : attempts) signal_all(attempt, signal);
  }
  // The kernel has ended one of its processes for want of memory. False where it does not say so.
  [[nodiscard]] virtual bool out_of_memory(AttemptId attempt) const = 0;
  // This process is about to leave: what nobody uses is removed.
  virtual void leave() = 0;
};

// `slots_path`: the absolute folder of this worker's slots, which is part of the marker, so that a Baton inside a task
// is not mistaken for this one.
std::unique_ptr<Containment> make_session_containment(std::string slots_path);

// By control groups below this process' own where they may be made there, else by session. `folder` and `host`, which
// is told of problems, must outlive it. The environment variable BATON_CONTAINMENT=session asks for the latter.
std::unique_ptr<Containment> make_containment(const Folder& folder, Host& host);

// Removes the worker folder's control groups that are empty and of which nothing is to be told any more.
void remove_idle_cgroups(int folder);

// The environment variable with the attempt's id.
inline constexpr std::string_view kMarkerVariable = "BATON_ATTEMPT_ID";
inline constexpr std::string_view kScratchVariable = "BATON_TMPDIR";

}  // namespace baton::worker
