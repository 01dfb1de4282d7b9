// A plan for people and for programs.
#include <fmt/format.h>
#include <baton/base/quantity.hpp>

#include "plan.hpp"
#include "style.hpp"

namespace baton::cli {
namespace {

std::string joined(const std::vector<std::string>& texts, std::string_view separator) {
  return fmt::format("{}", fmt::join(texts, separator));
}

std::string resources_text(const Plan::Task& task) {
  if (!task.holds_slot) return "-";
  std::string text = fmt::format("cpu {}", format_milli(task.resources.cpu_milli));
  if (task.resources.memory_bytes != 0) text += fmt::format(", memory {}", format_bytes(task.resources.memory_bytes));
  if (task.resources.gpu_milli != 0) text += fmt::format(", gpu {}", format_milli(task.resources.gpu_milli));
  for (const auto& [name, amount] : task.resources.custom_milli)
    text += fmt::format(", {} {}", name, format_milli(amount));
  return text;
}

std::string runs_on_text(const workflow::RunsOn& runs_on) {
  return runs_on.worker.empty() ? joined(runs_on.labels, ",") : "worker " + runs_on.worker;
}

std::string total_text(const InstanceCount& total) {
  return fmt::format("{}{}", total.open ? "at least " : "", counted(total.known, "instance"));
}

}  // namespace

std::string render_plan(const workflow::WorkflowSpec& workflow, const Plan& plan, bool wide, bool colour) {
  std::vector<std::string> header{"LEVEL", "TASK", "KIND", "INSTANCES", "RESOURCES"};
  if (wide) header.insert(header.end(), {"RUNS ON", "NEEDS"});
  header.emplace_back("CONDITIONS");
  Table table(header);
  for (const Plan::Task& task : plan.tasks) {
    std::vector<Table::Cell> row{task.is_finally ? "finally" : std::to_string(task.level),
                                 {task.id, task.is_critical ? Style::bold : Style::plain},
                                 task.kind,
                                 task.instances ? std::to_string(*task.instances) : "known later",
                                 resources_text(task)};
    if (wide) row.insert(row.end(), {runs_on_text(task.runs_on), joined(task.needs, ",")});
    row.emplace_back(joined(task.conditions, "; "));
    table.add(std::move(row));
  }
  std::string text = Line()
                         .add(workflow.name, Style::bold)
                         .add(workflow.description.empty() ? "" : ": " + workflow.description)
                         .render(0, colour);
  text += "\n\n" + table.render(colour) + '\n';
  text += fmt::format("total: {}, {}\n", counted(plan.tasks.size(), "task"), total_text(plan.total));
  text += Line().add("critical path: ").add(joined(plan.critical_path, " → ")).render(0, colour) + '\n';
  for (const std::string& missing : plan.missing)
    text += Line().add("missing: ", Style::red).add(missing).render(0, colour) + '\n';
  if (!plan.workers_known) text += "workers: not checked, because no daemon answers\n";
  return text;
}

nlohmann::json plan_json(const workflow::WorkflowSpec& workflow, const Plan& plan) {
  nlohmann::json tasks = nlohmann::json::array();
  for (const Plan::Task& task : plan.tasks) {
    nlohmann::json json{{"name", task.id},
                        {"kind", task.kind},
                        {"level", task.level},
                        {"finally", task.is_finally},
                        {"needs", task.needs},
                        {"critical", task.is_critical},
                        {"conditions", task.conditions},
                        {"instances", nullptr}};
    if (task.instances) json["instances"] = *task.instances;
    if (task.holds_slot) {
      json["resources"] = {{"cpu", static_cast<double>(task.resources.cpu_milli) / 1000},
                           {"memory", task.resources.memory_bytes},
                           {"gpu", static_cast<double>(task.resources.gpu_milli) / 1000}};
      for (const auto& [name, amount] : task.resources.custom_milli)
        json["resources"][name] = static_cast<double>(amount) / 1000;
    }
    json["runs_on"] = task.runs_on.worker.empty() ? nlohmann::json(task.runs_on.labels)
                                                  : nlohmann::json{{"worker", task.runs_on.worker}};
    tasks.push_back(std::move(json));
  }
  nlohmann::json json{{"workflow", workflow.name},           {"tasks", std::move(tasks)},
                      {"instances", plan.total.known},       {"instances_open", plan.total.open},
                      {"critical_path", plan.critical_path}, {"missing", nullptr}};
  if (plan.workers_known) json["missing"] = plan.missing;
  return json;
}

}  // namespace baton::cli
