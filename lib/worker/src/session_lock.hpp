// One session of a folder at a time. Held by the session and by every child of it until its exec, so that whoever gets
// it next finds all of their records.
#pragma once
#include <baton/base/descriptor.hpp>
#include <baton/base/result.hpp>
#include <baton/worker/process_table.hpp>

#include <chrono>

namespace baton::worker {

// A session that was replaced is killed by its supervisor, and one whose supervisor died leaves by itself, as soon as
// it comes to it. One that stands still for so long has no supervisor any more and will not leave. To wait longer would
// keep the folder's attempts from everybody; the daemon waits 15 s for a new session. Ends that only the old one could
// have seen are lost then, as when both are killed.
inline constexpr std::chrono::seconds kLeavePatience{10};

// Watches a process that somebody waits for.
class Standstill {
 public:
  // It was seen so, `since_last` after it was seen last. Gives how long it has stood still by now: stopped, or asleep
  // without using the CPU. One that runs, wants to or waits for a disk will go on.
  std::chrono::milliseconds seen(const ProcessStat& process, std::chrono::milliseconds since_last);

 private:
  ProcessStat last_;
  std::chrono::milliseconds still_{0};
};

// Waits for the lock as long as it takes. A session that holds it and stands still for longer than `patience` is
// killed, unless it has become the supervisor of this one.
Result<Descriptor> lock_session(int folder, std::chrono::milliseconds patience = kLeavePatience);
// Before the session that has the lock becomes another program: no later session is to take that for a session.
void disown_session(const Descriptor& lock);

}  // namespace baton::worker
