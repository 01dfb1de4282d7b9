// Every record comes back from the disk as it went there.
#include "catch.hpp"
#include "fixture.hpp"

namespace baton::store::test {
namespace {

using engine::AttemptState;
using engine::InstancePhase;
using engine::RunState;

// A run with everything that a record can say.
std::vector<engine::Record> rich_run() {
  engine::RunCreated created = run_created(1, 3);
  created.bundle_hash = "abc";
  created.used_path = "sub/child.yaml";
  created.request_key = "key-1";
  created.labels = {{"team", "vision"}};
  created.priority = -3;
  created.scheduled_for = at_ms(5);
  created.tasks[1].is_matrix = true;
  created.tasks[2].is_finally = true;
  engine::RunChanged changed = run_changed(1, RunState::running);
  changed.reason = "why";
  changed.cancel_requested = true;
  changed.params = {{"C", 0.1}, {"name", "é\n"}};

  engine::InstanceChanged done = new_instance(1, 0, InstancePhase::succeeded);
  done.attempts = 2;
  done.retries_from = 1;
  done.reason = "reason";
  done.message = "message";
  done.ready_at = at_ms(7);
  done.ended_at = at_ms(9);
  done.outputs = Outputs{{"rows", "1438"}, {"text", "a\"b"}};
  engine::InstanceChanged running = new_instance(1, 1, InstancePhase::running);
  running.key.index = 4;
  running.name = "b[C=0.1]";
  running.matrix = {{"C", 0.1}};
  running.attempts = 1;
  engine::InstanceChanged waiting = new_instance(1, 2, InstancePhase::backoff);
  waiting.due = at_ms(99);

  engine::AttemptChanged first = attempt(1, 1, 0, AttemptState::failed, 1);
  first.failure = {workflow::FailureKind::exit, 3};
  first.exit_code = 3;
  first.log = {2, 10, 20};
  engine::AttemptChanged active = attempt(2, 1, 1, AttemptState::running, 1);
  active.key.index = 4;
  active.message = "message";
  active.log = {3, 100, ~std::uint64_t{0}};
  return {created, changed, engine::TaskExpanded{RunKey(1), TaskIndex(1), {{"axes", {1, 2}}}}, done, running, waiting,
          first,   active};
}

TEST_CASE("what waits can be told to wait until another time, and nothing else of it changes") {
  const TempFolder folder;
  const std::string path = folder.path("baton.db");
  engine::InstanceChanged waiting = new_instance(1, 0, InstancePhase::awaiting_approval);
  waiting.message = "ship?";
  waiting.due = at_ms(99);
  {
    Daemon daemon(path);
    REQUIRE(daemon.commit({run_created(1), run_changed(1, RunState::running), waiting}));
    const auto committed = daemon.commit({engine::DueChanged{waiting.key, at_ms(7)}});
    REQUIRE(committed);
    CHECK(committed->events.empty());
  }
  Daemon daemon(path);
  const engine::InstanceChanged& row = daemon.recovered.runs.at(0).instances.at(0);
  CHECK(row.due == at_ms(7));
  CHECK(row.phase == InstancePhase::awaiting_approval);
  CHECK(row.message == "ship?");
}

TEST_CASE("recovery gives back every record of a run that has not ended") {
  const TempFolder folder;
  const std::string path = folder.path("baton.db");
  {
    Daemon daemon(path);
    REQUIRE(daemon.commit(Batch{rich_run(), {{"abc", R"({"entry":"x"})"}}, at_ms(1)}));
  }
  const Daemon daemon(path);
  REQUIRE(daemon.recovered.quarantined.empty());
  REQUIRE(daemon.recovered.runs.size() == 1);
  const engine::RunSnapshot& run = daemon.recovered.runs[0];
  CHECK(run.created.run == RunKey(1));
  CHECK(run.created.id == "run-0001");
  CHECK(run.created.workflow == "digits");
  CHECK(run.created.number == 1);
  CHECK(run.created.bundle_hash == "abc");
  CHECK(run.created.used_path == "sub/child.yaml");
  CHECK(run.created.working_dir == "/work");
  CHECK(run.created.request_key == "key-1");
  CHECK(run.created.labels == std::map<std::string, std::string>{{"team", "vision"}});
  CHECK(run.created.priority == -3);
  CHECK(run.created.created_at == at_ms(1));
  CHECK(run.created.scheduled_for == at_ms(5));
  CHECK_FALSE(run.created.parent);
  REQUIRE(run.created.tasks.size() == 3);
  CHECK(run.created.tasks[1].id == "b");
  CHECK(run.created.tasks[1].kind == "train");
  CHECK(run.created.tasks[1].needs == std::vector{TaskIndex(0)});
  CHECK(run.created.tasks[1].is_matrix);
  CHECK_FALSE(run.created.tasks[1].is_finally);
  CHECK(run.created.tasks[2].is_finally);

  CHECK(run.state.state == RunState::running);
  CHECK(run.state.reason == "why");
  CHECK(run.state.cancel_requested);
  CHECK(run.state.params == Value{{"C", 0.1}, {"name", "é\n"}});
  CHECK(run.state.started_at == at_ms(10));
  CHECK_FALSE(run.state.ended_at);
  REQUIRE(run.expansions.size() == 1);
  CHECK(run.expansions[0].task == TaskIndex(1));
  CHECK(run.expansions[0].combos == Value{{"axes", {1, 2}}});
}

TEST_CASE("recovery gives back instances and the attempts that are with a worker") {
  const TempFolder folder;
  const std::string path = folder.path("baton.db");
  {
    Daemon daemon(path);
    REQUIRE(daemon.commit(Batch{rich_run(), {{"abc", "{}"}}, at_ms(1)}));
  }
  const Daemon daemon(path);
  REQUIRE(daemon.recovered.runs.size() == 1);
  const engine::RunSnapshot& run = daemon.recovered.runs[0];
  REQUIRE(run.instances.size() == 3);
  const engine::InstanceChanged& done = run.instances[0];
  CHECK(done.phase == InstancePhase::succeeded);
  CHECK(done.attempts == 2);
  CHECK(done.retries_from == 1);
  CHECK(done.reason == "reason");
  CHECK(done.message == "message");
  CHECK(done.ready_at == at_ms(7));
  CHECK(done.ended_at == at_ms(9));
  CHECK(done.outputs == std::map<std::string, std::string>{{"rows", "1438"}, {"text", "a\"b"}});
  CHECK(run.instances[1].key == InstanceKey{RunKey(1), TaskIndex(1), 4});
  CHECK(run.instances[1].phase == InstancePhase::running);
  CHECK_FALSE(run.instances[1].outputs);
  CHECK(run.instances[2].due == at_ms(99));

  REQUIRE(run.attempts.size() == 1);
  const engine::AttemptChanged& active = run.attempts[0];
  CHECK(active.id == AttemptId(2));
  CHECK(active.key == InstanceKey{RunKey(1), TaskIndex(1), 4});
  CHECK(active.number == 1);
  CHECK(active.state == AttemptState::running);
  CHECK(active.worker == "local");
  CHECK(active.message == "message");
  CHECK(active.created_at == at_ms(11));
  CHECK(active.started_at == at_ms(12));
  CHECK(active.log == engine::LogPlace{3, 100, ~std::uint64_t{0}});
}

TEST_CASE("a child run knows its parent") {
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
    CHECK(daemon.run(2).parent_run == "run-0001");
    CHECK(daemon.tasks(1).at(0).child_run == "run-0002");
    // The link stays when the task has ended.
    REQUIRE(daemon.commit({instance(1, 0, InstancePhase::succeeded, 1)}));
    CHECK(daemon.tasks(1).at(0).child_run == "run-0002");
  }
  const Daemon daemon(path);
  REQUIRE(daemon.recovered.runs.size() == 2);
  CHECK(daemon.recovered.runs[1].created.parent == InstanceKey{RunKey(1), TaskIndex(0), 0});
  CHECK(daemon.recovered.runs[1].created.parent_id == "run-0001");
}

TEST_CASE("runs that have ended are not loaded, and the counters go on after them") {
  const TempFolder folder;
  const std::string path = folder.path("baton.db");
  std::string state_id;
  {
    Daemon daemon(path);
    CHECK(daemon.recovered.incarnation == 1);
    CHECK(daemon.recovered.state_id.size() == 32);
    state_id = daemon.recovered.state_id;
    REQUIRE(daemon.commit(started_run(1)));
    REQUIRE(daemon.commit({attempt(7, 1, 0, AttemptState::starting), instance(1, 0, InstancePhase::starting, 1)}));
    REQUIRE(daemon.commit({attempt(7, 1, 0, AttemptState::succeeded), instance(1, 0, InstancePhase::succeeded, 1),
                           run_changed(1, RunState::succeeded)}));
  }
  const Daemon daemon(path);
  CHECK(daemon.recovered.runs.empty());
  CHECK(daemon.recovered.incarnation == 2);
  CHECK(daemon.recovered.state_id == state_id);
  CHECK(daemon.recovered.counters.last_run == RunKey(1));
  CHECK(daemon.recovered.counters.last_attempt == AttemptId(7));
  CHECK(daemon.recovered.counters.run_numbers.at("digits") == 1);
}

TEST_CASE("writing a record twice changes nothing") {
  const TempFolder folder;
  Daemon daemon(folder.path("baton.db"));
  REQUIRE(daemon.commit(Batch{rich_run(), {{"abc", "{}"}}, at_ms(1)}));
  REQUIRE(daemon.commit(Batch{rich_run(), {{"abc", "{}"}}, at_ms(1)}));
  const auto tasks = daemon.tasks(1);
  REQUIRE(tasks.size() == 3);
  CHECK(tasks[1].name == "b[C=0.1]");
  CHECK(tasks[1].attempts.size() == 1);
  CHECK(tasks[0].attempts.at(0).failure_class == "exit:3");
}

TEST_CASE("outputs belong to a success: a retry clears them") {
  const TempFolder folder;
  Daemon daemon(folder.path("baton.db"));
  auto records = started_run(1);
  engine::InstanceChanged done = instance(1, 0, InstancePhase::succeeded, 1);
  done.outputs = Outputs{{"rows", "1"}};
  records.emplace_back(done);
  REQUIRE(daemon.commit(std::move(records)));
  CHECK(daemon.tasks(1).at(0).outputs.at("rows") == "1");
  engine::InstanceChanged again = instance(1, 0, InstancePhase::waiting, 1);
  again.outputs.emplace();
  REQUIRE(daemon.commit({again}));
  CHECK(daemon.tasks(1).at(0).outputs.empty());
  REQUIRE(daemon.commit({instance(1, 0, InstancePhase::succeeded, 2)}));
  CHECK(daemon.tasks(1).at(0).outputs.empty());
}

TEST_CASE("an expansion replaces a task's instances, and its loss leaves one") {
  const TempFolder folder;
  Daemon daemon(folder.path("baton.db"));
  engine::RunCreated created = run_created(1);
  created.tasks[0].is_matrix = true;
  REQUIRE(daemon.commit({created, run_changed(1, RunState::running), new_instance(1, 0)}));
  const auto expand = [](std::uint32_t size) {
    std::vector<engine::Record> records{engine::TaskExpanded{RunKey(1), TaskIndex(0), Value{{"size", size}}}};
    for (std::uint32_t i = 0; i < size; ++i) {
      engine::InstanceChanged record = new_instance(1, 0, InstancePhase::ready);
      record.key.index = i;
      record.name = fmt::format("a[i={}]", i);
      record.matrix = {{"i", i}};
      records.emplace_back(std::move(record));
    }
    return records;
  };
  REQUIRE(daemon.commit(expand(3)));
  CHECK(daemon.tasks(1).size() == 3);
  CHECK(daemon.tasks(1).at(2).name == "a[i=2]");
  CHECK(daemon.tasks(1).at(2).matrix == Value{{"i", 2}});

  REQUIRE(daemon.commit({engine::TaskExpanded{RunKey(1), TaskIndex(0), nullptr}, new_instance(1, 0)}));
  REQUIRE(daemon.tasks(1).size() == 1);
  CHECK(daemon.tasks(1)[0].name == "a");
  CHECK(daemon.tasks(1)[0].matrix.empty());
  REQUIRE(daemon.commit(expand(2)));
  CHECK(daemon.tasks(1).size() == 2);
}

}  // namespace
}  // namespace baton::store::test
