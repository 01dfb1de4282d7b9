#include <baton/engine/snapshot_check.hpp>

#include <utility>
#include <vector>

namespace baton::engine {
namespace {

// Attempts are counted from there on; no task has had as many.
constexpr std::uint32_t kMostAttempts = std::uint32_t{1} << 31;

template <class... Args>
Result<> wrong(fmt::format_string<Args...> format, Args&&... args) {
  return fail(ErrorCode::corrupt, format, std::forward<Args>(args)...);
}

bool is_live(InstancePhase phase) { return phase != InstancePhase::waiting && !is_final(phase); }

bool is_on_worker(InstancePhase phase) {
  return phase == InstancePhase::starting || phase == InstancePhase::running || phase == InstancePhase::unreachable;
}

// What a task's instances amount to.
struct Tally {
  std::uint32_t size = 1, stored = 0, final = 0, live = 0, active = 0, could_start = 0;
  [[nodiscard]] bool has_ended() const { return final == size; }
};

class SnapshotCheck {
 public:
  SnapshotCheck(const RunSnapshot& snapshot, const workflow::WorkflowSpec& spec) : snapshot_(snapshot), spec_(spec) {}

  Result<> operator()() {
    for (const auto part :
         {&SnapshotCheck::check_tasks, &SnapshotCheck::check_expansions, &SnapshotCheck::check_instances,
          &SnapshotCheck::check_attempts, &SnapshotCheck::check_order}) {
      if (Result<> fits = (this->*part)(); !fits) return fits;
    }
    return check_run();
  }

 private:
  Result<> check_tasks() {
    const auto& tasks = snapshot_.created.tasks;
    if (snapshot_.created.workflow != spec_.name) {
      return wrong("it is of workflow {}, but its files hold {}", snapshot_.created.workflow, spec_.name);
    }
    if (tasks.size() != spec_.tasks.size()) {
      return wrong("it has {} tasks, its workflow {}", tasks.size(), spec_.tasks.size());
    }
    for (std::size_t t = 0; t < tasks.size(); ++t) {
      const workflow::TaskSpec& task = spec_.tasks[t];
      if (tasks[t].id != task.id || tasks[t].needs != task.needs || tasks[t].is_matrix != task.matrix.has_value() ||
          tasks[t].is_finally != task.is_finally) {
        return wrong("its task {} is not what its workflow says of {}", tasks[t].id, task.id);
      }
      tallies_.push_back({.size = task.matrix && task.matrix->fixed ? task.matrix->fixed->size() : 1});
    }
    return {};
  }

  Result<> check_expansions() {
    for (const TaskExpanded& expanded : snapshot_.expansions) {
      const workflow::TaskSpec& task = spec_.task(expanded.task);
      const auto combos = workflow::MatrixCombos::from_json(expanded.combos);
      if (!task.matrix || task.matrix->fixed || !combos || combos->size() == 0) {
        return wrong("the combinations of task {} make no sense", task.id);
      }
      tallies_[expanded.task.value()].size = combos->size();
    }
    return {};
  }

  Result<> check_instances() {
    for (const InstanceChanged& instance : snapshot_.instances) {
      const workflow::TaskSpec& task = spec_.task(instance.key.task);
      Tally& tally = tallies_[instance.key.task.value()];
      if (instance.key.index >= tally.size) {
        return wrong("instance {} of task {} is beyond its matrix", instance.key.index, task.id);
      }
      if (instance.attempts >= kMostAttempts) return wrong("{} attempts of task {}", instance.attempts, task.id);
      if (!can_be(instance, task)) return wrong("task {} cannot be {}", task.id, to_string(instance.phase));
      ++tally.stored;
      tally.final += is_final(instance.phase) ? 1 : 0;
      tally.live += is_live(instance.phase) ? 1 : 0;
      tally.active += is_on_worker(instance.phase) ? 1 : 0;
      tally.could_start += !is_final(instance.phase) && !is_on_worker(instance.phase) ? 1 : 0;
    }
    for (std::uint32_t t = 0; t < tallies_.size(); ++t) {
      const Tally& tally = tallies_[t];
      if (tally.stored != tally.size) {
        return wrong("of the {} instances of task {}, {} are there", tally.size, spec_.tasks[t].id, tally.stored);
      }
    }
    return {};
  }

  Result<> check_attempts() {
    for (const AttemptChanged& attempt : snapshot_.attempts) {
      // 0 stands for no attempt.
      if (attempt.id.value() == 0) return wrong("an attempt of task {} has no id", spec_.task(attempt.key.task).id);
    }
    return {};
  }

  // By what the task does.
  static bool can_be(const InstanceChanged& instance, const workflow::TaskSpec& task) {
    if (instance.phase == InstancePhase::awaiting_approval) {
      return std::holds_alternative<workflow::Approval>(task.action);
    }
    if (!is_live(instance.phase)) return true;
    if (std::holds_alternative<workflow::Approval>(task.action)) return false;
    const bool is_uses = std::holds_alternative<workflow::UsesWorkflow>(task.action);
    if (!is_on_worker(instance.phase)) return true;
    return is_uses ? instance.phase == InstancePhase::running && instance.child.value() != 0
                   : instance.phase != InstancePhase::running || instance.child.value() == 0;
  }

  // Nothing begins before what it needs has ended, `finally` tasks not before everything else.
  [[nodiscard]] Result<> check_order() {
    bool main_has_ended = true;
    for (std::uint32_t t = 0; t < tallies_.size(); ++t) {
      const workflow::TaskSpec& task = spec_.tasks[t];
      const Tally& tally = tallies_[t];
      if (!task.is_finally) main_has_ended = main_has_ended && tally.has_ended();
      if (tally.live == 0) continue;
      for (const TaskIndex need : task.needs) {
        if (!tallies_[need.value()].has_ended()) {
          return wrong("task {} began before {} ended", task.id, spec_.task(need).id);
        }
      }
      if (task.is_finally && !main_has_ended && !snapshot_.state.cancel_requested) {
        return wrong("task {} began before the others ended", task.id);
      }
      if (task.max_parallel != 0 && tally.active > task.max_parallel) {
        return wrong("task {} has {} instances at work, {} may be", task.id, tally.active, task.max_parallel);
      }
    }
    return {};
  }

  [[nodiscard]] Result<> check_run() {
    bool is_open = false;
    for (std::uint32_t t = 0; t < tallies_.size(); ++t) {
      const Tally& tally = tallies_[t];
      const std::string& id = spec_.tasks[t].id;
      is_open = is_open || !tally.has_ended();
      if (is_final(snapshot_.state.state) && !tally.has_ended()) return wrong("it has ended, but task {} has not", id);
      if (snapshot_.state.state == RunState::queued && tally.live > 0) {
        return wrong("it is queued, but task {} has begun", id);
      }
      if (snapshot_.state.cancel_requested && tally.could_start > 0) {
        return wrong("it was cancelled, but task {} could still start", id);
      }
    }
    if (snapshot_.state.state == RunState::queued && !is_open) return wrong("it is queued, but has nothing left to do");
    return {};
  }

  const RunSnapshot& snapshot_;
  const workflow::WorkflowSpec& spec_;
  std::vector<Tally> tallies_;
};

}  // namespace

Result<> check_snapshot(const RunSnapshot& snapshot, const workflow::WorkflowSpec& spec) {
  return SnapshotCheck(snapshot, spec)();
}

}  // namespace baton::engine
