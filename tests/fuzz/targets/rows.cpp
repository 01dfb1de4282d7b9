// A database whose columns say anything. Input: lines `TABLE.COLUMN@ROW=VALUE`; a VALUE is NULL, an integer or text.
// Whatever they say, the daemon's start reads it, the engine goes on with what makes sense, and questions are answered.
#include <baton/engine/engine.hpp>
#include <baton/engine/snapshot_check.hpp>
#include <baton/workflow/spec.hpp>

#include <charconv>
#include <iterator>
#include <map>
#include <optional>
#include <vector>

#include "../../../lib/store/src/record_writer.hpp"
#include "../../../lib/store/src/recovery.hpp"
#include "../../../lib/store/src/schema.hpp"
#include "../../../lib/store/src/sqlite_queries.hpp"
#include "../target.hpp"
#include "temp_folder.hpp"

namespace baton::fuzz {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kWorkflow = R"(
name: rows
params: {n: 2}
tasks:
  a: {run: x, outputs: [y], retry: {max_retries: 3, delay: 5s}}
  b: {run: x, needs: a, matrix: {n: [1, 2]}, env: {Y: "${{ needs.a.outputs.y }}"}}
  list: {run: x, matrix: {n: "${{ fromJSON('[1, 2]') }}"}}
  gate: {approval: {message: "ship ${{ params.n }}?", timeout: 1h}}
finally:
  end: {run: x}
)";

std::shared_ptr<const workflow::WorkflowSpec> spec() {
  static const workflow::ParseResult parsed = workflow::parse_workflow("rows.yaml", kWorkflow);
  holds(parsed.workflow != nullptr, "the workflow is good");
  return parsed.workflow;
}

TimePoint now() { return TimePoint(std::chrono::days(20'000)); }

// Two runs by the engine's own hand: one has got halfway, one has just begun.
std::vector<engine::Record> two_runs() {
  engine::Engine engine;
  std::vector<engine::Record> records;
  const auto apply = [&](std::vector<engine::Event> events) {
    engine::Step step = engine.apply(events, now());
    std::move(step.records.begin(), step.records.end(), std::back_inserter(records));
    return step;
  };
  engine::WorkerUp up;
  up.name = "local";
  up.capacity.cpu_milli = 3000;
  const auto submit = [](std::string id) {
    engine::SubmitRun event;
    event.id = std::move(id);
    event.request_key = event.id;
    event.workflow = spec();
    event.bundle_hash = "h";
    event.working_dir = "/w";
    event.params = {{"n", 2}};
    event.labels = {{"team", "vision"}};
    return event;
  };
  const engine::Step first = apply({up, submit("run-one")});
  std::vector<engine::Event> news;
  for (const engine::Effect& effect : first.effects) {
    const auto* launch = std::get_if<engine::Launch>(&effect);
    if (launch == nullptr) continue;
    news.emplace_back(engine::AttemptStarted{.worker = up.worker, .attempt = launch->attempt, .at = now(), .log = {}});
    if (news.size() > 1) continue;
    engine::AttemptEnded ended;
    ended.attempt = launch->attempt;
    ended.outputs = {{"y", "1"}};
    ended.ended_at = now();
    news.emplace_back(std::move(ended));
  }
  apply(std::move(news));
  apply({submit("run-two")});
  return records;
}

// The database, open for all inputs, because preparing its statements takes longer than all else; and a good copy of
// every row, to begin each input with.
struct Model {
  TempFolder folder;
  std::string path = folder.path("rows.db");
  std::optional<store::Connection> open;
  std::optional<store::SqliteQueries> queries;
  std::vector<std::string> columns;  // TABLE.COLUMN
  std::vector<store::Statement> restoring;
  std::map<std::string, store::Statement, std::less<>> meddlers;

  Model() {
    holds(store::ensure_file(path).has_value(), "a database can be made");
    open.emplace(path, store::Access::read_write);
    open->execute("PRAGMA locking_mode = EXCLUSIVE");  // nobody else is there, and locks are system calls
    store::prepare_database(*open);
    const store::Recovered recovered = store::recover_state(*open);
    store::RecordWriter writer(*open);
    store::Batch batch{two_runs(), {{"h", "{}"}}, now()};
    writer.commit({&batch}, recovered.incarnation);
    std::vector<std::string> tables;
    read_schema(tables);
    keep_copy(tables);
    holds(columns.size() > 50, "it has its tables");
    queries.emplace(*open);
  }

  void restore() {
    open->rollback();
    open->execute("PRAGMA foreign_keys = OFF");
    for (store::Statement& statement : restoring) statement.run();
    if (open->wal_frames() > 4096) open->checkpoint(false);
  }

  // Replaces the value in the row that is `?1`th.
  store::Statement* meddler(std::string_view column) {
    if (const auto found = meddlers.find(column); found != meddlers.end()) return &found->second;
    if (std::find(columns.begin(), columns.end(), column) == columns.end()) return nullptr;
    std::string_view name = column;
    const std::string table(take_until(name, '.'));
    const std::string sql = fmt::format(
        "UPDATE OR IGNORE main.{0} SET \"{1}\" = ?2 WHERE \"{1}\" IS"
        " (SELECT \"{1}\" FROM main.{0} LIMIT 1 OFFSET ?1 % max(1, (SELECT count(*) FROM main.{0})))",
        table, name);
    return &meddlers.emplace(std::string(column), store::Statement(*open, sql)).first->second;
  }

 private:
  void read_schema(std::vector<std::string>& tables) {
    store::Statement names(*open,
                           "SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c"
                           " WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'");
    store::Rows rows = names.query();
    while (rows.next()) {
      if (tables.empty() || tables.back() != rows.text(0)) tables.push_back(rows.text(0));
      columns.push_back(rows.text(0) + '.' + rows.text(1));
    }
  }

  void keep_copy(const std::vector<std::string>& tables) {
    open->execute("ATTACH ':memory:' AS good");
    restoring.emplace_back(*open, "BEGIN");
    for (const std::string& table : tables) {
      open->execute(fmt::format("CREATE TABLE good.{0} AS SELECT * FROM main.{0}", table).c_str());
      restoring.emplace_back(*open, fmt::format("DELETE FROM main.{}", table));
      restoring.emplace_back(*open, fmt::format("INSERT INTO main.{0} SELECT * FROM good.{0}", table));
    }
    restoring.emplace_back(*open, "COMMIT");
  }
};

void bind_value(store::Statement& statement, std::string_view value) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (value == "NULL") {
    statement.bind(2, std::nullopt);
  } else if (!value.empty() && error == std::errc() && end == value.data() + value.size()) {
    statement.bind(2, number);
  } else {
    statement.bind(2, value);
  }
}

// What the table itself refuses cannot come about.
void meddle(Model& model, std::string_view line) {
  store::Statement* statement = model.meddler(take_until(line, '@'));
  std::uint32_t row = 0;
  const std::string_view number = take_until(line, '=');
  std::from_chars(number.data(), number.data() + number.size(), row);
  if (statement == nullptr) return;
  bind_value(*statement, line);
  statement->bind(1, row);
  try {
    store::Rows rows = statement->query();
    while (rows.next()) {
    }
  } catch (const store::SqlError&) {  // refused
  }
}

void meddle_all(Model& model, std::string_view input) {
  model.open->execute("PRAGMA ignore_check_constraints = ON; BEGIN");
  for (int lines = 0; lines < 16 && !input.empty(); ++lines) meddle(model, take_until(input, '\n'));
  model.open->execute("COMMIT; PRAGMA ignore_check_constraints = OFF");
}

void ask_everything(store::SqliteQueries& queries) {
  queries.runs({}, "", 0);
  queries.runs({.workflow = "rows", .states = {"running"}, .parent = "", .include_children = true}, "x", 1);
  for (const char* reference : {"run-one", "r", "last", "rows#1"}) queries.resolve(reference);
  queries.by_request_key("run-one");
  queries.events(std::nullopt, 0, 100, 0);
  queries.statistics();
  for (std::uint64_t key = 1; key <= 2; ++key) {
    queries.run(RunKey(key));
    queries.tasks(RunKey(key), "", "", "", 0);
    queries.tasks(RunKey(key), "b[n=1]", "waiting", "1", 1);
    queries.logs(RunKey(key), "", 0, false, 100);
    queries.snapshot(RunKey(key));
  }
}

}  // namespace

void rows(std::string_view input) {
  static Model model;
  model.restore();
  meddle_all(model, input);
  store::Connection& connection = *model.open;
  store::prepare_database(connection);
  store::Recovered recovered;
  try {
    recovered = store::recover_state(connection);
  } catch (const store::SqlError& refused) {  // as a start does that must not go on by itself
    holds(refused.error().code == ErrorCode::denied, "a start is refused for what the operator must decide, only");
    return;
  }
  holds(recovered.runs.size() + recovered.quarantined.size() <= 8, "no run is made up");
  ask_everything(*model.queries);

  engine::Engine engine(recovered.counters);
  std::vector<engine::Event> events;
  for (engine::RunSnapshot& snapshot : recovered.runs) {  // as Daemon::on_restored
    if (!engine::check_snapshot(snapshot, *spec())) continue;
    events.emplace_back(engine::RunRestored{std::move(snapshot), spec()});
  }
  engine::WorkerUp up;
  up.name = "local";
  up.capacity.cpu_milli = 3000;
  events.emplace_back(std::move(up));
  store::Batch batch{engine.apply(events, now()).records, {}, now()};
  engine.check();
  store::RecordWriter writer(connection);
  writer.commit({&batch}, recovered.incarnation);
}

}  // namespace baton::fuzz
