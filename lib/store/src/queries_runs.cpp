// Runs: by reference, by key, in lists.
#include <baton/base/limits.hpp>
#include <baton/base/text.hpp>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <set>

#include "codec.hpp"
#include "reader.hpp"
#include "schema.hpp"
#include "snapshot.hpp"
#include "sqlite_queries.hpp"

namespace baton::store {
namespace {

using views::RunView;

constexpr std::string_view kRunColumns =
    "SELECT r.key, r.id, r.workflow, r.number, r.state, r.reason, r.created_at, r.started_at, r.ended_at, r.params,"
    " r.labels, r.priority, p.id FROM runs r LEFT JOIN runs p ON p.key = r.parent_run ";

RunView run_view(const Rows& rows) {
  RunView view;
  view.key = rows.id<RunKey>(0);
  view.id = rows.text(1);
  view.workflow = rows.text(2);
  view.number = rows.number<std::uint64_t>(3);
  view.state = run_state_text(rows.integer(4));
  view.reason = rows.text(5);
  view.created_at = rows.time_or_zero(6);
  view.started_at = rows.time(7);
  view.ended_at = rows.time(8);
  view.params = parse_object(rows.view(9)).value_or(Value::object());
  view.labels = parse_texts(rows.view(10)).value_or(std::map<std::string, std::string>{});
  view.priority = rows.number<int>(11);
  view.parent_run = rows.text(12);
  return view;
}

template <class Integer>
std::optional<Integer> parse_number(std::string_view text) {
  Integer number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// The clauses of a list of runs and their parameters.
struct Where {
  std::string sql = "WHERE 1";
  std::vector<std::int64_t> numbers;  // ?1, ?2, …
  std::string workflow;               // after them

  std::string next() { return fmt::format("?{}", numbers.size()); }
  std::string add(std::int64_t number) {
    numbers.push_back(number);
    return next();
  }
};

Result<> add_states(Where& where, const std::vector<std::string>& states) {
  if (states.empty()) return {};
  std::set<engine::RunState> wanted;  // each once: a text of SQL for each number of them is kept prepared
  for (const std::string& text : states) {
    const auto state = parse_run_state(text);
    if (!state) return fail(ErrorCode::invalid_argument, "`{}` is no state of a run", text);
    wanted.insert(*state);
  }
  std::string list;
  for (const engine::RunState state : wanted) list += (list.empty() ? "" : ", ") + where.add(static_cast<int>(state));
  const bool all_active = std::ranges::none_of(wanted, [](engine::RunState state) { return engine::is_final(state); });
  where.sql += fmt::format(" AND r.state IN ({})", list);
  // The same term as in the index of active runs, so that it is used.
  if (all_active) where.sql += " AND r.state NOT IN (2, 3, 4)";
  return {};
}

}  // namespace

std::size_t page_size(std::size_t limit) { return limit == 0 ? limits::kPageSize : std::min(limit, limits::kPageSize); }

std::optional<RunKey> SqliteQueries::find_run(std::string_view sql, std::string_view text) {
  Rows rows = statements_[sql].query(text);
  if (!rows.next()) return std::nullopt;
  return rows.id<RunKey>(0);
}

Result<RunKey> SqliteQueries::resolve(const std::string& reference) {
  return guarded([&]() -> Result<RunKey> {
    if (reference == "last") {
      Rows rows = statements_
                      ["SELECT key FROM runs WHERE parent_run IS NULL AND parent_task IS NULL AND parent_idx IS NULL"
                       " ORDER BY key DESC LIMIT 1"]
                          .query();
      if (!rows.next()) return fail(ErrorCode::not_found, "there are no runs yet");
      return rows.id<RunKey>(0);
    }
    if (const auto hash = reference.find('#'); hash != std::string::npos) return resolve_number(reference, hash);
    if (const auto key = find_run("SELECT key FROM runs WHERE id = ?1", reference)) return *key;
    return resolve_prefix(reference);
  });
}

Result<RunKey> SqliteQueries::resolve_number(const std::string& reference, std::size_t hash) {
  const std::string workflow = reference.substr(0, hash);
  const auto number = parse_number<std::int64_t>(std::string_view(reference).substr(hash + 1));
  if (number) {
    Rows rows = statements_["SELECT key FROM runs WHERE workflow = ?1 AND number = ?2"].query(workflow, *number);
    if (rows.next()) return rows.id<RunKey>(0);
  }
  return fail(ErrorCode::not_found, "there is no run {}", escape_control(reference));
}

Result<RunKey> SqliteQueries::resolve_prefix(const std::string& prefix) {
  constexpr std::size_t kShown = 5;
  if (is_id(prefix)) {
    // No character of an id sorts after this one.
    const std::string end = prefix + "\x7f";
    for (const bool top : {true, false}) {
      Rows rows = statements_[fmt::format("SELECT key, id FROM runs WHERE id >= ?1 AND id < ?2 AND parent_run IS {}"
                                          " ORDER BY id LIMIT {}",
                                          top ? "NULL" : "NOT NULL", kShown + 1)]
                      .query(prefix, end);
      std::vector<std::pair<RunKey, std::string>> found;
      while (rows.next()) found.emplace_back(rows.id<RunKey>(0), rows.text(1));
      if (found.size() == 1) return found.front().first;
      if (found.empty()) continue;
      std::string candidates;
      for (std::size_t i = 0; i < std::min(found.size(), kShown); ++i) {
        candidates += (i == 0 ? "" : ", ") + found[i].second;
      }
      return fail(ErrorCode::conflict, "`{}` could be any of {}{}", prefix, candidates,
                  found.size() > kShown ? ", …" : "");
    }
  }
  return fail(ErrorCode::not_found, "there is no run {}", escape_control(prefix));
}

Result<std::optional<Queries::Requested>> SqliteQueries::by_request_key(const std::string& key) {
  return guarded([&]() -> Result<std::optional<Requested>> {
    if (key.empty()) return std::nullopt;
    const auto found = find_run("SELECT key FROM runs WHERE request_key = ?1", key);
    if (!found) return std::nullopt;
    auto view = run(*found);
    if (!view) return std::unexpected(view.error());
    Rows rows = statements_
                    ["SELECT bundle, working_dir,"
                     " EXISTS (SELECT 1 FROM instances WHERE run = key AND retries_from > 0) FROM runs WHERE key = ?1"]
                        .query(*found);
    if (!rows.next()) return std::nullopt;
    return Requested{std::move(*view), rows.text(0), rows.text(1), rows.integer(2) != 0};
  });
}

Result<RunView> SqliteQueries::run(RunKey key) {
  return guarded([&]() -> Result<RunView> {
    RunView view;
    {
      Rows rows = statements_[std::string(kRunColumns) + "WHERE r.key = ?1"].query(key);
      if (!rows.next()) return fail(ErrorCode::not_found, "there is no such run");
      view = run_view(rows);
    }
    add_summary(view);
    return view;
  });
}

void SqliteQueries::add_summary(RunView& view) {
  {
    Rows rows = statements_["SELECT id, kind, needs, flags FROM tasks WHERE run = ?1 ORDER BY task"].query(view.key);
    std::vector<std::string> needs;
    while (rows.next()) {
      views::TaskSummary task;
      task.task = rows.text(0);
      task.kind = rows.text(1);
      task.task_index = TaskIndex(static_cast<std::uint32_t>(view.summary.size()));
      task.is_matrix = (rows.integer(3) & kMatrixFlag) != 0;
      task.is_finally = (rows.integer(3) & kFinallyFlag) != 0;
      needs.push_back(rows.text(2));
      view.summary.push_back(std::move(task));
    }
    for (std::size_t i = 0; i < needs.size(); ++i) {
      for (const TaskIndex need : parse_needs(needs[i], needs.size()).value_or(std::vector<TaskIndex>{})) {
        view.summary[i].needs.push_back(view.summary[need.value()].task);
      }
    }
  }
  Rows rows =
      statements_["SELECT task, phase, count(*) FROM instances WHERE run = ?1 GROUP BY task, phase"].query(view.key);
  while (rows.next()) {
    const auto task = rows.number<std::uint64_t>(0);
    if (task < view.summary.size())
      view.summary[task].states[phase_text(rows.integer(1))] += rows.number<std::uint64_t>(2);
  }
}

Result<views::Page<RunView>> SqliteQueries::runs(const RunFilter& filter, const std::string& cursor,
                                                 std::size_t limit) {
  return guarded([&]() -> Result<views::Page<RunView>> {
    Where where;
    if (!filter.parent.empty()) {
      const auto parent = find_run("SELECT key FROM runs WHERE id = ?1", filter.parent);
      if (!parent) return fail(ErrorCode::not_found, "there is no run {}", escape_control(filter.parent));
      where.sql += " AND r.parent_run = " + where.add(static_cast<std::int64_t>(parent->value()));
    } else if (!filter.include_children) {
      where.sql += " AND r.parent_run IS NULL AND r.parent_task IS NULL AND r.parent_idx IS NULL";
    }
    if (!cursor.empty()) {
      const auto before = parse_number<std::int64_t>(cursor);
      if (!before) return fail(ErrorCode::invalid_argument, "this cursor is none that Baton gave");
      where.sql += " AND r.key < " + where.add(*before);
    }
    if (const auto added = add_states(where, filter.states); !added) return std::unexpected(added.error());
    const std::size_t count = page_size(limit);
    const std::string at_most = where.add(static_cast<std::int64_t>(count) + 1);
    if (!filter.workflow.empty()) where.sql += fmt::format(" AND r.workflow = ?{}", where.numbers.size() + 1);

    // The keys first: what has to be sorted is in memory as a whole, and parameters may be large.
    Statement& statement = statements_[fmt::format(
        "{}WHERE r.key IN (SELECT r.key FROM runs r {} ORDER BY r.key DESC LIMIT {}) ORDER BY r.key DESC", kRunColumns,
        where.sql, at_most)];
    for (std::size_t i = 0; i < where.numbers.size(); ++i) statement.bind(static_cast<int>(i) + 1, where.numbers[i]);
    if (!filter.workflow.empty()) statement.bind(static_cast<int>(where.numbers.size()) + 1, filter.workflow);
    Rows rows = statement.query();
    views::Page<RunView> page;
    std::size_t bytes = 0;
    while (rows.next()) {
      if (!page.items.empty() && (page.items.size() == count || bytes >= limits::kPageBytes)) {
        page.next_cursor = fmt::format("{}", page.items.back().key.value());
        break;
      }
      bytes += rows.text_bytes();
      page.items.push_back(run_view(rows));
    }
    return page;
  });
}

Result<std::string> SqliteQueries::bundle(const std::string& hash) {
  return guarded([&]() -> Result<std::string> {
    Rows rows = statements_["SELECT contents FROM bundles WHERE hash = ?1"].query(hash);
    if (!rows.next()) return fail(ErrorCode::not_found, "there is no bundle {}", escape_control(hash));
    return rows.text(0);
  });
}

Result<Queries::Source> SqliteQueries::source(RunKey key) {
  return guarded([&]() -> Result<Source> {
    Rows rows = statements_["SELECT bundle, used_path FROM runs WHERE key = ?1"].query(key);
    if (!rows.next()) return fail(ErrorCode::not_found, "there is no such run");
    return Source{.bundle_hash = rows.text(0), .used_path = rows.text(1)};
  });
}

Result<engine::RunSnapshot> SqliteQueries::snapshot(RunKey key) {
  return guarded([&] { return load_run(statements_, key); });
}

Result<> SqliteQueries::copy_to(const std::string& path) {
  return guarded([&] { return copy_database_as(connection_, path, [](const std::string&) { return Result<>(); }); });
}

Result<Queries::Statistics> SqliteQueries::statistics() {
  return guarded([&]() -> Result<Statistics> {
    const auto count = [&](const char* sql) {
      Rows rows = statements_[sql].query();
      return rows.next() ? rows.number<std::uint64_t>(0) : 0;
    };
    Statistics statistics;
    statistics.runs = count("SELECT count(*) FROM runs");
    statistics.active_runs = count("SELECT count(*) FROM runs WHERE state NOT IN (2, 3, 4)");
    statistics.instances = count("SELECT count(*) FROM instances");
    statistics.attempts = count("SELECT count(*) FROM attempts");
    statistics.events = count("SELECT count(*) FROM events");
    statistics.schema_version = static_cast<int>(count("PRAGMA user_version"));
    for (const char* suffix : {"", "-wal"}) {
      std::error_code missing;
      const auto size = std::filesystem::file_size(statements_.connection().path() + suffix, missing);
      if (!missing) statistics.bytes += size;
    }
    return statistics;
  });
}

}  // namespace baton::store
