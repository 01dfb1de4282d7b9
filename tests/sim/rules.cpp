#include "rules.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace baton::sim {
namespace {

using engine::InstancePhase;
using Ends = std::vector<std::optional<InstancePhase>>;

constexpr std::array<std::pair<Condition, std::string_view>, 5> kTexts{{
    {Condition::always, "always()"},
    {Condition::success, "success()"},
    {Condition::failure, "failure()"},
    {Condition::cancelled, "cancelled()"},
    {Condition::never, "false"},
}};

bool has_failed(InstancePhase end) { return end == InstancePhase::failed || end == InstancePhase::upstream_failed; }

// "at least one has failed"; "In a `finally` task without `needs`, `success()` and `failure()` speak of the whole run",
// which has its turn before any other `finally` task has ended.
bool failure(const std::vector<RuleTask>& tasks, std::size_t task, const Ends& ends) {
  if (!tasks[task].is_finally || !tasks[task].needs.empty()) {
    return std::ranges::any_of(tasks[task].needs, [&](std::size_t need) { return has_failed(*ends[need]); });
  }
  for (std::size_t other = 0; other < tasks.size(); ++other) {
    if (!tasks[other].is_finally && has_failed(*ends[other])) return true;
  }
  return false;
}

}  // namespace

std::string_view to_text(Condition condition) {
  for (const auto& [known, text] : kTexts) {
    if (known == condition) return text;
  }
  return "";
}

std::optional<std::vector<RuleTask>> rules_of(const workflow::WorkflowSpec& workflow) {
  std::vector<RuleTask> tasks;
  for (const workflow::TaskSpec& task : workflow.tasks) {
    RuleTask& rule = tasks.emplace_back();
    for (const TaskIndex need : task.needs) rule.needs.push_back(need.value());
    rule.is_finally = task.is_finally;
    if (!task.condition) continue;
    const auto* const known =
        std::ranges::find_if(kTexts, [&](const auto& entry) { return entry.second == task.condition->text(); });
    if (known == kTexts.end()) return std::nullopt;
    rule.condition = known->first;
  }
  return tasks;
}

Turn turn_of(const std::vector<RuleTask>& tasks, std::size_t task, const Ends& ends) {
  const RuleTask& self = tasks[task];
  const auto ended = [&](std::size_t need) { return ends[need].has_value(); };
  if (!std::ranges::all_of(self.needs, ended)) return Turn::waits;
  for (std::size_t other = 0; self.is_finally && other < tasks.size(); ++other) {
    if (!tasks[other].is_finally && !ended(other)) return Turn::waits;
  }
  // A `finally` task runs "whatever became of" the tasks that are none.
  bool bad = false, skipped = false, all_good = true;
  for (const std::size_t need : self.needs) {
    const InstancePhase end = *ends[need];
    all_good = all_good && end == InstancePhase::succeeded;
    if (self.is_finally && !tasks[need].is_finally) continue;
    skipped = skipped || end == InstancePhase::skipped;
    bad = bad || (end != InstancePhase::succeeded && end != InstancePhase::skipped);
  }
  switch (self.condition) {
    case Condition::always:
      return Turn::starts;
    case Condition::success:
      if (self.is_finally && self.needs.empty()) return failure(tasks, task, ends) ? Turn::skipped : Turn::starts;
      return all_good ? Turn::starts : Turn::skipped;
    case Condition::failure:
      return failure(tasks, task, ends) ? Turn::starts : Turn::skipped;
    case Condition::cancelled:  // nothing of a run that is being cancelled starts
      return Turn::skipped;
    case Condition::none:
    case Condition::never:
      break;
  }
  if (bad) return Turn::upstream_failed;
  return skipped || self.condition == Condition::never ? Turn::skipped : Turn::starts;
}

}  // namespace baton::sim
