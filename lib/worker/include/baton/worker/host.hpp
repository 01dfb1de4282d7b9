// The port through which attempts reach their machine: its clocks and its processes. The simulator has machines of its
// own; everything that decides is the same on both.
#pragma once
#include <baton/base/time.hpp>
#include <baton/worker/containment.hpp>
#include <baton/worker/folder.hpp>
#include <baton/worker/process_table.hpp>
#include <baton/worker/resources.hpp>
#include <baton/worker/spawn.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace baton::worker {

// A child that has ended and is not reaped yet.
struct ExitedChild {
  pid_t pid = 0;
  std::int32_t status = 0;  // as wait(2) gives it
  std::uint64_t user_us = 0, system_us = 0, max_rss_bytes = 0;
};

class Host {
 public:
  virtual ~Host() = default;

  [[nodiscard]] virtual std::uint64_t boot_ns() const = 0;  // since boot: everything that is compared
  [[nodiscard]] virtual TimePoint wall_time() const = 0;    // for people
  [[nodiscard]] virtual std::string name() const = 0;
  [[nodiscard]] virtual HostResources resources() const = 0;

  virtual SpawnResult spawn(const SpawnPlan& plan) = 0;
  // The children of this process that have ended: looked at first, so that the end can be recorded, and then reaped.
  virtual std::optional<ExitedChild> peek_exited() = 0;
  virtual void reap(pid_t pid) = 0;
  // Whether this child has ended and is not reaped.
  [[nodiscard]] virtual bool has_ended(pid_t child) const = 0;
  [[nodiscard]] virtual Result<ProcessStat> read_process(pid_t pid) const = 0;  // see process_table.hpp
  // See containment.hpp.
  virtual std::unique_ptr<Containment> contain(const Folder& folder) = 0;
  // What went wrong and stops nothing: to stderr, which is the supervisor's log.
  virtual void log(const std::string& problem);
};

// The machine this process runs on.
Host& system_host();

}  // namespace baton::worker
