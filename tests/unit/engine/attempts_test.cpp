// Retries, failure classes, and workers that go and come back.
#include "catch.hpp"
#include "scenario.hpp"

using namespace baton;
using namespace baton::engine::test;
using Names = std::vector<std::string>;

TEST_CASE("a failed attempt is tried again after its delay, under the next number") {
  Scenario s("tasks: {t: {command: [t], retry: {max_retries: 2, delay: 10s, backoff: exponential}}}");
  s.worker();
  s.submit();
  s.failed("t");
  CHECK(s.state("t") == "backoff");
  REQUIRE(s.engine().next_wakeup() == s.now() + 10s);
  s.advance(9s);
  CHECK(s.state("t") == "backoff");
  s.advance(1s);
  CHECK(s.state("t") == "starting");
  CHECK(s.env("t", "BATON_ATTEMPT") == "2");
  s.failed("t");
  s.restart();  // a backoff survives
  CHECK(s.state("t") == "backoff");
  s.advance(20s);
  CHECK(s.env("t", "BATON_ATTEMPT") == "3");
  s.failed("t", "signal:SEGV");
  CHECK(s.state("t") == "failed");
  CHECK(s.reason("t") == "signal:SEGV");
  CHECK(s.run_state() == "failed");
}

TEST_CASE("a clock that is set moves what is due with it") {
  Scenario s(
      "tasks: {t: {command: [t], retry: {max_retries: 2, delay: 10s}}, ok: {approval: {message: m, timeout: 1h}}}");
  s.worker();
  s.submit();
  s.failed("t");
  s.advance(4s);
  const Duration by = GENERATE(std::chrono::hours(3), -std::chrono::hours(3));
  s.set_clock(by);
  CHECK(s.state("t") == "backoff");
  CHECK(s.engine().next_wakeup() == s.now() + 6s);
  if (GENERATE(false, true)) s.restart();  // it was written down
  s.advance(5s);
  CHECK(s.state("t") == "backoff");
  s.advance(1s);
  CHECK(s.state("t") == "starting");
  CHECK(s.engine().next_wakeup() == s.now() + 1h - 10s);
  CHECK(s.state("ok") == "awaiting_approval");
}

TEST_CASE("after a start nothing waits for longer than its workflow says, whatever the clock was before") {
  Scenario s(R"(
tasks:
  t: {command: [t], retry: {max_retries: 5, delay: 10s, backoff: exponential}}
  ok: {approval: {message: m, timeout: 1h}}
)");
  s.worker();
  s.submit();
  s.failed("t");
  s.advance(10s);
  s.failed("t");
  REQUIRE(s.engine().next_wakeup() == s.now() + 20s);
  s.advance(-5h);  // set back while there was no daemon
  s.restart();
  CHECK(s.engine().next_wakeup() == s.now() + 20s);
  s.restart();
  s.advance(20s);
  CHECK(s.state("t") == "starting");
  CHECK(s.engine().next_wakeup() == s.now() - 20s + 1h);
  s.advance(1h - 20s);
  CHECK(s.reason("ok") == "rejected");
}

TEST_CASE("retry.on chooses the classes that are tried again") {
  Scenario s("tasks: {t: {command: [t], retry: {max_retries: 5, on: ['exit:75', timeout]}}}");
  s.worker();
  s.submit();
  s.failed("t", "exit:75");
  CHECK(s.state("t") == "starting");
  s.failed("t", "timeout");
  CHECK(s.state("t") == "starting");
  s.failed("t", "exit:1");
  CHECK(s.state("t") == "failed");
}

TEST_CASE("a missing output is not tried again by default") {
  Scenario s("tasks: {t: {command: [t], outputs: [x], retry: 3}}");
  s.worker();
  s.submit();
  s.failed("t", "missing_output");
  CHECK(s.state("t") == "failed");
  CHECK(s.reason("t") == "missing_output");
}

TEST_CASE("while its worker is away an attempt is unreachable, and goes on when it is back") {
  Scenario s("tasks: {t: {command: [t]}}");
  s.worker();
  s.submit();
  s.started("t");
  s.worker_down();
  CHECK(s.state("t") == "unreachable");
  SECTION("still running") {
    s.worker_back();
    CHECK(s.state("t") == "running");
    s.succeeded("t");
    CHECK(s.run_state() == "succeeded");
  }
  SECTION("the daemon starts anew meanwhile") {
    s.restart();
    CHECK(s.state("t") == "running");
    s.succeeded("t");
    CHECK(s.run_state() == "succeeded");
  }
  SECTION("the worker lost it") {
    s.worker_back("local", false, true);
    CHECK(s.state("t") == "failed");
    CHECK(s.reason("t") == "worker_lost");
  }
  CHECK(s.launch_counts().at("run1/t/1") == 1);
}

TEST_CASE("a launch that never arrived is repeated under the same number") {
  Scenario s("tasks: {t: {command: [t]}}");
  s.worker();
  s.submit();
  s.worker_down();
  s.worker_back("local", false, true);
  CHECK(s.state("t") == "starting");
  CHECK(s.launch_counts().at("run1/t/1") == 2);
  CHECK(s.launched() == Names{"t"});
}

TEST_CASE("after a reboot of the worker nothing is started again under its old number") {
  Scenario s("tasks: {t: {command: [t], retry: 1}}");
  s.worker();
  s.submit();
  s.worker_down();
  s.worker_back("local", true, true);
  CHECK(s.state("t") == "starting");
  CHECK(s.launch_counts() == std::map<std::string, int>{{"run1/t/1", 1}, {"run1/t/2", 1}});
}

TEST_CASE("what is lost in the step that tells the worker of it again is not started") {
  Scenario s("tasks: {a: {command: [a], retry: 1}}");
  s.worker();
  s.submit();
  engine::WorkerUp back{.worker = WorkerId(0), .name = "local", .labels = {}};
  back.capacity.cpu_milli = 8'000;
  engine::WorkerUp booted_anew = back;
  booted_anew.rebooted = true;
  s.apply({back, booted_anew});
  CHECK(s.launch_counts() == std::map<std::string, int>{{"run1/a/1", 1}, {"run1/a/2", 1}});
}

TEST_CASE("news about attempts that are not with the worker are not believed") {
  Scenario s("tasks: {t: {command: [t]}}");
  s.worker();
  s.worker({.name = "other", .cpus = 0});
  s.submit();
  engine::AttemptEnded forged{.worker = WorkerId(1), .attempt = AttemptId(1)};
  s.apply({forged});
  CHECK(s.state("t") == "starting");
  s.apply({engine::AttemptStarted{.worker = WorkerId(1), .attempt = AttemptId(1), .at = s.now()}});
  CHECK(s.state("t") == "starting");
  // An end of something unknown is only acknowledged.
  s.apply({engine::AttemptEnded{.worker = WorkerId(0), .attempt = AttemptId(77)}});
  CHECK(s.forgotten() == 1);
}

TEST_CASE("a worker that knows more than it should is told to end it") {
  Scenario s("tasks: {t: {command: [t]}}");
  s.worker();
  engine::WorkerUp up{.worker = WorkerId(0), .name = "local", .inventory = {{AttemptId(9), true}}};
  s.apply({up});
  CHECK(s.kills() == Names{"unknown"});
  CHECK(s.forgotten() == 1);
}

TEST_CASE("attempts of a run that is left alone are not touched") {
  Scenario s("tasks: {t: {command: [t]}}");
  s.apply({engine::AttemptsLeftAlone{{AttemptId(9)}}});
  s.worker();
  engine::WorkerUp up{
      .worker = WorkerId(0), .name = "local", .inventory = {{AttemptId(9), true}, {AttemptId(10), true}}};
  s.apply({up, engine::AttemptEnded{.worker = WorkerId(0), .attempt = AttemptId(9)}});
  CHECK(s.kills() == Names{"unknown"});
  CHECK(s.forgotten() == 1);
}

TEST_CASE("what is with a worker that is not configured any more waits for it, and a cancel does not") {
  Scenario s("tasks: {t: {command: [t], retry: 3}, u: {command: [u], retry: 3}}");
  s.worker({.name = "old"});
  s.submit();
  s.started("t");
  s.unconfigure("old");
  s.restart();
  s.worker({.name = "new"});
  for (const char* name : {"t", "u"}) {
    CHECK(s.state(name) == "unreachable");
    CHECK(s.reason(name) == "worker old is not configured any more");
    CHECK(s.why(name) == "its worker old is not configured any more: configure it again, or cancel");
  }
  SECTION("it is back") {
    s.worker({.name = "old"});
    s.restart();
    CHECK(s.state("t") == "running");
    CHECK(s.state("u") == "starting");
  }
  SECTION("cancelled") {
    REQUIRE(s.cancel());
    CHECK(s.run_state() == "cancelled");
    s.worker_back("new");
    s.worker({.name = "old"});  // what it still knows is ended
    CHECK(s.kills().size() == 2);
  }
  SECTION("cancelled before") {
    s.worker({.name = "old"});
    s.restart();
    s.worker_down("old");
    REQUIRE(s.cancel());
    CHECK(s.run_state() == "running");
    s.unconfigure("old");
    s.restart();
    CHECK(s.run_state() == "cancelled");
  }
}

TEST_CASE("a run survives a restart after every single step") {
  Scenario s(R"(
tasks:
  a: {command: [a], outputs: [x]}
  b: {command: [b], needs: a, matrix: {i: [1, 2, 3]}, max_parallel: 2, retry: {max_retries: 1, delay: 5s}, env: {X: "${{ needs.a.outputs.x }}"}}
  ok: {approval: {message: "go on?", timeout: 1h}, needs: b}
  c: {command: [c], needs: ok, kind: deploy, environment: prod}
finally:
  f: {command: [f]}
)");
  s.worker();
  s.submit();
  s.restart();
  s.started("a");
  s.restart();
  s.succeeded("a", {{"x", "value"}});
  s.restart();
  CHECK(s.env("b[i=1]", "X") == "value");
  s.failed("b[i=1]");
  s.restart();
  CHECK(s.launched() == Names{"b[i=2]", "b[i=3]"});
  s.succeeded("b[i=2]");
  s.restart();
  s.succeeded("b[i=3]");
  s.advance(5s);
  s.restart();
  CHECK(s.launched() == Names{"b[i=1]"});
  s.succeeded("b[i=1]");
  s.restart();
  CHECK(s.state("ok") == "awaiting_approval");
  REQUIRE(s.decide("ok", true));
  s.restart();
  s.succeeded("c");
  s.restart();
  s.succeeded("f");
  CHECK(s.run_state() == "succeeded");
  s.restart();
  CHECK(s.engine().active_runs() == 0);
  for (const auto& [label, count] : s.launch_counts()) CHECK(count == 1);
}
