// Events: everything the engine learns. Ids, texts and times come in with them; the engine makes up nothing but run and
// attempt numbers, which count on from what the store remembered.
#pragma once
#include <baton/base/ids.hpp>
#include <baton/base/time.hpp>
#include <baton/engine/record.hpp>
#include <baton/workflow/spec.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace baton::engine {

// --- requests; each is answered by exactly one Reply with the same token ---

struct SubmitRun {
  std::uint64_t token = 0;
  std::string id;  // public, unique; made by the service
  std::string request_key;
  std::shared_ptr<const workflow::WorkflowSpec> workflow;
  std::string bundle_hash;
  std::string working_dir;
  Value params = Value::object();  // bound and checked
  std::map<std::string, std::string> labels;
  std::optional<int> priority;
  std::optional<TimePoint> scheduled_for;
};

struct CancelRun {
  std::uint64_t token = 0;
  RunKey run;
  std::string reason;
};

// Run parts of a run again. A run that has ended is restored (RunRestored) in the same batch before this.
struct RetryRun {
  std::uint64_t token = 0;
  RunKey run;
  std::optional<TaskIndex> from;  // this task and everything behind it; nullopt: what did not succeed
  std::optional<Value> params;    // bound and checked; replaces the run's
  bool dry_run = false;           // answer what would run again, change nothing
};

struct DecideApproval {
  std::uint64_t token = 0;
  InstanceKey key;
  bool approve = false;
  std::string comment;
};

// --- facts ---

// Every worker that there is, said once and before any run is restored. What is with another one never comes back.
struct WorkersConfigured {
  std::map<WorkerId, std::string> names;
};

// Attempts of runs that the engine does not get, because what is stored of them makes no sense: their workers are told
// nothing about them.
struct AttemptsLeftAlone {
  std::vector<AttemptId> attempts;
};

// A run out of the store: at start, or to be retried.
struct RunRestored {
  RunSnapshot snapshot;
  std::shared_ptr<const workflow::WorkflowSpec> workflow;
};

struct WorkerUp {
  WorkerId worker;
  std::string name;
  std::vector<std::string> labels;
  workflow::Resources capacity;
  // An attempt the worker knows: queued, running or ended. In the same batch an AttemptStarted follows for each that
  // has started and an AttemptEnded for each that has ended.
  struct Known {
    AttemptId attempt;
    bool started = false;
  };
  std::vector<Known> inventory;
  // The worker's host was booted anew since attempts were given to it: what it does not know never comes back.
  bool rebooted = false;
};

struct WorkerDown {
  WorkerId worker;
};

struct AttemptStarted {
  WorkerId worker;
  AttemptId attempt;
  TimePoint at;
  LogPlace log;
};

struct AttemptEnded {
  WorkerId worker;
  AttemptId attempt;
  workflow::FailureClass failure;  // none: it succeeded
  std::optional<int> exit_code;
  std::string message;
  std::map<std::string, std::string> outputs;
  std::optional<TimePoint> started_at;
  TimePoint ended_at;
  LogPlace log;
  std::uint64_t user_us = 0, system_us = 0, max_rss_bytes = 0;
};

// New limits out of the configuration. A pool that is not in it has one slot; a task that asks for more slots than its
// pool has takes all of them.
struct PoolsChanged {
  std::map<std::string, std::int64_t> pools;
};

using Event = std::variant<SubmitRun, CancelRun, RetryRun, DecideApproval, WorkersConfigured, AttemptsLeftAlone,
                           RunRestored, WorkerUp, WorkerDown, AttemptStarted, AttemptEnded, PoolsChanged>;

}  // namespace baton::engine
