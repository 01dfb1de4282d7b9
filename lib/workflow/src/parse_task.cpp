// The tasks: one action each, and what belongs to it.
#include <fmt/format.h>
#include <baton/base/text.hpp>

#include <algorithm>
#include <numeric>
#include <unordered_set>

#include "parse_task.hpp"
#include "read_value.hpp"

namespace baton::workflow {
namespace {

constexpr std::array<std::pair<std::string_view, TaskKind>, 5> kKinds{{{"task", TaskKind::task},
                                                                       {"data-prep", TaskKind::data_prep},
                                                                       {"train", TaskKind::train},
                                                                       {"evaluate", TaskKind::evaluate},
                                                                       {"deploy", TaskKind::deploy}}};
constexpr std::array kActions{TaskKey::run, TaskKey::command, TaskKey::uses, TaskKey::approval};
constexpr std::int64_t kMostParallel = limits::kInstancesPerTask;

std::string_view name_of(TaskKey key) { return kTaskKeys[static_cast<std::size_t>(key)]; }

struct Restriction {
  TaskKey key;
  std::string_view actions;  // those it applies to
  std::string_view hint;
};
constexpr std::string_view kUsedDecides = "a used workflow says this for its own tasks";
constexpr std::array kRestrictions{
    Restriction{TaskKey::shell, "run", ""},
    Restriction{TaskKey::with, "uses", "bind values in `env`"},
    Restriction{TaskKey::env, "run command", "hand values over in `with`"},
    Restriction{TaskKey::working_dir, "run command", kUsedDecides},
    Restriction{TaskKey::outputs, "run command", "a used workflow declares `outputs` at its top level"},
    Restriction{TaskKey::resources, "run command", kUsedDecides},
    Restriction{TaskKey::runs_on, "run command", kUsedDecides},
    Restriction{TaskKey::pool, "run command", kUsedDecides},
    Restriction{TaskKey::priority, "run command", kUsedDecides},
    Restriction{TaskKey::timeout, "run command", kUsedDecides},
    Restriction{TaskKey::grace, "run command", kUsedDecides},
    Restriction{TaskKey::retry, "run command", kUsedDecides},
    Restriction{TaskKey::environment, "run command", kUsedDecides},
};

bool applies_to(const Restriction& restriction, TaskKey action) {
  const std::string_view name = name_of(action);
  return restriction.actions == name || restriction.actions.starts_with(fmt::format("{} ", name)) ||
         restriction.actions.ends_with(fmt::format(" {}", name));
}

}  // namespace

std::string_view to_string(TaskKind kind) {
  return std::find_if(kKinds.begin(), kKinds.end(), [kind](const auto& named) { return named.second == kind; })->first;
}

TaskReader::TaskReader(FileContext& file, std::uint32_t index, TaskEdges& edges)
    : file_(file), problems_(file.problems), head_(file.heads[index]), index_(index), edges_(edges) {}

void TaskReader::read(TaskSpec& task) {
  task.id = head_.id;
  task.is_finally = head_.is_finally;
  task.pos = problems_.source().pos(head_.key.offset());
  if (!expect_map(problems_, head_.value, head_.id)) return;
  fields_ = read_fields<TaskKey>(problems_, head_.value, "", kTaskKeys);
  for (const TaskKey later : {TaskKey::inputs, TaskKey::artifacts, TaskKey::cache}) {
    if (!has(later)) continue;
    problems_.error(fields_.key(later).offset(), fmt::format("`{}` is not supported by this version", name_of(later)));
  }
  if (has(TaskKey::kind)) task.kind = read_choice(problems_, value(TaskKey::kind), "kind", kKinds).value_or(task.kind);
  const auto action = find_action();
  read_needs(task);
  if (has(TaskKey::matrix)) read_matrix_with_needs(task);
  read_matrix_limits(task);
  prepare_check(task);
  if (has(TaskKey::condition)) read_condition(task);
  if (!action) return;
  check_restrictions(*action);
  if (*action == TaskKey::run || *action == TaskKey::command) read_execution(task);
  switch (*action) {
    case TaskKey::run:
      read_run(task);
      break;
    case TaskKey::command:
      read_command(task);
      break;
    case TaskKey::uses:
      read_uses(task);
      break;
    default:
      read_approval(task);
      break;
  }
}

std::optional<TaskKey> TaskReader::find_action() {
  std::optional<TaskKey> action;
  for (const auto [key, value] : head_.value.entries()) {
    const auto is_it = [name = key.text()](TaskKey candidate) { return name_of(candidate) == name; };
    const auto found = std::find_if(kActions.begin(), kActions.end(), is_it);
    if (found == kActions.end()) continue;
    if (action) {
      problems_.error(key.offset(), fmt::format("`{}` beside `{}`: a task has exactly one of run, command, uses and "
                                                "approval",
                                                name_of(*found), name_of(*action)));
    } else {
      action = *found;
    }
  }
  if (!action) {
    problems_.error(head_.key.offset(), fmt::format("the task `{}` has nothing to do", head_.id),
                    "write one of run, command, uses and approval");
  }
  return action;
}

void TaskReader::check_restrictions(TaskKey action) {
  for (const Restriction& restriction : kRestrictions) {
    if (!has(restriction.key) || applies_to(restriction, action)) continue;
    std::string_view hint = action == TaskKey::uses || restriction.key == TaskKey::with ? restriction.hint : "";
    if (action == TaskKey::approval && restriction.key == TaskKey::timeout) hint = "it has a `timeout` of its own";
    problems_.error(fields_.key(restriction.key).offset(),
                    fmt::format("`{}` does not apply to a task with `{}`", name_of(restriction.key), name_of(action)),
                    std::string(hint));
  }
}

void TaskReader::read_need(Node node, TaskSpec& task) {
  const auto id = read_string(problems_, node, "needs");
  if (!id) return;
  const auto found = file_.by_id.find(*id);
  if (found == file_.by_id.end()) {
    std::vector<std::string_view> ids;
    if (!problems_.full()) {
      for (const TaskHead& head : file_.heads) {
        if (head_.is_finally || !head.is_finally) ids.push_back(head.id);
      }
    }
    problems_.error(node.offset(), fmt::format("there is no task `{}`", id->substr(0, 80)),
                    problems_.did_you_mean(*id, ids));
    return;
  }
  const std::uint32_t need = found->second;
  if (need == index_) {
    problems_.error(node.offset(), fmt::format("the task `{}` needs itself", *id));
  } else if (!head_.is_finally && file_.heads[need].is_finally) {
    problems_.error(node.offset(), fmt::format("`{}` is a `finally` task, which runs after all others", *id),
                    "only `finally` tasks can need it");
  } else {
    task.needs.emplace_back(need);
    edges_.edges.push_back({need, index_});
    edges_.places.push_back(static_cast<std::uint32_t>(node.offset()));
  }
}

void TaskReader::read_needs(TaskSpec& task) {
  if (!has(TaskKey::needs)) return;
  const Node node = value(TaskKey::needs);
  if (node.is_list()) {
    task.needs.reserve(node.size());
    for (const Node item : node.items()) read_need(item, task);
  } else if (node.is_scalar()) {
    read_need(node, task);
  } else {
    wrong_type(problems_, node, "needs", "the name of a task, or a list of names");
  }
  std::sort(task.needs.begin(), task.needs.end());
  const auto twice = std::adjacent_find(task.needs.begin(), task.needs.end());
  if (twice == task.needs.end()) return;
  problems_.error(node.offset(), fmt::format("`needs` names `{}` twice", file_.heads[twice->value()].id));
  task.needs.erase(std::unique(task.needs.begin(), task.needs.end()), task.needs.end());
}

void TaskReader::read_matrix_with_needs(TaskSpec& task) {
  prepare_check(task);
  read_matrix(file_, value(TaskKey::matrix), task);
}

void TaskReader::read_matrix_limits(TaskSpec& task) {
  for (const TaskKey key : {TaskKey::max_parallel, TaskKey::fail_fast}) {
    if (!has(key) || has(TaskKey::matrix)) continue;
    problems_.error(fields_.key(key).offset(), fmt::format("`{}` is for a task with a `matrix`", name_of(key)));
  }
  if (has(TaskKey::max_parallel)) {
    const auto most = read_integer(problems_, value(TaskKey::max_parallel), "max_parallel", 1, kMostParallel);
    task.max_parallel = static_cast<std::uint32_t>(most.value_or(0));
  }
  if (has(TaskKey::fail_fast)) {
    task.fail_fast = read_bool(problems_, value(TaskKey::fail_fast), "fail_fast").value_or(false);
  }
}

// What expressions in this task may refer to.
void TaskReader::prepare_check(const TaskSpec& task) {
  CheckContext& check = file_.check;
  auto all_needs = std::make_shared<NeedsList>();
  all_needs->reserve(task.needs.size());
  for (const TaskIndex need : task.needs) all_needs->emplace_back(file_.heads[need.value()].id, need);
  check.all_needs = std::move(all_needs);
  check.needs = [this, &task](std::string_view id) { return need_info(id, task); };
  check.matrix_axes.emplace();
  if (task.matrix) {
    const MatrixSpec& matrix = *task.matrix;
    const bool known = !std::holds_alternative<Expression>(matrix.axes) && !matrix.axis_names.empty();
    check.matrix_axes = known ? std::optional(matrix.axis_names) : std::nullopt;
  }
  check.env_names.clear();
}

std::optional<NeedsInfo> TaskReader::need_info(std::string_view id, const TaskSpec& task) const {
  const auto found = file_.by_id.find(id);
  if (found == file_.by_id.end()) return std::nullopt;
  const TaskIndex index(found->second);
  if (!std::binary_search(task.needs.begin(), task.needs.end(), index)) return std::nullopt;
  return needs_info(file_, index);
}

void TaskReader::read_condition(TaskSpec& task) {
  const Node node = value(TaskKey::condition);
  if (!node.is_scalar()) {
    wrong_type(problems_, node, "if", "an expression");
    return;
  }
  task.condition = compile_expression_field(file_, node, {.field = "if", .status = true}, true);
}

void TaskReader::read_outputs(TaskSpec& task) {
  const Node node = value(TaskKey::outputs);
  if (!expect_list(problems_, node, "outputs")) return;
  if (node.size() > limits::kOutputs) {
    problems_.error(node.offset(), fmt::format("`outputs` has more than {} names", limits::kOutputs));
    return;
  }
  std::unordered_set<std::string_view> seen;
  for (const Node item : node.items()) {
    auto name = read_string(problems_, item, "outputs");
    if (!name || !check_identifier(problems_, item, "the name of an output")) continue;
    if (!seen.insert(item.text()).second) {
      problems_.error(item.offset(), fmt::format("`outputs` names `{}` twice", *name));
      continue;
    }
    task.outputs.push_back(*std::move(name));
  }
}

namespace {

std::shared_ptr<const Names> sorted(Names names) {
  std::sort(names.begin(), names.end());
  return std::make_shared<const Names>(std::move(names));
}

std::shared_ptr<const Names> outputs_of(FileContext& file, const WorkflowSpec& used) {
  std::shared_ptr<const Names>& known = file.used_outputs[&used];
  if (known) return known;
  Names names;
  names.reserve(used.outputs.size());
  for (const auto& [name, value] : used.outputs) names.push_back(name);
  return known = sorted(std::move(names));
}

KnownNeed look_at(FileContext& file, TaskIndex index) {
  const TaskHead& head = file.heads[index.value()];
  KnownNeed need{.info = {.index = index, .outputs = {}, .is_matrix = head.value.find("matrix").has_value()}};
  Names names;
  if (const auto path = head.value.find("uses"); path && path->is_scalar()) {
    SourceText nowhere{std::string_view()};
    Problems unheard("", nowhere);  // the task itself reports them
    const auto used = file.use(path->text(), unheard, *path).workflow;
    need.broken = !used;
    if (used) need.info.outputs = outputs_of(file, *used);
  } else if (const auto outputs = head.value.find("outputs"); outputs && outputs->is_list()) {
    if (outputs->size() > limits::kOutputs) need.broken = true;
    for (const Node item : outputs->items()) {
      if (item.is_scalar() && !need.broken) names.emplace_back(item.text());
    }
  }
  if (!need.info.outputs) need.info.outputs = sorted(std::move(names));
  return need;
}

}  // namespace

NeedsInfo needs_info(FileContext& file, TaskIndex index) {
  auto known = file.known_needs.find(index.value());
  if (known == file.known_needs.end()) known = file.known_needs.emplace(index.value(), look_at(file, index)).first;
  if (known->second.broken) file.refers_to_broken = true;
  return known->second.info;
}

namespace {

std::size_t bytes_of(const Defaults& defaults) {
  std::size_t bytes = defaults.working_dir ? defaults.working_dir->source().size() : 0;
  for (const auto& [name, value] : defaults.env) bytes += name.size() + value.source().size();
  for (const std::string& word : defaults.shell) bytes += word.size();
  for (const auto& [name, slots] : defaults.pools) bytes += name.size();
  for (const std::string& label : defaults.runs_on.labels) bytes += label.size();
  return bytes;
}

// Each task gets a copy of its defaults, so that a small file could ask for much memory.
bool check_defaults(FileContext& file) {
  const Defaults& defaults = file.defaults;
  const std::size_t entries = defaults.env.size() + defaults.pools.size() + defaults.runs_on.labels.size() +
                              defaults.resources.custom_milli.size() + defaults.shell.size() +
                              (defaults.retry.on ? defaults.retry.on->size() : 0);
  // A shell of a few words, and the like, is what any task has.
  constexpr std::size_t kFew = 16;
  const std::size_t tasks = file.heads.size();
  const auto refuse = [&](std::size_t each, std::string_view what, std::size_t most, std::string_view unit) {
    file.problems.error(
        file.heads.front().key.offset(),
        fmt::format("`defaults` has {} {} for each of {} tasks, in all more than {}{}", each, what, tasks, most, unit));
    return false;
  };
  if (entries > kFew && entries * tasks > limits::kInheritedEntries) {
    return refuse(entries, "entries", limits::kInheritedEntries, "");
  }
  const std::size_t bytes = bytes_of(defaults);
  if (bytes * tasks > limits::kInheritedBytes) return refuse(bytes, "bytes", limits::kInheritedBytes >> 20, " MiB");
  return true;
}

}  // namespace

void read_tasks(FileContext& file) {
  if (!check_defaults(file)) return;
  TaskEdges edges;
  std::vector<TaskSpec>& tasks = file.spec.tasks;
  tasks.reserve(file.heads.size());
  for (std::uint32_t i = 0; i < file.heads.size() && !file.problems.full(); ++i) {
    TaskReader(file, i, edges).read(tasks.emplace_back());
  }
  file.spec.by_id.resize(tasks.size());
  std::iota(file.spec.by_id.begin(), file.spec.by_id.end(), 0u);
  std::sort(file.spec.by_id.begin(), file.spec.by_id.end(),
            [&tasks](std::uint32_t a, std::uint32_t b) { return tasks[a].id < tasks[b].id; });
  if (!file.problems.full()) build_graph(file, std::move(edges.edges), std::move(edges.places));
}

}  // namespace baton::workflow
