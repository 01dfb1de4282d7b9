#include "snapshot.hpp"

#include <baton/base/limits.hpp>

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "codec.hpp"

namespace baton::store {
namespace {

using engine::AttemptChanged;
using engine::InstanceChanged;
using engine::InstancePhase;
using engine::RunSnapshot;

// A row that makes no sense. Caught in load_run.
struct Nonsense {
  std::string what;
};

template <class... Args>
void require(bool sense, fmt::format_string<Args...> format, Args&&... args) {
  if (!sense) throw Nonsense{fmt::format(format, std::forward<Args>(args)...)};
}

template <class T>
T require(std::optional<T> value, std::string_view what) {
  if (!value) throw Nonsense{std::string(what)};
  return std::move(*value);
}

// An integer column that must fit its field.
template <class Integer>
Integer fitting(const Rows& rows, int column, std::string_view what) {
  require(rows.is_integer(column), "{} is not a number", what);
  const std::int64_t value = rows.integer(column);
  if constexpr (sizeof(Integer) < sizeof(std::int64_t)) {
    require(value >= std::int64_t{std::numeric_limits<Integer>::min()} &&
                value <= std::int64_t{std::numeric_limits<Integer>::max()},
            "{} is out of range", what);
  } else {
    require(value >= 0, "{} is negative", what);
  }
  return static_cast<Integer>(value);
}

// Far enough from the ends that adding durations never overflows.
std::optional<TimePoint> moment(const Rows& rows, int column, std::string_view what) {
  if (rows.is_null(column)) return std::nullopt;
  constexpr std::int64_t kFarthest = std::numeric_limits<std::int64_t>::max() / 4;
  require(rows.is_integer(column) && rows.integer(column) > -kFarthest && rows.integer(column) < kFarthest,
          "{} is not a time", what);
  return rows.time_or_zero(column);
}

class Loader {
 public:
  Loader(StatementCache& statements, RunKey key) : statements_(statements), key_(key) {}

  Result<RunSnapshot> load() {
    if (!load_row()) return fail(ErrorCode::not_found, "there is no run {}", key_.value());
    load_tasks();
    load_expansions();
    load_instances();
    load_outputs();
    load_attempts();
    check_numbers();
    check_activity();
    return std::move(run_);
  }

 private:
  using Place = std::pair<std::uint32_t, std::uint32_t>;

  bool load_row();
  void load_tasks();
  void load_expansions();
  void load_instances();
  void load_outputs();
  void load_attempts();
  void check_numbers() const;
  void check_activity() const;
  TaskIndex task_index(const Rows& rows, int column, std::string_view what) const;
  // Where the instance stands in run_.instances, which are in order; null if it does not exist.
  [[nodiscard]] const InstanceChanged* find(const InstanceKey& key) const;

  StatementCache& statements_;
  RunKey key_;
  RunSnapshot run_;
};

bool Loader::load_row() {
  Rows rows = statements_
                  ["SELECT r.id, r.workflow, r.number, r.bundle, r.used_path, r.working_dir, r.request_key, r.labels, "
                   "r.priority,"
                   " r.created_at, r.scheduled_for, r.parent_run, r.parent_task, r.parent_idx, r.state, r.reason,"
                   " r.cancel_requested, r.params, r.started_at, r.ended_at, p.id"
                   " FROM runs r LEFT JOIN runs p ON p.key = r.parent_run WHERE r.key = ?1"]
                      .query(key_);
  if (!rows.next()) return false;
  engine::RunCreated& created = run_.created;
  created.run = key_;
  created.id = rows.text(0);
  created.workflow = rows.text(1);
  require(!created.id.empty() && !created.workflow.empty(), "it has no id or no workflow");
  created.number = fitting<std::uint64_t>(rows, 2, "the run's number");
  created.bundle_hash = rows.text(3);
  created.used_path = rows.text(4);
  created.working_dir = rows.text(5);
  created.request_key = rows.text(6);
  created.labels = require(parse_texts(rows.view(7)), "its labels are not a JSON object of texts");
  created.priority = fitting<int>(rows, 8, "the run's priority");
  created.created_at = require(moment(rows, 9, "created_at"), "it has no time of creation");
  created.scheduled_for = moment(rows, 10, "scheduled_for");
  if (!rows.is_null(11)) {
    created.parent = InstanceKey{RunKey(fitting<std::uint64_t>(rows, 11, "the parent run")),
                                 TaskIndex(fitting<std::uint32_t>(rows, 12, "the parent task")),
                                 fitting<std::uint32_t>(rows, 13, "the parent instance")};
    created.parent_id = rows.text(20);
    require(!created.parent_id.empty(), "its parent run does not exist");
  }
  engine::RunChanged& state = run_.state;
  state.run = key_;
  state.state =
      require(run_state(fitting<std::int64_t>(rows, 14, "the run's state")), "its state is none that a run has");
  state.reason = rows.text(15);
  state.cancel_requested = fitting<int>(rows, 16, "cancel_requested") != 0;
  state.params = require(parse_object(rows.view(17)), "its params are not a JSON object");
  state.started_at = moment(rows, 18, "started_at");
  state.ended_at = moment(rows, 19, "ended_at");
  return true;
}

void Loader::load_tasks() {
  Rows rows = statements_["SELECT task, id, kind, needs, flags FROM tasks WHERE run = ?1 ORDER BY task"].query(key_);
  auto& tasks = run_.created.tasks;
  std::vector<std::string> needs;
  while (rows.next()) {
    require(fitting<std::uint64_t>(rows, 0, "a task's number") == tasks.size(), "task {} is missing", tasks.size());
    require(tasks.size() < limits::kTasks, "it has too many tasks");
    const int flags = fitting<int>(rows, 4, "a task's flags");
    tasks.push_back({rows.text(1), rows.text(2), {}, (flags & kMatrixFlag) != 0, (flags & kFinallyFlag) != 0});
    require(!tasks.back().id.empty(), "task {} has no id", tasks.size() - 1);
    needs.push_back(rows.text(3));
  }
  require(!tasks.empty(), "it has no tasks");
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    auto parsed = parse_needs(needs[i], tasks.size());
    require(parsed.has_value(), "the needs of task {} are not task numbers", tasks[i].id);
    tasks[i].needs = std::move(*parsed);
  }
}

TaskIndex Loader::task_index(const Rows& rows, int column, std::string_view what) const {
  const auto index = fitting<std::uint32_t>(rows, column, what);
  require(index < run_.created.tasks.size(), "{} is of task {}, which does not exist", what, index);
  return TaskIndex(index);
}

void Loader::load_expansions() {
  Rows rows = statements_["SELECT task, combos FROM expansions WHERE run = ?1 ORDER BY task"].query(key_);
  while (rows.next()) {
    const TaskIndex task = task_index(rows, 0, "an expansion");
    auto combos = parse_json(rows.view(1));
    require(combos && !combos->is_null() && run_.created.tasks[task.value()].is_matrix,
            "the expansion of task {} cannot be read", run_.created.tasks[task.value()].id);
    run_.expansions.push_back({key_, task, std::move(*combos)});
  }
}

void Loader::load_instances() {
  Rows rows = statements_
                  ["SELECT task, idx, phase, attempts, retries_from, child, due, ready_at, ended_at, reason, message"
                   " FROM instances WHERE run = ?1 ORDER BY task, idx"]
                      .query(key_);
  while (rows.next()) {
    InstanceChanged instance{.key = {}, .name = {}, .matrix = {}};
    const TaskIndex task = task_index(rows, 0, "an instance");
    const engine::RunCreated::Task& of = run_.created.tasks[task.value()];
    instance.key = {key_, task, fitting<std::uint32_t>(rows, 1, "an instance's number")};
    require(instance.key.index < limits::kInstancesPerTask && (of.is_matrix || instance.key.index == 0),
            "task {} has an instance {}", of.id, instance.key.index);
    const auto phase = instance_phase(rows.integer(2));
    require(rows.is_integer(2) && phase, "an instance of {} has a state that does not exist", of.id);
    instance.phase = *phase;
    instance.attempts = fitting<std::uint32_t>(rows, 3, "an instance's attempts");
    instance.retries_from = fitting<std::uint32_t>(rows, 4, "an instance's retries_from");
    require(instance.retries_from <= instance.attempts, "an instance of {} forgives more attempts than it had", of.id);
    instance.child = RunKey(fitting<std::uint64_t>(rows, 5, "an instance's child run"));
    instance.due = moment(rows, 6, "an instance's due time");
    require(instance.phase != InstancePhase::backoff || instance.due, "an instance of {} waits for no time", of.id);
    instance.ready_at = moment(rows, 7, "an instance's ready_at");
    instance.ended_at = moment(rows, 8, "an instance's ended_at");
    instance.reason = rows.text(9);
    instance.message = rows.text(10);
    run_.instances.push_back(std::move(instance));
  }
}

const InstanceChanged* Loader::find(const InstanceKey& key) const {
  const auto at =
      std::lower_bound(run_.instances.begin(), run_.instances.end(), key,
                       [](const InstanceChanged& instance, const InstanceKey& k) { return instance.key < k; });
  return at != run_.instances.end() && at->key == key ? &*at : nullptr;
}

void Loader::load_outputs() {
  Rows rows = statements_["SELECT task, idx, contents FROM outputs WHERE run = ?1"].query(key_);
  while (rows.next()) {
    const InstanceKey key{key_, task_index(rows, 0, "an output"),
                          fitting<std::uint32_t>(rows, 1, "an output's instance")};
    auto* instance = const_cast<InstanceChanged*>(find(key));
    // Left over from before a retry.
    if (instance == nullptr || instance->phase != InstancePhase::succeeded) continue;
    auto outputs = parse_texts(rows.view(2));
    require(outputs.has_value(), "the outputs of an instance of {} cannot be read",
            run_.created.tasks[key.task.value()].id);
    instance->outputs = std::move(*outputs);
  }
}

void Loader::load_attempts() {
  Rows rows =
      statements_
          ["SELECT id, task, idx, number, state, exit_code, worker, message, created_at, started_at, segment, log_from,"
           " log_to FROM attempts WHERE run = ?1 AND state NOT IN (2, 3, 4) ORDER BY id"]
              .query(key_);
  while (rows.next()) {
    AttemptChanged attempt;
    attempt.id = AttemptId(fitting<std::uint64_t>(rows, 0, "an attempt's id"));
    attempt.key = {key_, task_index(rows, 1, "an attempt"), fitting<std::uint32_t>(rows, 2, "an attempt's instance")};
    attempt.number = fitting<std::uint32_t>(rows, 3, "an attempt's number");
    attempt.state = require(attempt_state(rows.integer(4)), "an attempt has a state that does not exist");
    attempt.worker = rows.text(6);
    require(!attempt.worker.empty(), "attempt {} has no worker", attempt.id.value());
    attempt.message = rows.text(7);
    attempt.created_at = require(moment(rows, 8, "an attempt's created_at"), "an attempt has no time of creation");
    attempt.started_at = moment(rows, 9, "an attempt's started_at");
    attempt.log.segment = fitting<std::uint32_t>(rows, 10, "a log's segment");
    attempt.log.from = fitting<std::uint64_t>(rows, 11, "a log's place");
    attempt.log.to = rows.is_null(12) ? kOpenLog : fitting<std::uint64_t>(rows, 12, "a log's end");
    run_.attempts.push_back(std::move(attempt));
  }
}

// The next attempt of an instance gets the number after its last, which must be free.
void Loader::check_numbers() const {
  Rows rows = statements_["SELECT task, idx, max(number) FROM attempts WHERE run = ?1 GROUP BY task, idx"].query(key_);
  while (rows.next()) {
    // Without an instance they are left over from an earlier expansion of the task's matrix.
    const auto* instance = find({key_, TaskIndex(rows.number<std::uint32_t>(0)), rows.number<std::uint32_t>(1)});
    require(instance == nullptr || rows.integer(2) <= std::int64_t{instance->attempts},
            "an attempt of task {} has the number {}, but its instance had only {}", rows.integer(0), rows.integer(2),
            instance == nullptr ? 0 : instance->attempts);
  }
}

// Instances that hold a worker and attempts that are with one: each has exactly one of the other.
void Loader::check_activity() const {
  std::map<InstanceKey, const AttemptChanged*> attempts;
  for (const AttemptChanged& attempt : run_.attempts) {
    const std::string& task = run_.created.tasks[attempt.key.task.value()].id;
    require(attempts.emplace(attempt.key, &attempt).second, "an instance of {} has two attempts at once", task);
    const InstanceChanged* instance = find(attempt.key);
    require(instance != nullptr, "attempt {} is of an instance of {} that does not exist", attempt.id.value(), task);
    require(instance->attempts == attempt.number, "attempt {} of {} is not the last one", attempt.number, task);
  }
  for (const InstanceChanged& instance : run_.instances) {
    const bool on_worker = instance.phase == InstancePhase::starting || instance.phase == InstancePhase::running ||
                           instance.phase == InstancePhase::unreachable;
    const bool has_child = instance.phase == InstancePhase::running && instance.child.value() != 0;
    const bool has_attempt = attempts.contains(instance.key);
    const std::string& task = run_.created.tasks[instance.key.task.value()].id;
    require(has_attempt == (on_worker && !has_child), "an instance of {} is {} {} attempt", task,
            to_string(instance.phase), has_attempt ? "with an" : "without an");
  }
}

}  // namespace

Result<engine::RunSnapshot> load_run(StatementCache& statements, RunKey key) {
  try {
    return Loader(statements, key).load();
  } catch (const Nonsense& nonsense) {
    return fail(ErrorCode::corrupt, "{}", nonsense.what);
  }
}

}  // namespace baton::store
