// One active run in memory: its tasks as groups of instances.
#pragma once
#include <baton/base/result.hpp>
#include <baton/engine/event.hpp>
#include <baton/engine/record.hpp>
#include <baton/engine/state.hpp>
#include <baton/workflow/spec.hpp>

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace baton::engine {

using Outputs = std::map<std::string, std::string>;

// When what the state waits for ends; TimePoint::max(): never.
TimePoint due_of(const InstanceState& state);
void set_due(InstanceState& state, TimePoint due);  // of one that has one

// Kept small: a run may have a million of them.
struct Instance {
  InstanceState state;
  TimePoint ready_at{};  // zero: never was
  std::uint32_t attempts = 0;
  std::uint32_t retries_from = 0;  // attempts that do not count against max_retries
  std::uint32_t record = 0;        // its InstanceChanged in the step being built, plus one; 0: none yet
};

// Where a group with ready instances stands.
enum class QueuePlace : std::uint8_t { none, queued, parked };

// One task of a run: an instance, or as many as its matrix has.
struct Group {
  std::vector<Instance> instances;
  std::array<std::uint32_t, kInstancePhases> counts{};     // instances by phase
  std::uint32_t pending_needs = 0;                         // tasks it needs that have not ended
  std::shared_ptr<const workflow::MatrixCombos> expanded;  // a dynamic matrix, once it is known
  std::map<std::uint32_t, Outputs> outputs;                // of instances that succeeded with declared outputs
  std::deque<std::uint32_t> ready;                         // in order; entries that are no longer ready are skipped
  std::uint32_t shape = 0;                                 // of what its attempts take (ReadyQueue)
  QueuePlace place = QueuePlace::none;
  bool activated = false;  // its needs have ended and its instances were decided upon

  [[nodiscard]] std::uint32_t count(InstancePhase phase) const { return counts[static_cast<std::size_t>(phase)]; }
  [[nodiscard]] std::uint32_t final_count() const;
  [[nodiscard]] bool all_final() const { return final_count() == instances.size(); }
  // Instances that hold a slot or a place under max_parallel.
  [[nodiscard]] std::uint32_t active_count() const;
  // Of an ended group, as `needs.<task>.result` says it.
  [[nodiscard]] InstancePhase result() const;
};

struct Run {
  RunCreated created;
  RunChanged state;
  std::shared_ptr<const workflow::WorkflowSpec> spec;
  std::vector<Group> groups;                            // by task
  std::array<std::uint32_t, kInstancePhases> counts{};  // of all groups: change it through moved() and reset_group()
  std::size_t depth = 0;                                // 0: submitted; else how many `uses` it is below such a run
  std::uint32_t main_pending = 0;                       // groups outside `finally` that have not ended
  std::uint32_t pending = 0;                            // groups that have not ended
  bool rejected = false;                                // an approval was
  std::uint64_t output_bytes = 0;                       // of all groups: change it through the three below
  std::uint32_t record = 0;                             // its RunChanged in the step being built, plus one

  void keep_outputs(TaskIndex t, std::uint32_t index, Outputs outputs);
  void drop_outputs(TaskIndex t, std::uint32_t index);
  void drop_outputs(TaskIndex t);
  // Is there room for more under limits::kRunOutputBytes?
  [[nodiscard]] Result<> check_room_for(const Outputs& outputs) const;

  [[nodiscard]] RunKey key() const { return created.run; }
  [[nodiscard]] const workflow::TaskSpec& task(TaskIndex t) const { return spec->tasks[t.value()]; }
  [[nodiscard]] Group& group(TaskIndex t) { return groups[t.value()]; }
  [[nodiscard]] const Group& group(TaskIndex t) const { return groups[t.value()]; }
  // The task's combinations as far as they are known; null without a matrix or before a dynamic one is expanded.
  [[nodiscard]] const workflow::MatrixCombos* combos(TaskIndex t) const;
  [[nodiscard]] std::string instance_name(TaskIndex t, std::uint32_t index) const;
  [[nodiscard]] Value matrix_values(TaskIndex t, std::uint32_t index) const;
  // What the run amounts to by what has ended so far: succeeded or failed; cancelled once that is requested.
  [[nodiscard]] RunState verdict() const;
  [[nodiscard]] std::uint32_t count(InstancePhase phase) const { return counts[static_cast<std::size_t>(phase)]; }
  [[nodiscard]] std::uint32_t active_count() const;
  void moved(TaskIndex t, InstancePhase from, InstancePhase to);  // an instance did
  // Gives the task `size` instances, all waiting, whose attempts count on from `attempts`.
  void reset_group(TaskIndex t, std::uint32_t size, std::uint32_t attempts = 0);
  // Running attempts of this task are to be ended: the run is cancelled, or an instance of a fail-fast matrix failed.
  [[nodiscard]] bool must_stop(TaskIndex t) const;
};

// A run with every instance waiting.
Run make_run(RunCreated created, RunChanged state, std::shared_ptr<const workflow::WorkflowSpec> spec);

}  // namespace baton::engine
