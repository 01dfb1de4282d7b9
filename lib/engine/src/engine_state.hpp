// The engine's memory and everything that changes it. One room per file:
//   requests.cpp  submit, cancel, decide       retry.cpp     retry of ended runs
//   progress.cpp  what follows from an end     transition.cpp the one place that changes an instance's state
//   workers.cpp   workers come and go          attempts.cpp  what workers say about attempts
//   schedule.cpp  fills free slots             restore.cpp   runs out of the store
//   timers.cpp    what becomes due, and a clock that is set
//   children.cpp  runs that `uses` starts      why.cpp       answers for people
//   check.cpp     every invariant
#pragma once
#include <baton/engine/engine.hpp>

#include "attempts.hpp"
#include "occupancy.hpp"
#include "ready_queue.hpp"
#include "run.hpp"
#include "step_writer.hpp"

#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace baton::engine {

// What a transition says beside the new state.
struct Change {
  std::string reason;
  std::string message;
  std::optional<Outputs> outputs;
};

class Engine::State {
 public:
  State(Counters counters, Options options) : counters_(std::move(counters)), options_(options) {}

  Step apply(std::span<Event> events, TimePoint now);
  void clock_stepped(Duration by);
  [[nodiscard]] std::optional<TimePoint> next_wakeup() const;
  void check() const;
  [[nodiscard]] const Run* find_run(RunKey run) const;
  [[nodiscard]] std::size_t active_runs() const { return runs_.size(); }
  [[nodiscard]] std::string why(InstanceKey key) const;
  [[nodiscard]] Usage usage(WorkerId worker) const;

 private:
  // --- requests.cpp ---
  void on(SubmitRun& event);
  void on(CancelRun& event);
  void on(DecideApproval& event);
  Run& insert_run(Run run);
  void erase_run(RunKey key);
  [[nodiscard]] bool is_full(std::size_t depth) const;
  Run& add_run(RunCreated created, Value params, std::shared_ptr<const workflow::WorkflowSpec> spec);
  void cancel(Run& run, const std::string& reason);
  void admit(Run& run);  // queued → running, if its workflow allows one more
  void admit_next(const std::string& workflow);
  [[nodiscard]] std::size_t running_runs(const std::string& workflow) const;
  [[nodiscard]] std::size_t waiting_for(const Run& run) const;
  [[nodiscard]] bool may_start(const Run& run, std::size_t running) const;  // as far as the limit goes
  [[nodiscard]] bool keeps_order(const Run& run) const;

  // --- retry.cpp ---
  void on(RetryRun& event);
  void reset_whole(Run& run, TaskIndex task, std::vector<std::string>& names);
  void reset_unsuccessful(Run& run, TaskIndex task, std::vector<std::string>& names);
  void reset_instance(Run& run, TaskIndex task, std::uint32_t index);

  // --- restore.cpp ---
  void on(RunRestored& event);
  void restore_instances(Run& run, RunSnapshot& snapshot);
  void restore_attempts(Run& run, const RunSnapshot& snapshot);
  void settle_restored(RunKey key);
  void restore_live(Run& run);
  void strand(Run& run);
  void derive_counts(Run& run);

  // --- workers.cpp ---
  void on(WorkersConfigured& event);
  void on(AttemptsLeftAlone& event);
  void on(WorkerUp& event);
  void on(WorkerDown& event);
  void on(PoolsChanged& event);
  void reconcile(ActiveAttempt& attempt, const WorkerUp& event, const WorkerUp::Known* known);

  // --- attempts.cpp ---
  void on(AttemptStarted& event);
  void on(AttemptEnded& event);
  void lose(AttemptId attempt, const std::string& message);  // worker_lost
  // Its worker is not configured any more.
  [[nodiscard]] bool is_stranded(const ActiveAttempt& attempt) const {
    return workers_configured_ && attempt.worker == kNoWorker;
  }
  void conclude(Run& run, InstanceKey key, AttemptEnded& event);
  void retry_or_fail(Run& run, InstanceKey key, workflow::FailureClass failure, std::uint64_t seed, Change change);
  void release_blockers(const ActiveAttempt& attempt, const Run& run);

  // --- transition.cpp ---
  void transition(Run& run, TaskIndex task, std::uint32_t index, InstanceState to, Change change = {});
  void make_ready(Run& run, TaskIndex task, std::uint32_t index);
  void enqueue(Run& run, TaskIndex task);
  void dequeue(Run& run, TaskIndex task);
  [[nodiscard]] Rank rank(const Run& run, TaskIndex task) const;
  void name_instances(Run& run, TaskIndex task);  // first records

  // --- progress.cpp ---
  void settle();  // until nothing follows any more
  void group_ended(Run& run, TaskIndex task);
  void activate(Run& run, TaskIndex task);
  bool expand(Run& run, TaskIndex task);
  void activate_instance(Run& run, TaskIndex task, std::uint32_t index, workflow::Memo& memo);
  void await_approval(Run& run, TaskIndex task, std::uint32_t index);
  // Ends the instance, and with it those beside it if the matrix fails fast.
  void fail_instance(Run& run, TaskIndex task, std::uint32_t index, Change change);
  void end_group(Run& run, TaskIndex task, const InstanceState& state, const std::string& reason);
  void stop_group(Run& run, TaskIndex task, const std::string& reason);
  void start_finally(Run& run);
  void end_run(Run& run);

  // --- timers.cpp ---
  void fire_timers();
  void on_due(Run& run, InstanceKey key);
  TimePoint restored_due(const workflow::TaskSpec& task, const InstanceChanged& row);

  // --- children.cpp ---
  void start_child(Run& run, TaskIndex task, std::uint32_t index);
  void child_ended(const Run& child);
  [[nodiscard]] const Run* caller(const Run& child) const;  // whose `uses` task waits for it; null: none

  // --- schedule.cpp ---
  void schedule();
  // What keeps the head of the queue from starting, beside workers; nullopt: nothing.
  std::optional<Blocker> blocker(const Run& run, TaskIndex task, const Occupancy& held,
                                 const std::string& environment) const;
  std::optional<WorkerId> place(const Shape& shape, const Occupancy& held, bool& ahead) const;
  bool is_taken(const Blocker& blocker, const Run& run, TaskIndex task, const Occupancy& held) const;
  bool launch(Run& run, TaskIndex task, std::uint32_t index, WorkerId worker, const std::string& environment);
  bool start_next(const ReadyQueue::Head& head, Occupancy& held);
  void wake_parked(const Occupancy& held, const std::vector<bool>& exhausted);
  void freed(const Blocker& blocker);
  void pass_on(const Rank& rank);
  void leave_queue_if_empty(Run& run, TaskIndex task);
  [[nodiscard]] std::uint32_t allowed_ahead(const WorkerState& worker) const;
  [[nodiscard]] std::int64_t pool_size(const std::string& pool) const;

  // --- why.cpp ---
  [[nodiscard]] std::string why_waiting(const Run& run, TaskIndex task) const;
  [[nodiscard]] std::string why_ready(const Run& run, TaskIndex task) const;

  // --- check.cpp ---
  void check_run(const Run& run) const;
  void check_queued_runs() const;
  void check_group(const Run& run, TaskIndex task) const;
  void check_attempts() const;
  void check_instance(const Run& run, InstanceKey key) const;
  void check_limits() const;
  void check_parked() const;

  Step finish_step();
  Run& run(RunKey key) { return runs_.at(key); }

  Counters counters_;
  Options options_;
  TimePoint now_{};
  Occupancy::Runs runs_;
  ActiveAttempts attempts_;
  Occupancy::Workers workers_;
  bool workers_configured_ = false;
  std::set<AttemptId> left_alone_;
  ReadyQueue queue_;
  std::set<Blocker> freed_;                     // may have room for what is parked under them
  std::map<Rank, Blocker> woken_;               // queued groups that were parked under it
  std::map<std::size_t, std::size_t> runs_at_;  // active runs by depth
  std::map<std::string, std::int64_t> pools_;
  std::set<std::pair<TimePoint, InstanceKey>> timers_;
  std::map<std::string, std::set<RunKey>> queued_runs_;  // by workflow name, those with a max_active_runs only

  // Work that follows from what was done in this step; empty between steps. Lists, not calls, so that a chain of a
  // million skipped tasks needs no stack.
  std::deque<GroupKey> ended_groups_;
  std::deque<RunKey> ended_runs_;
  std::vector<RunKey> restored_;
  StepWriter step_;
};

}  // namespace baton::engine
