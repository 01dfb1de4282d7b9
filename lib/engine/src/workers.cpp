// Workers come and go; what was with them is reconciled with what they know.
#include <baton/base/mutation.hpp>

#include <algorithm>
#include <cassert>

#include "engine_state.hpp"
#include "launch.hpp"

namespace baton::engine {

void Engine::State::on(WorkersConfigured& event) {
  for (auto& [id, name] : event.names) workers_[id].name = std::move(name);
  workers_configured_ = true;
}

void Engine::State::on(AttemptsLeftAlone& event) { left_alone_.insert(event.attempts.begin(), event.attempts.end()); }

void Engine::State::on(WorkerUp& event) {
  WorkerState& worker = workers_[event.worker];
  worker.name = event.name;
  worker.labels = event.labels;
  std::sort(worker.labels.begin(), worker.labels.end());
  worker.capacity = event.capacity;
  worker.online = true;

  std::map<AttemptId, const WorkerUp::Known*> known;
  for (const WorkerUp::Known& entry : event.inventory) known.emplace(entry.attempt, &entry);
  std::vector<AttemptId> ours;
  for (auto& [id, attempt] : attempts_) {
    if (attempt.worker == kNoWorker && attempt.worker_name == event.name) attempt.worker = event.worker;
    if (attempt.worker == event.worker) ours.push_back(id);
  }
  for (const AttemptId id : ours) {
    const auto found = known.find(id);
    reconcile(attempts_.at(id), event, found == known.end() ? nullptr : found->second);
    if (found != known.end()) known.erase(found);
  }
  // What is left ended here while the worker could not be told, or was never ours.
  for (const auto& [id, entry] : known) {
    if (left_alone_.contains(id)) continue;
    step_.effect(Kill{event.worker, id});
    step_.effect(Forget{event.worker, id});
  }
}

void Engine::State::reconcile(ActiveAttempt& attempt, const WorkerUp& event, const WorkerUp::Known* known) {
  Run& owner = run(attempt.key.run);
  const InstanceState& state = owner.group(attempt.key.task).instances[attempt.key.index].state;
  const bool had_started = attempt.started_at.has_value();
  if (known == nullptr && (had_started || event.rebooted)) {
    lose(attempt.id, event.rebooted ? fmt::format("{} was booted anew", event.name)
                                    : fmt::format("{} knows nothing of it any more", event.name));
    return;
  }
  if (std::holds_alternative<Unreachable>(state)) {
    const InstanceState back = had_started ? InstanceState(Running{attempt.id, event.worker})
                                           : InstanceState(Starting{attempt.id, event.worker});
    transition(owner, attempt.key.task, attempt.key.index, back);
  } else if (auto* starting =
                 std::get_if<Starting>(&owner.group(attempt.key.task).instances[attempt.key.index].state)) {
    starting->worker = event.worker;
  } else if (auto* running = std::get_if<Running>(&owner.group(attempt.key.task).instances[attempt.key.index].state)) {
    running->worker = event.worker;
  }
  if (owner.must_stop(attempt.key.task) && !(mutated(Mutation::launch_after_cancel) && known == nullptr)) {
    // Also where the worker never heard of it: it remembers the id and answers that it is cancelled.
    step_.effect(Kill{event.worker, attempt.id});
  } else if (known == nullptr) {
    auto again = build_launch(owner, attempt);
    if (again) {
      step_.effect(*std::move(again));
    } else {
      lose(attempt.id, again.error().message);
    }
  }
}

void Engine::State::on(WorkerDown& event) {
  const auto worker = workers_.find(event.worker);
  if (worker == workers_.end()) return;
  worker->second.online = false;
  for (auto& [id, attempt] : attempts_) {
    if (attempt.worker != event.worker) continue;
    Run& owner = run(attempt.key.run);
    const InstanceState& state = owner.group(attempt.key.task).instances[attempt.key.index].state;
    if (std::holds_alternative<Unreachable>(state)) continue;
    transition(owner, attempt.key.task, attempt.key.index,
               Unreachable{id, event.worker, attempt.started_at.has_value()},
               {.reason = worker->second.name + " is out of touch"});
  }
}

void Engine::State::on(PoolsChanged& event) {
  pools_ = std::move(event.pools);
  for (const Blocker& blocker : queue_.blockers()) freed(blocker);
}

}  // namespace baton::engine
