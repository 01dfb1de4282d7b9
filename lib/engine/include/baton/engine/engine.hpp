// The pure core: decides what runs when. No clock, randomness, I/O, logging, thread; the same events at the same times
// give the same steps.
#pragma once
#include <baton/engine/effect.hpp>
#include <baton/engine/event.hpp>
#include <baton/engine/record.hpp>

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace baton::engine {

struct Step {
  std::vector<Record> records;
  std::vector<Effect> effects;
};

// Where the counters go on, out of the store.
struct Counters {
  RunKey last_run;
  AttemptId last_attempt;
  std::map<std::string, std::uint64_t, std::less<>> run_numbers;  // workflow name → last number
};

struct Options {
  // Attempts a worker may hold beyond those that fit it, so that a slot does not idle for a round trip.
  std::uint32_t launch_ahead = 2;
};

class Engine {
 public:
  explicit Engine(Counters counters = {}, Options options = {});
  ~Engine();
  Engine(Engine&&) noexcept;
  Engine& operator=(Engine&&) noexcept;

  // Applies the events in order, then whatever is due at `now`, then fills free slots. An earlier `now`
  // than the latest is taken for that one, except after clock_stepped. An empty span lets time pass.
  Step apply(std::span<Event> events, TimePoint now);  // events are consumed

  // The wall clock was set by `by`, back if that is negative. What waits goes on waiting for as long as it would have.
  // The records come with the next step, whose `now` is by the clock as it is set now.
  void clock_stepped(Duration by);

  // When apply must be called next even if nothing happens: a retry, a deadline. nullopt: never.
  [[nodiscard]] std::optional<TimePoint> next_wakeup() const;

  // Verifies every invariant by asserting; for tests after each step. Takes time proportional to what is active.
  void check() const;

  // --- questions, for the API and tests ---
  [[nodiscard]] bool is_active(RunKey run) const;
  [[nodiscard]] std::size_t active_runs() const;
  [[nodiscard]] std::optional<InstancePhase> phase(InstanceKey key) const;  // nullopt: not in memory
  // Why an instance does not run yet, for people; empty if it does.
  [[nodiscard]] std::string why(InstanceKey key) const;
  struct Usage {
    workflow::Resources used;    // by attempts that run; cpu_milli starts from 0 here
    std::uint32_t attempts = 0;  // those too that the worker has been given and has not started
  };
  [[nodiscard]] Usage usage(WorkerId worker) const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace baton::engine
