// What a task executes: `run`, `command`, `uses`, `approval`, and the keys that go with them.
#include <fmt/format.h>
#include <baton/base/text.hpp>

#include <algorithm>

#include "parse_task.hpp"
#include "scalar_place.hpp"

namespace baton::workflow {
namespace {

constexpr std::size_t kArguments = 100'000;

}  // namespace

void TaskReader::read_execution(TaskSpec& task) {
  const Defaults& defaults = file_.defaults;
  task.env = defaults.env;
  for (const auto& [name, text] : file_.spec.env) file_.check.env_names.push_back(name);
  for (const auto& [name, text] : defaults.env) file_.check.env_names.push_back(name);
  if (has(TaskKey::env)) {
    read_env(file_, value(TaskKey::env), {.field = "env", .env = true, .secrets = true}, task.env);
  }
  task.resources = defaults.resources;
  if (has(TaskKey::resources)) read_resources(problems_, value(TaskKey::resources), task.resources);
  task.runs_on = has(TaskKey::runs_on) ? read_runs_on(problems_, value(TaskKey::runs_on)) : defaults.runs_on;
  task.pools = has(TaskKey::pool) ? read_pool(problems_, value(TaskKey::pool)) : defaults.pools;
  if (has(TaskKey::priority)) task.priority = read_priority(problems_, value(TaskKey::priority));
  if (has(TaskKey::outputs)) read_outputs(task);
  read_limits(task);
  read_templates(task);
}

void TaskReader::read_limits(TaskSpec& task) {
  const Defaults& defaults = file_.defaults;
  task.timeout = defaults.timeout;
  if (has(TaskKey::timeout)) {
    task.timeout = read_duration(problems_, value(TaskKey::timeout), "timeout", std::chrono::milliseconds(1));
  }
  if (defaults.grace) task.grace = *defaults.grace;
  if (has(TaskKey::grace)) task.grace = read_duration(problems_, value(TaskKey::grace), "grace").value_or(task.grace);
  // Half a deployment twice is worse than one that failed: only its own word counts.
  const RetryDraft base = task.kind == TaskKind::deploy ? RetryDraft() : defaults.retry;
  if (!has(TaskKey::retry)) {
    if (base.max_retries) task.retry = merge({}, base);
    return;
  }
  const Node node = value(TaskKey::retry);
  const RetryDraft own = read_retry(problems_, node);
  task.retry = merge(own, base);
  if (node.is_map() && !own.max_retries && !base.max_retries) {
    problems_.error(fields_.key(TaskKey::retry).offset(), "`retry` has no `max_retries`",
                    "say how often, such as max_retries: 3");
  }
}

void TaskReader::read_templates(TaskSpec& task) {
  task.working_dir = file_.defaults.working_dir;
  if (has(TaskKey::working_dir)) {
    const Node node = value(TaskKey::working_dir);
    if (read_string(problems_, node, "working_dir")) {
      task.working_dir.reset();
      auto text = compile_template(file_, node, {.field = "working_dir", .env = true});
      if (text) task.working_dir = *std::move(text);
    }
  }
  if (!has(TaskKey::environment)) return;
  const Node node = value(TaskKey::environment);
  if (!read_string(problems_, node, "environment")) return;
  auto name = compile_template(file_, node, {.field = "environment"});
  if (!name) return;
  if (name->is_literal()) check_name(problems_, node, "the name of an environment");
  task.environment = *std::move(name);
}

void TaskReader::read_run(TaskSpec& task) {
  RunScript& run = task.action.emplace<RunScript>();
  const Node node = value(TaskKey::run);
  if (auto script = read_string(problems_, node, "run")) run.script = *std::move(script);
  if (node.is_scalar() && node.text().find_first_not_of(" \t\n") == std::string_view::npos) {
    problems_.error(node.offset(), "`run` is empty");
  }
  if (const std::size_t at = run.script.find(kExpressionOpen); at != std::string::npos) {
    problems_.error(origin_of(problems_.source(), node).at(run.script, at),
                    "`run` is never templated: bind the value in `env:`",
                    "write env: {NAME: \"${{ … }}\"} and use \"$NAME\" in the script");
  }
  run.shell = has(TaskKey::shell) ? read_shell(problems_, value(TaskKey::shell)) : file_.defaults.shell;
}

void TaskReader::read_command(TaskSpec& task) {
  RunCommand& command = task.action.emplace<RunCommand>();
  const Node node = value(TaskKey::command);
  if (node.is_scalar()) {
    wrong_type(problems_, node, "command", "a list: the program and its arguments",
               "for a shell's command line use `run`");
    return;
  }
  if (!expect_list(problems_, node, "command")) return;
  if (node.size() > kArguments) {
    problems_.error(node.offset(), fmt::format("`command` has more than {} arguments", kArguments));
    return;
  }
  command.argv.reserve(node.size());
  for (const Node item : node.items()) {
    if (!item.is_scalar()) {
      wrong_type(problems_, item, "command", "a list of strings, numbers and booleans");
    } else if (auto argument = compile_template(file_, item, {.field = "command", .env = true})) {
      command.argv.push_back(*std::move(argument));
    }
  }
  const Node program = *node.items().begin();
  if (program.is_scalar() && program.text().empty()) problems_.error(program.offset(), "the program's name is empty");
}

void TaskReader::read_uses(TaskSpec& task) {
  UsesWorkflow& uses = task.action.emplace<UsesWorkflow>();
  if (has(TaskKey::with) && expect_map(problems_, value(TaskKey::with), "with")) {
    for (const auto [key, item] : value(TaskKey::with).entries()) {
      if (!item.is_scalar()) {
        wrong_type(problems_, item, key.text(), "a string, number, boolean or expression");
      } else if (auto text = compile_template(file_, item, {.field = "with"})) {
        uses.with.emplace_back(key.text(), *std::move(text));
      }
    }
  }
  const Node node = value(TaskKey::uses);
  auto path = read_string(problems_, node, "uses");
  if (!path) return;
  if (path->empty() || path->find(kExpressionOpen) != std::string::npos) {
    problems_.error(node.offset(), "`uses` must be the path of a workflow file, without expressions");
    return;
  }
  uses.path = *std::move(path);
  UsedFile used = file_.use(uses.path, problems_, node);
  uses.file = std::move(used.file);
  uses.workflow = std::move(used.workflow);
  if (!uses.workflow) return;
  for (const auto& [name, text] : uses.workflow->outputs) task.outputs.push_back(name);
  check_with(*uses.workflow, uses);
}

void TaskReader::check_with(const WorkflowSpec& used, const UsesWorkflow& uses) {
  const std::optional<Node> with = has(TaskKey::with) ? std::optional(value(TaskKey::with)) : std::nullopt;
  if (with && with->is_map()) {
    for (const auto [key, item] : with->entries()) {
      const auto param = std::find_if(used.params.begin(), used.params.end(),
                                      [name = key.text()](const ParamSpec& p) { return p.name == name; });
      if (param == used.params.end()) {
        problems_.error(key.offset(), fmt::format("`{}` has no parameter `{}`", uses.path, key.text().substr(0, 80)),
                        problems_.did_you_mean(key.text(), param_names(used.params)));
      } else if (item.is_scalar() && item.text().find(kExpressionOpen) == std::string_view::npos) {
        const auto bound = bind_value(*param, std::string(item.text()));
        if (bound) continue;
        problems_.error(item.offset(), fmt::format("parameter `{}` {}", param->name, bound.error().message));
      }
    }
  }
  for (const ParamSpec& param : used.params) {
    if (!param.required || (with && with->find(param.name))) continue;
    problems_.error(value(TaskKey::uses).offset(),
                    fmt::format("`with` does not give the required parameter `{}` of `{}`", param.name, uses.path));
  }
}

void TaskReader::read_approval(TaskSpec& task) {
  Approval& approval = task.action.emplace<Approval>();
  approval.message = Template::literal(fmt::format("Approve {}?", task.id));
  const Node node = value(TaskKey::approval);
  if (!expect_map(problems_, node, "approval")) return;
  enum class ActionKey { message, timeout, on_timeout };
  constexpr std::array<std::string_view, 3> kActionKeys{"message", "timeout", "on_timeout"};
  constexpr Choices<bool, 2> kVerdicts{{{"reject", false}, {"approve", true}}};
  const auto fields = read_fields<ActionKey>(problems_, node, "`approval`", kActionKeys);
  if (fields.has(ActionKey::message) && read_string(problems_, fields.value(ActionKey::message), "message")) {
    auto message = compile_template(file_, fields.value(ActionKey::message), {.field = "approval.message"});
    if (message) approval.message = *std::move(message);
  }
  if (fields.has(ActionKey::timeout)) {
    approval.timeout = read_duration(problems_, fields.value(ActionKey::timeout), "timeout", std::chrono::seconds(1));
  }
  if (!fields.has(ActionKey::on_timeout)) return;
  approval.approve_on_timeout =
      read_choice(problems_, fields.value(ActionKey::on_timeout), "on_timeout", kVerdicts).value_or(false);
  if (fields.has(ActionKey::timeout)) return;
  problems_.error(fields.key(ActionKey::on_timeout).offset(), "`on_timeout` without a `timeout`");
}

}  // namespace baton::workflow
