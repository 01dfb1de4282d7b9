// The states of runs and task instances. Each alternative of InstanceState carries only what is true in it.
#pragma once
#include <baton/base/ids.hpp>
#include <baton/base/time.hpp>

#include <cstdint>
#include <string_view>
#include <variant>

namespace baton::engine {

enum class RunState : std::uint8_t { queued = 0, running = 1, succeeded = 2, failed = 3, cancelled = 4 };
std::string_view to_string(RunState state);
constexpr bool is_final(RunState state) { return state >= RunState::succeeded; }

// waiting: for its upstream tasks. ready: for a slot, a pool, an environment or its turn.
struct Waiting {};
struct Ready {};
// Its attempt is committed and handed to the worker, which has not said yet that it runs.
struct Starting {
  AttemptId attempt;
  WorkerId worker;
};
struct Running {
  AttemptId attempt;
  WorkerId worker;
};
// Its worker is out of touch; the attempt may be running or may have ended.
struct Unreachable {
  AttemptId attempt;
  WorkerId worker;
  bool had_started;
};
struct BackingOff {
  TimePoint until;
};
struct AwaitingApproval {
  TimePoint deadline;  // TimePoint::max(): none
};
// A `uses` task whose sub-workflow runs. Holds no slot of its own.
struct RunningChild {
  RunKey child;
  TimePoint deadline;  // TimePoint::max(): none
};
struct Succeeded {};
struct Failed {};
struct Skipped {};
struct UpstreamFailed {};
struct Cancelled {};

using InstanceState = std::variant<Waiting, Ready, Starting, Running, Unreachable, BackingOff, AwaitingApproval,
                                   RunningChild, Succeeded, Failed, Skipped, UpstreamFailed, Cancelled>;

// The words of the language. RunningChild is "running".
enum class InstancePhase : std::uint8_t {
  waiting = 0,
  ready,
  starting,
  running,
  unreachable,
  backoff,
  awaiting_approval,
  succeeded,
  failed,
  skipped,
  upstream_failed,
  cancelled,
};
inline constexpr std::size_t kInstancePhases = 12;
std::string_view to_string(InstancePhase phase);
InstancePhase phase_of(const InstanceState& state);
constexpr bool is_final(InstancePhase phase) { return phase >= InstancePhase::succeeded; }

enum class AttemptState : std::uint8_t { starting = 0, running = 1, succeeded = 2, failed = 3, cancelled = 4 };
std::string_view to_string(AttemptState state);

}  // namespace baton::engine
