// The port through which attempts reach the machines that run them. Used on the event loop's thread only; nothing here
// blocks.
//
// An implementation may lose what it is told (a link breaks, a message is dropped), but never makes up news: whatever
// it was told and the engine still cares about is told again after the next WorkerUp. Every call about an attempt is
// idempotent by the attempt's id.
#pragma once
#include <baton/base/result.hpp>
#include <baton/engine/effect.hpp>
#include <baton/engine/event.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace baton::executor {

// What a worker tells, in order: WorkerUp with its inventory (and, in the same call, the ends of inventory attempts),
// AttemptStarted, AttemptEnded, WorkerDown. Called on the loop's thread, never from inside a call to the executor.
using EventSink = std::function<void(std::vector<engine::Event>)>;

struct LogChunk {
  std::uint64_t offset = 0;  // of the first byte, in the segment; before what was asked for: the segment ends there
  std::string bytes;
  bool end = false;  // nothing is left in the extent as it is now
};

enum class WorkerState : std::uint8_t { connecting, online, offline };
std::string_view to_string(WorkerState state);

struct WorkerStatus {
  WorkerId id;
  std::string name;
  WorkerState state = WorkerState::connecting;
  std::string problem;  // why it is not online; empty if nothing went wrong
  std::string host, version, containment;
  std::vector<std::string> gpus;
  std::vector<std::string> labels;
  workflow::Resources capacity;
};

class Executor {
 public:
  virtual ~Executor() = default;  // lets go of every worker; what runs there goes on

  // Begins to connect. Once.
  virtual void start() = 0;

  // Secrets are filled in by now: no Env has is_secret set.
  virtual void launch(engine::Launch launch) = 0;
  virtual void kill(const engine::Kill& kill) = 0;
  virtual void forget(const engine::Forget& forget) = 0;

  // At most `max_bytes` (and limits::kLogChunkBytes) of [from, to) of a segment; `from_end`: the last ones instead of
  // the first. Errors: unavailable if the worker is not online or goes away meanwhile.
  virtual void read_log(WorkerId worker, engine::LogPlace place, std::uint32_t max_bytes, bool from_end,
                        std::function<void(Result<LogChunk>)> done) = 0;

  // The consequences of the worker's last WorkerUp are committed: from now on its boot is the one that attempts are
  // given to. Called once for each WorkerUp, before the first launch that follows from it; launches that were decided
  // before it are dropped, because they were meant for the session before.
  virtual void remember_boot(WorkerId worker) = 0;

  // While paused, no more news is taken from workers (their processes wait, nothing is lost).
  virtual void pause(bool paused) = 0;

  [[nodiscard]] virtual std::vector<WorkerStatus> workers() const = 0;
};

}  // namespace baton::executor
