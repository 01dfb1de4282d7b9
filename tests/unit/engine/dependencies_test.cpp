// Order, conditions, skips, failures and what they do to the tasks behind them.
#include "catch.hpp"
#include "scenario.hpp"

using namespace baton;
using namespace baton::engine::test;
using Names = std::vector<std::string>;

TEST_CASE("a chain runs in order and the run succeeds") {
  Scenario s(R"(
tasks:
  a: {command: [a]}
  b: {command: [b], needs: a}
)");
  s.worker();
  s.submit();
  CHECK(s.run_state() == "running");
  CHECK(s.launched() == Names{"a"});
  CHECK(s.state("b") == "waiting");
  s.started("a");
  CHECK(s.state("a") == "running");
  s.succeeded("a");
  CHECK(s.state("a") == "succeeded");
  CHECK(s.launched() == Names{"b"});
  s.succeeded("b");
  CHECK(s.run_state() == "succeeded");
  CHECK(s.forgotten() == 2);
  CHECK(s.engine().active_runs() == 0);
}

TEST_CASE("a join waits for all of its needs") {
  Scenario s(R"(
tasks:
  a: {command: [a]}
  b: {command: [b]}
  c: {command: [c], needs: [a, b]}
)");
  s.worker();
  s.submit();
  CHECK(s.launched() == Names{"a", "b"});
  s.succeeded("b");
  CHECK(s.state("c") == "waiting");
  CHECK(s.why("c") == "it waits for a");
  s.succeeded("a");
  CHECK(s.launched() == Names{"c"});
}

TEST_CASE("a failure makes everything behind it upstream_failed and the run failed") {
  Scenario s(R"(
tasks:
  a: {command: [a]}
  b: {command: [b], needs: a}
  c: {command: [c], needs: b}
  d: {command: [d]}
)");
  s.worker();
  s.submit();
  s.failed("a", "exit:3");
  CHECK(s.state("a") == "failed");
  CHECK(s.reason("a") == "exit:3");
  CHECK(s.state("b") == "upstream_failed");
  CHECK(s.reason("b") == "upstream a failed");
  CHECK(s.state("c") == "upstream_failed");
  CHECK(s.run_state() == "running");  // d still runs
  s.succeeded("d");
  CHECK(s.run_state() == "failed");
}

TEST_CASE("a false condition skips the task and what needs it, and the run succeeds") {
  Scenario s(R"(
params: {deploy: false}
tasks:
  a: {command: [a], if: "${{ params.deploy }}"}
  b: {command: [b], needs: a}
  c: {command: [c]}
)");
  s.worker();
  s.submit();
  CHECK(s.state("a") == "skipped");
  CHECK(s.state("b") == "skipped");
  CHECK(s.reason("b") == "upstream a was skipped");
  s.succeeded("c");
  CHECK(s.run_state() == "succeeded");
}

TEST_CASE("a condition reads what upstream tasks gave out") {
  Scenario s(R"(
tasks:
  a: {command: [a], outputs: [score]}
  good: {command: [g], needs: a, if: "${{ number(needs.a.outputs.score) > 0.9 }}"}
  bad: {command: [b], needs: a, if: "${{ number(needs.a.outputs.score) <= 0.9 }}"}
)");
  s.worker();
  s.submit();
  s.succeeded("a", {{"score", "0.95"}});
  CHECK(s.output("a", "score") == "0.95");
  CHECK(s.launched() == Names{"good"});
  CHECK(s.state("bad") == "skipped");
}

TEST_CASE("status functions let a task run after a failure") {
  Scenario s(R"(
tasks:
  a: {command: [a]}
  on_failure: {command: [x], needs: a, if: "${{ failure() }}"}
  on_success: {command: [x], needs: a, if: "${{ success() }}"}
  in_any_case: {command: [x], needs: a, if: "${{ always() }}"}
)");
  s.worker();
  SECTION("of its need") {
    s.submit();
    s.failed("a");
    CHECK(s.launched() == Names{"on_failure", "in_any_case"});
    CHECK(s.state("on_success") == "skipped");
    s.all_succeed();
    CHECK(s.run_state() == "failed");
  }
  SECTION("or not") {
    s.submit();
    s.succeeded("a");
    CHECK(s.launched() == Names{"on_success", "in_any_case"});
    CHECK(s.state("on_failure") == "skipped");
  }
}

TEST_CASE("an expression that cannot be evaluated fails its task and names the field") {
  Scenario s(R"(
tasks:
  a: {command: [a], outputs: [score]}
  b: {command: [b], needs: a, env: {X: "${{ number(needs.a.outputs.score) }}"}}
  c: {command: [c], needs: a, if: "${{ number(needs.a.outputs.score) > 1 }}"}
)");
  s.worker();
  s.submit();
  s.succeeded("a", {{"score", "high"}});
  CHECK(s.state("b") == "failed");
  CHECK(s.reason("b") == "invalid_expression");
  CHECK(s.state("c") == "failed");
  CHECK(s.run_state() == "failed");
  const auto& row = s.store().instances().at({s.last_run(), TaskIndex(1), 0});
  CHECK(row.message.find("env.X") != std::string::npos);
  CHECK(row.attempts == 0);
}

TEST_CASE("finally tasks run after everything else, whatever came of it") {
  Scenario s(R"(
tasks:
  a: {command: [a]}
  b: {command: [b], needs: a}
finally:
  report: {command: [r]}
  after_report: {command: [r], needs: report}
)");
  s.worker();
  s.submit();
  CHECK(s.launched() == Names{"a"});
  CHECK(s.why("report") == "it runs when everything else has ended");
  SECTION("failure") {
    s.failed("a");
    CHECK(s.launched() == Names{"report"});
    CHECK(s.env("report", "BATON_RUN_STATUS") == "failed");
    s.all_succeed();
    CHECK(s.run_state() == "failed");
  }
  SECTION("success") {
    s.succeeded("a");
    CHECK(s.launched() == Names{"b"});
    s.succeeded("b");
    CHECK(s.env("report", "BATON_RUN_STATUS") == "succeeded");
    s.succeeded("report");
    CHECK(s.launched() == Names{"after_report"});
    s.failed("after_report");
    CHECK(s.run_state() == "failed");
  }
}

TEST_CASE("success() and failure() of a finally task without needs speak of the whole run") {
  Scenario s(R"(
tasks:
  a: {command: [a]}
finally:
  celebrate: {command: [c], if: "${{ success() }}"}
  mourn: {command: [m], if: "${{ failure() }}"}
)");
  s.worker();
  s.submit();
  const bool good = GENERATE(true, false);
  if (good) {
    s.succeeded("a");
  } else {
    s.failed("a");
  }
  CHECK(s.state("celebrate") == (good ? "starting" : "skipped"));
  CHECK(s.state("mourn") == (good ? "skipped" : "starting"));
}

TEST_CASE("however an instance of a matrix that fails fast fails, the others are stopped") {
  Scenario s(R"(
tasks:
  bad: {command: ["${{ number(matrix.n) }}"], matrix: {n: ["1", "x", "3"]}, max_parallel: 1, fail_fast: true}
  gate: {approval: {message: "m"}, matrix: {n: [1, 2]}, fail_fast: true}
)");
  s.worker();
  s.submit();
  s.succeeded("bad[n=1]");
  CHECK(s.reason("bad[n=x]") == "invalid_expression");
  CHECK(s.state("bad[n=3]") == "cancelled");
  REQUIRE(s.decide("gate[n=1]", false));
  CHECK(s.state("gate[n=2]") == "cancelled");
}

TEST_CASE("a long chain of skipped tasks needs no stack") {
  std::string yaml = "tasks:\n  t0: {command: [x], if: '${{ false }}'}\n";
  for (int i = 1; i < 20000; ++i) {
    yaml += "  t" + std::to_string(i) + ": {command: [x], needs: t" + std::to_string(i - 1) + "}\n";
  }
  Scenario s(yaml);
  s.submit();
  CHECK(s.state("t19999") == "skipped");
  CHECK(s.run_state() == "succeeded");
}

TEST_CASE("a task gets its environment, arguments and folder") {
  Scenario s(R"(
name: shape
params: {who: world}
env: {GREETING: hello, WHO: "${{ params.who }}"}
tasks:
  a:
    command: [say, "${{ params.who }} and all"]
    env: {TEXT: "${{ env.GREETING }} ${{ env.WHO }}", GREETING: mine}
    working_dir: sub/dir
    timeout: 5m
    grace: 3s
  b: {run: "echo $X"}
)");
  s.worker();
  s.submit(Value{{"who", "you"}});
  const auto& launch = s.launch_of("a");
  CHECK(launch.argv == std::vector<std::string>{"say", "you and all"});
  CHECK(launch.working_dir == "/work/sub/dir");
  CHECK(launch.timeout == 5min);
  CHECK(launch.grace == 3s);
  CHECK(launch.label == "run1/a/1");
  CHECK(s.env("a", "TEXT") == "hello you");
  CHECK(s.env("a", "GREETING") == "mine");
  CHECK(s.env("a", "BATON_TASK") == "a");
  CHECK(s.env("a", "BATON_RUN_ID") == "run1");
  CHECK(s.env("a", "BATON_RUN_NUMBER") == "1");
  CHECK(s.env("a", "BATON_WORKFLOW") == "shape");
  CHECK(s.env("a", "BATON_ATTEMPT") == "1");
  CHECK(s.env("a", "BATON_IDEMPOTENCY_KEY") == "run1/a/1");
  CHECK(s.launch_of("b").script == "echo $X");
  CHECK(s.launch_of("b").argv == std::vector<std::string>{"sh", "-e"});
  CHECK(s.launch_of("b").working_dir == "/work");
}
