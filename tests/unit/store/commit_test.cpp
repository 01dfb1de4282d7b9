// Transactions: order, what they make visible, what they refuse.
#include <future>

#include "catch.hpp"
#include "fixture.hpp"

namespace baton::store::test {
namespace {

using engine::AttemptState;
using engine::InstancePhase;
using engine::RunState;

std::vector<std::string> states(const std::vector<views::EventView>& events) {
  std::vector<std::string> states;
  for (const auto& event : events) states.push_back(event.type + " " + event.name + " " + event.state);
  return states;
}

TEST_CASE("a commit tells its followers what changed, by name and in order") {
  const TempFolder folder;
  Daemon daemon(folder.path("baton.db"));
  auto created = daemon.commit(started_run(1), 5);
  REQUIRE(created);
  // A new instance that waits says nothing.
  REQUIRE(states(created->events) == std::vector<std::string>{"run  running"});
  CHECK(created->events[0].run == "run-0001");
  CHECK(created->events[0].workflow == "digits");
  CHECK(created->events[0].at == at_ms(5));

  engine::InstanceChanged failed = instance(1, 0, InstancePhase::failed, 1);
  failed.reason = "exit:3";
  auto later = daemon.commit({instance(1, 0, InstancePhase::starting, 1), failed, run_changed(1, RunState::failed)}, 6);
  REQUIRE(later);
  CHECK(states(later->events) == std::vector<std::string>{"task a starting", "task a failed", "run  failed"});
  CHECK(later->events[1].task == "a");
  CHECK(later->events[1].reason == "exit:3");
  CHECK(later->events[1].attempt == 1);
  CHECK(later->events[1].seq == later->events[0].seq + 1);
  CHECK(states(daemon.events()) ==
        std::vector<std::string>{"run  running", "task a starting", "task a failed", "run  failed"});
}

TEST_CASE("the event of an attempt's end says how long it took, now and whenever it is asked for") {
  const TempFolder folder;
  Daemon daemon(folder.path("baton.db"));
  REQUIRE(daemon.commit(started_run(1)));
  const auto elapsed = [](const std::vector<views::EventView>& events) {
    std::vector<std::string> texts;
    for (const auto& event : events) {
      if (event.type == "task") texts.push_back(event.state + (event.elapsed ? format_duration(*event.elapsed) : ""));
    }
    return texts;
  };
  std::vector<std::string> told;
  const auto commit = [&](std::vector<engine::Record> records) {
    const auto committed = daemon.commit(std::move(records), 100'000);  // long after it happened
    REQUIRE(committed);
    for (std::string& text : elapsed(committed->events)) told.push_back(std::move(text));
  };
  commit({instance(1, 0, InstancePhase::running, 1), attempt(1, 1, 0, AttemptState::running, 1)});
  commit({instance(1, 0, InstancePhase::backoff, 1), attempt(1, 1, 0, AttemptState::failed, 1)});
  commit({instance(1, 0, InstancePhase::ready, 1)});
  commit({instance(1, 0, InstancePhase::running, 2), attempt(2, 1, 0, AttemptState::running, 2)});
  commit({instance(1, 0, InstancePhase::succeeded, 2), attempt(2, 1, 0, AttemptState::succeeded, 2)});
  const auto took = format_duration(std::chrono::milliseconds(1));
  CHECK(told == std::vector<std::string>{"running", "backoff" + took, "ready", "running", "succeeded" + took});
  CHECK(elapsed(daemon.events()) == told);
}

TEST_CASE("a record that changes no state is no event") {
  const TempFolder folder;
  Daemon daemon(folder.path("baton.db"));
  REQUIRE(daemon.commit(started_run(1)));
  REQUIRE(daemon.commit({instance(1, 0, InstancePhase::running, 1)}));
  engine::InstanceChanged same = instance(1, 0, InstancePhase::running, 1);
  same.message = "more";
  engine::RunChanged cancelled = run_changed(1, RunState::running);
  cancelled.cancel_requested = true;
  const auto committed = daemon.commit({same, cancelled});
  REQUIRE(committed);
  CHECK(committed->events.empty());
}

TEST_CASE("events name an instance of a matrix, whether it is new, in the same commit or long stored") {
  const TempFolder folder;
  Daemon daemon(folder.path("baton.db"));
  engine::RunCreated created = run_created(1);
  created.tasks[0].is_matrix = true;
  engine::InstanceChanged first = new_instance(1, 0, InstancePhase::skipped);
  first.name = "a[C=1]";
  auto records = std::vector<engine::Record>{created, run_changed(1, RunState::running), first,
                                             instance(1, 0, InstancePhase::ready)};
  auto committed = daemon.commit(records);
  REQUIRE(committed);
  CHECK(states(committed->events) ==
        std::vector<std::string>{"run  running", "task a[C=1] skipped", "task a[C=1] ready"});
  committed = daemon.commit({instance(1, 0, InstancePhase::starting, 1)});
  REQUIRE(committed);
  CHECK(states(committed->events) == std::vector<std::string>{"task a[C=1] starting"});
  CHECK(daemon.events().back().name == "a[C=1]");
}

TEST_CASE("of several changes of one row in a commit the last one stays") {
  const TempFolder folder;
  Daemon daemon(folder.path("baton.db"));
  auto records = started_run(1);
  engine::InstanceChanged done = instance(1, 0, InstancePhase::succeeded, 1);
  done.outputs = Outputs{{"rows", "1"}};
  records.emplace_back(instance(1, 0, InstancePhase::starting, 1));
  records.emplace_back(attempt(1, 1, 0, AttemptState::starting));
  records.emplace_back(attempt(1, 1, 0, AttemptState::running));
  records.emplace_back(done);
  engine::InstanceChanged last = instance(1, 0, InstancePhase::succeeded, 1);
  last.message = "last";
  records.emplace_back(last);
  records.emplace_back(attempt(1, 1, 0, AttemptState::succeeded));
  REQUIRE(daemon.commit(std::move(records)));
  const auto tasks = daemon.tasks(1);
  REQUIRE(tasks.size() == 1);
  CHECK(tasks[0].name == "a");
  CHECK(tasks[0].state == "succeeded");
  CHECK(tasks[0].reason == "last");
  CHECK(tasks[0].outputs.at("rows") == "1");
  REQUIRE(tasks[0].attempts.size() == 1);
  CHECK(tasks[0].attempts[0].state == "succeeded");
}

TEST_CASE("completions come in the order of the commits, and the queue empties") {
  const TempFolder folder;
  Daemon daemon(folder.path("baton.db"));
  REQUIRE(daemon.commit(started_run(1)));
  constexpr int kBatches = 200;
  std::vector<int> order;
  for (int i = 0; i < kBatches; ++i) {
    const auto phase = i % 2 == 0 ? InstancePhase::ready : InstancePhase::waiting;
    daemon.store->commit({{instance(1, 0, phase)}, {}, at_ms(i)}, [&order, i](const Result<Committed>& done) {
      CHECK(done);
      CHECK(done->events.size() == 1);
      order.push_back(i);
    });
  }
  daemon.loop.run_until([&] { return order.size() == kBatches; });
  for (int i = 0; i < kBatches; ++i) REQUIRE(order[static_cast<std::size_t>(i)] == i);
  CHECK(daemon.store->queued() == 0);
  CHECK(daemon.events().size() == kBatches + 1);
  CHECK(daemon.tasks(1).at(0).state == "waiting");
}

TEST_CASE("what is queued when the store closes is committed") {
  const TempFolder folder;
  const std::string path = folder.path("baton.db");
  {
    Daemon daemon(path);
    for (std::uint64_t key = 1; key <= 20; ++key) {
      daemon.store->commit({started_run(key), {}, at_ms(1)}, [](const Result<Committed>&) {});
    }
  }
  CHECK(number_in(path, "SELECT count(*) FROM runs") == 20);
}

TEST_CASE("an answer shows what was committed before the question") {
  const TempFolder folder;
  Daemon daemon(folder.path("baton.db"));
  for (std::uint64_t key = 1; key <= 50; ++key) {
    REQUIRE(daemon.commit(started_run(key)));
    REQUIRE(daemon.run(key).id == fmt::format("run-{:04}", key));
  }
}

TEST_CASE("a request key makes one run, and tells which") {
  const TempFolder folder;
  const std::string path = folder.path("baton.db");
  Daemon daemon(path);
  auto records = started_run(1);
  std::get<engine::RunCreated>(records[0]).request_key = "submit-1";
  REQUIRE(daemon.commit(records));
  const auto find = [&](const std::string& key) {
    return daemon.ask<std::optional<Queries::Requested>>(
        [key](Queries& queries) { return queries.by_request_key(key); });
  };
  REQUIRE(find("submit-1"));
  REQUIRE(find("submit-1")->has_value());
  const Queries::Requested requested = **find("submit-1");
  CHECK(requested.run.id == "run-0001");
  CHECK(requested.bundle_hash == std::get<engine::RunCreated>(records[0]).bundle_hash);
  CHECK(requested.working_dir == std::get<engine::RunCreated>(records[0]).working_dir);
  CHECK_FALSE(find("other")->has_value());
  CHECK_FALSE(find("")->has_value());

  auto twin = started_run(2);
  std::get<engine::RunCreated>(twin[0]).request_key = "submit-1";
  const auto refused = daemon.commit(twin);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::internal);
  CHECK(daemon.ask<views::RunView>([](Queries& queries) { return queries.run(RunKey(2)); }).error().code ==
        ErrorCode::not_found);
}

TEST_CASE("a transaction is all or nothing, and after an error nothing more is committed") {
  const TempFolder folder;
  const std::string path = folder.path("baton.db");
  {
    Daemon daemon(path);
    REQUIRE(daemon.commit(started_run(1)));
    auto records = started_run(2);
    records.emplace_back(instance(3, 0, InstancePhase::ready));  // of a run that does not exist
    const auto failed = daemon.commit(std::move(records));
    REQUIRE_FALSE(failed);
    CHECK(failed.error().code == ErrorCode::internal);
    const auto later = daemon.commit({instance(1, 0, InstancePhase::ready)});
    REQUIRE_FALSE(later);
    CHECK(later.error() == failed.error());
    CHECK(daemon.events().size() == 1);  // reading goes on
  }
  CHECK(number_in(path, "SELECT count(*) FROM runs") == 1);
  CHECK(number_in(path, "SELECT phase FROM instances") == 0);
}

TEST_CASE("a run's bundle is stored with it, and once") {
  const TempFolder folder;
  const std::string path = folder.path("baton.db");
  Daemon daemon(path);
  for (std::uint64_t key = 1; key <= 2; ++key) {
    auto records = started_run(key);
    auto& created = std::get<engine::RunCreated>(records[0]);
    created.bundle_hash = "h1";
    if (key == 2) created.used_path = "sub/child.yaml";
    REQUIRE(daemon.commit(Batch{std::move(records), {{"h1", "contents"}}, at_ms(1)}));
  }
  const auto bundle = [&](const std::string& hash) {
    return daemon.ask<std::string>([hash](Queries& queries) { return queries.bundle(hash); });
  };
  CHECK(bundle("h1") == "contents");
  CHECK(bundle("h2").error().code == ErrorCode::not_found);
  const auto source = daemon.ask<Queries::Source>([](Queries& queries) { return queries.source(RunKey(2)); });
  REQUIRE(source);
  CHECK(source->bundle_hash == "h1");
  CHECK(source->used_path == "sub/child.yaml");
  // A run without its bundle could never go on.
  auto records = started_run(3);
  std::get<engine::RunCreated>(records[0]).bundle_hash = "missing";
  CHECK_FALSE(daemon.commit(std::move(records)));
}

TEST_CASE("the end of a run is an event, also of one that was not heard of since the start") {
  const TempFolder folder;
  const std::string path = folder.path("baton.db");
  {
    Daemon daemon(path);
    REQUIRE(daemon.commit(started_run(1)));
  }
  Daemon daemon(path);
  const auto ended = daemon.commit({run_changed(1, RunState::cancelled), instance(1, 0, InstancePhase::cancelled)});
  REQUIRE(ended);
  REQUIRE(ended->events.size() == 2);
  CHECK(ended->events[0].type == "run");
  CHECK(ended->events[0].state == "cancelled");
}

TEST_CASE("a daemon that was overtaken by another commits nothing") {
  const TempFolder folder;
  const std::string path = folder.path("baton.db");
  Daemon stale(path);
  REQUIRE(stale.commit(started_run(1)));
  Daemon fresh(path);
  CHECK(fresh.recovered.incarnation == stale.recovered.incarnation + 1);
  const auto refused = stale.commit(started_run(2));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::conflict);
  REQUIRE(fresh.commit(started_run(2)));
}

TEST_CASE("the log starts anew once no reader needs it, and commits do not wait for readers") {
  const TempFolder folder;
  Daemon daemon(folder.path("baton.db"));
  REQUIRE(daemon.commit(started_run(1)));
  const auto commit_megabytes = [&](int megabytes) {
    engine::RunChanged big = run_changed(1, RunState::running);
    for (int i = 0; i < megabytes; ++i) {
      big.params = {{"filler", std::string(1'000'000, static_cast<char>('a' + i % 26))}};
      REQUIRE(daemon.commit({big}));
    }
  };
  // A reader that stays keeps the whole log.
  std::promise<void> entered, leave;
  daemon.store->read([&](Queries& queries) {
    CHECK(queries.run(RunKey(1)));
    entered.set_value();
    leave.get_future().wait();
  });
  entered.get_future().wait();
  commit_megabytes(30);
  CHECK(std::filesystem::file_size(folder.path("baton.db-wal")) > 30'000'000);
  leave.set_value();
  CHECK(daemon.run(1).state == "running");
  const auto size = std::filesystem::file_size(folder.path("baton.db-wal"));
  commit_megabytes(60);
  CHECK(std::filesystem::file_size(folder.path("baton.db-wal")) < size + 20'000'000);
}

}  // namespace
}  // namespace baton::store::test
