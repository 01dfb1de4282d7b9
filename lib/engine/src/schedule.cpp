// Fills free slots: who is next, whether something beside a worker keeps it back, and where it goes.
#include <baton/base/limits.hpp>
#include <baton/base/mutation.hpp>

#include <algorithm>
#include <cassert>

#include "engine_state.hpp"
#include "launch.hpp"

namespace baton::engine {

void Engine::State::schedule() {
  if (!queue_.any_queued() && freed_.empty()) return;
  Occupancy held(runs_, attempts_, workers_);
  std::vector<bool> exhausted(queue_.shapes());
  while (true) {
    wake_parked(held, exhausted);
    const auto head = queue_.first(exhausted);
    if (!head) return;
    if (!start_next(*head, held)) exhausted[head->shape] = true;
    settle();
    exhausted.resize(queue_.shapes());
  }
}

// Wakes the first group behind each thing that may be free, and keeps an eye on it: when the group leaves the queue,
// for whatever reason, or has to wait for a worker, it may be the next one's turn. Groups that no worker has room for
// now are left parked, and the thing is looked at again next time.
void Engine::State::wake_parked(const Occupancy& held, const std::vector<bool>& exhausted) {
  std::erase_if(woken_, [&](const auto& woken) {
    const auto& [rank, blocker] = woken;
    if (!exhausted[run(rank.run).group(rank.task).shape]) return false;
    freed(blocker);  // another one of its shape may have found that no worker has room
    return true;
  });
  for (auto at = freed_.begin(); at != freed_.end();) {
    const Blocker& blocker = *at;
    const auto head = queue_.first_parked(blocker, exhausted);
    if (!head && queue_.holds_any(blocker)) {
      ++at;
      continue;
    }
    if (head && is_taken(blocker, run(head->rank.run), head->rank.task, held)) {
      // One before it that was left out may want less.
      const bool is_first = queue_.first_parked(blocker, std::vector<bool>(queue_.shapes()))->rank == head->rank;
      at = is_first ? freed_.erase(at) : std::next(at);
      continue;
    }
    if (head) {
      queue_.wake(head->rank);
      run(head->rank.run).group(head->rank.task).place = QueuePlace::queued;
      woken_.emplace(head->rank, blocker);
    }
    at = freed_.erase(at);
  }
}

void Engine::State::freed(const Blocker& blocker) {
  if (queue_.holds_any(blocker)) freed_.insert(blocker);
}

// A group that was woken has had its chance.
void Engine::State::pass_on(const Rank& rank) {
  const auto found = woken_.find(rank);
  if (found == woken_.end()) return;
  freed(found->second);
  woken_.erase(found);
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
    fail_instance(owner, task, index, {.reason = "invalid_expression", .message = environment.error().message});
    return true;
  }
  if (const auto found = blocker(owner, task, held, *environment)) {
    queue_.park(*found, head.shape, head.rank);
    group.place = QueuePlace::parked;
    pass_on(head.rank);
    return true;
  }
  const Shape& shape = queue_.shape(head.shape);
  bool ahead = false;
  const auto worker = shape.on_worker() ? place(shape, held, ahead) : std::nullopt;
  if (shape.on_worker() ? !worker : is_full(shape.run_depth)) return false;
  group.ready.pop_front();
  leave_queue_if_empty(owner, task);
  if (!worker) {
    start_child(owner, task, index);
  } else if (launch(owner, task, index, *worker, *environment)) {
    if (ahead) held.take_ahead(*worker);
    held.take(owner.task(task), *worker, *environment);
  }
  return true;
}

void Engine::State::leave_queue_if_empty(Run& run, TaskIndex task) {
  Group& group = run.group(task);
  if (!group.ready.empty() || group.place != QueuePlace::queued) return;
  queue_.erase(group.shape, rank(run, task));
  group.place = QueuePlace::none;
  pass_on(rank(run, task));
}

std::optional<Blocker> Engine::State::blocker(const Run& run, TaskIndex task_index, const Occupancy& held,
                                              const std::string& environment) const {
  using Kind = Blocker::Kind;
  const workflow::TaskSpec& task = run.task(task_index);
  std::vector<Blocker> shared;
  if (task.max_parallel != 0) shared.push_back({Kind::task_limit, {run.key(), task_index}, ""});
  if (run.spec->max_active_tasks != 0) shared.push_back({Kind::run_limit, {run.key(), TaskIndex(0)}, ""});
  for (const auto& [name, slots] : task.pools) shared.push_back({Kind::pool, {}, name});
  if (!environment.empty()) shared.push_back({Kind::environment, {}, environment});
  const auto found =
      std::ranges::find_if(shared, [&](const Blocker& blocker) { return is_taken(blocker, run, task_index, held); });
  return found == shared.end() ? std::nullopt : std::optional(*found);
}

// Whether there is no room for one more of the task.
bool Engine::State::is_taken(const Blocker& blocker, const Run& run, TaskIndex task, const Occupancy& held) const {
  const workflow::TaskSpec& spec = run.task(task);
  switch (blocker.kind) {
    case Blocker::Kind::task_limit:
      return spec.max_parallel != 0 && run.group(task).active_count() >= spec.max_parallel;
    case Blocker::Kind::run_limit:
      return run.spec->max_active_tasks != 0 && run.active_count() >= run.spec->max_active_tasks;
    case Blocker::Kind::pool: {
      if (mutated(Mutation::ignore_pool)) return false;
      const std::int64_t size = pool_size(blocker.name);
      const auto wanted = spec.pools.find(blocker.name);
      const std::int64_t slots = wanted == spec.pools.end() ? 1 : wanted->second;
      return size <= 0 || held.pool_used(blocker.name) + std::min(slots, size) > size;
    }
    case Blocker::Kind::environment:
      return held.environment_held(blocker.name);
  }
  return false;
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
    const std::int64_t free = worker.capacity.cpu_milli - held.cpu_milli_given(id);
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

// False: it could not be built, and the instance has failed.
bool Engine::State::launch(Run& run, TaskIndex task, std::uint32_t index, WorkerId worker,
                           const std::string& environment) {
  Instance& instance = run.group(task).instances[index];
  ActiveAttempt attempt{.id = AttemptId(counters_.last_attempt.value() + 1),
                        .key = {run.key(), task, index},
                        .worker = worker,
                        .worker_name = workers_.at(worker).name,
                        .number = instance.attempts + 1,
                        .created_at = now_,
                        .started_at = std::nullopt,
                        .log = {},
                        .environment = environment};
  auto built = build_launch(run, attempt);
  if (!built) {
    fail_instance(run, task, index, {.reason = "invalid_expression", .message = built.error().message});
    return false;
  }
  counters_.last_attempt = attempt.id;
  ++instance.attempts;
  transition(run, task, index, Starting{attempt.id, worker});
  ActiveAttempt& placed = attempts_.emplace(attempt.id, std::move(attempt)).first->second;
  step_.changed(placed, to_record(placed));
  step_.effect(*std::move(built));
  return true;
}

}  // namespace baton::engine
