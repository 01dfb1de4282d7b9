#include <baton/base/limits.hpp>

#include "scheduler_fixture.hpp"

using namespace baton;
using namespace baton::service;
using namespace std::chrono_literals;

TEST_CASE("Nothing is answered or started before its commit") {
  SchedulerFixture f;
  f.worker_up();
  f.settle();
  CHECK(f.take_calls() == Calls{"boot 0"});
  f.submit("r1");
  f.loop.run();
  REQUIRE(f.store.queued() == 1);
  CHECK(f.store.batches.back().bundles.size() == 1);
  CHECK(f.take_calls().empty());
  CHECK(f.created == Calls{"r1"});
  f.store.finish(store::Committed{.events = std::vector<views::EventView>(2)});
  f.loop.run();
  CHECK(f.published == 2);
  const Calls calls = f.take_calls();
  CHECK(std::ranges::count(calls, "accepted r1") == 1);
  CHECK(std::ranges::count(calls, "launch r1/a/1") == 1);
}

TEST_CASE("A worker's boot is remembered before anything is launched there") {
  SchedulerFixture f;
  f.submit("r1");
  f.settle();
  f.take_calls();
  f.worker_up();
  f.settle();
  const Calls calls = f.take_calls();
  REQUIRE(calls.size() == 2);
  CHECK(calls[0] == "boot 0");
  CHECK(calls[1] == "launch r1/a/1");
}

TEST_CASE("While commits are under way events gather into one batch") {
  SchedulerFixture f;
  for (int i = 0; i < 10; ++i) {
    f.submit("r" + std::to_string(i));
    f.loop.run();
  }
  CHECK(f.store.batches.size() == 2);
  f.settle();
  CHECK(f.store.batches.size() == 3);
  CHECK(f.take_calls().size() == 10);
}

TEST_CASE("Effects without records wait for the commits before them") {
  SchedulerFixture f;
  f.submit("r1");
  f.loop.run();
  f.scheduler->request(engine::CancelRun{.token = 0, .run = RunKey(99), .reason = ""},
                       [&](RequestAnswer answer) { f.executor.calls.push_back(answer ? "done" : "not found"); });
  f.loop.run();
  CHECK(f.take_calls().empty());
  f.settle();
  CHECK(f.take_calls() == Calls{"accepted r1", "not found"});
}

TEST_CASE("After a failed commit nothing is done and nothing more is committed") {
  SchedulerFixture f;
  f.worker_up();
  f.settle();
  f.take_calls();
  f.submit("r1");
  f.loop.run();
  f.submit("r2");
  f.loop.run();
  REQUIRE(f.store.queued() == 2);
  f.store.finish(fail(ErrorCode::disk_full, "the disk is full"));
  f.loop.run();
  REQUIRE(f.fatal.size() == 1);
  CHECK(f.fatal[0].code == ErrorCode::disk_full);
  Calls calls = f.take_calls();
  std::ranges::sort(calls);
  CHECK(calls == Calls{"refused r1", "refused r2"});
  CHECK(f.errors.at(0).code == ErrorCode::disk_full);
  const std::size_t batches = f.store.batches.size();
  f.store.finish();
  f.submit("r3");
  f.worker_up();
  f.loop.run();
  CHECK(f.store.batches.size() == batches);
  CHECK(f.take_calls() == Calls{"refused r3"});
  CHECK(f.fatal.size() == 1);
}

TEST_CASE("While no commit gets through, what was applied waits and what was not is refused without a trace") {
  const auto [health, code] = GENERATE(std::pair(store::Health::out_of_space, ErrorCode::disk_full),
                                       std::pair(store::Health::locked, ErrorCode::locked));
  SchedulerFixture f;
  f.submit("r1");
  f.loop.run();
  f.submit("r2");
  f.loop.run();
  REQUIRE(f.store.queued() == 2);
  f.submit("r3");
  f.loop.run();  // both commits are under way, so it has not been applied
  f.scheduler->on_health(health);
  f.submit("r4");
  f.scheduler->request(engine::CancelRun{.token = 0, .run = RunKey(1), .reason = ""},
                       [&](RequestAnswer answer) { f.executor.calls.push_back(answer ? "done" : "not cancelled"); });
  f.loop.run();
  CHECK(f.take_calls() == Calls{"refused r3", "refused r4", "not cancelled"});
  REQUIRE(f.errors.size() == 2);
  CHECK(f.errors[0].code == code);
  CHECK(f.errors[1].code == code);
  // Facts are taken all the same, and wait.
  f.worker_up();
  f.loop.run();
  CHECK(f.take_calls().empty());
  CHECK(f.fatal.empty());
  // Room: the store commits what it held.
  f.scheduler->on_health(store::Health::low_on_space);
  f.settle();
  const Calls calls = f.take_calls();
  CHECK(calls == Calls{"accepted r1", "accepted r2", "boot 0", "launch r1/a/1", "launch r2/a/1"});
  CHECK(f.created == Calls{"r1", "r2"});
  f.submit("r5");
  f.settle();
  CHECK(f.created.back() == "r5");
}

TEST_CASE("after_commits waits for everything decided before it") {
  SchedulerFixture f;
  f.submit("r1");
  f.scheduler->after_commits([&] { f.executor.calls.push_back("then"); });
  f.loop.run();
  CHECK(f.take_calls().empty());
  f.settle();
  CHECK(f.take_calls() == Calls{"accepted r1", "then"});
  f.scheduler->after_commits([&] { f.executor.calls.push_back("at once"); });
  f.loop.run();
  CHECK(f.take_calls() == Calls{"at once"});
}

TEST_CASE("Who waits for a commit as a request does is refused when none gets through") {
  SchedulerFixture f;
  const auto wait = [&](std::string name) {
    f.scheduler->when_committed([&f, name](const Result<>& committed) {
      f.executor.calls.push_back(name + (committed ? " done" : " refused"));
    });
  };
  wait("at once");
  f.loop.run();
  CHECK(f.take_calls() == Calls{"at once done"});
  f.submit("r1");
  f.loop.run();
  wait("in flight");
  f.submit("r2");
  f.loop.run();
  wait("not yet");
  f.scheduler->after_commits([&] { f.executor.calls.push_back("patient"); });
  f.scheduler->on_health(store::Health::locked);
  wait("late");
  f.loop.run();
  CHECK(f.take_calls() == Calls{"not yet refused", "in flight refused", "late refused"});
  f.scheduler->on_health(store::Health::good);
  f.settle();
  CHECK(f.take_calls() == Calls{"accepted r1", "accepted r2", "patient"});
}

TEST_CASE("Workers that talk faster than the disk commits have to wait") {
  SchedulerFixture f;
  f.submit("r1");
  f.loop.run();
  f.submit("r2");
  f.loop.run();
  REQUIRE(f.store.queued() == 2);
  f.take_calls();
  std::vector<engine::Event> events;
  for (std::size_t i = 0; i <= limits::kEventQueue / 2; ++i) {
    events.emplace_back(
        engine::AttemptStarted{.worker = WorkerId(0), .attempt = AttemptId(i + 1000), .at = {}, .log = {}});
  }
  f.scheduler->enqueue(std::move(events));
  CHECK(f.take_calls() == Calls{"pause"});
  f.settle();
  const Calls calls = f.take_calls();
  CHECK(std::ranges::count(calls, "resume") == 1);
}

TEST_CASE("While the disk is slow no more than two batches wait for it, however many requests come") {
  SchedulerFixture f;
  for (int i = 1; i <= 20; ++i) {
    f.submit("r" + std::to_string(i));
    f.loop.run();
    CHECK(f.store.queued() <= limits::kCommitsInFlight);
  }
  CHECK(f.store.queued() == limits::kCommitsInFlight);
  const std::size_t before = f.store.batches.size();
  f.settle();
  CHECK(f.store.batches.size() <= before + 1);  // all that waited is one batch
  CHECK(f.scheduler->engine().active_runs() == 20);
}

TEST_CASE("Requests beyond the queue's limit are turned away") {
  SchedulerFixture f;
  std::vector<engine::Event> events;
  for (std::size_t i = 0; i < limits::kEventQueue; ++i) events.emplace_back(engine::WorkerDown{WorkerId(9)});
  f.scheduler->enqueue(std::move(events));
  f.submit("r1");
  f.loop.run();
  REQUIRE(f.errors.size() == 1);
  CHECK(f.errors[0].code == ErrorCode::limit);
}

TEST_CASE("The next wake-up is the engine's") {
  SchedulerFixture f;
  f.worker_up();
  f.submit("r1", "tasks: {a: {approval: {message: go, timeout: 1m}}}\n");
  f.settle();
  REQUIRE(f.wake.has_value());
  CHECK(*f.wake == f.clock.boot + 1min);
  f.clock.pass(1min);
  f.scheduler->wake();
  f.settle();
  CHECK(f.scheduler->engine().active_runs() == 0);
}

TEST_CASE("A clock that is set makes no wait longer or shorter") {
  const Duration by = GENERATE(Duration(3h), Duration(-3h), Duration(24h * 365 * 30), Duration(-500ms));
  SchedulerFixture f;
  f.submit("r1", "tasks: {a: {approval: {message: go, timeout: 1m}}}\n");
  f.settle();
  const Duration due = f.clock.boot + 1min;
  f.clock.pass(30s);
  f.clock.time += by;
  f.scheduler->wake();
  f.settle();
  CHECK(f.wake == due);
  CHECK(f.scheduler->engine().active_runs() == 1);
  f.clock.pass(29s);
  f.clock.time -= by;  // and set right
  f.scheduler->wake();
  f.settle();
  CHECK(f.wake == due);
  CHECK(f.scheduler->engine().active_runs() == 1);
  f.clock.pass(1s);
  f.scheduler->wake();
  f.settle();
  CHECK(f.scheduler->engine().active_runs() == 0);
}
