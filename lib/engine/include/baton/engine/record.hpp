// Records: what a step changed. The store commits them; at start it hands the same records back (RunSnapshot), so that
// whatever the engine can remember after a crash is in here.
//
// A record is the whole state of its row after the step: writing it twice, or only the last of several, gives the same
// database. Times that have not happened yet are nullopt.
#pragma once
#include <baton/base/ids.hpp>
#include <baton/base/time.hpp>
#include <baton/engine/state.hpp>
#include <baton/workflow/failure.hpp>
#include <baton/workflow/value.hpp>

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace baton::engine {

// Why a run was made, and everything about it that never changes. Written once.
struct RunCreated {
  RunKey run;
  std::string id;            // public
  std::string workflow;      // name
  std::uint64_t number = 0;  // counts per workflow name from 1
  std::string bundle_hash;   // key of the bundle in the store (SHA-256, hex)
  std::string used_path;     // a child run: which file of the bundle it runs; empty: the entry
  std::string working_dir;   // where tasks without a working_dir run
  std::string request_key;   // the client's Idempotency-Key; empty: none
  std::map<std::string, std::string> labels;
  int priority = 0;
  TimePoint created_at;
  std::optional<TimePoint> scheduled_for;
  // A child run: the `uses` instance that started it.
  std::optional<InstanceKey> parent;
  std::string parent_id;  // the parent run's public id

  // One row per task of the workflow, so that readers need no parser. In task order.
  struct Task {
    std::string id;
    std::string kind;
    std::vector<TaskIndex> needs;
    bool is_matrix = false;
    bool is_finally = false;
  };
  std::vector<Task> tasks;
};

// The part of a run that changes.
struct RunChanged {
  RunKey run;
  RunState state = RunState::queued;
  std::string reason;  // "approval_rejected", "cancelled", "…"; empty while nothing needs saying
  bool cancel_requested = false;
  Value params = Value::object();
  std::optional<TimePoint> started_at, ended_at;
};

// A dynamic matrix got its combinations. Null: it lost them again, because the run is retried; the task's instances but
// the first one, and what belongs to them, are gone with them.
struct TaskExpanded {
  RunKey run;
  TaskIndex task;
  Value combos;  // MatrixCombos::to_json
};

struct InstanceChanged {
  InstanceKey key;
  InstancePhase phase = InstancePhase::waiting;
  std::string name;                // "train[C=0.1]"; only in the first record of an instance, then empty: unchanged
  Value matrix;                    // object; only in the first record, then null: unchanged
  std::uint32_t attempts = 0;      // attempts so far
  std::uint32_t retries_from = 0;  // attempts that do not count against max_retries (a user's `retry` resets them)
  std::string reason;            // why it is in this state: "exit:3", "rejected", "upstream prep failed"; mostly empty
  std::string message;           // awaiting_approval: the approval's message; failed: detail for people
  std::optional<TimePoint> due;  // backoff: until; awaiting_approval or running child: deadline
  RunKey child;                  // a `uses` task: the run it started last; 0: unchanged
  std::optional<TimePoint> ready_at, ended_at;
  // Succeeded with declared outputs: their values. nullopt: unchanged.
  std::optional<std::map<std::string, std::string>> outputs;
};

// The instance waits as before, until another time by a clock that was set.
struct DueChanged {
  InstanceKey key;
  TimePoint due;
};

// Where an attempt's output is on its worker (wire::LogExtent, without the dependency).
struct LogPlace {
  std::uint32_t segment = 0;  // 0: none
  std::uint64_t from = 0;
  std::uint64_t to = 0;  // ~0: still open
  bool operator==(const LogPlace&) const = default;
};

struct AttemptChanged {
  AttemptId id;
  InstanceKey key;
  std::uint32_t number = 0;  // from 1
  AttemptState state = AttemptState::starting;
  workflow::FailureClass failure;
  std::optional<int> exit_code;
  std::string worker;  // name
  std::string message;
  TimePoint created_at;
  std::optional<TimePoint> started_at, ended_at;
  LogPlace log;
  std::uint64_t user_us = 0, system_us = 0, max_rss_bytes = 0;
};

using Record = std::variant<RunCreated, RunChanged, TaskExpanded, InstanceChanged, DueChanged, AttemptChanged>;

// What the store knows of one run that has not ended (or that is to be retried): enough to go on.
struct RunSnapshot {
  RunCreated created;
  RunChanged state;
  std::vector<TaskExpanded> expansions;
  std::vector<InstanceChanged> instances;  // all of them, with outputs; name and matrix may be empty
  std::vector<AttemptChanged> attempts;    // those that are starting or running
};

}  // namespace baton::engine
