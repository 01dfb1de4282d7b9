// Why an instance does not run yet, in words.
#include <fmt/ranges.h>
#include <baton/base/limits.hpp>

#include "engine_state.hpp"

namespace baton::engine {

std::string Engine::State::why(InstanceKey key) const {
  const Run* run = find_run(key.run);
  if (run == nullptr || key.task.value() >= run->groups.size()) return "";
  const Group& group = run->group(key.task);
  if (key.index >= group.instances.size()) return "";
  const InstanceState& state = group.instances[key.index].state;
  if (run->state.state == RunState::queued) {
    return fmt::format("the run is queued: {} allows {} active runs at a time", run->spec->name,
                       run->spec->max_active_runs);
  }
  if (std::holds_alternative<Waiting>(state)) return why_waiting(*run, key.task);
  if (std::holds_alternative<Ready>(state)) return why_ready(*run, key.task);
  if (std::holds_alternative<Starting>(state)) return "its worker is about to start it";
  if (const auto* unreachable = std::get_if<Unreachable>(&state)) {
    const ActiveAttempt& attempt = attempts_.at(unreachable->attempt);
    if (!is_stranded(attempt)) return fmt::format("its worker {} is out of touch", attempt.worker_name);
    return fmt::format("its worker {} is not configured any more: configure it again, or cancel", attempt.worker_name);
  }
  if (const auto* backing_off = std::get_if<BackingOff>(&state)) {
    return fmt::format("it failed and is tried again at {}", format_rfc3339(backing_off->until));
  }
  if (std::holds_alternative<AwaitingApproval>(state)) return "it waits for `baton approve` or `baton reject`";
  return "";
}

std::string Engine::State::why_waiting(const Run& run, TaskIndex task) const {
  std::vector<std::string> left;
  for (const TaskIndex need : run.task(task).needs) {
    if (!run.group(need).all_final()) left.push_back(run.task(need).id);
  }
  if (left.empty()) return "it runs when everything else has ended";
  return fmt::format("it waits for {}", fmt::join(left, ", "));
}

std::string Engine::State::why_ready(const Run& run, TaskIndex task_index) const {
  const workflow::TaskSpec& task = run.task(task_index);
  if (const auto blocker = queue_.parked_on(rank(run, task_index))) {
    switch (blocker->kind) {
      case Blocker::Kind::task_limit:
        return fmt::format("max_parallel: {} instances of it run already", task.max_parallel);
      case Blocker::Kind::run_limit:
        return fmt::format("max_active_tasks: {} tasks of the run run already", run.spec->max_active_tasks);
      case Blocker::Kind::pool:
        return fmt::format("the pool {} has {} slots, and they are taken", blocker->name, pool_size(blocker->name));
      case Blocker::Kind::environment:
        return fmt::format("the environment {} is taken by another deploy", blocker->name);
    }
  }
  if (std::holds_alternative<workflow::UsesWorkflow>(task.action)) {
    return fmt::format("{} runs that `uses` started have not ended yet, which is as many as there may be",
                       limits::kActiveRuns);
  }
  bool able = false;
  bool online = false;
  for (const auto& [id, worker] : workers_) {
    online = online || worker.online;
    able = able || Occupancy::could_run(worker, task.resources, task.runs_on);
  }
  if (!online) return "no worker is connected; `baton doctor` says what is the matter";
  if (!able) return "no worker has the resources and labels it asks for";
  return "it waits for a free slot on a worker";
}

}  // namespace baton::engine
