// Reads one task. Its parts are in parse_task.cpp (structure) and parse_action.cpp (what it executes).
#pragma once
#include <baton/base/limits.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "parse.hpp"
#include "read_value.hpp"

namespace baton::workflow {

enum class TaskKey {
  kind,
  needs,
  condition,
  matrix,
  max_parallel,
  fail_fast,
  env,
  working_dir,
  shell,
  outputs,
  resources,
  runs_on,
  pool,
  priority,
  timeout,
  grace,
  retry,
  environment,
  run,
  command,
  uses,
  with,
  approval,
  inputs,
  artifacts,
  cache
};
inline constexpr std::array<std::string_view, 26> kTaskKeys{
    "kind",    "needs",     "if",      "matrix", "max_parallel", "fail_fast", "env",       "working_dir", "shell",
    "outputs", "resources", "runs_on", "pool",   "priority",     "timeout",   "grace",     "retry",       "environment",
    "run",     "command",   "uses",    "with",   "approval",     "inputs",    "artifacts", "cache"};

struct TaskEdges {
  std::vector<graph::Dag::Edge> edges;
  std::vector<std::uint32_t> places;  // where each was written
};

class TaskReader {
 public:
  TaskReader(FileContext& file, std::uint32_t index, TaskEdges& edges);
  void read(TaskSpec& task);

 private:
  [[nodiscard]] bool has(TaskKey key) const { return fields_.has(key); }
  [[nodiscard]] Node value(TaskKey key) const { return fields_.value(key); }
  std::optional<TaskKey> find_action();
  void check_restrictions(TaskKey action);
  void read_needs(TaskSpec& task);
  void read_need(Node node, TaskSpec& task);
  void read_matrix_with_needs(TaskSpec& task);
  void read_matrix_limits(TaskSpec& task);
  void prepare_check(const TaskSpec& task);
  [[nodiscard]] std::optional<NeedsInfo> need_info(std::string_view id, const TaskSpec& task) const;
  void read_condition(TaskSpec& task);
  void read_outputs(TaskSpec& task);

  void read_execution(TaskSpec& task);
  void read_limits(TaskSpec& task);
  void read_templates(TaskSpec& task);
  void read_run(TaskSpec& task);
  void read_command(TaskSpec& task);
  void read_uses(TaskSpec& task);
  void check_with(const WorkflowSpec& used, const UsesWorkflow& uses);
  void read_approval(TaskSpec& task);

  FileContext& file_;
  Problems& problems_;
  const TaskHead& head_;
  const std::uint32_t index_;
  TaskEdges& edges_;
  Fields<TaskKey, kTaskKeys.size()> fields_;
};

// What others may refer to in a task.
NeedsInfo needs_info(FileContext& file, TaskIndex index);

}  // namespace baton::workflow
