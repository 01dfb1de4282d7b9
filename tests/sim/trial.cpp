#include "trial.hpp"

#include <baton/engine/engine.hpp>
#include <baton/engine/snapshot_check.hpp>

#include <algorithm>
#include <array>

#include "memory_store.hpp"
#include "world.hpp"

namespace baton::sim {
namespace {

using engine::InstancePhase;
using engine::RunState;
using workflow::FailureKind;

class Trial {
 public:
  Trial(const SmallGraph& graph, Freedom freedom, Choices& choices)
      : graph_(graph), freedom_(freedom), choices_(choices), ends_(graph.tasks.size()), tries_(graph.tasks.size()) {}

  void run() {
    engine::SubmitRun submit;
    submit.id = "r";
    submit.workflow = graph_.workflow;
    submit.working_dir = "/";
    story_.push_back("submit");
    happen({up(false), std::move(submit)});
    while (!over()) go_on();
    require(store_.unfinished().empty(), "the run ends", "{}", story());
  }

 private:
  struct Live {
    AttemptId attempt;
    std::size_t task;
  };

  // --- what happens ---
  using Events = std::vector<engine::Event>;

  void go_on() {
    require(!live_.empty(), "something runs until the run ends", "{}", story());
    Events events = choose();
    if (freedom_.pairs && !live_.empty() && choices_.pick(2) == 1) {
      settle_rules();
      story_.push_back("and in the same step");
      std::ranges::move(choose(), std::back_inserter(events));
    }
    happen(std::move(events));
  }

  Events choose() {
    const std::size_t ways = freedom_.any_order ? live_.size() : 1;
    const bool may_cancel = freedom_.cancel && !cancelled_;
    const bool may_come_back = freedom_.reboot && !came_back_;
    const std::size_t others = (may_cancel ? 1 : 0) + (may_come_back ? 1 : 0) + (freedom_.reboot ? 1 : 0);
    std::size_t chosen = choices_.pick(2 * ways + others);
    if (chosen < 2 * ways) return end(live_[chosen / 2], chosen % 2 == 0);
    chosen -= 2 * ways;
    if (may_cancel && chosen-- == 0) return cancel();
    if (may_come_back && chosen == 0) return come_back();
    return reboot();
  }

  Events end(Live which, bool well) {
    story_.push_back(fmt::format("t{} {}", which.task, well ? "succeeds" : "fails"));
    engine::AttemptEnded event;
    event.attempt = which.attempt;
    // What is being cancelled is killed, or has succeeded before that.
    if (!well) event.failure = {cancelled_ ? FailureKind::cancelled : FailureKind::exit, cancelled_ ? 0 : 1};
    event.ended_at = now_;
    std::erase_if(live_, [&](const Live& live) { return live.attempt == which.attempt; });
    note_end(which.task, well);
    return {std::move(event)};
  }

  Events cancel() {
    story_.push_back("cancel");
    cancelled_ = true;
    return {engine::CancelRun{.token = 1, .run = RunKey(1), .reason = ""}};
  }

  Events come_back() {
    story_.push_back("the worker comes back");
    came_back_ = true;
    engine::WorkerUp event = up(false);
    event.inventory.clear();
    return {engine::WorkerDown{}, std::move(event)};
  }

  Events reboot() {
    story_.push_back("reboot");
    for (const Live& live : std::exchange(live_, {})) note_end(live.task, false);
    return {engine::WorkerDown{}, up(true)};
  }

  void happen(Events events) {
    take(engine_.apply(events, now_));
    settle_rules();
    compare();
    if (freedom_.restart) restart();
  }

  void restart() {
    engine_ = engine::Engine(store_.counters());
    Events events{engine::PoolsChanged{}};
    for (const RunKey run : store_.unfinished()) {
      engine::RunSnapshot snapshot = store_.snapshot(run);
      const auto fits = engine::check_snapshot(snapshot, *graph_.workflow);
      require(fits.has_value(), "a run can be restored", "{}", story());
      events.emplace_back(engine::RunRestored{std::move(snapshot), graph_.workflow});
    }
    take(engine_.apply(events, now_));
    Events back{up(false)};
    take(engine_.apply(back, now_));
    compare();
  }

  engine::WorkerUp up(bool rebooted) const {
    engine::WorkerUp event{.worker = WorkerId(0), .name = "local", .labels = {}, .rebooted = rebooted};
    event.capacity.cpu_milli = 8'000;
    for (const Live& live : live_) event.inventory.push_back({live.attempt, false});
    return event;
  }

  void take(const engine::Step& step) {
    store_.apply(step.records);
    for (const engine::Effect& effect : step.effects) {
      if (const auto* launch = std::get_if<engine::Launch>(&effect)) {
        require(store_.attempts().at(launch->attempt).state == engine::AttemptState::starting,
                "what has ended is not launched", "attempt {}\n{}", launch->attempt.value(), story());
        if (std::ranges::any_of(live_, [&](const Live& live) { return live.attempt == launch->attempt; })) continue;
        live_.push_back({launch->attempt, store_.attempts().at(launch->attempt).key.task.value()});
        ++tries_[live_.back().task];
      } else if (const auto* kill = std::get_if<engine::Kill>(&effect)) {
        killed_.push_back(kill->attempt);
      }
    }
    engine_.check();
  }

  // --- what the rules say ---
  [[nodiscard]] bool over() const {
    return std::ranges::all_of(ends_, [](const auto& end) { return end.has_value(); });
  }
  [[nodiscard]] bool is_live(std::size_t task) const {
    return std::ranges::any_of(live_, [&](const Live& live) { return live.task == task; });
  }
  [[nodiscard]] bool is_killed(std::size_t task) const {
    const auto live = std::ranges::find(live_, task, &Live::task);
    return live != live_.end() && std::ranges::find(killed_, live->attempt) != killed_.end();
  }
  void note_end(std::size_t task, bool well) {
    if (well) {
      ends_[task] = InstancePhase::succeeded;
    } else if (cancelled_) {
      ends_[task] = InstancePhase::cancelled;
    } else if (tries_[task] > graph_.max_retries) {
      ends_[task] = InstancePhase::failed;
    }
  }
  // What ends without having run.
  void settle_rules() {
    for (bool changed = true; changed;) {
      changed = false;
      for (std::size_t task = 0; task < ends_.size(); ++task) {
        if (ends_[task]) continue;
        std::optional<InstancePhase> end;
        if (cancelled_) {
          if (!is_live(task)) end = InstancePhase::cancelled;
        } else if (const Turn turn = turn_of(graph_.tasks, task, ends_); turn == Turn::skipped) {
          end = InstancePhase::skipped;
        } else if (turn == Turn::upstream_failed) {
          end = InstancePhase::upstream_failed;
        }
        changed = changed || end.has_value();
        ends_[task] = end;
      }
    }
  }
  [[nodiscard]] InstancePhase expected(std::size_t task) const {
    if (ends_[task]) return *ends_[task];
    const bool runs = cancelled_ || turn_of(graph_.tasks, task, ends_) == Turn::starts;
    return runs ? InstancePhase::starting : InstancePhase::waiting;
  }
  [[nodiscard]] RunState expected_run() const {
    if (!over()) return RunState::running;
    if (cancelled_) return RunState::cancelled;
    const bool good = std::ranges::all_of(
        ends_, [](const auto& end) { return *end == InstancePhase::succeeded || *end == InstancePhase::skipped; });
    return good ? RunState::succeeded : RunState::failed;
  }

  void compare() const {
    for (std::size_t task = 0; task < ends_.size(); ++task) {
      const InstancePhase phase =
          store_.instances().at({RunKey(1), TaskIndex(static_cast<std::uint32_t>(task)), 0}).phase;
      require(phase == expected(task), "a task's state follows from the rules", "t{} is {}, not {}\n{}", task,
              engine::to_string(phase), engine::to_string(expected(task)), story());
      require((phase == InstancePhase::starting) == is_live(task), "what is to run is launched", "t{}\n{}", task,
              story());
      require(phase != InstancePhase::starting || !cancelled_ || is_killed(task), "a cancel kills what runs", "t{}\n{}",
              task, story());
    }
    const RunState state = store_.run(RunKey(1)).state;
    require(state == expected_run(), "the run's state follows from the rules", "it is {}, not {}\n{}",
            engine::to_string(state), engine::to_string(expected_run()), story());
  }

  [[nodiscard]] std::string story() const { return fmt::format("{}{}", graph_.text, fmt::join(story_, ", ")); }

  const SmallGraph& graph_;
  Freedom freedom_;
  Choices& choices_;
  engine::Engine engine_;
  engine::test::MemoryStore store_;
  TimePoint now_{std::chrono::hours(1)};
  std::vector<std::optional<InstancePhase>> ends_;
  std::vector<std::uint32_t> tries_;  // attempts of each task
  std::vector<Live> live_;            // launched and not ended, in the order of their launch
  std::vector<AttemptId> killed_;
  bool cancelled_ = false, came_back_ = false;
  std::vector<std::string> story_;
};

}  // namespace

std::size_t Choices::pick(std::size_t of) {
  if (at_ == digits_.size()) digits_.push_back({0, of});
  return digits_[at_++].value;
}

bool Choices::next() {
  at_ = 0;
  while (!digits_.empty() && ++digits_.back().value == digits_.back().of) digits_.pop_back();
  return !digits_.empty();
}

void try_graph(const SmallGraph& graph, Freedom freedom, Choices& choices) { Trial(graph, freedom, choices).run(); }

}  // namespace baton::sim
