// What becomes of a task, as docs/language.md has it under "When it runs", and nothing of how the engine does it.
#pragma once
#include <baton/engine/state.hpp>
#include <baton/workflow/spec.hpp>

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace baton::sim {

enum class Condition : std::uint8_t { none, always, success, failure, cancelled, never };
std::string_view to_text(Condition condition);  // what stands behind `if:`; empty for none

struct RuleTask {
  std::vector<std::size_t> needs;
  Condition condition = Condition::none;
  bool is_finally = false;
};

// The tasks of a workflow; nullopt: one has a condition that is not in the list.
std::optional<std::vector<RuleTask>> rules_of(const workflow::WorkflowSpec& workflow);

enum class Turn : std::uint8_t { waits, starts, skipped, upstream_failed };

// The turn of one of `tasks` in a run that is not being cancelled; `ends`: the state of those that have ended.
Turn turn_of(const std::vector<RuleTask>& tasks, std::size_t task,
             const std::vector<std::optional<engine::InstancePhase>>& ends);

}  // namespace baton::sim
