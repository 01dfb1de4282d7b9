// What a workflow would run, before it runs: order, instances, resources.
#pragma once
#include <baton/views/views.hpp>
#include <baton/workflow/spec.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace baton::cli {

struct InstanceCount {
  std::uint64_t known = 0;
  bool open = false;  // a matrix depends on outputs: it may become more
};
// With the matrices that are fixed in the file; sub-workflows count as the one task that uses them.
InstanceCount count_instances(const workflow::WorkflowSpec& workflow);

struct Plan {
  struct Task {
    std::string id;
    std::string kind;
    std::uint32_t level = 0;  // from 1: tasks of a level may run at the same time
    bool is_finally = false;
    std::optional<std::uint64_t> instances;  // nullopt: known when its upstream has ended
    std::vector<std::string> needs;
    workflow::Resources resources;
    workflow::RunsOn runs_on;
    bool holds_slot = true;               // false: an approval or a sub-workflow, which take nothing from a worker
    std::vector<std::string> conditions;  // "if …", "environment production", "pool db: 2"
    bool is_critical = false;
  };
  std::vector<Task> tasks;  // in an order in which they could run one by one
  std::vector<std::string> critical_path;
  InstanceCount total;
  std::vector<std::string> missing;  // what no known worker could run, and why
  bool workers_known = false;
};

// `params` are bound and checked. Errors: invalid_argument if a matrix cannot be expanded with them.
Result<Plan> make_plan(const workflow::WorkflowSpec& workflow, const Value& params);
// Fills in `missing`.
void match_workers(Plan& plan, const std::vector<views::WorkerView>& workers);

std::string render_plan(const workflow::WorkflowSpec& workflow, const Plan& plan, bool wide, bool colour);
nlohmann::json plan_json(const workflow::WorkflowSpec& workflow, const Plan& plan);

}  // namespace baton::cli
