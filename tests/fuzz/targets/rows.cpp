// A database whose columns say anything. Input: lines `TABLE.COLUMN@ROW=VALUE`; a VALUE is NULL, an integer or text.
// Whatever they say, the daemon's start reads it, the engine goes on with what makes sense, and questions are answered.
#include <sqlite3.h>
#include <baton/engine/engine.hpp>
#include <baton/workflow/spec.hpp>

#include <charconv>
#include <fstream>
#include <iterator>
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

// The good database: its bytes and its columns.
struct Model {
  TempFolder folder;
  std::string path = folder.path("rows.db");
  std::string bytes;
  std::vector<std::string> columns;  // TABLE.COLUMN

  Model() {
    holds(store::ensure_file(path).has_value(), "a database can be made");
    {
      store::Connection connection(path, store::Access::read_write);
      store::prepare_database(connection);
      const store::Recovered recovered = store::recover_state(connection);
      store::RecordWriter writer(connection);
      store::Batch batch{two_runs(), {{"h", "{}"}}, now()};
      writer.commit({&batch}, recovered.incarnation);
      connection.execute("PRAGMA wal_checkpoint(TRUNCATE)");
      store::Statement names(connection,
                             "SELECT m.name || '.' || c.name FROM sqlite_schema m, pragma_table_info(m.name) c"
                             " WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'");
      store::Rows rows = names.query();
      while (rows.next()) columns.push_back(rows.text(0));
    }
    std::ifstream file(path, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(file), {});
    holds(!bytes.empty() && columns.size() > 50, "it has its tables");
  }

  // The file as it was, whatever was done to it.
  void restore() const {
    std::filesystem::remove(path + "-wal");
    std::filesystem::remove(path + "-shm");
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  }
};

void bind_value(sqlite3_stmt* statement, std::string_view value) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (value == "NULL") {
    sqlite3_bind_null(statement, 1);
  } else if (!value.empty() && error == std::errc() && end == value.data() + value.size()) {
    sqlite3_bind_int64(statement, 1, number);
  } else {
    sqlite3_bind_text(statement, 1, value.data(), static_cast<int>(value.size()), SQLITE_TRANSIENT);
  }
}

// What the table itself refuses cannot come about.
void meddle(sqlite3* db, const Model& model, std::string_view line) {
  const std::string_view column = take_until(line, '@');
  std::uint32_t row = 0;
  const std::string_view number = take_until(line, '=');
  std::from_chars(number.data(), number.data() + number.size(), row);
  if (std::find(model.columns.begin(), model.columns.end(), column) == model.columns.end()) return;
  std::string_view name = column;
  const std::string table(take_until(name, '.'));
  const std::string where = fmt::format("SELECT count(*) FROM {}", table);
  const std::string sql = fmt::format(
      "UPDATE OR IGNORE {0} SET \"{1}\" = ?1 WHERE ({2}) > 0 AND \"{1}\" IS"
      " (SELECT \"{1}\" FROM {0} LIMIT 1 OFFSET {3} % max(1, ({2})))",
      table, name, where, row);
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(db, sql.c_str(), -1, &statement, nullptr) != SQLITE_OK) return;
  bind_value(statement, line);
  sqlite3_step(statement);
  sqlite3_finalize(statement);
}

void meddle(const Model& model, std::string_view input) {
  sqlite3* db = nullptr;
  holds(sqlite3_open(model.path.c_str(), &db) == SQLITE_OK, "the good database opens");
  sqlite3_exec(db, "PRAGMA synchronous = OFF; PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF; BEGIN",
               nullptr, nullptr, nullptr);
  for (int lines = 0; lines < 16 && !input.empty(); ++lines) meddle(db, model, take_until(input, '\n'));
  sqlite3_exec(db, "COMMIT", nullptr, nullptr, nullptr);
  sqlite3_close(db);
}

void ask_everything(store::Connection& connection) {
  store::SqliteQueries queries(connection);
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
  static const Model model;
  model.restore();
  meddle(model, input);
  store::Connection connection(model.path, store::Access::read_write);
  store::prepare_database(connection);
  store::Recovered recovered = store::recover_state(connection);
  holds(recovered.runs.size() + recovered.quarantined.size() <= 8, "no run is made up");
  ask_everything(connection);

  engine::Engine engine(recovered.counters);
  std::vector<engine::Event> events;
  for (engine::RunSnapshot& snapshot : recovered.runs) {
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
