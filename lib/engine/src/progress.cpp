// What follows from an end: the next tasks, the `finally` tasks, the end of the run.
#include <baton/base/mutation.hpp>

#include <cassert>

#include "engine_state.hpp"
#include "run_context.hpp"

namespace baton::engine {
namespace {

// Which of the task's needs keeps it from running by default, and how. `finally` tasks run whatever the others did;
// they only mind each other.
struct Hindrance {
  InstanceState state;
  std::string reason;
};
std::optional<Hindrance> hindrance(const Run& run, const workflow::TaskSpec& task) {
  std::optional<Hindrance> found;
  for (const TaskIndex need : task.needs) {
    if (task.is_finally && !run.task(need).is_finally) continue;
    const InstancePhase result = run.group(need).result();
    if (result == InstancePhase::skipped && mutated(Mutation::run_after_skip)) continue;
    if (result == InstancePhase::skipped && !found) {
      found = Hindrance{Skipped{}, fmt::format("upstream {} was skipped", run.task(need).id)};
    } else if (result != InstancePhase::skipped && result != InstancePhase::succeeded) {
      const std::string_view word = result == InstancePhase::upstream_failed ? "did not run" : to_string(result);
      return Hindrance{UpstreamFailed{}, fmt::format("upstream {} {}", run.task(need).id, word)};
    }
  }
  return found;
}

}  // namespace

void Engine::State::settle() {
  while (!ended_groups_.empty() || !ended_runs_.empty()) {
    if (!ended_groups_.empty()) {
      const GroupKey ended = ended_groups_.front();
      ended_groups_.pop_front();
      group_ended(run(ended.run), ended.task);
    } else {
      const RunKey ended = ended_runs_.front();
      ended_runs_.pop_front();
      end_run(run(ended));
    }
  }
}

void Engine::State::group_ended(Run& run, TaskIndex task) {
  dequeue(run, task);
  run.group(task).activated = true;
  for (const graph::Vertex v : run.spec->dag.dependents(task.value())) {
    const TaskIndex dependent(v);
    Group& group = run.group(dependent);
    --group.pending_needs;
    const bool its_turn = !run.task(dependent).is_finally || run.main_pending == 0;
    if (group.pending_needs == 0 && !group.activated && its_turn) activate(run, dependent);
  }
  --run.pending;
  if (task.value() < run.spec->finally_begin && --run.main_pending == 0) start_finally(run);
  if (run.pending == 0) ended_runs_.push_back(run.key());
}

void Engine::State::start_finally(Run& run) {
  for (std::uint32_t t = run.spec->finally_begin; t < run.groups.size(); ++t) {
    const Group& group = run.groups[t];
    if (group.pending_needs == 0 && !group.activated) activate(run, TaskIndex(t));
  }
}

// Every need of the task has ended: decides what its instances do.
void Engine::State::activate(Run& run, TaskIndex task_index) {
  Group& group = run.group(task_index);
  const workflow::TaskSpec& task = run.task(task_index);
  assert(group.pending_needs == 0 && !group.activated);
  group.activated = true;
  if (run.state.cancel_requested) return end_group(run, task_index, Cancelled{}, "");
  const auto& condition = task.condition;
  if (!condition || !condition->uses_status_function()) {
    if (const auto found = hindrance(run, task)) return end_group(run, task_index, found->state, found->reason);
  }
  if (condition && !condition->uses_matrix()) {
    const auto value = condition->evaluate(RunContext(run, task_index, std::nullopt));
    if (!value) {
      for (std::uint32_t i = 0; i < group.instances.size(); ++i) {
        if (!std::holds_alternative<Waiting>(group.instances[i].state)) continue;
        transition(run, task_index, i, Failed{},
                   {.reason = "invalid_expression", .message = "if: " + value.error().message});
      }
      return;
    }
    if (!workflow::truthy(*value)) return end_group(run, task_index, Skipped{}, "its `if` is false");
  }
  if (!expand(run, task_index)) return;
  workflow::Memo memo;  // a condition may take apart a large output: once for all instances
  for (std::uint32_t i = 0; i < group.instances.size(); ++i) {
    if (std::holds_alternative<Waiting>(group.instances[i].state)) activate_instance(run, task_index, i, memo);
  }
}

// Gives a dynamic matrix its instances; false if there is nothing to run.
bool Engine::State::expand(Run& run, TaskIndex task_index) {
  const auto& matrix = run.task(task_index).matrix;
  Group& group = run.group(task_index);
  if (!matrix || matrix->fixed || group.expanded) return true;
  auto combos = matrix->expand(RunContext(run, task_index, std::nullopt));
  if (!combos) {
    fail_instance(run, task_index, 0, {.reason = "invalid_expression", .message = "matrix: " + combos.error().message});
    return false;
  }
  if (combos->size() == 0) {
    transition(run, task_index, 0, Skipped{}, {.reason = "its matrix is empty"});
    return false;
  }
  step_.expanded({run.key(), task_index, combos->to_json()});
  const std::uint32_t noted = group.instances[0].record;
  group.expanded = std::make_shared<const workflow::MatrixCombos>(*std::move(combos));
  // The one that stood for all of them knows how many attempts an earlier expansion had.
  run.reset_group(task_index, group.expanded->size(), group.instances[0].attempts);
  group.instances[0].record = noted;
  name_instances(run, task_index);
  return true;
}

void Engine::State::activate_instance(Run& run, TaskIndex task_index, std::uint32_t index, workflow::Memo& memo) {
  const workflow::TaskSpec& task = run.task(task_index);
  if (task.condition && task.condition->uses_matrix()) {
    const auto value = task.condition->evaluate(RunContext(run, task_index, index), memo);
    if (!value) {
      fail_instance(run, task_index, index,
                    {.reason = "invalid_expression", .message = "if: " + value.error().message});
      return;
    }
    if (!workflow::truthy(*value)) {
      transition(run, task_index, index, Skipped{}, {.reason = "its `if` is false"});
      return;
    }
  }
  if (std::holds_alternative<workflow::Approval>(task.action)) {
    await_approval(run, task_index, index);
  } else {
    make_ready(run, task_index, index);
  }
}

void Engine::State::await_approval(Run& run, TaskIndex task, std::uint32_t index) {
  const auto& approval = std::get<workflow::Approval>(run.task(task).action);
  auto message = approval.message.evaluate_text(RunContext(run, task, index));
  if (!message) {
    fail_instance(run, task, index,
                  {.reason = "invalid_expression", .message = "approval.message: " + message.error().message});
    return;
  }
  const TimePoint deadline = approval.timeout ? now_ + *approval.timeout : TimePoint::max();
  transition(run, task, index, AwaitingApproval{deadline}, {.message = *std::move(message)});
}

void Engine::State::fail_instance(Run& run, TaskIndex task, std::uint32_t index, Change change) {
  transition(run, task, index, Failed{}, std::move(change));
  if (run.task(task).fail_fast) stop_group(run, task, "fail_fast");
}

void Engine::State::end_group(Run& run, TaskIndex task, const InstanceState& state, const std::string& reason) {
  const auto size = static_cast<std::uint32_t>(run.group(task).instances.size());
  for (std::uint32_t i = 0; i < size; ++i) {
    if (std::holds_alternative<Waiting>(run.group(task).instances[i].state)) {
      transition(run, task, i, state, {.reason = reason});
    }
  }
}

// Nothing of the group starts any more: what waits is cancelled, what is with a worker is killed.
void Engine::State::stop_group(Run& run, TaskIndex task, const std::string& reason) {
  if (run.group(task).all_final()) return;
  dequeue(run, task);
  for (std::uint32_t i = 0; i < run.group(task).instances.size(); ++i) {
    const InstanceState state = run.group(task).instances[i].state;
    if (is_final(phase_of(state))) continue;
    if (const auto* starting = std::get_if<Starting>(&state)) {
      step_.effect(Kill{starting->worker, starting->attempt});
    } else if (const auto* running = std::get_if<Running>(&state)) {
      step_.effect(Kill{running->worker, running->attempt});
    } else if (const auto* child = std::get_if<RunningChild>(&state)) {
      if (const auto found = runs_.find(child->child); found != runs_.end()) cancel(found->second, "parent cancelled");
    } else if (const auto* unreachable = std::get_if<Unreachable>(&state)) {  // killed when its worker is back
      const ActiveAttempt& attempt = attempts_.at(unreachable->attempt);
      if (!is_stranded(attempt)) continue;
      lose(attempt.id, fmt::format("worker {} is not configured any more", attempt.worker_name));
    } else {
      transition(run, task, i, Cancelled{}, {.reason = reason});
    }
  }
}

void Engine::State::end_run(Run& ended) {
  assert(ended.pending == 0);
  ended.state.state = ended.verdict();
  if (ended.state.state == RunState::failed && ended.rejected) ended.state.reason = "approval_rejected";
  ended.state.ended_at = now_;
  step_.changed(ended);
  child_ended(ended);
  const std::string workflow = ended.spec->name;
  erase_run(ended.key());
  admit_next(workflow);
}

}  // namespace baton::engine
