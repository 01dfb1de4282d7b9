// Engine tests in the product's own language: a workflow in YAML, events by the instances' names, states as text.
//
// Every step is checked (Engine::check) and its records go into a MemoryStore; `restart()` throws the engine away and
// builds a new one from there, as a crash right after a commit would.
#pragma once
#include <baton/engine/engine.hpp>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "memory_store.hpp"

namespace baton::engine::test {

using namespace std::chrono_literals;

struct WorkerOptions {
  std::string name = "local";
  std::int64_t cpus = 8;
  std::int64_t memory = std::int64_t{64} << 30;
  std::int64_t gpus = 0;
  std::vector<std::string> labels;
};

class Scenario {
 public:
  explicit Scenario(const std::string& yaml, const std::map<std::string, std::string>& used = {});

  // --- the world ---
  void worker(WorkerOptions options = {});
  void worker_down(const std::string& name = "local");
  // The worker connects again and knows exactly what it was told to launch and has not reported as ended.
  void worker_back(const std::string& name = "local", bool rebooted = false, bool forgot_everything = false);
  void pools(std::map<std::string, std::int64_t> sizes);
  void advance(Duration by);
  void set_clock(Duration by);  // no time passes
  void restart();
  void unconfigure(const std::string& worker);  // from the next restart on

  // --- requests ---
  struct SubmitOptions {
    std::map<std::string, std::string> labels;
    std::optional<int> priority;
  };
  RunKey submit(Value params = Value::object()) { return submit(std::move(params), {}); }
  RunKey submit(Value params, SubmitOptions options);
  // Submits another workflow into the same engine.
  RunKey submit_yaml(const std::string& yaml);
  Result<> cancel(RunKey run = {});
  Result<std::vector<std::string>> retry(std::string from = "", bool dry_run = false, Value params = nullptr,
                                         RunKey run = {});
  Result<> decide(const std::string& name, bool approve);

  // --- what happens to the attempts that were launched ---
  void started(const std::string& name, RunKey run = {});
  void succeeded(const std::string& name, std::map<std::string, std::string> outputs = {}, RunKey run = {});
  void failed(const std::string& name, const std::string& failure_class = "exit:1", RunKey run = {});
  // Everything that is launched starts and succeeds, until nothing is launched any more.
  void all_succeed();

  // --- what is to be seen ---
  std::string state(const std::string& name, RunKey run = {}) const;  // "" if there is no such instance
  std::string reason(const std::string& name, RunKey run = {}) const;
  std::string run_state(RunKey run = {}) const;
  std::string run_reason(RunKey run = {}) const;
  std::vector<std::string> names(const std::string& in_state, RunKey run = {}) const;  // in order
  // Launched and not ended, in the order of launching.
  std::vector<std::string> launched(RunKey run = {}) const;
  const Launch& launch_of(const std::string& name, RunKey run = {}) const;  // the last one
  std::string env(const std::string& name, const std::string& variable, RunKey run = {}) const;
  std::string why(const std::string& name) const;
  std::string output(const std::string& name, const std::string& output) const;
  void store_output(const std::string& name, const std::string& output, std::string value);  // and restart()
  [[nodiscard]] std::vector<std::string> kills() const { return kills_; }                    // labels, in order
  [[nodiscard]] std::size_t forgotten() const { return forgotten_; }
  [[nodiscard]] const MemoryStore& store() const { return store_; }
  [[nodiscard]] Engine& engine() { return *engine_; }
  [[nodiscard]] TimePoint now() const { return now_; }
  RunKey last_run() const { return last_run_; }
  // The run that the `uses` instance started.
  RunKey child(const std::string& name, RunKey run = {}) const;
  // Attempts that were ever launched, and how often each label was: more than once only for a repeated Launch.
  [[nodiscard]] const std::map<std::string, int>& launch_counts() const { return launch_counts_; }

  void apply(std::vector<Event> events);
  // What a restart, or a request for a run that has ended, brings into the engine.
  RunRestored restored(RunKey run) const;

 private:
  struct Placed {
    Launch launch;
    InstanceKey key;
    bool started = false;
  };
  InstanceKey find(const std::string& name, RunKey run) const;
  Placed& placed(const std::string& name, RunKey run);
  RunKey or_last(RunKey run) const { return run.value() == 0 ? last_run_ : run; }
  void take_effects(Step& step);
  void end(Placed& attempt, AttemptEnded event);
  Event up(const std::string& name, bool rebooted, bool forgot_everything);

  std::unique_ptr<Engine> engine_;
  std::map<std::string, std::shared_ptr<const workflow::WorkflowSpec>> specs_;  // by used path; "" the entry
  std::map<RunKey, std::shared_ptr<const workflow::WorkflowSpec>> by_run_;
  MemoryStore store_;
  TimePoint now_;
  RunKey last_run_;
  std::uint64_t next_token_ = 1;
  std::map<std::uint64_t, Reply> replies_;
  std::map<AttemptId, Placed> placed_;  // launched, not ended
  std::map<std::string, Launch> last_launch_;
  std::map<std::string, int> launch_counts_;
  std::map<std::string, WorkerOptions> workers_;
  std::map<std::string, WorkerId> worker_ids_;
  std::map<std::string, std::int64_t> pools_;
  std::vector<std::string> kills_;
  std::size_t forgotten_ = 0;
};

}  // namespace baton::engine::test
