// What becomes due: the end of a backoff, the deadlines of approvals and of runs that `uses` started.
//
// A due is a time of the wall clock, so that it outlives the daemon, but what it ends is a duration: when the clock is
// set, the due moves with it.
#include <algorithm>
#include <utility>

#include "engine_state.hpp"

namespace baton::engine {
namespace {

// nullopt: for ever.
std::optional<Duration> longest_wait(const workflow::TaskSpec& task, const InstanceChanged& row) {
  if (row.phase == InstancePhase::backoff) return task.retry.longest_delay(row.attempts - row.retries_from);
  const auto* approval = std::get_if<workflow::Approval>(&task.action);
  return approval != nullptr ? approval->timeout : task.timeout;
}

}  // namespace

std::optional<TimePoint> Engine::State::next_wakeup() const {
  if (timers_.empty()) return std::nullopt;
  return timers_.begin()->first;
}

void Engine::State::clock_stepped(Duration by) {
  now_ += by;
  for (const auto& [due, key] : std::exchange(timers_, {})) {
    set_due(run(key.run).group(key.task).instances[key.index].state, due + by);
    timers_.insert({due + by, key});
    step_.due_changed(key, due + by);
  }
}

// How far the clock was set while there was no daemon, nobody knows; but nothing waits longer than its workflow says.
TimePoint Engine::State::restored_due(const workflow::TaskSpec& task, const InstanceChanged& row) {
  if (!row.due) return row.phase == InstancePhase::backoff ? now_ : TimePoint::max();
  const auto longest = longest_wait(task, row);
  if (!longest) return TimePoint::max();
  const TimePoint due = std::clamp(*row.due, now_, now_ + *longest);
  if (due < *row.due) step_.due_changed(row.key, due);
  return due;
}

void Engine::State::fire_timers() {
  while (!timers_.empty() && timers_.begin()->first <= now_) {
    const InstanceKey key = timers_.begin()->second;
    on_due(run(key.run), key);
    settle();
  }
}

void Engine::State::on_due(Run& run, InstanceKey key) {
  InstanceState& state = run.group(key.task).instances[key.index].state;
  if (std::holds_alternative<BackingOff>(state)) {
    make_ready(run, key.task, key.index);
  } else if (std::holds_alternative<AwaitingApproval>(state)) {
    const auto& approval = std::get<workflow::Approval>(run.task(key.task).action);
    if (approval.approve_on_timeout) {
      transition(run, key.task, key.index, Succeeded{}, {.reason = "approved", .message = "nobody decided in time"});
    } else {
      run.rejected = true;
      fail_instance(run, key.task, key.index, {.reason = "rejected", .message = "nobody decided in time"});
    }
  } else {
    auto& running = std::get<RunningChild>(state);
    timers_.erase({running.deadline, key});
    set_due(state, TimePoint::max());
    step_.changed(run, key.task, key.index);
    if (const auto child = runs_.find(running.child); child != runs_.end()) cancel(child->second, "timeout");
  }
}

}  // namespace baton::engine
