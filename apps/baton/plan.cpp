#include "plan.hpp"

#include <fmt/format.h>
#include <baton/base/quantity.hpp>

#include <algorithm>

namespace baton::cli {
namespace {

using workflow::MatrixSpec;
using workflow::TaskSpec;
using workflow::WorkflowSpec;

// Before a run there are its params, and nothing else is known.
class PlanContext : public workflow::EvalContext {
 public:
  PlanContext(const WorkflowSpec& workflow, const Value& params) : workflow_(workflow), params_(params) {}
  Value params() const override { return params_; }
  Value matrix() const override { return Value::object(); }
  Value outputs(TaskIndex) const override { return Value::object(); }
  std::string result(TaskIndex) const override { return {}; }
  Value run() const override { return {{"id", ""}, {"number", 0}, {"status", "running"}, {"scheduled_for", ""}}; }
  std::string workflow_name() const override { return workflow_.name; }
  std::optional<std::string> env(std::string_view) const override { return std::nullopt; }
  bool success() const override { return true; }
  bool failure() const override { return false; }
  bool cancelled() const override { return false; }

 private:
  const WorkflowSpec& workflow_;
  const Value& params_;
};

bool depends_on_needs(const MatrixSpec& matrix) {
  if (matrix.fixed) return false;
  if (const auto* expression = std::get_if<workflow::Expression>(&matrix.axes)) return expression->uses_needs();
  const auto& axes = std::get<std::vector<MatrixSpec::AxisTemplate>>(matrix.axes);
  return std::any_of(axes.begin(), axes.end(), [](const MatrixSpec::AxisTemplate& axis) {
    const auto* expression = std::get_if<workflow::Expression>(&axis.values);
    return expression != nullptr && expression->uses_needs();
  });
}

Result<std::optional<std::uint64_t>> instances_of(const TaskSpec& task, const PlanContext& context) {
  if (!task.matrix) return 1;
  if (task.matrix->fixed) return task.matrix->fixed->size();
  if (depends_on_needs(*task.matrix)) return std::nullopt;
  const auto combos = task.matrix->expand(context);
  if (!combos) return fail(ErrorCode::invalid_argument, "the matrix of {}: {}", task.id, combos.error().message);
  return combos->size();
}

std::vector<std::string> conditions_of(const TaskSpec& task) {
  std::vector<std::string> result;
  if (task.condition) result.push_back("if " + task.condition->text());
  if (task.max_parallel != 0) result.push_back(fmt::format("{} at a time", task.max_parallel));
  if (task.environment) result.push_back("environment " + task.environment->source());
  for (const auto& [pool, slots] : task.pools) result.push_back(fmt::format("pool {}: {}", pool, slots));
  if (std::holds_alternative<workflow::Approval>(task.action)) result.emplace_back("waits for approval");
  if (const auto* used = std::get_if<workflow::UsesWorkflow>(&task.action)) result.push_back("uses " + used->path);
  return result;
}

// Why this worker cannot run the task; empty: it can.
std::string obstacle(const Plan::Task& task, const views::WorkerView& worker) {
  if (!task.runs_on.worker.empty() && task.runs_on.worker != worker.name)
    return fmt::format("is not {}", task.runs_on.worker);
  for (const std::string& label : task.runs_on.labels) {
    if (std::find(worker.labels.begin(), worker.labels.end(), label) == worker.labels.end()) {
      return fmt::format("has no label {}", label);
    }
  }
  if (task.resources.cpu_milli > worker.cpu_milli) return fmt::format("has {} cpu", format_milli(worker.cpu_milli));
  if (task.resources.memory_bytes > worker.memory_bytes)
    return fmt::format("has {} memory", format_bytes(worker.memory_bytes));
  if (task.resources.gpu_milli > worker.gpu_milli) return fmt::format("has {} gpu", format_milli(worker.gpu_milli));
  for (const auto& [name, wanted] : task.resources.custom_milli) {
    const auto has = worker.custom_milli.find(name);
    const std::int64_t amount = has == worker.custom_milli.end() ? 0 : has->second;
    if (wanted > amount) return fmt::format("has {} {}", format_milli(amount), name);
  }
  return {};
}

}  // namespace

InstanceCount count_instances(const WorkflowSpec& workflow) {
  InstanceCount count;
  for (const TaskSpec& task : workflow.tasks) {
    if (!task.matrix) {
      ++count.known;
    } else if (task.matrix->fixed) {
      count.known += task.matrix->fixed->size();
    } else {
      count.open = true;
    }
  }
  return count;
}

Result<Plan> make_plan(const WorkflowSpec& workflow, const Value& params) {
  const PlanContext context(workflow, params);
  Plan plan;
  const std::vector<graph::Vertex> path = workflow.dag.critical_path();
  std::uint32_t levels = 0;  // of the ordinary tasks; the finally tasks come behind all of them
  for (std::uint32_t i = 0; i < workflow.finally_begin; ++i) levels = std::max(levels, workflow.dag.depth(i) + 1);
  std::vector<graph::Vertex> order(workflow.dag.order().begin(), workflow.dag.order().end());
  const auto level = [&](graph::Vertex v) {
    return workflow.dag.depth(v) + 1 + (v >= workflow.finally_begin ? levels : 0);
  };
  std::stable_sort(order.begin(), order.end(), [&](graph::Vertex a, graph::Vertex b) { return level(a) < level(b); });
  std::vector<bool> critical(workflow.tasks.size(), false);
  for (const graph::Vertex v : path) {
    critical[v] = true;
    plan.critical_path.push_back(workflow.tasks[v].id);
  }
  for (const graph::Vertex v : order) {
    const TaskSpec& spec = workflow.tasks[v];
    const auto instances = instances_of(spec, context);
    if (!instances) return std::unexpected(instances.error());
    plan.total.known += instances->value_or(0);
    plan.total.open = plan.total.open || !*instances;
    Plan::Task task{spec.id,        std::string(to_string(spec.kind)),
                    level(v),       spec.is_finally,
                    *instances,     {},
                    spec.resources, spec.runs_on,
                    true,           conditions_of(spec),
                    critical[v]};
    for (const TaskIndex need : spec.needs) task.needs.push_back(workflow.task(need).id);
    task.holds_slot = std::holds_alternative<workflow::RunScript>(spec.action) ||
                      std::holds_alternative<workflow::RunCommand>(spec.action);
    plan.tasks.push_back(std::move(task));
  }
  return plan;
}

void match_workers(Plan& plan, const std::vector<views::WorkerView>& workers) {
  plan.workers_known = true;
  plan.missing.clear();
  for (const Plan::Task& task : plan.tasks) {
    if (!task.holds_slot) continue;
    std::string obstacles;
    bool fits = false;
    for (const views::WorkerView& worker : workers) {
      const std::string why = obstacle(task, worker);
      fits = fits || why.empty();
      obstacles += fmt::format("{}{} {}", obstacles.empty() ? "" : ", ", worker.name, why);
    }
    if (fits) continue;
    plan.missing.push_back(
        fmt::format("{}: no worker can run it ({})", task.id, workers.empty() ? "there are none" : obstacles));
  }
}

}  // namespace baton::cli
