#include "launch.hpp"

#include <baton/base/limits.hpp>

#include "run_context.hpp"

#include <variant>

namespace baton::engine {
namespace {

using EnvEntries = std::vector<std::pair<std::string, workflow::Template>>;

Result<> bind_env(const EnvEntries& entries, RunContext& context, Launch& launch) {
  for (const auto& [name, value] : entries) {
    if (const auto secret = value.secret()) {
      launch.env.push_back({name, *secret, true});
      continue;
    }
    auto text = value.evaluate_text(context);
    if (!text) return fail(text.error().code, "env.{}: {}", name, text.error().message);
    // Linux takes no string over 128 KiB and none with a NUL in it.
    if (text->size() > limits::kTaskEnvBytes) {
      return fail(ErrorCode::limit, "env.{}: the value has {} bytes, over the {} that an environment variable may have",
                  name, text->size(), limits::kTaskEnvBytes);
    }
    if (text->find('\0') != std::string::npos) {
      return fail(ErrorCode::invalid_argument, "env.{}: the value has a NUL byte in it", name);
    }
    context.bind(name, *text);
    launch.env.push_back({name, *std::move(text), false});
  }
  return {};
}

// What interface.md promises every task; behind the user's own entries, so that these cannot be overridden.
void add_own_env(const Run& run, const ActiveAttempt& attempt, const std::string& instance, Launch& launch) {
  const auto add = [&](std::string name, std::string value) {
    launch.env.push_back({std::move(name), std::move(value), false});
  };
  add("BATON_RUN_ID", run.created.id);
  add("BATON_RUN_NUMBER", std::to_string(run.created.number));
  add("BATON_WORKFLOW", run.spec->name);
  add("BATON_TASK", instance);
  add("BATON_ATTEMPT", std::to_string(attempt.number));
  add("BATON_IDEMPOTENCY_KEY", launch.label);
  if (run.created.scheduled_for) add("BATON_SCHEDULED_FOR", format_rfc3339(*run.created.scheduled_for));
  if (run.task(attempt.key.task).is_finally) add("BATON_RUN_STATUS", std::string(to_string(run.verdict())));
}

Result<> set_action(const workflow::TaskSpec& task, const RunContext& context, Launch& launch) {
  if (const auto* script = std::get_if<workflow::RunScript>(&task.action)) {
    launch.argv = script->shell;
    launch.script = script->script;
    return {};
  }
  const auto& command = std::get<workflow::RunCommand>(task.action);
  for (std::size_t i = 0; i < command.argv.size(); ++i) {
    auto text = command.argv[i].evaluate_text(context);
    if (!text) return fail(text.error().code, "command[{}]: {}", i, text.error().message);
    if (text->find('\0') != std::string::npos) {
      return fail(ErrorCode::invalid_argument, "command[{}]: the value has a NUL byte in it", i);
    }
    launch.argv.push_back(*std::move(text));
  }
  return {};
}

Result<> set_working_dir(const Run& run, const workflow::TaskSpec& task, const RunContext& context, Launch& launch) {
  launch.working_dir = run.created.working_dir;
  if (!task.working_dir) return {};
  auto text = task.working_dir->evaluate_text(context);
  if (!text) return fail(text.error().code, "working_dir: {}", text.error().message);
  if (text->empty()) return {};
  launch.working_dir = text->starts_with('/') || run.created.working_dir.empty()
                           ? *std::move(text)
                           : run.created.working_dir + "/" + *text;
  return {};
}

}  // namespace

Result<Launch> build_launch(const Run& run, const ActiveAttempt& attempt) {
  const workflow::TaskSpec& task = run.task(attempt.key.task);
  const std::string instance = run.instance_name(attempt.key.task, attempt.key.index);
  Launch launch;
  launch.worker = attempt.worker;
  launch.attempt = attempt.id;
  launch.label = fmt::format("{}/{}/{}", run.created.id, instance, attempt.number);
  launch.outputs = task.outputs;
  launch.timeout = task.timeout.value_or(Duration{0});
  launch.grace = task.grace;
  launch.needs = task.resources;
  RunContext context(run, attempt.key.task, attempt.key.index);
  if (auto bound = bind_env(run.spec->env, context, launch); !bound) return std::unexpected(bound.error());
  if (auto bound = bind_env(task.env, context, launch); !bound) return std::unexpected(bound.error());
  add_own_env(run, attempt, instance, launch);
  if (auto set = set_action(task, context, launch); !set) return std::unexpected(set.error());
  if (auto set = set_working_dir(run, task, context, launch); !set) return std::unexpected(set.error());
  return launch;
}

Result<std::string> exclusive_environment(const Run& run, TaskIndex task_index, std::uint32_t index) {
  const workflow::TaskSpec& task = run.task(task_index);
  if (task.kind != workflow::TaskKind::deploy || !task.environment) return std::string();
  auto name = task.environment->evaluate_text(RunContext(run, task_index, index));
  if (!name) return fail(name.error().code, "environment: {}", name.error().message);
  return name;
}

}  // namespace baton::engine
