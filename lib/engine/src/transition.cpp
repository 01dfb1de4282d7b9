// The one place that changes an instance's state.
#include <array>
#include <cassert>
#include <type_traits>

#include "engine_state.hpp"

namespace baton::engine {
namespace {

// Which alternative of InstanceState may follow which, by index. Rows: from; a bit per alternative: to.
enum Alternative : unsigned {
  kWaiting,
  kReady,
  kStarting,
  kRunning,
  kUnreachable,
  kBackingOff,
  kAwaiting,
  kChild,
  kSucceeded,
  kFailed,
  kSkipped,
  kUpstreamFailed,
  kCancelled,
  kAlternatives,
};
static_assert(std::variant_size_v<InstanceState> == kAlternatives);
static_assert(std::is_same_v<std::variant_alternative_t<kChild, InstanceState>, RunningChild>);
static_assert(std::is_same_v<std::variant_alternative_t<kCancelled, InstanceState>, Cancelled>);

constexpr unsigned to(std::initializer_list<Alternative> list) {
  unsigned bits = 0;
  for (const Alternative a : list) bits |= 1u << a;
  return bits;
}

// A user's `retry` takes an ended instance back to waiting; nothing else leaves an end.
constexpr std::array<unsigned, kAlternatives> kLegal{
    /* waiting  */ to({kReady, kAwaiting, kFailed, kSkipped, kUpstreamFailed, kCancelled}),
    /* ready    */ to({kStarting, kChild, kFailed, kCancelled}),
    /* starting */ to({kRunning, kUnreachable, kReady, kBackingOff, kSucceeded, kFailed, kCancelled}),
    /* running  */ to({kUnreachable, kReady, kBackingOff, kSucceeded, kFailed, kCancelled}),
    /* unreach. */ to({kStarting, kRunning, kReady, kBackingOff, kSucceeded, kFailed, kCancelled}),
    /* backoff  */ to({kReady, kCancelled}),
    /* awaiting */ to({kSucceeded, kFailed, kCancelled}),
    /* child    */ to({kReady, kBackingOff, kSucceeded, kFailed, kCancelled}),
    /* succeeded*/ to({kWaiting}),
    /* failed   */ to({kWaiting}),
    /* skipped  */ to({kWaiting}),
    /* upstream */ to({kWaiting}),
    /* cancelled*/ to({kWaiting}),
};

}  // namespace

void Engine::State::transition(Run& run, TaskIndex task, std::uint32_t index, InstanceState next, Change change) {
  Group& group = run.group(task);
  Instance& instance = group.instances[index];
  assert((kLegal[instance.state.index()] >> next.index() & 1) != 0);
  const InstanceKey key{run.key(), task, index};
  if (const TimePoint due = due_of(instance.state); due != TimePoint::max()) timers_.erase({due, key});
  if (const TimePoint due = due_of(next); due != TimePoint::max()) timers_.insert({due, key});
  const InstancePhase before = phase_of(instance.state);
  const InstancePhase after = phase_of(next);
  run.moved(task, before, after);
  instance.state = next;
  if (after == InstancePhase::ready) instance.ready_at = now_;

  InstanceChanged& record = step_.changed(run, task, index);
  record.reason = std::move(change.reason);
  record.message = std::move(change.message);
  record.ended_at = is_final(after) ? std::optional(now_) : std::nullopt;
  if (change.outputs) {
    record.outputs = *change.outputs;
    run.keep_outputs(task, index, *std::move(change.outputs));
  }
  if (is_final(after) && group.all_final()) ended_groups_.push_back({run.key(), task});
}

void Engine::State::name_instances(Run& run, TaskIndex task) {
  const auto size = static_cast<std::uint32_t>(run.group(task).instances.size());
  for (std::uint32_t i = 0; i < size; ++i) {
    InstanceChanged& record = step_.changed(run, task, i);
    record.name = run.instance_name(task, i);
    record.matrix = run.matrix_values(task, i);
  }
}

Rank Engine::State::rank(const Run& run, TaskIndex task) const {
  return {.priority = run.task(task).priority.value_or(run.created.priority),
          .run = run.key(),
          .height = run.spec->dag.height(task.value()),
          .task = task};
}

void Engine::State::make_ready(Run& run, TaskIndex task, std::uint32_t index) {
  transition(run, task, index, Ready{});
  run.group(task).ready.push_back(index);
  enqueue(run, task);
}

void Engine::State::enqueue(Run& run, TaskIndex task) {
  Group& group = run.group(task);
  if (group.place != QueuePlace::none) return;
  const workflow::TaskSpec& spec = run.task(task);
  const bool is_uses = std::holds_alternative<workflow::UsesWorkflow>(spec.action);
  group.shape = queue_.intern(is_uses ? Shape{.resources = {}, .runs_on = {}, .run_depth = run.depth + 1}
                                      : Shape{.resources = spec.resources, .runs_on = spec.runs_on});
  queue_.push(group.shape, rank(run, task));
  group.place = QueuePlace::queued;
}

void Engine::State::dequeue(Run& run, TaskIndex task) {
  Group& group = run.group(task);
  if (group.place == QueuePlace::queued) queue_.erase(group.shape, rank(run, task));
  if (group.place == QueuePlace::parked) {
    const Blocker behind = *queue_.parked_on(rank(run, task));
    queue_.unpark(rank(run, task));
    freed(behind);  // who comes after it may want less, and have room
  }
  pass_on(rank(run, task));
  group.place = QueuePlace::none;
  group.ready.clear();
}

}  // namespace baton::engine
