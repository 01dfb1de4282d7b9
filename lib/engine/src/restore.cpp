// Runs out of the store: at start, or one that is to be retried.
#include <algorithm>
#include <cassert>

#include "engine_state.hpp"
#include "launch.hpp"

namespace baton::engine {
namespace {

// Restored from its instance's row; the attempt's row has yet to come.
bool lacks_attempt(const InstanceState& state) {
  const auto* starting = std::get_if<Starting>(&state);
  const auto* unreachable = std::get_if<Unreachable>(&state);
  return (starting != nullptr && starting->attempt.value() == 0) ||
         (unreachable != nullptr && unreachable->attempt.value() == 0);
}

}  // namespace

void Engine::State::on(RunRestored& event) {
  const RunKey key = event.snapshot.created.run;
  if (runs_.contains(key)) return;
  Run& restored =
      insert_run(make_run(std::move(event.snapshot.created), event.snapshot.state, std::move(event.workflow)));
  restored.created.tasks.clear();
  counters_.last_run = std::max(counters_.last_run, key);
  auto& number = counters_.run_numbers[restored.spec->name];
  number = std::max(number, restored.created.number);
  restore_instances(restored, event.snapshot);
  restore_attempts(restored, event.snapshot);
  restored_.push_back(key);
}

void Engine::State::restore_instances(Run& run, RunSnapshot& snapshot) {
  for (TaskExpanded& expanded : snapshot.expansions) {
    if (expanded.task.value() >= run.groups.size() || expanded.combos.is_null()) continue;
    auto combos = workflow::MatrixCombos::from_json(expanded.combos);
    if (!combos || combos->size() == 0) continue;  // the store checked it; without it the task expands again
    Group& group = run.group(expanded.task);
    group.expanded = std::make_shared<const workflow::MatrixCombos>(*std::move(combos));
    run.reset_group(expanded.task, group.expanded->size());
  }
  for (InstanceChanged& row : snapshot.instances) {
    if (row.key.task.value() >= run.groups.size()) continue;
    Group& group = run.group(row.key.task);
    if (row.key.index >= group.instances.size()) continue;
    Instance& instance = group.instances[row.key.index];
    instance.attempts = row.attempts;
    instance.retries_from = row.retries_from;
    instance.ready_at = row.ready_at.value_or(TimePoint{});
    if (row.outputs) run.keep_outputs(row.key.task, row.key.index, *std::move(row.outputs));
    if (row.reason == "rejected") run.rejected = true;
    const auto put = [&](InstanceState state) {
      run.moved(row.key.task, phase_of(instance.state), phase_of(state));
      instance.state = state;
      if (const TimePoint due = due_of(state); due != TimePoint::max()) timers_.insert({due, row.key});
    };
    const workflow::TaskSpec& task = run.task(row.key.task);
    switch (row.phase) {
      case InstancePhase::waiting:
        break;
      case InstancePhase::ready:
        put(Ready{});
        break;
      case InstancePhase::starting:
      case InstancePhase::running:
      case InstancePhase::unreachable:
        if (row.child.value() != 0 && std::holds_alternative<workflow::UsesWorkflow>(task.action)) {
          put(RunningChild{row.child, restored_due(task, row)});
        } else if (row.phase == InstancePhase::unreachable) {
          put(Unreachable{AttemptId(0), kNoWorker, false});
        } else {
          put(Starting{AttemptId(0), kNoWorker});  // restore_attempts says which
        }
        break;
      case InstancePhase::backoff:
        put(BackingOff{restored_due(task, row)});
        break;
      case InstancePhase::awaiting_approval:
        put(AwaitingApproval{restored_due(task, row)});
        break;
      case InstancePhase::succeeded:
        put(Succeeded{});
        break;
      case InstancePhase::failed:
        put(Failed{});
        break;
      case InstancePhase::skipped:
        put(Skipped{});
        break;
      case InstancePhase::upstream_failed:
        put(UpstreamFailed{});
        break;
      case InstancePhase::cancelled:
        put(Cancelled{});
        break;
    }
  }
}

void Engine::State::restore_attempts(Run& run, const RunSnapshot& snapshot) {
  for (const AttemptChanged& row : snapshot.attempts) {
    if (row.key.task.value() >= run.groups.size()) continue;
    Group& group = run.group(row.key.task);
    if (row.key.index >= group.instances.size()) continue;
    Instance& instance = group.instances[row.key.index];
    if (!lacks_attempt(instance.state)) continue;
    counters_.last_attempt = std::max(counters_.last_attempt, row.id);
    ActiveAttempt attempt{.id = row.id,
                          .key = row.key,
                          .worker = kNoWorker,
                          .worker_name = row.worker,
                          .number = row.number,
                          .created_at = row.created_at,
                          .started_at = row.started_at,
                          .log = row.log,
                          .environment = {}};
    for (const auto& [id, worker] : workers_) {
      if (worker.name == row.worker) attempt.worker = id;
    }
    const WorkerId worker = attempt.worker;
    attempts_.emplace(row.id, std::move(attempt));
    if (std::holds_alternative<Unreachable>(instance.state)) {
      instance.state = Unreachable{row.id, worker, row.started_at.has_value()};
    } else if (!row.started_at) {
      instance.state = Starting{row.id, worker};
    } else {
      run.moved(row.key.task, InstancePhase::starting, InstancePhase::running);
      instance.state = Running{row.id, worker};
    }
  }
}

// What is not stored, from what is.
void Engine::State::derive_counts(Run& run) {
  run.pending = 0;
  run.main_pending = 0;
  for (std::uint32_t t = 0; t < run.groups.size(); ++t) {
    Group& group = run.groups[t];
    if (!group.all_final()) {
      ++run.pending;
      if (t < run.spec->finally_begin) ++run.main_pending;
    }
    group.pending_needs = 0;
    for (const TaskIndex need : run.spec->tasks[t].needs) {
      if (!run.group(need).all_final()) ++group.pending_needs;
    }
    // Activation decides about every instance in one step, so none is left waiting by it.
    group.activated = group.count(InstancePhase::waiting) == 0;
  }
}

// With everything restored: goes on with what the last step left to do.
void Engine::State::settle_restored(RunKey key) {
  const auto found = runs_.find(key);
  if (found == runs_.end()) return;
  Run& restored = found->second;
  if (is_final(restored.state.state)) {  // nobody asked for a retry
    erase_run(key);
    return;
  }
  derive_counts(restored);
  restore_live(restored);
  strand(restored);
  if (restored.pending == 0) {  // also of a retry that was cancelled in this step
    ended_runs_.push_back(key);
  } else if (restored.state.state == RunState::queued) {
    admit(restored);
  } else {
    for (std::uint32_t t = 0; t < restored.groups.size(); ++t) {
      const Group& group = restored.groups[t];
      const bool its_turn = t < restored.spec->finally_begin || restored.main_pending == 0;
      if (group.pending_needs == 0 && !group.activated && its_turn) activate(restored, TaskIndex(t));
    }
  }
  settle();
}

// What is with a worker that is not configured any more may come back with a later start; a cancel does not wait for
// it.
void Engine::State::strand(Run& restored) {
  std::vector<AttemptId> stranded;
  for (const auto& [id, attempt] : attempts_) {
    if (attempt.key.run == restored.key() && is_stranded(attempt)) stranded.push_back(id);
  }
  for (const AttemptId id : stranded) {
    const ActiveAttempt& attempt = attempts_.at(id);
    if (restored.must_stop(attempt.key.task)) {
      lose(id, fmt::format("worker {} is not configured any more", attempt.worker_name));
    } else if (!std::holds_alternative<Unreachable>(
                   restored.group(attempt.key.task).instances[attempt.key.index].state)) {
      transition(restored, attempt.key.task, attempt.key.index,
                 Unreachable{id, kNoWorker, attempt.started_at.has_value()},
                 {.reason = fmt::format("worker {} is not configured any more", attempt.worker_name)});
    }
  }
}

// Ready instances queue again, environments are held again, and what lost its other half ends.
void Engine::State::restore_live(Run& restored) {
  for (std::uint32_t t = 0; t < restored.groups.size(); ++t) {
    const TaskIndex task(t);
    Group& group = restored.groups[t];
    for (std::uint32_t i = 0; i < group.instances.size(); ++i) {
      const InstanceState state = group.instances[i].state;
      const auto* child = std::get_if<RunningChild>(&state);
      if (std::holds_alternative<Ready>(state)) {
        group.ready.push_back(i);
        enqueue(restored, task);
      } else if (lacks_attempt(state)) {
        transition(restored, task, i, Failed{},
                   {.reason = "worker_lost", .message = "its attempt is not in the database"});
      } else if (child != nullptr && !runs_.contains(child->child)) {
        transition(restored, task, i, Failed{}, {.reason = "worker_lost", .message = "its run is not in the database"});
      }
    }
  }
  for (auto& [id, attempt] : attempts_) {
    if (attempt.key.run != restored.key()) continue;
    // It evaluated when the attempt was made; the same values give the same name.
    attempt.environment = exclusive_environment(restored, attempt.key.task, attempt.key.index).value_or("");
  }
}

}  // namespace baton::engine
