#include "step_writer.hpp"

#include <cassert>

namespace baton::engine {
AttemptChanged to_record(const ActiveAttempt& attempt) {
  AttemptChanged record;
  record.id = attempt.id;
  record.key = attempt.key;
  record.number = attempt.number;
  record.state = attempt.started_at ? AttemptState::running : AttemptState::starting;
  record.worker = attempt.worker_name;
  record.created_at = attempt.created_at;
  record.started_at = attempt.started_at;
  record.log = attempt.log;
  return record;
}

void StepWriter::changed(Run& run) {
  if (run.record == 0) {
    step_.records.emplace_back(run.state);
    run.record = static_cast<std::uint32_t>(step_.records.size());
  } else {
    std::get<RunChanged>(step_.records[run.record - 1]) = run.state;
  }
}

InstanceChanged& StepWriter::changed(Run& run, TaskIndex task, std::uint32_t index) {
  Instance& instance = run.group(task).instances[index];
  if (instance.record == 0) {
    step_.records.emplace_back(InstanceChanged{.key = {run.key(), task, index}, .name = {}, .matrix = {}});
    instance.record = static_cast<std::uint32_t>(step_.records.size());
  }
  auto& record = std::get<InstanceChanged>(step_.records[instance.record - 1]);
  record.phase = phase_of(instance.state);
  record.attempts = instance.attempts;
  record.retries_from = instance.retries_from;
  const TimePoint due = due_of(instance.state);
  record.due = due == TimePoint::max() ? std::nullopt : std::optional(due);
  const auto* child = std::get_if<RunningChild>(&instance.state);
  if (child != nullptr) record.child = child->child;
  record.ready_at = instance.ready_at == TimePoint{} ? std::nullopt : std::optional(instance.ready_at);
  return record;
}

void StepWriter::changed(ActiveAttempt& attempt, AttemptChanged record) {
  if (attempt.record == 0) {
    step_.records.emplace_back(std::move(record));
    attempt.record = static_cast<std::uint32_t>(step_.records.size());
  } else {
    std::get<AttemptChanged>(step_.records[attempt.record - 1]) = std::move(record);
  }
}

}  // namespace baton::engine
