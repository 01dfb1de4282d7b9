// Cancel, retry, approvals, sub-workflows.
#include "catch.hpp"
#include "scenario.hpp"

using namespace baton;
using namespace baton::engine;
using namespace baton::engine::test;
using Names = std::vector<std::string>;

TEST_CASE("a cancelled run starts nothing more and ends when its processes have") {
  Scenario s(R"(
tasks:
  a: {command: [a]}
  b: {command: [b], needs: a}
  wait: {approval: {message: m}}
finally:
  f: {command: [f]}
)");
  s.worker();
  s.submit();
  s.started("a");
  REQUIRE(s.cancel());
  CHECK(s.kills() == Names{"run1/a/1"});
  CHECK(s.names("cancelled") == Names{"b", "wait", "f"});
  CHECK(s.run_state() == "running");
  s.restart();  // the kill is repeated when the worker is back
  CHECK(s.kills() == Names{"run1/a/1", "run1/a/1"});
  s.failed("a", "cancelled");
  CHECK(s.state("a") == "cancelled");
  CHECK(s.run_state() == "cancelled");
  CHECK_FALSE(s.cancel());
}

TEST_CASE("an attempt that succeeded before the kill reached it has succeeded, the run is cancelled") {
  Scenario s("tasks: {a: {command: [a]}, b: {command: [b], needs: a}}");
  s.worker();
  s.submit();
  REQUIRE(s.cancel());
  s.succeeded("a");
  CHECK(s.state("a") == "succeeded");
  CHECK(s.state("b") == "cancelled");
  CHECK(s.run_state() == "cancelled");
}

TEST_CASE("a cancelled attempt is not tried again") {
  Scenario s("tasks: {a: {command: [a], retry: 5}}");
  s.worker();
  s.submit();
  REQUIRE(s.cancel());
  s.failed("a", "signal:TERM");
  CHECK(s.run_state() == "cancelled");
  CHECK(s.launched().empty());
}

TEST_CASE("retry runs again what did not succeed, and what is behind it") {
  Scenario s(R"(
tasks:
  a: {command: [a], outputs: [x]}
  b: {command: [b], needs: a, matrix: {i: [1, 2]}}
  c: {command: [c], needs: b}
finally:
  f: {command: [f]}
)");
  s.worker();
  s.submit();
  s.succeeded("a", {{"x", "1"}});
  s.succeeded("b[i=1]");
  s.failed("b[i=2]");
  s.succeeded("f");
  CHECK(s.run_state() == "failed");

  const auto dry = s.retry("", true);
  REQUIRE(dry);
  CHECK(*dry == Names{"b[i=2]", "c", "f"});
  CHECK(s.run_state() == "failed");

  const auto again = s.retry();
  REQUIRE(again);
  CHECK(*again == *dry);
  CHECK(s.run_state() == "running");
  CHECK(s.launched() == Names{"b[i=2]"});
  CHECK(s.launch_of("b[i=2]").label == "run1/b[i=2]/2");
  s.all_succeed();
  CHECK(s.run_state() == "succeeded");
  CHECK(s.launch_counts().at("run1/a/1") == 1);
  CHECK(s.launch_counts().at("run1/f/2") == 1);
  const auto nothing = s.retry();
  REQUIRE_FALSE(nothing);
  CHECK(nothing.error().code == ErrorCode::conflict);
}

TEST_CASE("a retry that is cancelled in the same step leaves a run that has ended") {
  Scenario s("tasks: {a: {command: [a]}, b: {command: [b], needs: a}}");
  s.worker();
  const RunKey run = s.submit();
  s.succeeded("a");
  s.failed("b");
  CHECK(s.run_state() == "failed");
  s.apply({s.restored(run), RetryRun{.token = 100, .run = run}, CancelRun{101, run, "cancelled"}});
  CHECK(s.run_state() == "cancelled");
  CHECK(s.state("a") == "succeeded");
  CHECK(s.state("b") == "cancelled");
  CHECK_FALSE(s.engine().is_active(run));
}

TEST_CASE("retry gives the retries back") {
  Scenario s("tasks: {a: {command: [a], retry: 1}}");
  s.worker();
  s.submit();
  s.failed("a");
  s.failed("a");
  CHECK(s.run_state() == "failed");
  REQUIRE(s.retry());
  s.failed("a");
  CHECK(s.state("a") == "starting");
  s.failed("a");
  CHECK(s.run_state() == "failed");
  CHECK(s.launch_counts().size() == 4);
}

TEST_CASE("retry from a task runs it and everything behind it, also if it succeeded") {
  Scenario s(R"(
params: {p: one}
tasks:
  a: {command: [a]}
  b: {command: [b, "${{ params.p }}"], needs: a}
  c: {command: [c], needs: b}
)");
  s.worker();
  s.submit();
  s.all_succeed();
  const auto again = s.retry("b", false, Value{{"p", "two"}});
  REQUIRE(again);
  CHECK(*again == Names{"b", "c"});
  CHECK(s.launch_of("b").argv.at(1) == "two");
  s.restart();
  s.all_succeed();
  CHECK(s.run_state() == "succeeded");
}

TEST_CASE("retry of what a dynamic matrix depends on expands it anew, and no key comes twice") {
  Scenario s(R"(
tasks:
  list: {command: [l], outputs: [items]}
  work: {command: [w], needs: list, matrix: {item: "${{ fromJSON(needs.list.outputs.items) }}"}}
)");
  s.worker();
  s.submit();
  s.succeeded("list", {{"items", "[1, 2]"}});
  s.succeeded("work[item=1]");
  s.failed("work[item=2]");
  REQUIRE(s.retry("list"));
  CHECK(s.state("work") == "waiting");
  CHECK(s.state("work[item=2]").empty());
  s.restart();
  s.succeeded("list", {{"items", "[2, 3, 4]"}});
  CHECK(s.launched() == Names{"work[item=2]", "work[item=3]", "work[item=4]"});
  CHECK(s.launch_of("work[item=2]").label == "run1/work[item=2]/2");
  s.all_succeed();
  CHECK(s.run_state() == "succeeded");
  for (const auto& [label, count] : s.launch_counts()) CHECK(count == 1);
}

TEST_CASE("a running run cannot be retried") {
  Scenario s("tasks: {a: {command: [a]}}");
  s.worker();
  s.submit();
  REQUIRE_FALSE(s.retry());
}

TEST_CASE("an approval waits for a person and holds no slot") {
  Scenario s(R"(
params: {who: you}
tasks:
  ok: {approval: {message: "may ${{ params.who }}?", timeout: 1h, on_timeout: reject}}
  a: {command: [a], needs: ok}
  b: {command: [b]}
)");
  s.worker({.cpus = 1});
  s.submit();
  CHECK(s.state("ok") == "awaiting_approval");
  CHECK(s.store().instances().at({s.last_run(), TaskIndex(0), 0}).message == "may you?");
  CHECK(s.launched() == Names{"b"});
  s.succeeded("b");
  SECTION("approved") {
    REQUIRE(s.decide("ok", true));
    CHECK(s.reason("ok") == "approved");
    CHECK(s.launched() == Names{"a"});
    CHECK_FALSE(s.decide("ok", true));
  }
  SECTION("rejected") {
    REQUIRE(s.decide("ok", false));
    CHECK(s.state("ok") == "failed");
    CHECK(s.reason("ok") == "rejected");
    CHECK(s.state("a") == "upstream_failed");
    CHECK(s.run_state() == "failed");
    CHECK(s.run_reason() == "approval_rejected");
  }
  SECTION("timed out") {
    s.restart();
    s.advance(1h);
    CHECK(s.reason("ok") == "rejected");
    CHECK(s.run_reason() == "approval_rejected");
  }
}

TEST_CASE("on_timeout: approve lets the run go on by itself") {
  Scenario s("tasks: {ok: {approval: {message: m, timeout: 10s, on_timeout: approve}}, a: {command: [a], needs: ok}}");
  s.worker();
  s.submit();
  s.advance(10s);
  CHECK(s.state("ok") == "succeeded");
  CHECK(s.launched() == Names{"a"});
}

namespace {
const std::map<std::string, std::string> kChild{{"sub/child.yaml", R"(
name: child
params: {n: {type: int, required: true}}
tasks:
  work: {command: [w, "${{ params.n }}"], outputs: [r]}
outputs: {result: "${{ needs.work.outputs.r }}"}
)"}};
const char* kParent = R"(
tasks:
  call: {uses: sub/child.yaml, with: {n: "${{ matrix.n }}"}, matrix: {n: [1, 2]}, max_parallel: 1}
  after: {command: [a, "${{ join(needs.call.outputs.result, '+') }}"], needs: call}
)";
}  // namespace

TEST_CASE("a used workflow runs as a run of its own, and its outputs come back") {
  Scenario s(kParent, kChild);
  s.worker();
  s.submit();
  CHECK(s.state("call[n=1]") == "running");
  CHECK(s.state("call[n=2]") == "ready");
  const RunKey first = s.child("call[n=1]");
  CHECK(s.store().created(first).parent_id == "run1");
  CHECK(s.store().created(first).id == "run1.2");
  CHECK(s.store().created(first).working_dir == "/work/sub");
  CHECK(s.launch_of("work", first).argv.at(1) == "1");
  s.restart();
  s.succeeded("work", {{"r", "one"}}, first);
  CHECK(s.run_state(first) == "succeeded");
  CHECK(s.state("call[n=1]") == "succeeded");
  CHECK(s.output("call[n=1]", "result") == "one");
  s.restart();
  s.succeeded("work", {{"r", "two"}}, s.child("call[n=2]"));
  CHECK(s.launch_of("after").argv.at(1) == "one+two");
  s.all_succeed();
  CHECK(s.run_state() == "succeeded");
}

TEST_CASE("a run has its workflow's labels, and those of its submission over them") {
  const std::string child = "labels: {team: data, part: child}\npriority: 4\ntasks: {t: {command: [x]}}\n";
  const std::string plain = "tasks: {t: {command: [x]}}\n";
  Scenario s("labels: {team: vision, stage: test}\ntasks: {a: {uses: child.yaml}, b: {uses: plain.yaml}}\n",
             {{"child.yaml", child}, {"plain.yaml", plain}});
  const RunKey alone = s.submit();
  CHECK(s.store().created(alone).labels == std::map<std::string, std::string>{{"team", "vision"}, {"stage", "test"}});
  const RunKey run = s.submit(Value::object(), {.labels = {{"stage", "prod"}, {"who", "ada"}}, .priority = 9});
  const std::map<std::string, std::string> merged{{"team", "vision"}, {"stage", "prod"}, {"who", "ada"}};
  CHECK(s.store().created(run).labels == merged);
  // A used workflow has the run's, and its own behind them; its own priority, or the run's.
  auto with_child = merged;
  with_child["part"] = "child";
  CHECK(s.store().created(s.child("a", run)).labels == with_child);
  CHECK(s.store().created(s.child("a", run)).priority == 4);
  CHECK(s.store().created(s.child("b", run)).labels == merged);
  CHECK(s.store().created(s.child("b", run)).priority == 9);
}

TEST_CASE("a failed sub-workflow fails its task") {
  Scenario s(kParent, kChild);
  s.worker();
  s.submit();
  s.failed("work", "exit:2", s.child("call[n=1]"));
  CHECK(s.state("call[n=1]") == "failed");
  CHECK(s.state("call[n=2]") == "running");
}

TEST_CASE("a child that is retried alone ends alone, also when its parent has fewer tasks by then") {
  Scenario s(R"(
tasks:
  up: {command: [u], outputs: [n]}
  call: {uses: sub/child.yaml, needs: up, with: {n: "${{ matrix.n }}"}, matrix: {n: "${{ fromJSON(needs.up.outputs.n) }}"}}
)",
             kChild);
  s.worker();
  const RunKey run = s.submit();
  s.succeeded("up", {{"n", "[1, 2, 3]"}});
  const RunKey last = s.child("call[n=3]");
  for (const char* name : {"call[n=1]", "call[n=2]", "call[n=3]"}) s.failed("work", "exit:2", s.child(name));
  CHECK(s.run_state(run) == "failed");
  REQUIRE(s.retry("up", false, nullptr, run));
  REQUIRE(s.retry("", false, nullptr, last));
  s.restart();
  s.succeeded("work", {{"r", "x"}}, last);
  CHECK(s.run_state(last) == "succeeded");
  CHECK(s.run_state(run) == "running");
}

TEST_CASE("cancelling a run cancels what it started") {
  Scenario s(kParent, kChild);
  s.worker();
  s.submit();
  const RunKey child = s.child("call[n=1]");
  REQUIRE(s.cancel());
  CHECK(s.kills() == Names{"run1.2/work/1"});
  s.failed("work", "cancelled", child);
  CHECK(s.run_state(child) == "cancelled");
  CHECK(s.run_state() == "cancelled");
}
