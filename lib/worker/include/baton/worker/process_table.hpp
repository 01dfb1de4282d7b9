// What /proc says about processes. That it cannot be asked (no descriptors are left, say) never counts as an answer.
#pragma once
#include <baton/base/descriptor.hpp>
#include <baton/base/result.hpp>

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace baton::worker {

struct ProcessStat {
  pid_t pid = 0;
  pid_t parent = 0;
  pid_t session = 0;
  char state = '?';
  std::uint64_t start_ns = 0;  // since boot, rounded down to the clock tick
  std::uint64_t cpu_ns = 0;    // that it has used, in whole clock ticks

  [[nodiscard]] bool living() const { return state != 'Z' && state != 'X'; }
};

// Also works for a process that has exited and is not reaped yet. not_found: there is none of this pid; any other
// error: it could not be looked at.
Result<ProcessStat> read_process(pid_t pid);

// Processes of the host, by pid. Not one instant: they come and go while it is read. Those that are hidden from this
// user (hidepid, proc(5)) are not among them; if others could not be looked at it is not complete.
struct ProcessList {
  std::vector<ProcessStat> processes;
  bool complete = false;
};
ProcessList read_processes();

// The direct children of one process (of its main thread), read again and again.
class ChildList {
 public:
  explicit ChildList(pid_t pid);
  // False if the kernel does not offer the list.
  bool read();
  [[nodiscard]] const std::vector<pid_t>& pids() const { return pids_; }

 private:
  Descriptor file_;
  std::string text_;
  std::vector<pid_t> pids_;
};
// The first 128 KiB of a process' environment as it was at its exec; empty if it is gone or hides it from this user.
// Errors: it could not be looked at.
Result<std::string> read_environment(pid_t pid);
// The value of NAME in such an environment.
std::optional<std::string> find_variable(const std::string& environment, std::string_view name);

// Signals the process that had this start time, and never another that got its pid. False if it is gone.
bool signal_process(pid_t pid, std::uint64_t start_ns, int signal);

}  // namespace baton::worker
