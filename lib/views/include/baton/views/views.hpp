// What users see: runs, tasks, attempts, events and workers as plain data. The store fills them, the API turns them
// into JSON and back, the CLI prints them. Times are UTC; an absent time has not happened yet.
#pragma once
#include <baton/base/diagnostic.hpp>
#include <baton/base/ids.hpp>
#include <baton/base/time.hpp>
#include <nlohmann/json.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace baton::views {

struct AttemptView {
  AttemptId id;
  std::uint32_t number = 0;   // from 1
  std::string state;          // starting, running, unreachable, succeeded, failed, cancelled
  std::string failure_class;  // "exit:3"; empty if it succeeded or still runs
  std::optional<int> exit_code;
  std::string worker;
  std::string message;  // why it failed, where the class does not say it all
  std::optional<TimePoint> started_at, ended_at;
};

struct TaskView {
  std::string name;  // "train[C=0.1]"
  std::string task;  // "train"
  std::string kind;  // "train"
  TaskIndex task_index;
  std::uint32_t instance = 0;
  std::string state;
  std::string
      reason;  // why it is in a final state, where that needs saying: "exit:3", "rejected", "upstream prep failed"
  nlohmann::json matrix = nlohmann::json::object();
  std::map<std::string, std::string> outputs;
  std::string child_run;         // a `uses` task: the id of the run it started
  std::string approval_message;  // an `approval` task
  std::optional<TimePoint> ready_at, ended_at;
  std::vector<AttemptView> attempts;
};

// One task of the workflow with its instances counted by state.
struct TaskSummary {
  std::string task;
  std::string kind;
  TaskIndex task_index;
  std::vector<std::string> needs;
  bool is_matrix = false;
  bool is_finally = false;
  std::map<std::string, std::uint64_t> states;
};

struct RunView {
  RunKey key;
  std::string id;
  std::string workflow;
  std::uint64_t number = 0;
  std::string state;   // queued, running, succeeded, failed, cancelled
  std::string reason;  // "approval_rejected", "cancelled by user", …
  TimePoint created_at;
  std::optional<TimePoint> started_at, ended_at;
  nlohmann::json params = nlohmann::json::object();
  std::map<std::string, std::string> labels;
  std::string parent_run;  // the id of the run whose `uses` task started this one
  int priority = 0;
  std::vector<TaskSummary> summary;  // filled for a single run, empty in lists
};

// One committed change, in order. `seq` grows for ever and has no meaning but its order.
struct EventView {
  std::uint64_t seq = 0;
  TimePoint at;
  std::string run;  // public id
  std::string workflow;
  std::string type;  // "run" or "task"
  std::string name;  // task instance name; empty for a run
  std::string task;
  std::string state;
  std::string reason;
  std::uint32_t attempt = 0;  // the instance's attempts so far
  // An attempt has ended with it: how long that took, by its worker. `at` is when the daemon heard of it.
  std::optional<Duration> elapsed;
};

struct WorkerView {
  std::string name;
  std::string state;  // online, connecting, offline
  std::string host;
  std::string version;
  std::vector<std::string> labels;
  std::int64_t cpu_milli = 0, memory_bytes = 0, gpu_milli = 0;
  std::int64_t cpu_milli_used = 0, memory_bytes_used = 0, gpu_milli_used = 0;
  std::uint32_t attempts = 0;  // starting or running
  std::map<std::string, std::int64_t> custom_milli, custom_milli_used;
};

template <class T>
struct Page {
  std::vector<T> items;
  std::string next_cursor;  // empty: the last page
};

// JSON as schemas/openapi.yaml describes it. from_json throws nlohmann::json::exception on a wrong shape.
void to_json(nlohmann::json& json, const AttemptView& view);
void from_json(const nlohmann::json& json, AttemptView& view);
void to_json(nlohmann::json& json, const TaskView& view);
void from_json(const nlohmann::json& json, TaskView& view);
void to_json(nlohmann::json& json, const TaskSummary& view);
void from_json(const nlohmann::json& json, TaskSummary& view);
void to_json(nlohmann::json& json, const RunView& view);
void from_json(const nlohmann::json& json, RunView& view);
void to_json(nlohmann::json& json, const EventView& view);
void from_json(const nlohmann::json& json, EventView& view);
void to_json(nlohmann::json& json, const WorkerView& view);
void from_json(const nlohmann::json& json, WorkerView& view);

}  // namespace baton::views

namespace baton {

// As the API's problem documents and `baton validate` show it; `hint` only if there is one.
void to_json(nlohmann::json& json, const Diagnostic& diagnostic);

}  // namespace baton
