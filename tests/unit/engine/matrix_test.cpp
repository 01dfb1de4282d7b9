// Matrices: instances, limits, fail-fast, dynamic mapping.
#include "catch.hpp"
#include "scenario.hpp"

using namespace baton;
using namespace baton::engine::test;
using Names = std::vector<std::string>;

TEST_CASE("a matrix makes an instance of each combination and hands out a list") {
  Scenario s(R"(
tasks:
  train: {command: [t, "${{ matrix.C }}"], matrix: {C: [0.1, 1]}, outputs: [score]}
  pick: {command: [p], needs: train, env: {ALL: "${{ toJSON(needs.train.outputs) }}", S: "${{ join(needs.train.outputs.score, ',') }}"}}
)");
  s.worker();
  s.submit();
  CHECK(s.launched() == Names{"train[C=0.1]", "train[C=1]"});
  CHECK(s.launch_of("train[C=1]").argv.at(1) == "1");
  s.succeeded("train[C=1]", {{"score", "9"}});
  CHECK(s.state("pick") == "waiting");
  s.succeeded("train[C=0.1]", {{"score", "8"}});
  CHECK(s.env("pick", "ALL") == R"([{"score":"8"},{"score":"9"}])");
  CHECK(s.env("pick", "S") == "8,9");
}

TEST_CASE("the outputs of a run have a limit, which counts what is kept and nothing else") {
  Scenario s("tasks: {t: {command: [t], matrix: {i: [1, 2, 3, 4]}, outputs: [x]}}");
  s.worker();
  s.submit();
  const std::string large(30u << 20, 'x');
  s.succeeded("t[i=1]", {{"x", large}, {"undeclared", large}});
  s.succeeded("t[i=2]", {{"x", large}});
  s.restart();
  s.worker_back();
  s.succeeded("t[i=3]", {{"x", large}});
  CHECK(s.state("t[i=3]") == "failed");
  CHECK(s.reason("t[i=3]") == "missing_output");
  s.succeeded("t[i=4]", {{"x", "small"}});
  CHECK(s.state("t[i=4]") == "succeeded");
}

TEST_CASE("a run whose outputs are beyond the limit already goes on with all that has none") {
  Scenario s(
      "tasks: {t: {command: [t], outputs: [x]}, u: {command: [u], outputs: [x], needs: t}, v: {command: [v], needs: "
      "t}}");
  s.worker();
  s.submit();
  s.succeeded("t", {{"x", "small"}});
  s.store_output("t", "x", std::string(65u << 20, 'x'));  // stored before there was a limit
  s.worker_back();
  s.failed("u", "exit:1");
  CHECK(s.reason("u") == "exit:1");
  s.succeeded("v");
  CHECK(s.state("v") == "succeeded");
}

TEST_CASE("max_parallel bounds a matrix") {
  Scenario s("tasks: {t: {command: [t], matrix: {i: [1, 2, 3, 4]}, max_parallel: 2}}");
  s.worker();
  s.submit();
  CHECK(s.launched() == Names{"t[i=1]", "t[i=2]"});
  CHECK(s.why("t[i=3]") == "max_parallel: 2 instances of it run already");
  s.succeeded("t[i=2]");
  CHECK(s.launched() == Names{"t[i=1]", "t[i=3]"});
  s.failed("t[i=1]");
  CHECK(s.launched() == Names{"t[i=3]", "t[i=4]"});
  s.all_succeed();
  CHECK(s.run_state() == "failed");
}

TEST_CASE("fail_fast cancels the rest of a matrix") {
  Scenario s("tasks: {t: {command: [t], matrix: {i: [1, 2, 3]}, max_parallel: 2, fail_fast: true}}");
  s.worker();
  s.submit();
  s.failed("t[i=1]");
  CHECK(s.state("t[i=3]") == "cancelled");
  CHECK(s.kills() == Names{"run1/t[i=2]/1"});
  s.failed("t[i=2]", "cancelled");
  CHECK(s.state("t[i=2]") == "cancelled");
  CHECK(s.run_state() == "failed");
}

TEST_CASE("without fail_fast one failed instance leaves the others alone") {
  Scenario s(R"(
tasks:
  t: {command: [t], matrix: {i: [1, 2]}}
  after: {command: [a], needs: t}
)");
  s.worker();
  s.submit();
  s.failed("t[i=1]");
  CHECK(s.state("t[i=2]") == "starting");
  s.succeeded("t[i=2]");
  CHECK(s.state("after") == "upstream_failed");
  CHECK(s.run_state() == "failed");
}

TEST_CASE("a dynamic matrix gets its instances from an output") {
  Scenario s(R"(
tasks:
  list: {command: [l], outputs: [items]}
  work: {command: [w, "${{ matrix.item }}"], needs: list, matrix: {item: "${{ fromJSON(needs.list.outputs.items) }}"}}
  after: {command: [a], needs: work}
)");
  s.worker();
  s.submit();
  CHECK(s.state("work") == "waiting");
  SECTION("several") {
    s.succeeded("list", {{"items", R"(["x", "y"])"}});
    CHECK(s.launched() == Names{"work[item=x]", "work[item=y]"});
    s.restart();
    CHECK(s.launched() == Names{"work[item=x]", "work[item=y]"});
    s.all_succeed();
    CHECK(s.state("after") == "succeeded");
    CHECK(s.run_state() == "succeeded");
  }
  SECTION("none: it is skipped") {
    s.succeeded("list", {{"items", "[]"}});
    CHECK(s.state("work") == "skipped");
    CHECK(s.state("after") == "skipped");
    CHECK(s.run_state() == "succeeded");
  }
  SECTION("nonsense: it fails and says why") {
    s.succeeded("list", {{"items", "not json"}});
    CHECK(s.state("work") == "failed");
    CHECK(s.reason("work") == "invalid_expression");
    CHECK(s.run_state() == "failed");
  }
  SECTION("a failed upstream") {
    s.failed("list");
    CHECK(s.state("work") == "upstream_failed");
  }
}

TEST_CASE("a condition may look at the instance") {
  Scenario s("tasks: {t: {command: [t], matrix: {i: [1, 2, 3]}, if: '${{ matrix.i != 2 }}'}}");
  s.worker();
  s.submit();
  CHECK(s.launched() == Names{"t[i=1]", "t[i=3]"});
  CHECK(s.state("t[i=2]") == "skipped");
  s.all_succeed();
  CHECK(s.run_state() == "succeeded");
}
