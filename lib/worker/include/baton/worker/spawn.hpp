// Starting a task's process with vfork semantics: the time does not depend on this process' memory.
#pragma once
#include <baton/base/result.hpp>
#include <baton/worker/containment.hpp>
#include <baton/worker/record.hpp>

#include <sys/types.h>

#include <optional>
#include <string>

namespace baton::worker {

enum class SpawnStage : std::uint8_t { none, process, enclosure, session, directory, journal, exec };

// Everything the child needs, made before: it may not allocate. File descriptors must be above 2 and CLOEXEC.
struct SpawnPlan {
  const char* file = nullptr;  // with a slash; relative to `directory`
  char* const* argv = nullptr;
  char* const* environment = nullptr;
  const char* directory = nullptr;
  int stdin_fd = -1;
  int output_fd = -1;  // stdout and stderr
  int journal_fd = -1;
  Enclosure enclosure{};      // entered before anything else
  Record* started = nullptr;  // the child fills in pid and boot_to_ns and appends it right before exec
};

struct SpawnResult {
  pid_t pid = -1;                       // -1: there is nothing to reap
  int error = 0;                        // errno, if the program does not run
  SpawnStage stage = SpawnStage::none;  // what failed; from `exec` on the journal has a `started`
};

// The child has its own session, default signals with none blocked, stdin, stdout and stderr, and nothing else open.
// Comes back when it runs the program or has failed; a failed one is reaped already. Signal dispositions must be
// default.
SpawnResult spawn(const SpawnPlan& plan);

// Where execvp(3) would find `program`: itself if it has a slash, else the first executable file in `path`.
std::optional<std::string> find_program(std::string_view program, std::string_view path);

}  // namespace baton::worker
