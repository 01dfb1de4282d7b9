// Retry of a run that has ended: what did not succeed, or a task and everything behind it, runs again under the same
// run.
#include <algorithm>
#include <cassert>

#include "engine_state.hpp"

namespace baton::engine {
namespace {

bool unsuccessful(const InstanceState& state) {
  return std::holds_alternative<Failed>(state) || std::holds_alternative<UpstreamFailed>(state) ||
         std::holds_alternative<Cancelled>(state);
}

// How much of each task runs again.
enum class Again : std::uint8_t { nothing, unsuccessful_instances, everything };

std::vector<Again> what_runs_again(const Run& run, std::optional<TaskIndex> from) {
  std::vector<Again> again(run.groups.size(), Again::nothing);
  bool any = false;
  for (const graph::Vertex v : run.spec->dag.order()) {
    const auto needs = run.spec->dag.needs(v);
    const bool behind =
        std::any_of(needs.begin(), needs.end(), [&](graph::Vertex n) { return again[n] != Again::nothing; });
    const auto& instances = run.groups[v].instances;
    if (behind || (from && from->value() == v)) {
      again[v] = Again::everything;
    } else if (!from && std::any_of(instances.begin(), instances.end(),
                                    [](const Instance& i) { return unsuccessful(i.state); })) {
      again[v] = Again::unsuccessful_instances;
    }
    any = any || again[v] != Again::nothing;
  }
  // The run ends once more, so what runs at its end does, too.
  if (any) std::fill(again.begin() + run.spec->finally_begin, again.end(), Again::everything);
  return again;
}

}  // namespace

void Engine::State::on(RetryRun& event) {
  const auto found = runs_.find(event.run);
  if (found == runs_.end() || !is_final(found->second.state.state)) {
    step_.reply(event.token, fail(ErrorCode::conflict, "the run has not ended yet"));
    return;
  }
  Run& again = found->second;
  const std::vector<Again> plan = what_runs_again(again, event.from);
  const bool nothing = std::all_of(plan.begin(), plan.end(), [](Again a) { return a == Again::nothing; });
  if (nothing) {
    erase_run(event.run);
    step_.reply(event.token,
                fail(ErrorCode::conflict, "nothing to retry: every task of the run succeeded or was skipped"));
    return;
  }
  std::vector<std::string> names;
  if (event.dry_run) {
    for (std::uint32_t t = 0; t < plan.size(); ++t) {
      for (std::uint32_t i = 0; i < again.groups[t].instances.size(); ++i) {
        const bool runs = plan[t] == Again::everything || (plan[t] == Again::unsuccessful_instances &&
                                                           unsuccessful(again.groups[t].instances[i].state));
        if (runs) names.push_back(again.instance_name(TaskIndex(t), i));
      }
    }
    erase_run(event.run);
    step_.reply(event.token, Reply::Done{event.run, std::move(names)});
    return;
  }
  again.state.state = RunState::queued;
  again.state.reason.clear();
  again.state.cancel_requested = false;
  again.state.ended_at.reset();
  if (event.params) again.state.params = *std::move(event.params);
  again.rejected = false;
  step_.changed(again);
  for (std::uint32_t t = 0; t < plan.size(); ++t) {
    if (plan[t] == Again::everything) reset_whole(again, TaskIndex(t), names);
    if (plan[t] == Again::unsuccessful_instances) reset_unsuccessful(again, TaskIndex(t), names);
  }
  step_.reply(event.token, Reply::Done{event.run, std::move(names)});
  // RunRestored came before this in the batch, so settle_restored admits the run at the end of it.
}

void Engine::State::reset_whole(Run& run, TaskIndex task, std::vector<std::string>& names) {
  Group& group = run.group(task);
  if (group.expanded) {
    // What it expands to depends on tasks that run again. Attempts count on, so that no idempotency key comes twice.
    std::uint32_t attempts = 0;
    for (const Instance& instance : group.instances) attempts = std::max(attempts, instance.attempts);
    step_.expanded({run.key(), task, nullptr});
    const std::uint32_t noted = group.instances[0].record;
    group.expanded.reset();
    run.drop_outputs(task);
    run.reset_group(task, 1, attempts);
    group.instances[0].record = noted;
    name_instances(run, task);
    step_.changed(run, task, 0).outputs = Outputs{};
    names.push_back(run.instance_name(task, 0));
    return;
  }
  for (std::uint32_t i = 0; i < group.instances.size(); ++i) {
    reset_instance(run, task, i);
    names.push_back(run.instance_name(task, i));
  }
}

void Engine::State::reset_unsuccessful(Run& run, TaskIndex task, std::vector<std::string>& names) {
  Group& group = run.group(task);
  for (std::uint32_t i = 0; i < group.instances.size(); ++i) {
    if (!unsuccessful(group.instances[i].state)) continue;
    reset_instance(run, task, i);
    names.push_back(run.instance_name(task, i));
  }
}

void Engine::State::reset_instance(Run& run, TaskIndex task, std::uint32_t index) {
  Group& group = run.group(task);
  Instance& instance = group.instances[index];
  instance.retries_from = instance.attempts;
  instance.ready_at = {};
  Change change;
  if (group.outputs.contains(index)) change.outputs = Outputs{};
  transition(run, task, index, Waiting{}, std::move(change));
  run.drop_outputs(task, index);
}

}  // namespace baton::engine
