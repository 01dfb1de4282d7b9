#include "run_context.hpp"

#include <algorithm>

namespace baton::engine {
namespace {

Value to_value(const Outputs* outputs) {
  Value object = Value::object();
  if (outputs == nullptr) return object;
  for (const auto& [name, value] : *outputs) object[name] = value;
  return object;
}

const Outputs* find_outputs(const Group& group, std::uint32_t index) {
  const auto found = group.outputs.find(index);
  return found == group.outputs.end() ? nullptr : &found->second;
}

}  // namespace

Value RunContext::matrix() const { return instance_ ? run_.matrix_values(task_, *instance_) : Value::object(); }

Value RunContext::outputs(TaskIndex task) const {
  const Group& group = run_.group(task);
  if (!run_.task(task).matrix) return to_value(find_outputs(group, 0));
  Value list = Value::array();
  // Instances without a result (skipped, failed) have no entry, so that a list of trials holds only real ones.
  for (const auto& [index, outputs] : group.outputs) list.push_back(to_value(&outputs));
  return list;
}

std::string RunContext::result(TaskIndex task) const {
  const Group& group = run_.group(task);
  return group.all_final() ? std::string(to_string(group.result())) : std::string();
}

Value RunContext::run() const {
  return Value{
      {"id", run_.created.id},
      {"number", run_.created.number},
      {"status", to_string(run_.verdict())},
      {"scheduled_for", run_.created.scheduled_for ? Value(format_rfc3339(*run_.created.scheduled_for)) : Value()}};
}

std::optional<std::string> RunContext::env(std::string_view name) const {
  const auto found = env_.find(name);
  if (found == env_.end()) return std::nullopt;
  return found->second;
}

bool RunContext::success() const {
  const auto& needs = run_.task(task_).needs;
  // As failure().
  if (run_.task(task_).is_finally && needs.empty()) return run_.verdict() == RunState::succeeded;
  return std::all_of(needs.begin(), needs.end(),
                     [&](TaskIndex t) { return run_.group(t).result() == InstancePhase::succeeded; });
}

bool RunContext::failure() const {
  const auto& needs = run_.task(task_).needs;
  // A failure further up reaches the direct needs as upstream_failed. A `finally` task looks at the whole run.
  if (run_.task(task_).is_finally && needs.empty()) return run_.verdict() == RunState::failed;
  return std::any_of(needs.begin(), needs.end(), [&](TaskIndex t) {
    const InstancePhase result = run_.group(t).result();
    return result == InstancePhase::failed || result == InstancePhase::upstream_failed;
  });
}

Result<Outputs> workflow_outputs(const Run& run) {
  Outputs outputs;
  const RunContext context(run, TaskIndex(0), std::nullopt);
  for (const auto& [name, value] : run.spec->outputs) {
    auto text = value.evaluate_text(context);
    if (!text) return fail(text.error().code, "outputs.{}: {}", name, text.error().message);
    outputs[name] = *std::move(text);
  }
  return outputs;
}

}  // namespace baton::engine
