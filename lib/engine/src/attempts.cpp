// What workers say about attempts. A worker is not trusted: it may speak only of attempts that are with it.
#include "attempts.hpp"

#include <baton/base/mutation.hpp>

#include <algorithm>
#include <cassert>

#include "engine_state.hpp"

namespace baton::engine {
namespace {

using workflow::FailureClass;
using workflow::FailureKind;

// Only these reach the run's tables as exit codes; the class says the rest.
AttemptState attempt_state(const FailureClass& failure) {
  if (failure.kind == FailureKind::none) return AttemptState::succeeded;
  return failure.kind == FailureKind::cancelled ? AttemptState::cancelled : AttemptState::failed;
}

// A moving average in which the last attempt counts for an eighth.
void note_duration(WorkerState& worker, const AttemptEnded& event) {
  if (!event.started_at || event.ended_at < *event.started_at) return;
  const Duration took = event.ended_at - *event.started_at;
  worker.usual_duration = worker.ended_attempts == 0 ? took : (worker.usual_duration * 7 + took) / 8;
  ++worker.ended_attempts;
}

void drop_undeclared(AttemptEnded& event, const workflow::TaskSpec& task) {
  std::erase_if(event.outputs, [&](const auto& output) {
    return std::find(task.outputs.begin(), task.outputs.end(), output.first) == task.outputs.end();
  });
}

}  // namespace

void Engine::State::on(AttemptStarted& event) {
  const auto found = attempts_.find(event.attempt);
  if (found == attempts_.end() || found->second.worker != event.worker || found->second.started_at) return;
  ActiveAttempt& attempt = found->second;
  attempt.started_at = event.at;
  attempt.log = event.log;
  Run& owner = run(attempt.key.run);
  transition(owner, attempt.key.task, attempt.key.index, Running{attempt.id, attempt.worker});
  step_.changed(attempt, to_record(attempt));
}

void Engine::State::on(AttemptEnded& event) {
  const auto found = attempts_.find(event.attempt);
  if (found == attempts_.end()) {
    if (left_alone_.contains(event.attempt)) return;
    // Its end is committed, or is being committed before this effect: the worker repeats itself.
    step_.effect(Forget{event.worker, event.attempt});
    return;
  }
  if (found->second.worker != event.worker) return;
  ActiveAttempt attempt = std::move(found->second);
  attempts_.erase(found);
  if (const auto worker = workers_.find(event.worker); worker != workers_.end()) note_duration(worker->second, event);

  Run& owner = run(attempt.key.run);
  drop_undeclared(event, owner.task(attempt.key.task));
  if (const Result<> room = owner.check_room_for(event.outputs); !room && event.failure.kind == FailureKind::none) {
    event.failure = {FailureKind::missing_output, 0};
    event.message = room.error().message;
  }
  AttemptChanged record = to_record(attempt);
  record.state = attempt_state(event.failure);
  record.failure = event.failure;
  record.exit_code = event.exit_code;
  record.message = event.message;
  if (event.started_at) record.started_at = event.started_at;
  record.ended_at = event.ended_at;
  record.log = event.log;
  record.user_us = event.user_us;
  record.system_us = event.system_us;
  record.max_rss_bytes = event.max_rss_bytes;
  step_.changed(attempt, std::move(record));

  conclude(owner, attempt.key, event);
  release_blockers(attempt, owner);
  step_.effect(Forget{event.worker, event.attempt});
}

void Engine::State::conclude(Run& run, InstanceKey key, AttemptEnded& event) {
  if (event.failure.kind == FailureKind::none) {
    Change change;
    if (!run.task(key.task).outputs.empty()) change.outputs = std::move(event.outputs);
    transition(run, key.task, key.index, Succeeded{}, std::move(change));
    return;
  }
  const bool tries_on = mutated(Mutation::retry_after_cancel) && event.failure.kind != FailureKind::cancelled;
  if ((run.must_stop(key.task) && !tries_on) || event.failure.kind == FailureKind::cancelled) {
    const bool fail_fast = !run.state.cancel_requested && run.must_stop(key.task);
    transition(run, key.task, key.index, Cancelled{}, {.reason = fail_fast ? "fail_fast" : ""});
    return;
  }
  retry_or_fail(run, key, event.failure, event.attempt.value(), {.message = event.message});
}

void Engine::State::retry_or_fail(Run& run, InstanceKey key, FailureClass failure, std::uint64_t seed, Change change) {
  const workflow::TaskSpec& task = run.task(key.task);
  const Instance& instance = run.group(key.task).instances[key.index];
  const std::uint32_t tries = instance.attempts - instance.retries_from;
  change.reason = to_string(failure);
  if (tries <= task.retry.max_retries && task.retry.covers(failure)) {
    const Duration delay = task.retry.delay_before(tries, seed);
    if (delay <= Duration{0}) {
      make_ready(run, key.task, key.index);
    } else {
      transition(run, key.task, key.index, BackingOff{now_ + delay}, std::move(change));
    }
    return;
  }
  fail_instance(run, key.task, key.index, std::move(change));
}

void Engine::State::lose(AttemptId id, const std::string& message) {
  const ActiveAttempt& attempt = attempts_.at(id);
  AttemptEnded end{.worker = attempt.worker,
                   .attempt = id,
                   .failure = {FailureKind::worker_lost, 0},
                   .exit_code = std::nullopt,
                   .message = message,
                   .outputs = {},
                   .started_at = attempt.started_at,
                   .ended_at = now_,
                   .log = attempt.log};
  on(end);
}

void Engine::State::release_blockers(const ActiveAttempt& attempt, const Run& run) {
  using enum Blocker::Kind;
  const GroupKey group{attempt.key.run, attempt.key.task};
  freed({task_limit, group, ""});
  freed({run_limit, {run.key(), TaskIndex(0)}, ""});
  for (const auto& [name, slots] : run.task(group.task).pools) freed({pool, {}, name});
  if (!attempt.environment.empty()) freed({environment, {}, attempt.environment});
}

}  // namespace baton::engine
