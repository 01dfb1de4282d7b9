// Holds a database file against everything that is true of one that Baton wrote.
#include <baton/store/store.hpp>

#include <array>

#include "recovery.hpp"
#include "schema.hpp"
#include "snapshot.hpp"
#include "state_id.hpp"
#include "statement.hpp"

namespace baton::store {
namespace {

constexpr int kFindingsPerRule = 100;

// Each row that a rule yields is one finding.
constexpr std::array kRules{
    "SELECT 'run ' || id || ' has no tasks' FROM runs WHERE NOT EXISTS (SELECT 1 FROM tasks WHERE run = key)",
    "SELECT 'run ' || id || ' has the impossible state ' || state FROM runs WHERE state NOT BETWEEN 0 AND 4",
    "SELECT 'run ' || id || ' has ended, but task ' || task || ', instance ' || idx || ' has not'"
    " FROM instances JOIN runs ON key = run WHERE state IN (2, 3, 4) AND phase < 7",
    "SELECT 'run ' || id || ' has ended, but does not say when' FROM runs WHERE state IN (2, 3, 4) AND ended_at IS "
    "NULL",
    "SELECT 'run ' || id || ' has a parent run that does not exist' FROM runs c"
    " WHERE parent_run IS NOT NULL AND NOT EXISTS (SELECT 1 FROM runs p WHERE p.key = c.parent_run)",
    "SELECT 'run ' || id || ' has a number beyond the last one of its workflow' FROM runs"
    " WHERE number > coalesce((SELECT last_number FROM workflows WHERE name = workflow), 0)",
    "SELECT 'run ' || run || ', task ' || task || ', instance ' || idx || ' has the impossible state ' || phase"
    " FROM instances WHERE phase NOT BETWEEN 0 AND 11",
    "SELECT 'run ' || run || ', task ' || task || ', instance ' || idx || ' is on a worker without an attempt'"
    " FROM instances i WHERE phase IN (2, 3, 4) AND child = 0 AND NOT EXISTS (SELECT 1 FROM attempts a"
    " WHERE a.run = i.run AND a.task = i.task AND a.idx = i.idx AND a.state < 2)",
    "SELECT 'attempt ' || id || ' has the impossible state ' || state FROM attempts WHERE state NOT BETWEEN 0 AND 4",
    // A matrix that is expanded anew may have fewer instances than before; their attempts stay, and have ended.
    "SELECT 'attempt ' || id || ' is active, but its instance is not' FROM attempts a WHERE state < 2"
    " AND NOT EXISTS (SELECT 1 FROM instances i WHERE i.run = a.run AND i.task = a.task AND i.idx = a.idx"
    " AND i.phase IN (2, 3, 4) AND i.attempts = a.number)",
    "SELECT 'attempt ' || id || ' is of a task that does not exist' FROM attempts a"
    " WHERE NOT EXISTS (SELECT 1 FROM tasks t WHERE t.run = a.run AND t.task = a.task)",
    "SELECT 'attempt ' || id || ' has a number beyond its instance''s' FROM attempts a JOIN instances i"
    " ON i.run = a.run AND i.task = a.task AND i.idx = a.idx WHERE a.number > i.attempts OR a.number < 1",
    "SELECT 'run ' || run || ', task ' || task || ', instance ' || idx || ' has ' || count(*) || ' active attempts'"
    " FROM attempts WHERE state < 2 GROUP BY run, task, idx HAVING count(*) > 1",
    "SELECT 'attempt ' || id || ' has ended, but does not say when' FROM attempts WHERE state IN (2, 3, 4)"
    " AND ended_at IS NULL",
    "SELECT 'the counters are behind their tables' FROM meta WHERE"
    " last_run < (SELECT coalesce(max(key), 0) FROM runs) OR last_event < (SELECT coalesce(max(seq), 0) FROM events)"
    " OR last_attempt < (SELECT coalesce(max(id), 0) FROM attempts)",
    "SELECT 'the counters are missing' WHERE NOT EXISTS (SELECT 1 FROM meta)",
};

void apply_rules(Connection& connection, std::vector<std::string>& findings) {
  for (const char* rule : kRules) {
    Statement statement(connection, fmt::format("{} LIMIT {}", rule, kFindingsPerRule));
    Rows rows = statement.query();
    while (rows.next()) findings.push_back(rows.text(0));
  }
}

void check_file(Connection& connection, std::vector<std::string>& findings) {
  {
    Statement statement(connection, fmt::format("PRAGMA integrity_check({})", kFindingsPerRule));
    Rows rows = statement.query();
    while (rows.next()) {
      if (rows.view(0) != "ok") findings.push_back("file: " + rows.text(0));
    }
  }
  Statement statement(connection, "PRAGMA foreign_key_check");
  Rows rows = statement.query();
  for (int i = 0; i < kFindingsPerRule && rows.next(); ++i) {
    findings.push_back(
        fmt::format("table {}: a row refers to a row of {} that does not exist", rows.text(0), rows.text(2)));
  }
}

// Workers serve the state that they have served before, and no other.
void check_workers_state(Connection& connection, const Seen& seen, std::vector<std::string>& findings) {
  const std::string id = connection.text("SELECT state_id FROM meta LIMIT 1");
  if (!is_state_id(seen.state_id) || !is_state_id(id) || id == seen.state_id) return;
  findings.push_back(fmt::format(
      "the database is of the state {}, its workers are of {}: they refuse it until `baton daemon adopt` has "
      "made it theirs",
      id, seen.state_id));
}

// What a start would refuse to go on with.
void check_active_runs(Connection& connection, const FitsWorkflow& fits, std::vector<std::string>& findings) {
  StatementCache statements(connection);
  Rows rows = statements["SELECT key, id FROM runs WHERE state NOT IN (2, 3, 4) ORDER BY key"].query();
  while (rows.next()) {
    const auto run = load_run(statements, rows.id<RunKey>(0));
    Result<> good = run ? Result<>() : std::unexpected(run.error());
    if (run && fits) {
      Rows bundle = statements["SELECT contents FROM bundles WHERE hash = ?1"].query(run->created.bundle_hash);
      good = bundle.next() ? fits(*run, bundle.text(0)) : fail(ErrorCode::corrupt, "its workflow is missing");
    }
    if (!good) findings.push_back(fmt::format("run {}: {}", rows.text(1), good.error().message));
  }
}

}  // namespace

Result<std::vector<std::string>> check_database(const std::string& path, const FitsWorkflow& fits, const Seen& seen) {
  try {
    Connection connection(path, Access::read_write);
    connection.set_busy_timeout(0);
    std::vector<std::string> findings;
    if (check_format(connection) == 0) return fail(ErrorCode::corrupt, "the database {} is empty", path);
    // Takes the lock that a daemon would hold while it writes, and keeps what is read of one moment.
    Transaction transaction(connection);
    check_file(connection, findings);
    apply_rules(connection, findings);
    check_active_runs(connection, fits, findings);
    check_workers_state(connection, seen, findings);
    return findings;
  } catch (const SqlError& error) {
    return std::unexpected(error.error());
  } catch (const std::exception& error) {
    return fail(ErrorCode::internal, "cannot check the database {}: {}", path, error.what());
  }
}

}  // namespace baton::store
