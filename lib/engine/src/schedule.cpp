// Fills free slots: who is next, whether something beside a worker keeps it back, and where it goes.
#include <baton/base/limits.hpp>

#include <algorithm>
#include <cassert>

#include "engine_state.hpp"
#include "launch.hpp"

namespace baton::engine {

void Engine::State::schedule() {
  if (!queue_.any_queued()) return;
  Occupancy held(runs_, attempts_, workers_);
  std::vector<bool> exhausted(queue_.shapes());
  while (const auto head = queue_.first(exhausted)) {
    if (!start_next(*head, held)) exhausted[head->shape] = true;
    settle();
    exhausted.resize(queue_.shapes());
  }
}

// Starts, parks or drops the head; false if nothing of its shape can start now.
bool Engine::State::start_next(const ReadyQueue::Head& head, Occupancy& held) {
  Run& owner = run(head.rank.run);
  const TaskIndex task = head.rank.task;
  Group& group = owner.group(task);
  while (!group.ready.empty() && !std::holds_alternative<Ready>(group.instances[group.ready.front()].state)) {
    group.ready.pop_front();
  }
  if (group.ready.empty()) {
    leave_queue_if_empty(owner, task);
    return true;
  }
  const std::uint32_t index = group.ready.front();
  auto environment = exclusive_environment(owner, task, index);
  if (!environment) {
    group.ready.pop_front();
    leave_queue_if_empty(owner, task);
    transition(owner, task, index, Failed{}, {.reason = "invalid_expression", .message = environment.error().message});
    return true;
  }
  if (const auto found = blocker(owner, task, held, *environment)) {
    queue_.park(*found, head.shape, head.rank);
    group.place = QueuePlace::parked;
    return true;
  }
  const Shape& shape = queue_.shape(head.shape);
  bool ahead = false;
  const auto worker = shape.on_worker ? place(shape, held, ahead) : std::nullopt;
  if (shape.on_worker ? !worker : runs_.size() >= limits::kActiveRuns) {
    unpark_beside(owner, task);
    return false;
  }
  group.ready.pop_front();
  leave_queue_if_empty(owner, task);
  if (!worker) {
    start_child(owner, task, index);
  } else {
    if (ahead) held.take_ahead(*worker);
    held.take(owner.task(task), *worker, *environment);
    launch(owner, task, index, *worker, *std::move(environment));
  }
  unpark_beside(owner, task);
  return true;
}

void Engine::State::leave_queue_if_empty(Run& run, TaskIndex task) {
  Group& group = run.group(task);
  if (!group.ready.empty() || group.place != QueuePlace::queued) return;
  queue_.erase(group.shape, rank(run, task));
  group.place = QueuePlace::none;
}

void Engine::State::unpark(const Blocker& blocker) {
  if (const auto released = queue_.release(blocker))
    run(released->run).group(released->task).place = QueuePlace::queued;
}

// What this task shares with others may have room for the next of them.
void Engine::State::unpark_beside(const Run& run, TaskIndex task) {
  unpark({Blocker::Kind::run_limit, {run.key(), TaskIndex(0)}, ""});
  for (const auto& [pool, slots] : run.task(task).pools) unpark({Blocker::Kind::pool, {}, pool});
}

std::optional<Blocker> Engine::State::blocker(const Run& run, TaskIndex task_index, const Occupancy& held,
                                              const std::string& environment) const {
  using Kind = Blocker::Kind;
  const workflow::TaskSpec& task = run.task(task_index);
  if (task.max_parallel != 0 && run.group(task_index).active_count() >= task.max_parallel) {
    return Blocker{Kind::task_limit, {run.key(), task_index}, ""};
  }
  if (run.spec->max_active_tasks != 0 && run.active_count() >= run.spec->max_active_tasks) {
    return Blocker{Kind::run_limit, {run.key(), TaskIndex(0)}, ""};
  }
  for (const auto& [name, slots] : task.pools) {
    const std::int64_t size = pool_size(name);
    if (held.pool_used(name) + std::min(slots, size) > size) return Blocker{Kind::pool, {}, name};
  }
  if (!environment.empty() && held.environment_held(environment)) return Blocker{Kind::environment, {}, environment};
  return std::nullopt;
}

std::int64_t Engine::State::pool_size(const std::string& pool) const {
  const auto found = pools_.find(pool);
  return found == pools_.end() ? 1 : found->second;
}

// The worker with the most free cores among those that fit; else, if only one worker could ever run it and its attempts
// are short, a place in that worker's own queue, so that the next slot is filled without waiting for us.
std::optional<WorkerId> Engine::State::place(const Shape& shape, const Occupancy& held, bool& ahead) const {
  std::optional<WorkerId> best;
  std::int64_t best_free = 0;
  std::optional<WorkerId> only;
  std::size_t able = 0;
  for (const auto& [id, worker] : workers_) {
    if (!worker.online || !Occupancy::could_run(worker, shape.resources, shape.runs_on)) continue;
    ++able;
    only = id;
    if (!held.fits(id, worker, shape.resources)) continue;
    const std::int64_t free = worker.capacity.cpu_milli - held.usage(id).used.cpu_milli;
    if (!best || free > best_free) {
      best = id;
      best_free = free;
    }
  }
  if (best) return best;
  if (able != 1 || held.ahead(*only) >= allowed_ahead(workers_.at(*only))) return std::nullopt;
  ahead = true;
  return only;
}

// As many as the worker gets through in kHorizon, which covers a commit and a round trip.
std::uint32_t Engine::State::allowed_ahead(const WorkerState& worker) const {
  constexpr Duration kHorizon = std::chrono::milliseconds(20);
  constexpr Duration kShort = std::chrono::seconds(1);
  constexpr std::uint32_t kSamples = 2;
  if (worker.ended_attempts < kSamples || worker.usual_duration >= kShort) return 0;
  const std::int64_t slots = std::max<std::int64_t>(1, worker.capacity.cpu_milli / 1000);
  const std::int64_t wanted = 1 + slots * kHorizon.count() / std::max<std::int64_t>(1, worker.usual_duration.count());
  return static_cast<std::uint32_t>(std::min<std::int64_t>(wanted, options_.launch_ahead));
}

void Engine::State::launch(Run& run, TaskIndex task, std::uint32_t index, WorkerId worker, std::string environment) {
  Instance& instance = run.group(task).instances[index];
  ActiveAttempt attempt{.id = AttemptId(counters_.last_attempt.value() + 1),
                        .key = {run.key(), task, index},
                        .worker = worker,
                        .worker_name = workers_.at(worker).name,
                        .number = instance.attempts + 1,
                        .created_at = now_,
                        .started_at = std::nullopt,
                        .log = {},
                        .environment = std::move(environment)};
  auto built = build_launch(run, attempt);
  if (!built) {
    transition(run, task, index, Failed{}, {.reason = "invalid_expression", .message = built.error().message});
    return;
  }
  counters_.last_attempt = attempt.id;
  ++instance.attempts;
  transition(run, task, index, Starting{attempt.id, worker});
  ActiveAttempt& placed = attempts_.emplace(attempt.id, std::move(attempt)).first->second;
  step_.changed(placed, to_record(placed));
  step_.effect(*std::move(built));
}

}  // namespace baton::engine
