// What daemons and machines do with attempts, held against what is on disk.
#include <sys/wait.h>

#include "model.hpp"

namespace baton::sim {

using engine::AttemptState;
using workflow::FailureKind;

// Effects leave in the order of their steps: what is launched behind an answered cancel was decided behind it. Only a
// stale daemon does not know of the cancel.
void Model::launch_sent(AttemptId attempt, std::uint64_t incarnation) const {
  require(attempts_.contains(attempt), "P2 launched when durable", "attempt {}", attempt.value());
  require(incarnation < incarnation_ || !cancel_answered_.contains(attempts_.at(attempt).key.run),
          "P4 no launch after an answered cancel", "attempt {}", attempt.value());
}

void Model::forget_sent(AttemptId attempt) const {
  const auto known = attempts_.find(attempt);
  require(known == attempts_.end() || is_over(known->second.state), "P3 forgotten when durable", "attempt {}",
          attempt.value());
}

void Model::admitted(const std::string& machine, std::uint64_t incarnation, std::uint64_t highest) {
  unsettled_until_[machine] = std::min(unsettled_until_[machine], world_.now() + 10 * kSecond);
  require(incarnation >= highest, "P6 a stale daemon is refused", "{} was admitted after {}", incarnation, highest);
}

void Model::process_started(AttemptId attempt, const Start& start) {
  Truth& truth = truths_[attempt];
  truth.devices = start.devices;
  ++truth.starts;
  ++truth.alive;
  require(truth.starts == 1, "P2 at most once", "attempt {} started {} times", attempt.value(), truth.starts);
  const auto known = attempts_.find(attempt);
  require(known != attempts_.end(), "P2 started when durable", "attempt {}", attempt.value());
  require(!is_over(known->second.state), "P4 what has ended never starts", "attempt {}", attempt.value());
  require(known->second.worker == start.machine, "a worker starts what it was given", "attempt {} of {} starts on {}",
          attempt.value(), known->second.worker, start.machine);
  require(start.param.empty() || start.param == truth.param.dump(), "a process finds its run's params",
          "attempt {} finds {}, not {}", attempt.value(), start.param, truth.param.dump());
  check_room(attempt);
  const InstanceKey key = known->second.key;
  const workflow::TaskSpec& spec = task(key);
  if (spec.is_finally) {
    const auto& all = specs_.at(created_.at(key.run).workflow)->tasks;
    for (std::uint32_t t = 0; t < all.size(); ++t) {
      if (!all[t].is_finally) require(ended(key.run, TaskIndex(t)), "P7 finally comes last", "run {}", key.run.value());
    }
  }
  for (const TaskIndex need : spec.needs) {
    const bool durable = spec.condition ? ended(key.run, need) : succeeded(key.run, need);
    require(durable, "P7 upstream is durable", "attempt {} of task {}", attempt.value(), key.task.value());
  }
}

void Model::process_ended(AttemptId attempt, std::int32_t status, bool seen) {
  Truth& truth = truths_[attempt];
  --truth.alive;
  truth.status = status;
  truth.seen = seen;
}

void Model::worker_disk_full(const std::string& machine, bool full) {
  if (!full) {
    full_disks_.erase(machine);
    return;
  }
  full_disks_.insert(machine);
  for (const auto& [id, attempt] : attempts_) {
    if (!is_over(attempt.state) && attempt.worker == machine) truths_[id].lacks_room = true;
  }
}

void Model::memory_lost(const std::string& machine) {
  unsettled_until_[machine] = ~Time{0};
  for (const auto& [id, attempt] : attempts_) {
    if (!is_over(attempt.state) && attempt.worker == machine) truths_[id].may_be_lost = true;
  }
}

// The end that is written is the one that was, or an honest "lost".
void Model::check_end(const engine::AttemptChanged& attempt) {
  const Truth& truth = truths_[attempt.id];
  const auto id = attempt.id.value();
  const bool exited = truth.status && WIFEXITED(*truth.status);
  const bool may_cancel = runs_.at(attempt.key.run).cancel_requested || task(attempt.key).fail_fast;
  const std::string invariant = "P3 no made-up end";
  switch (attempt.failure.kind) {
    case FailureKind::none:
    case FailureKind::missing_output:
      require(exited && WEXITSTATUS(*truth.status) == 0, invariant, "attempt {} did not exit with 0", id);
      require(attempt.failure.kind == FailureKind::none || truth.output.empty() || truth.may_be_lost || may_cancel,
              "P3 outputs wait for room", "attempt {} has written its outputs", id);
      break;
    case FailureKind::exit:
      require(exited && WEXITSTATUS(*truth.status) == attempt.failure.detail, invariant,
              "attempt {} did not exit with {}", id, attempt.failure.detail);
      break;
    case FailureKind::signal:
      require(truth.status && WIFSIGNALED(*truth.status) && WTERMSIG(*truth.status) == attempt.failure.detail,
              invariant, "attempt {} was not ended by signal {}", id, attempt.failure.detail);
      break;
    case FailureKind::timeout:
      require(truth.starts == 1 && truth.status && task(attempt.key).timeout, invariant, "attempt {} has no timeout",
              id);
      break;
    case FailureKind::cancelled:
      require(may_cancel, invariant, "attempt {} was not cancelled", id);
      break;
    case FailureKind::worker_lost:
      require(truth.may_be_lost || (truth.status && !truth.seen), "P3 no exit is lost",
              "attempt {} is lost, though its end was seen", id);
      break;
    case FailureKind::spawn_error:
      require(truth.lacks_room && truth.starts == 0, invariant, "attempt {} could be started", id);
      break;
    default:
      throw Violation{invariant, fmt::format("attempt {}: {}", id, workflow::to_string(attempt.failure))};
  }
  require(truth.alive == 0, "P8 nothing is left", "attempt {} has ended, {} processes live", id, truth.alive);
}

void Model::check_alive(RunKey run) const {
  for (const auto& [id, attempt] : attempts_) {
    if (attempt.key.run != run) continue;
    const auto truth = truths_.find(id);
    require(truth == truths_.end() || truth->second.alive == 0, "P4 an ended run has no process", "attempt {}",
            id.value());
    require(is_over(attempt.state), "runs end when their attempts have", "attempt {}", id.value());
  }
}

}  // namespace baton::sim
