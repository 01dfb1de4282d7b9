// A workflow as the language defines it, checked and ready to run. Plain data, immutable once it is parsed.
#pragma once
#include <baton/base/diagnostic.hpp>
#include <baton/base/ids.hpp>
#include <baton/base/time.hpp>
#include <baton/graph/dag.hpp>
#include <baton/workflow/boxed.hpp>
#include <baton/workflow/expression.hpp>
#include <baton/workflow/failure.hpp>
#include <baton/workflow/matrix.hpp>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace baton::workflow {

struct WorkflowSpec;
class ParamPattern;

enum class TaskKind : std::uint8_t { task, data_prep, train, evaluate, deploy };
enum class ParamType : std::uint8_t { string, integer, number, boolean, duration };
enum class Backoff : std::uint8_t { constant, linear, exponential };
enum class Catchup : std::uint8_t { none, latest, all };
enum class Overlap : std::uint8_t { allow, skip, queue, replace };
std::string_view to_string(TaskKind kind);   // "data-prep"
std::string_view to_string(ParamType type);  // "int", "bool", …

struct ParamSpec {
  std::string name;
  ParamType type = ParamType::string;
  Value default_value;  // null: none
  bool required = false;
  std::vector<Value> enumeration;
  std::optional<double> min, max;
  std::string pattern;                          // ECMAScript regular expression over the whole value; empty: none
  std::shared_ptr<const ParamPattern> matcher;  // `pattern`, compiled
  std::string description;
  SourcePos pos;
};

struct ScheduleSpec {
  std::string cron;  // exactly one of cron and every
  std::optional<Duration> every;
  std::string timezone;  // empty: the daemon's
  Catchup catchup = Catchup::none;
  Overlap overlap = Overlap::allow;
  std::optional<Duration> start_deadline;
  Value params = Value::object();
  bool enabled = true;
  SourcePos pos;
};

struct RetryPolicy {
  std::uint32_t max_retries = 0;
  Duration delay{0};
  Backoff backoff = Backoff::constant;
  std::optional<Duration> max_delay;
  double jitter = 0;                              // 0..1: the part of the delay that varies
  std::optional<std::vector<FailurePattern>> on;  // nullopt: all but cancelled and missing_output
  [[nodiscard]] bool covers(FailureClass failure) const;
  // The delay before retry number `retry` (from 1); `seed` decides the jitter, so that the result is a pure function.
  [[nodiscard]] Duration delay_before(std::uint32_t retry, std::uint64_t seed) const;
  // The same without jitter.
  [[nodiscard]] Duration longest_delay(std::uint32_t retry) const;
};

// What one attempt takes from its worker. Amounts in thousandths, memory in bytes.
struct Resources {
  std::int64_t cpu_milli = 1000;
  std::int64_t memory_bytes = 0;
  std::int64_t gpu_milli = 0;
  std::map<std::string, std::int64_t> custom_milli;
  auto operator<=>(const Resources&) const = default;
};

struct RunsOn {
  std::vector<std::string> labels;  // sorted
  std::string worker;               // empty: any
  auto operator<=>(const RunsOn&) const = default;
};

struct RunScript {
  std::string script;
  std::vector<std::string> shell;  // argv in front of the script's file; default: sh -e
};
struct RunCommand {
  std::vector<Template> argv;
};
struct UsesWorkflow {
  std::string path;  // as written
  std::string file;  // its key in the bundle's files: the path as seen from the entry's folder
  std::vector<std::pair<std::string, Template>> with;
  std::shared_ptr<const WorkflowSpec> workflow;
};
struct Approval {
  Template message;
  std::optional<Duration> timeout;
  bool approve_on_timeout = false;
};
using Action = std::variant<RunScript, RunCommand, UsesWorkflow, Approval>;

struct TaskSpec {
  std::string id;
  TaskKind kind = TaskKind::task;
  Action action;
  std::vector<TaskIndex> needs;  // ascending, each once
  std::optional<Expression> condition;
  Boxed<MatrixSpec> matrix;
  std::uint32_t max_parallel = 0;  // 0: no limit
  bool fail_fast = false;
  std::vector<std::pair<std::string, Template>> env;  // in order; the workflow's env comes before it
  Boxed<Template> working_dir;
  std::vector<std::string> outputs;
  Resources resources;
  RunsOn runs_on;
  std::map<std::string, std::int64_t> pools;  // name → slots
  std::optional<int> priority;                // its own; nullopt: the run's
  std::optional<Duration> timeout;
  Duration grace = std::chrono::seconds(10);
  RetryPolicy retry;
  Boxed<Template> environment;
  bool is_finally = false;
  SourcePos pos;
};

struct Retention {
  std::optional<Duration> runs, logs;
};

struct WorkflowSpec {
  std::string name;
  std::string description;
  std::map<std::string, std::string> labels;
  std::vector<ParamSpec> params;
  std::vector<std::pair<std::string, Template>> env;
  std::vector<ScheduleSpec> schedules;
  std::uint32_t max_active_runs = 0;   // 0: no limit
  std::uint32_t max_active_tasks = 0;  // in one run; 0: no limit
  std::optional<int> priority;         // of runs that are submitted without one
  std::vector<TaskSpec> tasks;         // in file order, the finally tasks last
  std::vector<std::uint32_t> by_id;    // indexes of `tasks` in alphabetical order of their ids; may be left empty
  std::uint32_t finally_begin = 0;     // tasks[finally_begin..] run when all others have ended
  graph::Dag dag;                      // over all tasks, by `needs` alone
  std::vector<std::pair<std::string, Template>> outputs;  // what a `uses` task of this workflow yields
  Retention retention;
  [[nodiscard]] const TaskSpec& task(TaskIndex index) const { return tasks[index.value()]; }
  [[nodiscard]] std::optional<TaskIndex> find(std::string_view id) const;
};

// The files of one workflow as the client sends them: the workflow itself and what it `uses`, by path as written there
// relative to the entry's folder (normalised, no `..` out of the bundle's common root needed).
struct Bundle {
  std::string entry;                         // key in `files`, and the name shown in diagnostics
  std::map<std::string, std::string> files;  // path → contents
};

struct ParseResult {
  std::shared_ptr<const WorkflowSpec> workflow;  // null if a diagnostic is an error
  std::vector<Diagnostic> diagnostics;           // in order of file and position
};

// Reads and checks a whole bundle. All errors in one pass. Never throws; time and memory are bounded by limits.hpp.
ParseResult parse_bundle(const Bundle& bundle);
// The same for one file without `uses`.
ParseResult parse_workflow(std::string_view file_name, std::string_view text);
// The paths that the file's tasks `use` (normalised against the file's own folder), for the client that collects a
// bundle; empty if the file cannot be read as YAML (parse_bundle will say why).
std::vector<std::string> used_paths(std::string_view file_name, std::string_view text);

// A file of parameters, as YAML or JSON: an object. Errors: all of them, in one line, with positions.
Result<Value> read_params_file(std::string_view file_name, std::string_view text);
// Values that come as text (`-p k=v`, `with`), converted to the declared types. What cannot be converted stays text,
// which bind_params then refuses.
Value typed_params(const WorkflowSpec& workflow, const std::map<std::string, std::string>& texts);
// Checks submitted values against the declarations and fills in the defaults. Errors: all of them, joined by "; ".
Result<Value> bind_params(const WorkflowSpec& workflow, const Value& submitted);

// "train", "train[C=0.1]".
std::string instance_name(const TaskSpec& task, const MatrixCombos* combos, std::uint32_t index);

}  // namespace baton::workflow
