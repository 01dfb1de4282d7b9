// No stored row keeps the daemon from starting and serving the rest.
#include "catch.hpp"
#include "fixture.hpp"

namespace baton::store::test {
namespace {

using engine::AttemptState;
using engine::InstancePhase;
using engine::RunState;

// Run 1 is well; run 2 has every kind of row and is the one to be meddled with.
void make_two_runs(const std::string& path) {
  Daemon daemon(path);
  REQUIRE(daemon.commit(started_run(1)));
  auto records = started_run(2, 3);
  std::get<engine::RunCreated>(records[0]).tasks[1].is_matrix = true;
  std::get<engine::RunCreated>(records[0]).labels = {{"a", "b"}};
  std::get<engine::RunCreated>(records[0]).bundle_hash = "h";
  records.emplace_back(engine::TaskExpanded{RunKey(2), TaskIndex(1), {{"n", 1}}});
  engine::InstanceChanged named = new_instance(2, 1);
  named.name = "b[n=1]";
  named.matrix = {{"n", 1}};
  records.emplace_back(named);
  engine::InstanceChanged done = instance(2, 2, InstancePhase::succeeded, 1);
  done.outputs = Outputs{{"x", "y"}};
  records.emplace_back(done);
  records.emplace_back(attempt(1, 2, 2, AttemptState::succeeded));
  records.emplace_back(instance(2, 0, InstancePhase::running, 1));
  records.emplace_back(attempt(2, 2, 0, AttemptState::running));
  REQUIRE(daemon.commit(Batch{std::move(records), {{"h", "{}"}}, at_ms(1)}));
}

TEST_CASE("a run whose rows make no sense is named and set apart") {
  const TempFolder folder;
  const std::string path = folder.path("baton.db");
  make_two_runs(path);
  const auto [sql, word] = GENERATE(table<std::string, std::string>({
      {"UPDATE runs SET state = 77 WHERE key = 2", "state"},
      {"UPDATE runs SET labels = '[1]' WHERE key = 2", "labels"},
      {"UPDATE runs SET params = '{' WHERE key = 2", "params"},
      {"UPDATE runs SET created_at = 9223372036854775807 WHERE key = 2", "created_at"},
      {"UPDATE runs SET number = -1 WHERE key = 2", "number"},
      {"UPDATE runs SET parent_run = 55, parent_task = 0, parent_idx = 0 WHERE key = 2", "parent"},
      {"DELETE FROM tasks WHERE run = 2", "no tasks"},
      {"UPDATE tasks SET task = 9 WHERE run = 2 AND task = 1", "missing"},
      {"UPDATE tasks SET needs = '[7]' WHERE run = 2 AND task = 1", "needs"},
      {"UPDATE tasks SET id = '' WHERE run = 2 AND task = 1", "id"},
      {"UPDATE expansions SET combos = 'x' WHERE run = 2", "expansion"},
      {"UPDATE instances SET phase = 12 WHERE run = 2 AND task = 2", "state"},
      {"UPDATE instances SET phase = 5 WHERE run = 2 AND task = 2", "no time"},
      {"UPDATE instances SET phase = 3 WHERE run = 2 AND task = 2", "without an attempt"},
      {"UPDATE instances SET phase = 0 WHERE run = 2 AND task = 0", "with an attempt"},
      {"UPDATE instances SET attempts = 0 WHERE run = 2 AND task = 2", "number"},
      {"UPDATE instances SET attempts = -5 WHERE run = 2 AND task = 2", "attempts"},
      {"UPDATE instances SET task = 9 WHERE run = 2 AND task = 2", "does not exist"},
      {"UPDATE instances SET idx = 3 WHERE run = 2 AND task = 2", "instance 3"},
      {"UPDATE outputs SET contents = '{\"x\": 3}' WHERE run = 2", "outputs"},
      {"UPDATE attempts SET state = 9 WHERE id = 2", "state"},
      {"UPDATE attempts SET state = 2 WHERE id = 2", "without an attempt"},
      {"UPDATE attempts SET number = 7 WHERE id = 2", "number"},
      {"UPDATE attempts SET task = 9 WHERE id = 2", "does not exist"},
      {"UPDATE attempts SET worker = '' WHERE id = 2", "worker"},
  }));
  CAPTURE(sql);
  meddle(path, sql);
  Daemon daemon(path);
  REQUIRE(daemon.recovered.quarantined.size() == 1);
  CHECK(daemon.recovered.quarantined[0].run == "run-0002");
  CHECK_THAT(daemon.recovered.quarantined[0].why, Catch::Contains(word));
  const auto& attempts = daemon.recovered.quarantined[0].attempts;
  const bool known = !std::string_view(sql).starts_with("UPDATE attempts SET state");
  CHECK(attempts == (known ? std::vector{AttemptId(2)} : std::vector<AttemptId>()));
  REQUIRE(daemon.recovered.runs.size() == 1);
  CHECK(daemon.recovered.runs[0].created.id == "run-0001");
  // The rest is served, and the bad run can still be looked at.
  REQUIRE(daemon.commit({instance(1, 0, InstancePhase::ready)}));
  CHECK(daemon.run(1).state == "running");
  CHECK(daemon.ask<views::Page<views::RunView>>([](Queries& queries) { return queries.runs({}, "", 0); }));
}

TEST_CASE("any single value gone wrong leaves a daemon that starts, answers and commits") {
  const TempFolder folder;
  const std::string good = folder.path("good.db");
  make_two_runs(good);
  const auto table = GENERATE(as<std::string>(), "meta", "workflows", "bundles", "runs", "tasks", "expansions",
                              "instances", "outputs", "attempts", "events");
  const std::int64_t columns = number_in(good, "SELECT count(*) FROM pragma_table_info('" + table + "')");
  REQUIRE(columns > 1);
  for (std::int64_t column = 0; column < columns; ++column) {
    for (const std::string value : {"0", "-1", "9223372036854775807", "-9223372036854775808", "4294967296", "''", "'{'",
                                    "printf('%.*c', 100000, '[')", "NULL"}) {
      const std::string path = folder.path("bad.db");
      std::filesystem::copy_file(good, path);
      CAPTURE(table, column, value);
      // Values that the table itself refuses cannot come about.
      meddle_column(path, table, static_cast<int>(column), value);
      {
        Daemon daemon(path);
        CHECK(daemon.recovered.runs.size() + daemon.recovered.quarantined.size() >= 1);
        auto fresh = started_run(daemon.recovered.counters.last_run.value() + 1);
        auto& created = std::get<engine::RunCreated>(fresh[0]);
        const auto& numbers = daemon.recovered.counters.run_numbers;
        const auto number = numbers.find("digits");
        created.number = number == numbers.end() ? 1 : number->second + 1;
        created.id = "fresh";
        const auto committed = daemon.commit(std::move(fresh));
        if (!committed) FAIL(committed.error().message);
        for (std::uint64_t key = 1; key <= 2; ++key) {
          daemon.ask<views::RunView>([key](Queries& queries) { return queries.run(RunKey(key)); });
          daemon.ask<views::Page<views::TaskView>>(
              [key](Queries& queries) { return queries.tasks(RunKey(key), "", "", "", 0); });
          daemon.ask<std::vector<LogSource>>(
              [key](Queries& queries) { return queries.logs(RunKey(key), "", 0, false, 100); });
          daemon.ask<engine::RunSnapshot>([key](Queries& queries) { return queries.snapshot(RunKey(key)); });
        }
        CHECK(daemon.ask<views::Page<views::RunView>>([](Queries& queries) { return queries.runs({}, "", 0); }));
        CHECK(daemon.events().size() >= 3);
      }
      CHECK(check_database(path));
      std::filesystem::remove(path);
    }
  }
}

TEST_CASE("a parent and its child go on together or not at all") {
  const TempFolder folder;
  const std::string path = folder.path("baton.db");
  {
    Daemon daemon(path);
    auto records = started_run(1);
    engine::InstanceChanged waits = instance(1, 0, InstancePhase::running, 1);
    waits.child = RunKey(2);
    records.emplace_back(waits);
    engine::RunCreated child = run_created(2);
    child.parent = InstanceKey{RunKey(1), TaskIndex(0), 0};
    child.parent_id = "run-0001";
    records.emplace_back(child);
    records.emplace_back(run_changed(2, RunState::running));
    records.emplace_back(new_instance(2, 0));
    REQUIRE(daemon.commit(std::move(records)));
    REQUIRE(daemon.commit(started_run(3)));
  }
  SECTION("a bad child") { meddle(path, "UPDATE runs SET params = 'x' WHERE key = 2"); }
  SECTION("a bad parent") { meddle(path, "UPDATE runs SET params = 'x' WHERE key = 1"); }
  const Daemon daemon(path);
  CHECK(daemon.recovered.quarantined.size() == 2);
  REQUIRE(daemon.recovered.runs.size() == 1);
  CHECK(daemon.recovered.runs[0].created.id == "run-0003");
}

TEST_CASE("the check finds what makes no sense, and nothing in a good database") {
  const TempFolder folder;
  const std::string path = folder.path("baton.db");
  make_two_runs(path);
  CHECK(check_database(path) == std::vector<std::string>{});
  const auto [sql, word] = GENERATE(table<std::string, std::string>({
      {"UPDATE runs SET state = 77 WHERE key = 2", "impossible state 77"},
      {"UPDATE runs SET state = 2, ended_at = 1 WHERE key = 2", "has ended, but task 0, instance 0 has not"},
      {"UPDATE attempts SET state = 9 WHERE id = 1", "impossible state 9"},
      {"UPDATE instances SET phase = 50 WHERE run = 2 AND task = 1", "impossible state 50"},
      {"UPDATE attempts SET idx = 5 WHERE id = 2", "its instance is not"},
      {"UPDATE attempts SET run = 9 WHERE id = 1", "does not exist"},
      {"UPDATE meta SET last_run = 0", "counters are behind"},
      {"DELETE FROM runs WHERE key = 1", "does not exist"},
      {"UPDATE attempts SET task = 0, state = 0, number = 3 WHERE id = 1", "2 active attempts"},
  }));
  meddle(path, sql);
  const auto findings = check_database(path);
  REQUIRE(findings);
  CHECK_THAT(fmt::format("{}", fmt::join(*findings, "\n")), Catch::Contains(word));
}

}  // namespace
}  // namespace baton::store::test
