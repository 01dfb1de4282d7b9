// A workflow file: YAML, the language's checks, matrices, parameters.
#include <baton/base/limits.hpp>
#include <baton/base/text.hpp>
#include <baton/workflow/spec.hpp>

#include <algorithm>

#include "../target.hpp"

namespace baton::fuzz {
namespace {

void check_diagnostics(const std::vector<Diagnostic>& diagnostics, std::string_view text) {
  holds(diagnostics.size() <= limits::kDiagnostics + 1, "not more diagnostics than the limit");
  const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  std::size_t bytes = 0;
  for (const Diagnostic& diagnostic : diagnostics) {
    holds(diagnostic.pos.line <= lines + 1, "a diagnostic points into the file");
    bytes += diagnostic.message.size() + diagnostic.hint.size();
  }
  holds(bytes <= 64 * text.size() + (64u << 10), "what is said of a file is not much larger than the file");
}

void check_combos(const workflow::MatrixCombos& combos, const workflow::TaskSpec& task) {
  holds(combos.size() <= limits::kInstancesPerTask, "not more instances than the limit");
  for (const std::uint32_t index : {0u, combos.size() / 2, combos.size() - 1}) {
    if (index >= combos.size()) continue;
    holds(combos.at(index).is_object(), "a combination is an object");
    holds(combos.label(index).size() <= 128, "a label is short");
    holds(is_valid_utf8(workflow::instance_name(task, &combos, index)), "an instance's name is text");
  }
  if (combos.size() > 10'000) return;
  const auto again = workflow::MatrixCombos::from_json(combos.to_json());
  holds(again.has_value() && again->size() == combos.size(), "a stored matrix reads back");
  for (std::uint32_t index = 0; index < std::min(combos.size(), 100u); ++index) {
    holds(again->at(index) == combos.at(index), "a stored combination is the same");
    holds(again->label(index) == combos.label(index), "a stored instance keeps its name");
  }
}

void check_workflow(const workflow::WorkflowSpec& spec) {
  holds(!spec.tasks.empty() && spec.tasks.size() <= limits::kTasks, "a workflow has tasks, and not too many");
  holds(is_name(spec.name), "a workflow's name is a name");
  for (std::size_t i = 0; i < spec.tasks.size(); ++i) {
    const workflow::TaskSpec& task = spec.tasks[i];
    holds(is_name(task.id), "a task's id is a name");
    holds(spec.find(task.id) == TaskIndex(static_cast<std::uint32_t>(i)), "a task is found by its id");
    for (const TaskIndex need : task.needs) holds(need.value() < spec.tasks.size(), "what a task needs exists");
    if (task.matrix && task.matrix->fixed) check_combos(*task.matrix->fixed, task);
  }
  if (const auto bound = workflow::bind_params(spec, Value::object())) {
    holds(workflow::bind_params(spec, *bound) == bound, "bound parameters are bound to themselves");
  }
}

}  // namespace

void workflow(std::string_view input) {
  const workflow::ParseResult result = workflow::parse_workflow("fuzz.yaml", input);
  holds((result.workflow == nullptr) == has_errors(result.diagnostics), "a workflow, or errors, never both");
  check_diagnostics(result.diagnostics, input);
  workflow::used_paths("fuzz.yaml", input);
  if (result.workflow) check_workflow(*result.workflow);
}

}  // namespace baton::fuzz
