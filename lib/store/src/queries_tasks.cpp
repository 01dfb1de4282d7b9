// The tasks of one run, with their attempts and logs.
#include <baton/base/limits.hpp>
#include <baton/base/text.hpp>

#include <charconv>
#include <limits>

#include "codec.hpp"
#include "sqlite_queries.hpp"

namespace baton::store {
namespace {

using views::AttemptView;
using views::TaskView;

// A page of instances, then their attempts: the page is cut before the attempts are joined. Outputs, which may be
// large, are read one by one: what is sorted is in memory as a whole.
constexpr std::string_view kTasks =
    "SELECT i.task, i.idx, i.phase, coalesce(i.name, t.id), t.id, t.kind, i.reason, i.message, i.matrix, i.ready_at,"
    " i.ended_at,"
    " (SELECT c.id FROM runs c WHERE c.parent_run = ?1 AND c.parent_task = i.task AND c.parent_idx = i.idx"
    "  ORDER BY c.key DESC LIMIT 1),"
    " a.id, a.number, a.state, a.failure, a.detail, a.exit_code, a.worker, a.message, a.started_at, a.ended_at"
    " FROM (SELECT * FROM instances WHERE run = ?1 AND task BETWEEN ?2 AND ?3 AND (task, idx) > (?4, ?5)"
    "       AND (?6 IS NULL OR phase = ?6) AND (?7 IS NULL OR name = ?7) ORDER BY task, idx LIMIT ?8) i"
    " LEFT JOIN tasks t ON t.run = ?1 AND t.task = i.task"
    " LEFT JOIN attempts a ON a.run = ?1 AND a.task = i.task AND a.idx = i.idx"
    " ORDER BY i.task, i.idx, a.number";

TaskView task_view(const Rows& rows) {
  TaskView view;
  view.task_index = TaskIndex(rows.number<std::uint32_t>(0));
  view.instance = rows.number<std::uint32_t>(1);
  view.state = phase_text(rows.integer(2));
  view.name = rows.text(3);
  view.task = rows.text(4);
  view.kind = rows.text(5);
  view.reason = rows.text(6);
  if (instance_phase(rows.integer(2)) == engine::InstancePhase::awaiting_approval) {
    view.approval_message = rows.text(7);
  } else if (!rows.is_null(7)) {
    view.reason += (view.reason.empty() ? "" : ": ") + rows.text(7);
  }
  view.matrix = parse_object(rows.view(8)).value_or(Value::object());
  view.ready_at = rows.time(9);
  view.ended_at = rows.time(10);
  view.child_run = rows.text(11);
  return view;
}

// An attempt whose worker is out of touch is as unreachable as its instance.
std::string attempt_text(std::int64_t state, std::int64_t phase) {
  const auto known = attempt_state(state);
  const bool is_active = known == engine::AttemptState::starting || known == engine::AttemptState::running;
  if (is_active && instance_phase(phase) == engine::InstancePhase::unreachable) return "unreachable";
  return attempt_state_text(state);
}

AttemptView attempt_view(const Rows& rows) {
  AttemptView view;
  view.id = rows.id<AttemptId>(12);
  view.number = rows.number<std::uint32_t>(13);
  view.state = attempt_text(rows.integer(14), rows.integer(2));
  view.failure_class = failure_text(rows.integer(15), rows.integer(16));
  if (!rows.is_null(17)) view.exit_code = rows.number<int>(17);
  view.worker = rows.text(18);
  view.message = rows.text(19);
  view.started_at = rows.time(20);
  view.ended_at = rows.time(21);
  return view;
}

// "TASK.INSTANCE", both numbers: the last one of the page before.
struct TaskCursor {
  std::int64_t task = -1, index = -1;
};

std::optional<TaskCursor> parse_cursor(const std::string& text) {
  TaskCursor cursor;
  if (text.empty()) return cursor;
  const char* end = text.data() + text.size();
  const auto [dot, task_error] = std::from_chars(text.data(), end, cursor.task);
  if (task_error != std::errc{} || dot == end || *dot != '.') return std::nullopt;
  const auto [stop, index_error] = std::from_chars(dot + 1, end, cursor.index);
  if (index_error != std::errc{} || stop != end) return std::nullopt;
  return cursor;
}

}  // namespace

Result<> SqliteQueries::require_run(RunKey key) {
  Rows rows = statements_["SELECT 1 FROM runs WHERE key = ?1"].query(key);
  if (!rows.next()) return fail(ErrorCode::not_found, "there is no such run");
  return {};
}

Result<SqliteQueries::TaskSelection> SqliteQueries::select_tasks(RunKey key, const std::string& task) {
  if (task.empty()) return TaskSelection{0, std::numeric_limits<std::int64_t>::max(), {}};
  // A task's id has no bracket, an instance of a matrix has its task's id before the first one.
  const auto bracket = task.find('[');
  const std::string id = task.substr(0, bracket);
  std::optional<std::int64_t> index;
  {
    Rows rows = statements_["SELECT task FROM tasks WHERE run = ?1 AND id = ?2"].query(key, id);
    if (rows.next()) index = rows.integer(0);
  }
  if (index && bracket == std::string::npos) return TaskSelection{*index, *index, {}};
  if (index) {
    Rows rows =
        statements_["SELECT 1 FROM instances WHERE run = ?1 AND task = ?2 AND name = ?3"].query(key, *index, task);
    if (rows.next()) return TaskSelection{*index, *index, task};
  }
  return fail(ErrorCode::not_found, "the run has no task {}", escape_control(task));
}

// How many bytes they are.
std::size_t SqliteQueries::add_outputs(RunKey key, TaskView& view) {
  if (view.state != to_string(engine::InstancePhase::succeeded)) return 0;
  Rows rows = statements_["SELECT contents FROM outputs WHERE run = ?1 AND task = ?2 AND idx = ?3"].query(
      key, view.task_index, view.instance);
  if (!rows.next()) return 0;
  view.outputs = parse_texts(rows.view(0)).value_or(std::map<std::string, std::string>{});
  return rows.text_bytes();
}

Result<views::Page<TaskView>> SqliteQueries::tasks(RunKey key, const std::string& task, const std::string& state,
                                                   const std::string& cursor, std::size_t limit) {
  return guarded([&]() -> Result<views::Page<TaskView>> {
    if (const auto exists = require_run(key); !exists) return std::unexpected(exists.error());
    const auto selection = select_tasks(key, task);
    if (!selection) return std::unexpected(selection.error());
    const auto after = parse_cursor(cursor);
    if (!after) return fail(ErrorCode::invalid_argument, "this cursor is none that Baton gave");
    std::optional<std::int64_t> phase;
    if (!state.empty()) {
      const auto known = parse_phase(state);
      if (!known) return fail(ErrorCode::invalid_argument, "`{}` is no state of a task", escape_control(state));
      phase = static_cast<std::int64_t>(*known);
    }
    const std::size_t count = page_size(limit);
    const TextOrNull name{selection->name};
    Rows rows = statements_[kTasks].query(key, selection->first_task, selection->last_task, after->task, after->index,
                                          phase, name, count + 1);
    views::Page<TaskView> page;
    std::size_t bytes = 0;
    while (rows.next()) {
      const TaskIndex task_index(rows.number<std::uint32_t>(0));
      const auto instance = rows.number<std::uint32_t>(1);
      const bool is_new =
          page.items.empty() || page.items.back().task_index != task_index || page.items.back().instance != instance;
      if (is_new && !page.items.empty() && (page.items.size() == count || bytes >= limits::kPageBytes)) {
        page.next_cursor = fmt::format("{}.{}", page.items.back().task_index.value(), page.items.back().instance);
        break;
      }
      bytes += is_new ? rows.text_bytes() : rows.view(19).size();
      if (is_new) {
        page.items.push_back(task_view(rows));
        bytes += add_outputs(key, page.items.back());
      }
      if (!rows.is_null(12)) page.items.back().attempts.push_back(attempt_view(rows));
    }
    return page;
  });
}

Result<std::vector<LogSource>> SqliteQueries::logs(RunKey key, const std::string& task, std::uint32_t attempt,
                                                   bool failed_only, std::size_t limit) {
  return guarded([&]() -> Result<std::vector<LogSource>> {
    if (const auto exists = require_run(key); !exists) return std::unexpected(exists.error());
    const auto selection = select_tasks(key, task);
    if (!selection) return std::unexpected(selection.error());
    // Attempts are numbered in the order in which they were given to workers, which start them in that order but for
    // those that wait there; the clock of one worker says nothing about another's.
    std::string sql =
        "SELECT a.worker, a.segment, a.log_from, a.log_to, a.state, coalesce(i.name, t.id), a.number, i.phase"
        " FROM instances i JOIN attempts a ON a.run = ?1 AND a.task = i.task AND a.idx = i.idx"
        " LEFT JOIN tasks t ON t.run = ?1 AND t.task = i.task"
        " WHERE i.run = ?1 AND i.task BETWEEN ?2 AND ?3 AND (?4 IS NULL OR i.name = ?4)";
    if (attempt != 0) {
      sql += " AND a.number = ?6";
    } else {
      sql +=
          " AND a.number = (SELECT max(number) FROM attempts l WHERE l.run = ?1 AND l.task = i.task AND l.idx = i.idx)";
    }
    if (failed_only) sql += fmt::format(" AND a.state = {}", static_cast<int>(engine::AttemptState::failed));
    sql += " ORDER BY coalesce(a.started_at, a.created_at), a.id LIMIT ?5";
    Statement& statement = statements_[sql];
    if (attempt != 0) statement.bind(6, attempt);
    const TextOrNull name{selection->name};
    Rows rows = statement.query(key, selection->first_task, selection->last_task, name, limit);
    std::vector<LogSource> sources;
    while (rows.next()) {
      LogSource source;
      source.worker = rows.text(0);
      source.place.segment = rows.number<std::uint32_t>(1);
      source.place.from = rows.number<std::uint64_t>(2);
      source.place.to = rows.is_null(3) ? kOpenLog : rows.number<std::uint64_t>(3);
      source.ended = rows.integer(4) >= static_cast<int>(engine::AttemptState::succeeded);
      source.state = attempt_text(rows.integer(4), rows.integer(7));
      source.task_name = rows.text(5);
      source.attempt = rows.number<std::uint32_t>(6);
      sources.push_back(std::move(source));
    }
    return sources;
  });
}

}  // namespace baton::store
