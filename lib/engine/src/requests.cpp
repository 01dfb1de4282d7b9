// What people ask for: submit, cancel, decide.
#include <baton/base/limits.hpp>

#include <algorithm>
#include <cassert>

#include "engine_state.hpp"

namespace baton::engine {
namespace {

RunCreated::Task describe(const workflow::TaskSpec& task) {
  return {.id = task.id,
          .kind = std::string(to_string(task.kind)),
          .needs = task.needs,
          .is_matrix = task.matrix.has_value(),
          .is_finally = task.is_finally};
}

}  // namespace

Run& Engine::State::add_run(RunCreated created, Value params, std::shared_ptr<const workflow::WorkflowSpec> spec) {
  counters_.last_run = RunKey(counters_.last_run.value() + 1);
  created.run = counters_.last_run;
  created.workflow = spec->name;
  created.number = ++counters_.run_numbers[spec->name];
  created.created_at = now_;
  created.labels.insert(spec->labels.begin(), spec->labels.end());  // those that it was given stay
  for (const workflow::TaskSpec& task : spec->tasks) created.tasks.push_back(describe(task));
  RunChanged state{.run = created.run, .params = std::move(params)};
  Run& run = insert_run(make_run(std::move(created), std::move(state), std::move(spec)));
  step_.created(run.created);
  step_.changed(run);
  for (std::uint32_t t = 0; t < run.groups.size(); ++t) name_instances(run, TaskIndex(t));
  // What readers of the database need is written; the engine reads the spec.
  run.created.tasks.clear();
  return run;
}

void Engine::State::on(SubmitRun& event) {
  if (is_full(0)) {
    step_.reply(event.token, fail(ErrorCode::limit, "{} runs have not ended yet, which is as many as there may be",
                                  limits::kActiveRuns));
    return;
  }
  RunCreated created{.id = std::move(event.id),
                     .bundle_hash = std::move(event.bundle_hash),
                     .working_dir = std::move(event.working_dir),
                     .request_key = std::move(event.request_key),
                     .labels = std::move(event.labels),
                     .priority = event.priority.value_or(event.workflow->priority.value_or(0)),
                     .scheduled_for = event.scheduled_for};
  Run& run = add_run(std::move(created), std::move(event.params), std::move(event.workflow));
  step_.reply(event.token, Reply::RunAccepted{run.key(), run.created.id, run.created.number});
  admit(run);
}

// Each depth of `uses` has its own share: runs that wait for their children never keep these from starting.
bool Engine::State::is_full(std::size_t depth) const {
  const auto found = runs_at_.find(depth);
  return found != runs_at_.end() && found->second >= limits::kActiveRuns;
}

Run& Engine::State::insert_run(Run run) {
  if (run.created.parent) {
    const Run* parent = find_run(run.created.parent->run);
    run.depth = 1 + (parent == nullptr ? 0 : parent->depth);
  }
  ++runs_at_[run.depth];
  const RunKey key = run.key();
  return runs_.emplace(key, std::move(run)).first->second;
}

void Engine::State::erase_run(RunKey key) {
  const auto found = runs_.find(key);
  --runs_at_[found->second.depth];
  runs_.erase(found);
}

std::size_t Engine::State::running_runs(const std::string& workflow) const {
  return static_cast<std::size_t>(std::count_if(runs_.begin(), runs_.end(), [&](const auto& entry) {
    return entry.second.state.state == RunState::running && entry.second.spec->name == workflow;
  }));
}

// Runs of its own workflow's name that wait for it.
std::size_t Engine::State::waiting_for(const Run& run) const {
  std::size_t found = 0;
  for (const Run* above = caller(run); above != nullptr; above = caller(*above)) {
    if (above->spec->name == run.spec->name) ++found;
  }
  return found;
}

// Runs that wait for this one do not count against it.
bool Engine::State::may_start(const Run& run, std::size_t running) const {
  const std::uint32_t limit = run.spec->max_active_runs;
  return limit == 0 || running < limit + waiting_for(run);
}

// Those before it in the queue may wait for a run that waits for this one.
bool Engine::State::keeps_order(const Run& run) const { return waiting_for(run) == 0; }

void Engine::State::admit(Run& run) {
  assert(run.state.state == RunState::queued);
  const std::string& workflow = run.spec->name;
  if (run.spec->max_active_runs != 0) {
    auto& queued = queued_runs_[workflow];
    const bool is_behind = !queued.empty() && *queued.begin() < run.key() && keeps_order(run);
    if (is_behind || !may_start(run, running_runs(workflow))) {
      queued.insert(run.key());
      return;
    }
    queued.erase(run.key());
    if (queued.empty()) queued_runs_.erase(workflow);
  }
  run.state.state = RunState::running;
  if (!run.state.started_at) run.state.started_at = now_;
  step_.changed(run);
  for (std::uint32_t t = 0; t < run.spec->finally_begin; ++t) {
    const Group& group = run.groups[t];
    if (group.pending_needs == 0 && !group.activated) activate(run, TaskIndex(t));
  }
  if (run.main_pending == 0) start_finally(run);
}

void Engine::State::admit_next(const std::string& workflow) {
  const auto queued = queued_runs_.find(workflow);
  if (queued == queued_runs_.end()) return;
  const std::vector<RunKey> waiting(queued->second.begin(), queued->second.end());
  std::size_t running = running_runs(workflow);
  bool blocked = false;
  for (const RunKey key : waiting) {
    Run& next = run(key);
    if (blocked && keeps_order(next)) continue;
    if (may_start(next, running)) {
      admit(next);
      ++running;
    } else {
      blocked = true;
    }
  }
}

void Engine::State::on(CancelRun& event) {
  const auto found = runs_.find(event.run);
  if (found == runs_.end()) {
    step_.reply(event.token, fail(ErrorCode::conflict, "the run has already ended"));
    return;
  }
  cancel(found->second, event.reason);
  step_.reply(event.token, Reply::Done{event.run, {}});
}

// From here on no attempt of the run is created: everything that has not started ends now, the rest is killed.
void Engine::State::cancel(Run& run, const std::string& reason) {
  if (run.state.cancel_requested) return;
  run.state.cancel_requested = true;
  run.state.reason = reason.empty() ? "cancelled" : reason;
  step_.changed(run);
  if (run.state.state == RunState::queued) {
    const auto queued = queued_runs_.find(run.spec->name);
    if (queued != queued_runs_.end()) {
      queued->second.erase(run.key());
      if (queued->second.empty()) queued_runs_.erase(queued);
    }
  }
  for (std::uint32_t t = 0; t < run.groups.size(); ++t) stop_group(run, TaskIndex(t), "");
}

void Engine::State::on(DecideApproval& event) {
  const auto found = runs_.find(event.key.run);
  const bool known = found != runs_.end() && event.key.task.value() < found->second.groups.size() &&
                     event.key.index < found->second.group(event.key.task).instances.size();
  if (!known) {
    step_.reply(event.token, fail(ErrorCode::conflict, "the task does not wait for approval any more"));
    return;
  }
  Run& run = found->second;
  const InstanceState& state = run.group(event.key.task).instances[event.key.index].state;
  if (!std::holds_alternative<AwaitingApproval>(state)) {
    step_.reply(event.token, fail(ErrorCode::conflict, "`{}` is {}, it does not wait for approval",
                                  run.instance_name(event.key.task, event.key.index), to_string(phase_of(state))));
    return;
  }
  if (event.approve) {
    transition(run, event.key.task, event.key.index, Succeeded{}, {.reason = "approved", .message = event.comment});
  } else {
    run.rejected = true;
    fail_instance(run, event.key.task, event.key.index, {.reason = "rejected", .message = event.comment});
  }
  step_.reply(event.token, Reply::Done{event.key.run, {run.instance_name(event.key.task, event.key.index)}});
}

}  // namespace baton::engine
