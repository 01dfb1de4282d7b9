// Drives the engine: gathers events, lets the engine decide once for all of them, has the store commit what changed and
// only then does what follows from it.
//
// Invariants: effects are performed in the order of their steps, and never before the records of their own step and of
// all steps before it are on disk. A step whose commit failed has no effects; the engine is ahead of the database then,
// so the daemon must end (`fatal`) and go on from the database at its next start. A full disk is no failure: the store
// holds the commit until there is room. What was applied waits with it, because it will be committed; what was not
// applied yet is refused, and nothing of it will ever be seen.
//
// Everything happens on the event loop's thread. Nothing here blocks.
#pragma once
#include <baton/engine/engine.hpp>
#include <baton/executor/executor.hpp>
#include <baton/service/clock.hpp>
#include <baton/store/store.hpp>

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

namespace baton::service {

using RequestAnswer = Result<std::variant<engine::Reply::RunAccepted, engine::Reply::Done>>;
using OnAnswer = std::function<void(RequestAnswer)>;

struct SchedulerPorts {
  store::Store* store = nullptr;
  executor::Executor* executor = nullptr;
  const Clock* clock = nullptr;
  std::function<void(std::function<void()>)> post;  // to the event loop, never run inside the call
  // Call wake() at this time since boot (or soon after), instead of the one said before; nullopt: no need to.
  std::function<void(std::optional<Duration>)> wake_at;
  // A secret's value. An error keeps the attempt from being started.
  std::function<Result<std::string>(const std::string& name)> secret;
  // What is masked in what attempts report, before anything keeps it: as Secrets::values().
  std::function<std::vector<std::string>()> masked_values;
  std::function<void(const engine::RunCreated&)> run_created;  // as soon as it is decided
  std::function<void(std::vector<views::EventView>)> publish;  // committed, in order
  std::function<void(Error)> fatal;                            // once
};

class Scheduler {
 public:
  Scheduler(engine::Engine engine, SchedulerPorts ports);

  // Facts. Those of one call are applied together.
  void enqueue(std::vector<engine::Event> events);
  // A request, with what must be known before it (RunRestored) and the bundle it brings. `answer` is called once, when
  // the decision is on disk: SubmitRun, CancelRun, RetryRun or DecideApproval; its token is set here.
  // Errors of its own: limit if too much is waiting; disk_full or locked while no commit gets through (nothing was
  // changed then); the commit's error if that failed.
  void request(engine::Event request, OnAnswer answer, std::vector<engine::Event> before = {},
               std::optional<store::Batch::Bundle> bundle = std::nullopt);
  // Calls back when everything that is decided now is on disk and done.
  void after_commits(std::function<void()> then);
  // The same for a request: refused as one is (see request()), also if it waits already.
  void when_committed(std::function<void(Result<>)> then);
  void wake();
  void on_health(store::Health health);
  [[nodiscard]] store::Health health() const { return health_; }
  // Nothing is applied or performed any more.
  void stop();

  [[nodiscard]] const engine::Engine& engine() const { return engine_; }
  [[nodiscard]] std::size_t waiting() const { return events_.size(); }

 private:
  struct Waiter {
    std::function<void(Result<>)> then;
    bool may_be_refused = false;
  };

  // What waits for a commit.
  struct Held {
    std::vector<engine::Effect> effects;
    std::vector<WorkerId> workers_up;
    std::vector<Waiter> then;
    bool committed = false;
  };

  // A request that the engine has not seen yet.
  struct PendingRequest {
    std::vector<engine::Event> before;
    engine::Event request;
    OnAnswer answer;
    std::optional<store::Batch::Bundle> bundle;
  };

  static void refuse(std::vector<Waiter>& waiters, const Error& error);
  void plan_turn();
  std::vector<store::Batch::Bundle> take_requests(std::vector<engine::Event>& events);
  void turn();
  void on_commit(Result<store::Committed> committed);
  void release();
  void perform(Held held);
  void perform(engine::Launch launch);
  void perform(engine::Reply reply);
  void fail_stop(Error error);
  void refuse_without_secret(AttemptId attempt, WorkerId worker, std::string why);
  void explain_without_secret(engine::AttemptEnded& ended);
  void mask(std::vector<engine::Event>& events) const;
  void throttle();
  TimePoint read_clock();

  engine::Engine engine_;
  SchedulerPorts ports_;
  TimePoint booted_at_;                   // when the machine was, by the wall clock as it was read last
  std::vector<engine::Event> events_;     // facts
  std::vector<PendingRequest> requests_;  // applied after them
  std::vector<Waiter> then_;
  std::deque<Held> held_;
  std::size_t commits_in_flight_ = 0;
  std::uint64_t next_token_ = 1;
  std::unordered_map<std::uint64_t, OnAnswer> answers_;
  // Attempts that may not start for want of a secret: killed before they were given to the worker.
  std::unordered_map<AttemptId, std::string> without_secret_;
  store::Health health_ = store::Health::good;
  bool turn_planned_ = false;
  bool paused_ = false;
  bool stopped_ = false;
};

}  // namespace baton::service
