// What happened, in order.
#include <algorithm>
#include <limits>

#include "codec.hpp"
#include "sqlite_queries.hpp"

namespace baton::store {
namespace {

using views::EventView;

EventView event_view(const Rows& rows) {
  EventView view;
  view.seq = rows.number<std::uint64_t>(0);
  view.at = rows.time_or_zero(1);
  view.run = rows.text(2);
  view.workflow = rows.text(3);
  const bool is_task = !rows.is_null(4);
  view.type = is_task ? "task" : "run";
  if (is_task) {
    view.task = rows.text(5);
    view.name = rows.is_null(6) ? view.task : rows.text(6);
  }
  view.state = is_task ? phase_text(rows.integer(7)) : run_state_text(rows.integer(7));
  view.reason = rows.text(8);
  view.attempt = rows.number<std::uint32_t>(9);
  if (is_task && !rows.is_null(12) && ends_attempt(rows.integer(7), rows.integer(10))) {
    view.elapsed = time_taken(rows.time(11), rows.time(12));
  }
  return view;
}

bool earlier(const EventView& one, const EventView& other) { return one.seq < other.seq; }

}  // namespace

std::vector<EventView> SqliteQueries::events_of(std::optional<RunKey> run, std::uint64_t after, std::size_t count,
                                                bool newest) {
  const auto at_most =
      static_cast<std::int64_t>(std::min<std::size_t>(count, std::numeric_limits<std::int32_t>::max()));
  const auto first =
      static_cast<std::int64_t>(std::min<std::uint64_t>(after, std::numeric_limits<std::int64_t>::max()));
  const std::string sql = fmt::format(
      "SELECT e.seq, e.at, r.id, r.workflow, e.task, t.id, i.name, e.state, e.reason, e.attempt,"
      " a.state, a.started_at, a.ended_at"
      " FROM (SELECT * FROM events WHERE {}seq > ?1 ORDER BY seq {} LIMIT ?2) e"
      " LEFT JOIN runs r ON r.key = e.run LEFT JOIN tasks t ON t.run = e.run AND t.task = e.task"
      " LEFT JOIN instances i ON i.run = e.run AND i.task = e.task AND i.idx = e.idx"
      " LEFT JOIN attempts a ON a.run = e.run AND a.task = e.task AND a.idx = e.idx AND a.number = e.attempt"
      " ORDER BY e.seq",
      run ? "run = ?3 AND " : "", newest ? "DESC" : "ASC");
  Statement& statement = statements_[sql];
  if (run) statement.bind(3, *run);
  Rows rows = statement.query(first, at_most);
  std::vector<EventView> events;
  while (rows.next()) events.push_back(event_view(rows));
  return events;
}

std::vector<RunKey> SqliteQueries::with_descendants(RunKey key) {
  std::vector<RunKey> keys{key};
  // UNION, not UNION ALL: rows that form a circle end it.
  Rows rows = statements_
                  ["WITH RECURSIVE family(key) AS (SELECT key FROM runs WHERE parent_run = ?1"
                   " UNION SELECT r.key FROM runs r JOIN family f ON r.parent_run = f.key) SELECT key FROM family"]
                      .query(key);
  while (rows.next()) {
    if (rows.id<RunKey>(0) != key) keys.push_back(rows.id<RunKey>(0));
  }
  return keys;
}

Result<std::vector<EventView>> SqliteQueries::events(std::optional<RunKey> run, std::uint64_t after, std::size_t limit,
                                                     std::size_t tail) {
  return guarded([&]() -> Result<std::vector<EventView>> {
    const std::size_t count = tail == 0 ? limit : std::min(tail, limit);
    const bool newest = tail != 0;
    if (!run) return events_of(std::nullopt, after, count, newest);
    if (const auto exists = require_run(*run); !exists) return std::unexpected(exists.error());
    std::vector<EventView> events;
    for (const RunKey member : with_descendants(*run)) {
      std::vector<EventView> more = events_of(member, after, count, newest);
      const auto middle = static_cast<std::ptrdiff_t>(events.size());
      events.insert(events.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
      std::inplace_merge(events.begin(), events.begin() + middle, events.end(), earlier);
      if (events.size() <= count) continue;
      const auto surplus = static_cast<std::ptrdiff_t>(events.size() - count);
      newest ? events.erase(events.begin(), events.begin() + surplus)
             : events.erase(events.end() - surplus, events.end());
    }
    return events;
  });
}

}  // namespace baton::store
