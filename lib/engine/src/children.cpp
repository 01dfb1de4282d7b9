// `uses`: a task that runs another workflow as a run of its own.
#include <baton/base/limits.hpp>

#include <cassert>

#include "engine_state.hpp"
#include "run_context.hpp"

namespace baton::engine {
namespace {

Result<Value> child_params(const Run& run, TaskIndex task, std::uint32_t index, const workflow::UsesWorkflow& uses) {
  Value values = Value::object();
  std::map<std::string, std::string> texts;
  const RunContext context(run, task, index);
  for (const auto& [name, value] : uses.with) {
    auto evaluated = value.evaluate(context);
    if (!evaluated) return fail(evaluated.error().code, "with.{}: {}", name, evaluated.error().message);
    // Outputs are text, and so is what is written down.
    if (evaluated->is_string()) {
      texts.emplace(name, evaluated->get<std::string>());
    } else {
      values[name] = *std::move(evaluated);
    }
  }
  values.update(workflow::typed_params(*uses.workflow, texts));
  return workflow::bind_params(*uses.workflow, values);
}

// The folder of the used file, from the folder of the file that uses it.
std::string folder_of(const std::string& working_dir, const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return working_dir;
  return path.starts_with('/') ? path.substr(0, slash) : working_dir + "/" + path.substr(0, slash);
}

// Children are named after the run that a person submitted: ROOT.KEY.
std::string root_id(const Run& run) {
  return run.created.parent ? run.created.id.substr(0, run.created.id.find('.')) : run.created.id;
}

}  // namespace

void Engine::State::start_child(Run& run, TaskIndex task, std::uint32_t index) {
  const auto& uses = std::get<workflow::UsesWorkflow>(run.task(task).action);
  auto params = child_params(run, task, index, uses);
  if (!params) {
    fail_instance(run, task, index, {.reason = "invalid_expression", .message = params.error().message});
    return;
  }
  const InstanceKey parent{run.key(), task, index};
  RunCreated created{.id = fmt::format("{}.{}", root_id(run), counters_.last_run.value() + 1),
                     .bundle_hash = run.created.bundle_hash,
                     .used_path = uses.file,
                     .working_dir = folder_of(run.created.working_dir, uses.path),
                     .labels = run.created.labels,
                     .priority = uses.workflow->priority.value_or(run.created.priority),
                     .scheduled_for = run.created.scheduled_for,
                     .parent = parent,
                     .parent_id = run.created.id};
  Run& child = add_run(std::move(created), *std::move(params), uses.workflow);
  const auto timeout = run.task(task).timeout;
  ++run.group(task).instances[index].attempts;
  transition(run, task, index, RunningChild{child.key(), timeout ? now_ + *timeout : TimePoint::max()});
  admit(child);
}

const Run* Engine::State::caller(const Run& child) const {
  if (!child.created.parent) return nullptr;
  const InstanceKey key = *child.created.parent;
  const Run* parent = find_run(key.run);
  // A retry of the parent may have given its matrix fewer instances since.
  if (parent == nullptr || key.task.value() >= parent->groups.size()) return nullptr;
  const auto& instances = parent->group(key.task).instances;
  if (key.index >= instances.size()) return nullptr;
  const auto* running = std::get_if<RunningChild>(&instances[key.index].state);
  return running != nullptr && running->child == child.key() ? parent : nullptr;
}

void Engine::State::child_ended(const Run& child) {
  if (caller(child) == nullptr) return;
  const InstanceKey key = *child.created.parent;
  Run& parent = run(key.run);
  // It counted under the limits of its task and its run.
  freed({Blocker::Kind::task_limit, {key.run, key.task}, ""});
  freed({Blocker::Kind::run_limit, {key.run, TaskIndex(0)}, ""});
  const std::string name = fmt::format("run {} {}", child.created.id, to_string(child.state.state));
  if (child.state.state == RunState::succeeded) {
    auto outputs = workflow_outputs(child);
    if (outputs) {
      if (const Result<> room = parent.check_room_for(*outputs); !room) outputs = std::unexpected(room.error());
    }
    if (outputs) {
      transition(parent, key.task, key.index, Succeeded{}, {.outputs = *std::move(outputs)});
    } else {
      fail_instance(parent, key.task, key.index, {.reason = "missing_output", .message = outputs.error().message});
    }
  } else if (parent.must_stop(key.task)) {
    transition(parent, key.task, key.index, Cancelled{});
  } else if (child.rejected) {
    parent.rejected = true;
    fail_instance(parent, key.task, key.index, {.reason = "rejected", .message = name});
  } else if (child.state.state == RunState::cancelled && child.state.reason != "timeout") {
    fail_instance(parent, key.task, key.index, {.reason = "cancelled", .message = name});
  } else {
    using workflow::FailureKind;
    const bool late = child.state.reason == "timeout";
    const workflow::FailureClass failure =
        late ? workflow::FailureClass{FailureKind::timeout, 0} : workflow::FailureClass{FailureKind::exit, 1};
    retry_or_fail(parent, key, failure, child.key().value(), {.message = name});
  }
}

}  // namespace baton::engine
