// Who holds what right now, derived afresh from the attempts that are with a worker whenever the scheduler looks.
#pragma once
#include <baton/engine/engine.hpp>

#include "attempts.hpp"
#include "run.hpp"

#include <map>
#include <set>
#include <string>
#include <vector>

namespace baton::engine {

struct WorkerState {
  std::string name;
  std::vector<std::string> labels;  // sorted
  workflow::Resources capacity;
  bool online = false;
  // A moving average of how long attempts take there; zero before the first has ended.
  Duration usual_duration{0};
  std::uint32_t ended_attempts = 0;
};

class Occupancy {
 public:
  using Runs = std::map<RunKey, Run>;
  using Workers = std::map<WorkerId, WorkerState>;
  Occupancy(const Runs& runs, const ActiveAttempts& attempts, const Workers& workers);

  // Adds one attempt.
  void take(const workflow::TaskSpec& task, WorkerId worker, const std::string& environment);

  // How much of `capacity` an attempt can use at most: a worker that could run it if it were empty.
  static bool could_run(const WorkerState& worker, const workflow::Resources& needs, const workflow::RunsOn& runs_on);
  [[nodiscard]] bool fits(WorkerId worker, const WorkerState& state, const workflow::Resources& needs) const;
  // Attempts that were given to the worker beyond what fits it.
  [[nodiscard]] std::uint32_t ahead(WorkerId worker) const;
  void take_ahead(WorkerId worker) { ++slots_[worker].ahead; }

  [[nodiscard]] std::int64_t pool_used(const std::string& pool) const;
  [[nodiscard]] bool environment_held(const std::string& name) const { return environments_.contains(name); }
  // Of all attempts that the worker was given.
  [[nodiscard]] std::int64_t cpu_milli_given(WorkerId worker) const;
  [[nodiscard]] Engine::Usage usage(WorkerId worker) const;

 private:
  struct Slots {
    workflow::Resources used{.cpu_milli = 0, .custom_milli = {}};
    workflow::Resources running{.cpu_milli = 0, .custom_milli = {}};  // the part of it that has started
    std::uint32_t attempts = 0;
    std::uint32_t ahead = 0;
  };
  std::map<WorkerId, Slots> slots_;
  std::map<std::string, std::int64_t, std::less<>> pools_;
  std::set<std::string, std::less<>> environments_;
};

}  // namespace baton::engine
