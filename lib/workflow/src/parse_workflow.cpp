// The top level of a workflow file.
#include <fmt/format.h>
#include <baton/base/limits.hpp>
#include <baton/base/text.hpp>

#include "parse_task.hpp"

namespace baton::workflow {
namespace {

enum class WorkflowKey {
  name,
  description,
  labels,
  version,
  params,
  env,
  schedule,
  max_active_runs,
  max_active_tasks,
  priority,
  defaults,
  tasks,
  finally,
  outputs,
  retention
};
constexpr std::array<std::string_view, 15> kWorkflowKeys{
    "name",     "description", "labels",          "version",          "params",
    "env",      "schedule",    "max_active_runs", "max_active_tasks", "priority",
    "defaults", "tasks",       "finally",         "outputs",          "retention"};
using TopFields = Fields<WorkflowKey, kWorkflowKeys.size()>;

constexpr std::int64_t kMostActive = 1'000'000;

// The file's name without its folder and extension.
std::string_view stem(std::string_view file_name) {
  file_name = file_name.substr(file_name.find_last_of('/') + 1);
  for (const std::string_view extension : {".yaml", ".yml", ".json"}) {
    if (file_name.ends_with(extension)) return file_name.substr(0, file_name.size() - extension.size());
  }
  return file_name;
}

void read_labels(FileContext& file, Node node) {
  if (!expect_map(file.problems, node, "labels")) return;
  if (node.size() > limits::kLabels) {
    file.problems.error(node.offset(), fmt::format("`labels` has more than {} labels", limits::kLabels));
    return;
  }
  for (const auto [key, value] : node.entries()) {
    if (!check_name(file.problems, key, "the name of a label")) continue;
    auto text = read_text(file.problems, value, key.text());
    if (!text) continue;
    if (text->size() > limits::kLabelBytes) {
      file.problems.error(value.offset(), fmt::format("a label has at most {} bytes", limits::kLabelBytes));
      continue;
    }
    file.spec.labels.emplace(key.text(), *std::move(text));
  }
}

void read_retention(FileContext& file, Node node) {
  if (!expect_map(file.problems, node, "retention")) return;
  enum class Part { runs, logs };
  const auto fields =
      read_fields<Part>(file.problems, node, "`retention`", std::array<std::string_view, 2>{"runs", "logs"});
  Retention& retention = file.spec.retention;
  if (fields.has(Part::runs)) retention.runs = read_duration(file.problems, fields.value(Part::runs), "runs");
  if (fields.has(Part::logs)) retention.logs = read_duration(file.problems, fields.value(Part::logs), "logs");
}

void read_name_of_workflow(FileContext& file, Node root, const TopFields& fields, std::string_view file_name) {
  if (fields.has(WorkflowKey::name)) {
    file.spec.name = read_name(file.problems, fields.value(WorkflowKey::name), "name").value_or("");
    return;
  }
  file.spec.name = stem(file_name);
  if (is_name(file.spec.name)) return;
  file.problems.error(root.offset(), fmt::format("the file's name, `{}`, cannot be the workflow's", file.spec.name),
                      "add `name:`");
}

void read_settings(FileContext& file, const TopFields& fields) {
  Problems& problems = file.problems;
  WorkflowSpec& spec = file.spec;
  if (fields.has(WorkflowKey::description)) {
    spec.description = read_string(problems, fields.value(WorkflowKey::description), "description").value_or("");
  }
  if (fields.has(WorkflowKey::labels)) read_labels(file, fields.value(WorkflowKey::labels));
  if (fields.has(WorkflowKey::version)) {
    const Node node = fields.value(WorkflowKey::version);
    if (!as_integer(node)) {
      wrong_type(problems, node, "version", "the integer 1");
    } else if (*as_integer(node) != 1) {
      problems.error(
          node.offset(),
          fmt::format("version {} of the language is not supported by this version of Baton", *as_integer(node)),
          "write version: 1");
    }
  }
  const auto count = [&](WorkflowKey key) {
    if (!fields.has(key)) return std::uint32_t{0};
    const std::string_view name = kWorkflowKeys[static_cast<std::size_t>(key)];
    return static_cast<std::uint32_t>(read_integer(problems, fields.value(key), name, 1, kMostActive).value_or(0));
  };
  spec.max_active_runs = count(WorkflowKey::max_active_runs);
  spec.max_active_tasks = count(WorkflowKey::max_active_tasks);
  if (fields.has(WorkflowKey::priority)) spec.priority = read_priority(problems, fields.value(WorkflowKey::priority));
  if (fields.has(WorkflowKey::retention)) read_retention(file, fields.value(WorkflowKey::retention));
}

void add_heads(FileContext& file, Node section, bool is_finally) {
  const std::string_view key = is_finally ? "finally" : "tasks";
  if (!section.is_map() || section.size() == 0) {
    wrong_type(file.problems, section, key, "a map with at least one task");
    return;
  }
  file.heads.reserve(file.heads.size() + section.size());
  for (const auto [name, value] : section.entries()) {
    if (!is_name(name.text()) || name.text().find('.') != std::string_view::npos) {
      file.problems.error(name.offset(), fmt::format("`{}` cannot be the name of a task", name.text().substr(0, 80)),
                          "it has up to 64 letters, digits, `_` and `-`, and begins with a letter or digit");
    }
    const auto index = static_cast<std::uint32_t>(file.heads.size());
    if (!file.by_id.emplace(name.text(), index).second) {
      file.problems.error(name.offset(), fmt::format("`{}` is the name of a task in `tasks` too", name.text()));
      continue;
    }
    file.heads.push_back({name.text(), name, value, is_finally});
  }
}

bool read_heads(FileContext& file, Node root, const TopFields& fields) {
  if (!fields.has(WorkflowKey::tasks)) {
    file.problems.error(root.offset(), "the workflow has no `tasks`");
    return false;
  }
  if (fields.value(WorkflowKey::tasks).is_map()) file.by_id.reserve(fields.value(WorkflowKey::tasks).size());
  add_heads(file, fields.value(WorkflowKey::tasks), false);
  file.spec.finally_begin = static_cast<std::uint32_t>(file.heads.size());
  if (fields.has(WorkflowKey::finally)) add_heads(file, fields.value(WorkflowKey::finally), true);
  if (file.heads.size() <= limits::kTasks) return true;
  file.problems.error(fields.key(WorkflowKey::tasks).offset(),
                      fmt::format("the workflow has {} tasks, more than {}", file.heads.size(), limits::kTasks),
                      "a matrix makes many instances of one task");
  return false;
}

// The outputs of the whole workflow may come from any task.
void read_workflow_outputs(FileContext& file, Node node) {
  if (!expect_map(file.problems, node, "outputs")) return;
  if (node.size() > limits::kOutputs) {
    file.problems.error(node.offset(), fmt::format("`outputs` has more than {} names", limits::kOutputs));
    return;
  }
  CheckContext& check = file.check;
  auto all_needs = std::make_shared<NeedsList>();
  all_needs->reserve(file.heads.size());
  for (std::uint32_t i = 0; i < file.heads.size(); ++i) all_needs->emplace_back(file.heads[i].id, TaskIndex(i));
  check.all_needs = std::move(all_needs);
  check.needs = [&file](std::string_view id) {
    const auto found = file.by_id.find(id);
    return found == file.by_id.end() ? std::nullopt : std::optional(needs_info(file, TaskIndex(found->second)));
  };
  for (const auto [key, value] : node.entries()) {
    if (file.problems.full()) return;
    const bool named = check_identifier(file.problems, key, "the name of an output");
    if (!value.is_scalar()) {
      wrong_type(file.problems, value, key.text(), "an expression such as ${{ needs.TASK.outputs.NAME }}");
    } else if (auto text = compile_template(file, value, {.field = "outputs", .matrix = false}); text && named) {
      file.spec.outputs.emplace_back(key.text(), *std::move(text));
    }
  }
}

// What is checked and then has no effect is said aloud, or somebody waits for it.
void warn_of_the_idle(FileContext& file, const TopFields& fields) {
  if (fields.has(WorkflowKey::schedule)) {
    file.problems.warning(fields.key(WorkflowKey::schedule).offset(),
                          "`schedule` is checked, but this version starts no runs by it");
  }
  if (fields.has(WorkflowKey::retention)) {
    file.problems.warning(fields.key(WorkflowKey::retention).offset(),
                          "`retention` is checked, but this version removes nothing by it");
  }
}

void read_root(FileContext& file, Node root, std::string_view file_name) {
  if (!root.is_map()) {
    file.problems.error(root.offset(),
                        fmt::format("a workflow must be a map with at least `tasks`, not {}", described(root)));
    return;
  }
  const auto fields = read_fields<WorkflowKey>(file.problems, root, "", kWorkflowKeys);
  read_name_of_workflow(file, root, fields, file_name);
  read_settings(file, fields);
  if (fields.has(WorkflowKey::params)) read_params(file, fields.value(WorkflowKey::params));
  file.check.param = [&file](std::string_view name) {
    const auto found = file.param_types.find(name);
    return found == file.param_types.end() ? std::nullopt : std::optional(found->second);
  };
  if (fields.has(WorkflowKey::schedule)) read_schedule(file, fields.value(WorkflowKey::schedule));
  if (fields.has(WorkflowKey::env)) {
    const Scope scope{.field = "env", .needs = false, .matrix = false, .env = true, .secrets = true};
    read_env(file, fields.value(WorkflowKey::env), scope, file.spec.env);
  }
  if (fields.has(WorkflowKey::defaults)) read_defaults(file, fields.value(WorkflowKey::defaults));
  if (!read_heads(file, root, fields)) return;
  read_tasks(file);
  if (fields.has(WorkflowKey::outputs) && !file.problems.full())
    read_workflow_outputs(file, fields.value(WorkflowKey::outputs));
  if (!file.problems.any()) warn_of_the_idle(file, fields);
}

}  // namespace

std::string_view without_bom(std::string_view text) {
  constexpr std::string_view kBom = "\xef\xbb\xbf";
  return text.starts_with(kBom) ? text.substr(kBom.size()) : text;
}

ParseResult parse_file(std::string_view file_name, std::string_view text, const UseResolver& use) {
  const SourceText source(without_bom(text));
  Problems problems(std::string(file_name), source);
  const std::unique_ptr<Tree> tree = Tree::read(source, problems);
  auto spec = std::make_shared<WorkflowSpec>();
  if (tree) {
    FileContext file{.problems = problems, .use = use, .spec = *spec};
    file.check.did_you_mean = [&problems](std::string_view word, std::span<const std::string_view> candidates) {
      return problems.did_you_mean(word, candidates);
    };
    read_root(file, tree->root(), file_name);
  }
  ParseResult result;
  if (!problems.any()) result.workflow = std::move(spec);
  result.diagnostics = problems.take();
  return result;
}

}  // namespace baton::workflow
