// Every invariant of the engine's memory. Called by tests after each step.
#include <cassert>

#include "engine_state.hpp"

namespace baton::engine {

void Engine::State::check() const {
  assert(ended_groups_.empty() && ended_runs_.empty() && restored_.empty());
  for (const auto& [key, run] : runs_) {
    assert(run.key() == key);
    check_run(run);
  }
  check_queued_runs();
  check_attempts();
  check_limits();
  for (const auto& [due, key] : timers_) {
    const InstanceState& state = runs_.at(key.run).group(key.task).instances[key.index].state;
    assert(due_of(state) == due);
  }
}

void Engine::State::check_run(const Run& run) const {
  // A run that has ended is not in memory, and one in memory has something left to do.
  assert(!is_final(run.state.state) && run.pending > 0);
  assert(run.record == 0);
  std::array<std::uint32_t, kInstancePhases> counts{};
  std::uint32_t pending = 0;
  std::uint32_t main_pending = 0;
  std::uint64_t output_bytes = 0;
  for (std::uint32_t t = 0; t < run.groups.size(); ++t) {
    const Group& group = run.groups[t];
    check_group(run, TaskIndex(t));
    for (const auto& [index, outputs] : group.outputs) {
      for (const auto& [name, value] : outputs) output_bytes += name.size() + value.size();
    }
    for (std::size_t phase = 0; phase < kInstancePhases; ++phase) counts[phase] += group.counts[phase];
    if (group.all_final()) continue;
    ++pending;
    if (t < run.spec->finally_begin) ++main_pending;
    if (run.state.state == RunState::queued) assert(group.active_count() == 0);
  }
  assert(pending == run.pending && main_pending == run.main_pending && counts == run.counts &&
         output_bytes == run.output_bytes);
}

// Who is queued really has to wait: for the limit, or for one before it.
void Engine::State::check_queued_runs() const {
  std::size_t queued = 0;
  for (const auto& [workflow, keys] : queued_runs_) {
    assert(!keys.empty());
    queued += keys.size();
    const std::size_t running = running_runs(workflow);
    for (const RunKey key : keys) {
      const Run& run = runs_.at(key);
      assert(run.state.state == RunState::queued && run.spec->name == workflow);
      if (key == *keys.begin() || !keeps_order(run)) assert(!may_start(run, running));
    }
  }
  for (const auto& [key, run] : runs_) queued -= run.state.state == RunState::queued ? 1 : 0;
  assert(queued == 0);
}

void Engine::State::check_group(const Run& run, TaskIndex task) const {
  const Group& group = run.group(task);
  const workflow::TaskSpec& spec = run.task(task);
  assert(!group.instances.empty());
  std::array<std::uint32_t, kInstancePhases> counts{};
  for (std::uint32_t i = 0; i < group.instances.size(); ++i) {
    ++counts[static_cast<std::size_t>(phase_of(group.instances[i].state))];
    assert(group.instances[i].record == 0);
    assert(group.instances[i].retries_from <= group.instances[i].attempts);
    check_instance(run, {run.key(), task, i});
  }
  assert(counts == group.counts);
  std::uint32_t pending = 0;
  for (const TaskIndex need : spec.needs) pending += run.group(need).all_final() ? 0 : 1;
  assert(pending == group.pending_needs);
  // Nothing begins before what it needs has ended, `finally` tasks not before everything else.
  if (pending > 0) assert(group.final_count() + group.count(InstancePhase::waiting) == group.instances.size());
  if (spec.is_finally && run.main_pending > 0 && !run.state.cancel_requested) {
    assert(group.final_count() + group.count(InstancePhase::waiting) == group.instances.size());
  }
  if (spec.max_parallel != 0) assert(group.active_count() <= spec.max_parallel);
  // After a cancel nothing is left that could start.
  if (run.state.cancel_requested) {
    assert(group.count(InstancePhase::waiting) == 0 && group.count(InstancePhase::ready) == 0);
    assert(group.count(InstancePhase::backoff) == 0 && group.count(InstancePhase::awaiting_approval) == 0);
  }
  if (group.count(InstancePhase::ready) > 0) assert(group.place != QueuePlace::none);
  if (group.place == QueuePlace::queued) assert(queue_.is_queued(group.shape, rank(run, task)));
  if (group.place == QueuePlace::parked) assert(queue_.parked_on(rank(run, task)).has_value());
}

void Engine::State::check_instance(const Run& run, InstanceKey key) const {
  const InstanceState& state = run.group(key.task).instances[key.index].state;
  AttemptId attempt;
  if (const auto* starting = std::get_if<Starting>(&state)) attempt = starting->attempt;
  if (const auto* running = std::get_if<Running>(&state)) attempt = running->attempt;
  if (const auto* unreachable = std::get_if<Unreachable>(&state)) attempt = unreachable->attempt;
  if (attempt.value() != 0) {
    const auto found = attempts_.find(attempt);
    assert(found != attempts_.end() && found->second.key == key);
    if (std::holds_alternative<Running>(state)) assert(found->second.started_at.has_value());
    if (std::holds_alternative<Starting>(state)) assert(!found->second.started_at.has_value());
  }
  if (const auto* child = std::get_if<RunningChild>(&state)) assert(runs_.contains(child->child));
}

void Engine::State::check_attempts() const {
  std::size_t with_workers = 0;
  for (const auto& [key, run] : runs_) with_workers += run.active_count();
  std::size_t children = 0;
  for (const auto& [key, run] : runs_) {
    for (const Group& group : run.groups) {
      for (const Instance& instance : group.instances)
        children += std::holds_alternative<RunningChild>(instance.state) ? 1 : 0;
    }
  }
  assert(with_workers == attempts_.size() + children);
  for (const auto& [id, attempt] : attempts_) {
    assert(id == attempt.id && id <= counters_.last_attempt && attempt.record == 0);
    assert(attempt.number == runs_.at(attempt.key.run).group(attempt.key.task).instances[attempt.key.index].attempts);
  }
}

// Who is first behind something really has to wait for it, or it is looked at again with the next step.
void Engine::State::check_parked() const {
  const Occupancy held(runs_, attempts_, workers_);
  for (const Blocker& blocker : queue_.blockers()) {
    const auto head = queue_.first_parked(blocker, std::vector<bool>(queue_.shapes()));
    assert(freed_.contains(blocker) || is_taken(blocker, runs_.at(head->rank.run), head->rank.task, held));
  }
  assert(woken_.empty());  // each of them has started, or has found what it has to wait for
}

void Engine::State::check_limits() const {
  std::map<std::string, std::int64_t> pools;
  std::map<std::string, int> environments;
  for (const auto& [id, attempt] : attempts_) {
    for (const auto& [pool, slots] : runs_.at(attempt.key.run).task(attempt.key.task).pools) {
      pools[pool] += std::min(slots, pool_size(pool));
    }
    if (!attempt.environment.empty()) ++environments[attempt.environment];
  }
  for (const auto& [pool, used] : pools) assert(used <= pool_size(pool) || pools_.contains(pool));
  for (const auto& [name, holders] : environments) assert(holders == 1);
  check_parked();
}

}  // namespace baton::engine
