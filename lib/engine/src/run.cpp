#include "run.hpp"

#include <baton/base/limits.hpp>

#include <algorithm>
#include <cassert>
#include <utility>

namespace baton::engine {
namespace {

std::uint64_t bytes_of(const Outputs& outputs) {
  std::uint64_t bytes = 0;
  for (const auto& [name, value] : outputs) bytes += name.size() + value.size();
  return bytes;
}

}  // namespace

TimePoint due_of(const InstanceState& state) {
  if (const auto* backing_off = std::get_if<BackingOff>(&state)) return backing_off->until;
  if (const auto* awaiting = std::get_if<AwaitingApproval>(&state)) return awaiting->deadline;
  if (const auto* child = std::get_if<RunningChild>(&state)) return child->deadline;
  return TimePoint::max();
}

void set_due(InstanceState& state, TimePoint due) {
  if (auto* backing_off = std::get_if<BackingOff>(&state)) {
    backing_off->until = due;
  } else if (auto* awaiting = std::get_if<AwaitingApproval>(&state)) {
    awaiting->deadline = due;
  } else {
    std::get<RunningChild>(state).deadline = due;
  }
}

std::uint32_t Group::final_count() const {
  using enum InstancePhase;
  return count(succeeded) + count(failed) + count(skipped) + count(upstream_failed) + count(cancelled);
}

std::uint32_t Group::active_count() const {
  using enum InstancePhase;
  return count(starting) + count(running) + count(unreachable);
}

InstancePhase Group::result() const {
  using enum InstancePhase;
  assert(all_final());
  for (const InstancePhase bad : {failed, upstream_failed, cancelled}) {
    if (count(bad) > 0) return bad;
  }
  return count(succeeded) > 0 ? succeeded : skipped;
}

const workflow::MatrixCombos* Run::combos(TaskIndex t) const {
  const auto& matrix = task(t).matrix;
  if (!matrix) return nullptr;
  return matrix->fixed ? &*matrix->fixed : group(t).expanded.get();
}

std::string Run::instance_name(TaskIndex t, std::uint32_t index) const {
  return workflow::instance_name(task(t), combos(t), index);
}

Value Run::matrix_values(TaskIndex t, std::uint32_t index) const {
  const workflow::MatrixCombos* known = combos(t);
  return known != nullptr && index < known->size() ? known->at(index) : Value::object();
}

RunState Run::verdict() const {
  if (state.cancel_requested) return RunState::cancelled;
  using enum InstancePhase;
  const bool bad = count(failed) > 0 || count(upstream_failed) > 0 || count(cancelled) > 0;
  return bad ? RunState::failed : RunState::succeeded;
}

std::uint32_t Run::active_count() const {
  using enum InstancePhase;
  return count(starting) + count(running) + count(unreachable);
}

void Run::moved(TaskIndex t, InstancePhase from, InstancePhase to) {
  for (auto* tally : {&counts, &group(t).counts}) {
    --(*tally)[static_cast<std::size_t>(from)];
    ++(*tally)[static_cast<std::size_t>(to)];
  }
}

void Run::reset_group(TaskIndex t, std::uint32_t size, std::uint32_t attempts) {
  Group& reset = group(t);
  for (std::size_t phase = 0; phase < kInstancePhases; ++phase) counts[phase] -= reset.counts[phase];
  reset.instances.assign(size, Instance{.attempts = attempts, .retries_from = attempts});
  reset.counts = {};
  for (auto* tally : {&counts, &reset.counts}) (*tally)[static_cast<std::size_t>(InstancePhase::waiting)] += size;
}

void Run::keep_outputs(TaskIndex t, std::uint32_t index, Outputs outputs) {
  drop_outputs(t, index);
  output_bytes += bytes_of(outputs);
  group(t).outputs.emplace(index, std::move(outputs));
}

void Run::drop_outputs(TaskIndex t, std::uint32_t index) {
  const auto found = group(t).outputs.find(index);
  if (found == group(t).outputs.end()) return;
  output_bytes -= bytes_of(found->second);
  group(t).outputs.erase(found);
}

void Run::drop_outputs(TaskIndex t) {
  for (const auto& [index, outputs] : group(t).outputs) output_bytes -= bytes_of(outputs);
  group(t).outputs.clear();
}

Result<> Run::check_room_for(const Outputs& outputs) const {
  const std::uint64_t more = bytes_of(outputs);
  if (more == 0 || output_bytes + more <= limits::kRunOutputBytes) return {};
  return fail(ErrorCode::limit,
              "the outputs of all tasks of the run come to more than {} MiB: hand on big data in files",
              limits::kRunOutputBytes >> 20);
}

bool Run::must_stop(TaskIndex t) const {
  return state.cancel_requested || (task(t).fail_fast && group(t).count(InstancePhase::failed) > 0);
}

Run make_run(RunCreated created, RunChanged state, std::shared_ptr<const workflow::WorkflowSpec> spec) {
  Run run{.created = std::move(created), .state = std::move(state), .spec = std::move(spec), .groups = {}};
  run.groups.resize(run.spec->tasks.size());
  for (std::uint32_t t = 0; t < run.groups.size(); ++t) {
    const workflow::TaskSpec& task = run.spec->tasks[t];
    // A dynamic matrix is one waiting instance until its combinations are known.
    const bool fixed = task.matrix && task.matrix->fixed;
    run.reset_group(TaskIndex(t), fixed ? task.matrix->fixed->size() : 1);
    run.groups[t].pending_needs = static_cast<std::uint32_t>(task.needs.size());
  }
  run.pending = static_cast<std::uint32_t>(run.groups.size());
  run.main_pending = run.spec->finally_begin;
  return run;
}

}  // namespace baton::engine
