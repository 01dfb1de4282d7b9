#include <baton/base/limits.hpp>

#include "worker_fixture.hpp"

using namespace baton;
using namespace baton::executor;
using namespace std::chrono_literals;

TEST_CASE("A link greets with the state's id, the incarnation and the configured capacity") {
  WorkerFixture f;
  f.connect();
  const auto hello = f.worker.session().got<wire::Hello>();
  REQUIRE(hello.size() == 1);
  CHECK(hello[0].daemon_id == "state-1");
  CHECK(hello[0].incarnation == 7);
  CHECK(hello[0].capacity.cpu_milli == 4000);
  const auto up = f.got<engine::WorkerUp>();
  REQUIRE(up.size() == 1);
  CHECK(up[0].worker == WorkerId(3));
  CHECK(up[0].name == "box");
  CHECK(up[0].labels == std::vector<std::string>{"big"});
  CHECK(up[0].capacity.memory_bytes == 1 << 30);
  CHECK_FALSE(up[0].rebooted);
  const auto workers = f.executor->workers();
  REQUIRE(workers.size() == 1);
  CHECK(workers[0].state == WorkerState::online);
  CHECK(workers[0].host == "node");
}

TEST_CASE("An inventory comes with the ends of its attempts in one batch") {
  WorkerFixture f;
  f.executor->start();
  f.until([&] { return !f.worker.sessions.empty() && !f.worker.session().messages.empty(); });
  wire::Welcome welcome = WorkerFixture::welcome();
  wire::InventoryEntry queued{
      .attempt = AttemptId(1), .phase = wire::AttemptPhase::queued, .started_at = {}, .log = {}, .outcome = {}};
  wire::InventoryEntry running = queued;
  running.attempt = AttemptId(2);
  running.phase = wire::AttemptPhase::running;
  running.started_at = TimePoint(3s);
  running.log = {.segment = 1, .from = 10, .to = wire::LogExtent::kOpen};
  wire::InventoryEntry ended = queued;
  ended.attempt = AttemptId(3);
  ended.phase = wire::AttemptPhase::exited;
  ended.outcome = outcome(wire::ExitCause::exited, 3);
  ended.outcome.started_at = TimePoint(4s);
  welcome.inventory = {queued, running, ended};
  f.worker.session().say({welcome});
  f.until([&] { return !f.events.empty(); });
  CHECK(f.batches == std::vector<std::size_t>{3});
  const auto up = f.got<engine::WorkerUp>();
  REQUIRE(up.size() == 1);
  REQUIRE(up[0].inventory.size() == 3);
  CHECK_FALSE(up[0].inventory[0].started);
  CHECK(up[0].inventory[1].started);
  CHECK(up[0].inventory[2].started);
  const auto started = f.got<engine::AttemptStarted>();
  REQUIRE(started.size() == 1);
  CHECK(started[0].attempt == AttemptId(2));
  CHECK(started[0].log == engine::LogPlace{.segment = 1, .from = 10, .to = ~std::uint64_t{0}});
  const auto ends = f.got<engine::AttemptEnded>();
  REQUIRE(ends.size() == 1);
  CHECK(ends[0].failure == workflow::FailureClass{workflow::FailureKind::exit, 3});
  CHECK(ends[0].exit_code == 3);
}

TEST_CASE("Every outcome becomes one failure class") {
  using workflow::FailureClass;
  using workflow::FailureKind;
  struct Case {
    wire::Outcome outcome;
    FailureClass failure;
    std::optional<int> exit_code;
  };
  const std::vector<Case> cases{
      {outcome(wire::ExitCause::exited, 0), {FailureKind::none, 0}, 0},
      {outcome(wire::ExitCause::exited, 255), {FailureKind::exit, 255}, 255},
      {outcome(wire::ExitCause::signalled, 9), {FailureKind::signal, 9}, std::nullopt},
      {outcome(wire::ExitCause::oom), {FailureKind::oom, 0}, std::nullopt},
      {outcome(wire::ExitCause::timeout), {FailureKind::timeout, 0}, std::nullopt},
      {outcome(wire::ExitCause::spawn_error, 2), {FailureKind::spawn_error, 0}, std::nullopt},
      {outcome(wire::ExitCause::missing_output), {FailureKind::missing_output, 0}, 0},
      {outcome(wire::ExitCause::cancelled, 143), {FailureKind::cancelled, 0}, std::nullopt},
      {outcome(wire::ExitCause::worker_lost), {FailureKind::worker_lost, 0}, std::nullopt},
      {outcome(wire::ExitCause::preempted), {FailureKind::preempted, 0}, std::nullopt},
  };
  WorkerFixture f;
  f.connect();
  std::vector<wire::ToDaemon> messages;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    messages.emplace_back(wire::Exited{.attempt = AttemptId(i + 1), .outcome = cases[i].outcome});
  }
  f.worker.session().say(messages);
  f.until([&] { return f.got<engine::AttemptEnded>().size() == cases.size(); });
  const auto ends = f.got<engine::AttemptEnded>();
  for (std::size_t i = 0; i < cases.size(); ++i) {
    INFO("case " << i);
    CHECK(ends[i].attempt == AttemptId(i + 1));
    CHECK(ends[i].failure == cases[i].failure);
    CHECK(ends[i].exit_code == cases[i].exit_code);
    CHECK_FALSE(ends[i].started_at.has_value());
  }
}

TEST_CASE("A launch of before the worker's return is not given to the session of after it") {
  WorkerFixture f;
  f.connect();
  engine::Launch launch;
  launch.worker = WorkerId(3);
  launch.argv = {"true"};
  launch.attempt = AttemptId(1);
  f.executor->launch(launch);  // the WorkerUp is not committed yet
  f.reconnect();
  f.executor->remember_boot(WorkerId(3));
  launch.attempt = AttemptId(2);
  f.executor->launch(launch);  // there is a second one
  f.executor->remember_boot(WorkerId(3));
  launch.attempt = AttemptId(3);
  f.executor->launch(launch);
  f.executor->kill({.worker = WorkerId(3), .attempt = AttemptId(9)});
  f.until([&] { return !f.worker.session().got<wire::Kill>().empty(); });
  const auto launches = f.worker.session().got<wire::Launch>();
  REQUIRE(launches.size() == 1);
  CHECK(launches[0].attempt == AttemptId(3));
}

TEST_CASE("Launches, kills and forgets reach the session in order") {
  WorkerFixture f;
  f.connect();
  f.executor->remember_boot(WorkerId(3));
  engine::Launch launch;
  launch.worker = WorkerId(3);
  launch.attempt = AttemptId(5);
  launch.label = "r/t/1";
  launch.argv = {"sh", "-e"};
  launch.script = "true";
  launch.env.push_back({.name = "A", .value = "b", .is_secret = false});
  launch.needs.cpu_milli = 500;
  launch.timeout = 3s;
  f.executor->launch(launch);
  f.executor->kill({.worker = WorkerId(3), .attempt = AttemptId(5), .reason = engine::KillReason::preempted});
  f.executor->forget({.worker = WorkerId(3), .attempt = AttemptId(4)});
  FakeSession& session = f.worker.session();
  f.until([&] { return session.messages.size() == 4; });
  const auto& sent = std::get<wire::Launch>(session.messages[1]);
  CHECK(sent.attempt == AttemptId(5));
  CHECK(sent.script == "true");
  CHECK(sent.env == std::vector<std::pair<std::string, std::string>>{{"A", "b"}});
  CHECK(sent.needs.cpu_milli == 500);
  CHECK(sent.timeout == 3s);
  CHECK(std::get<wire::Kill>(session.messages[2]) == wire::Kill{AttemptId(5), wire::ExitCause::preempted});
  CHECK(std::get<wire::Forget>(session.messages[3]).attempts == std::vector<AttemptId>{AttemptId(4)});
}

TEST_CASE("Logs are read by place; answers find their question") {
  WorkerFixture f;
  f.connect();
  std::vector<Result<LogChunk>> chunks;
  const auto keep = [&](Result<LogChunk> chunk) { chunks.push_back(std::move(chunk)); };
  f.executor->read_log(WorkerId(3), {.segment = 2, .from = 5, .to = 9}, 1u << 30, true, keep);
  FakeSession& session = f.worker.session();
  f.until([&] { return !session.got<wire::ReadLog>().empty(); });
  const wire::ReadLog asked = session.got<wire::ReadLog>()[0];
  CHECK(asked.extent == wire::LogExtent{2, 5, 9});
  CHECK(asked.max_bytes == limits::kLogChunkBytes);
  CHECK(asked.from_end);
  session.say({wire::LogData{.request = asked.request + 100, .offset = 0, .bytes = "forged", .end = true, .error = ""},
               wire::LogData{.request = asked.request, .offset = 5, .bytes = "text", .end = true, .error = ""}});
  f.until([&] { return !chunks.empty(); });
  REQUIRE(chunks.size() == 1);
  REQUIRE(chunks[0].has_value());
  CHECK(chunks[0]->bytes == "text");
  CHECK(chunks[0]->offset == 5);

  SECTION("a broken link fails the questions under way") {
    f.executor->read_log(WorkerId(3), {.segment = 2, .from = 0, .to = 9}, 10, false, keep);
    f.until([&] { return session.got<wire::ReadLog>().size() == 2; });
    session.hang_up();
    f.until([&] { return chunks.size() == 2; });
    REQUIRE_FALSE(chunks[1].has_value());
    CHECK(chunks[1].error().code == ErrorCode::unavailable);
  }
  SECTION("an unknown worker") {
    f.executor->read_log(WorkerId(4), {}, 10, false, keep);
    CHECK(chunks.size() == 1);  // not from inside the call
    f.until([&] { return chunks.size() == 2; });
    CHECK(chunks[1].error().code == ErrorCode::not_found);
  }
}

TEST_CASE("While paused no news is taken, and none is lost") {
  WorkerFixture f;
  f.connect();
  f.executor->pause(true);
  // One read may be under way already.
  f.worker.session().say({wire::Exited{AttemptId(1), outcome(wire::ExitCause::exited)}});
  f.until([&] { return f.got<engine::AttemptEnded>().size() == 1; });
  f.worker.session().say({wire::Exited{AttemptId(2), outcome(wire::ExitCause::exited)}});
  f.io.restart();
  f.io.poll();
  CHECK(f.got<engine::AttemptEnded>().size() == 1);
  f.executor->pause(false);
  f.until([&] { return f.got<engine::AttemptEnded>().size() == 2; });
}
