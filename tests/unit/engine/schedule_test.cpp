// Who runs next and where: resources, labels, priorities, pools, environments, limits of runs.
#include "catch.hpp"
#include "scenario.hpp"

using namespace baton;
using namespace baton::engine::test;
using Names = std::vector<std::string>;

TEST_CASE("no more runs than fits") {
  Scenario s(R"(
tasks:
  big: {command: [x], resources: {cpu: 1.5, memory: 1Gi}}
  mid: {command: [x], resources: {cpu: 1}}
  small: {command: [x], resources: {cpu: 500m}}
)");
  s.worker({.cpus = 2, .memory = std::int64_t{1} << 30});
  s.submit();
  CHECK(s.launched() == Names{"big", "small"});
  CHECK(s.why("mid") == "it waits for a free slot on a worker");
  CHECK(s.engine().usage(WorkerId(0)).used.cpu_milli == 0);
  s.started("small");
  s.started("big");
  CHECK(s.engine().usage(WorkerId(0)).used.cpu_milli == 2000);
  s.succeeded("small");
  CHECK(s.launched() == Names{"big"});
  s.succeeded("big");
  CHECK(s.launched() == Names{"mid"});
}

TEST_CASE("GPUs are counted") {
  Scenario s("tasks: {t: {command: [x], resources: {gpu: 1}, matrix: {i: [1, 2, 3]}}}");
  s.worker({.name = "cpu", .cpus = 64});
  s.submit();
  CHECK(s.launched().empty());
  CHECK(s.why("t[i=1]") == "no worker has the resources and labels it asks for");
  s.worker({.name = "gpu", .cpus = 64, .gpus = 2});
  CHECK(s.launched().size() == 2);
  for (const auto& name : s.launched()) CHECK(s.launch_of(name).worker == WorkerId(1));
}

TEST_CASE("runs_on chooses by labels and by name") {
  Scenario s(R"(
tasks:
  a: {command: [x], runs_on: [x86, ssd]}
  b: {command: [x], runs_on: {worker: two}}
  c: {command: [x], runs_on: arm}
)");
  s.worker({.name = "one", .labels = {"x86"}});
  s.worker({.name = "two", .labels = {"ssd", "big", "x86"}});
  s.submit();
  CHECK(s.launched() == Names{"a", "b"});
  CHECK(s.launch_of("a").worker == WorkerId(1));
  CHECK(s.launch_of("b").worker == WorkerId(1));
  CHECK(s.state("c") == "ready");
}

TEST_CASE("the freest of several workers is taken") {
  Scenario s("tasks: {t: {command: [x], matrix: {i: [1, 2, 3]}}}");
  s.worker({.name = "small", .cpus = 2});
  s.worker({.name = "large", .cpus = 3});
  s.submit();
  CHECK(s.launch_of("t[i=1]").worker == WorkerId(1));
  CHECK(s.launch_of("t[i=2]").worker == WorkerId(0));
  CHECK(s.launch_of("t[i=3]").worker == WorkerId(1));
}

TEST_CASE("order: priority, then age of the run, then the longest way ahead") {
  Scenario s(R"(
tasks:
  first: {command: [x]}
  leaf: {command: [x]}
  root: {command: [x]}
  behind: {command: [x], needs: root}
  urgent: {command: [x], priority: 5}
)");
  s.worker({.cpus = 1});
  const RunKey older = s.submit();
  const RunKey newer = s.submit();
  Names order;
  for (int i = 0; i < 10; ++i) {
    for (const RunKey run : {older, newer}) {
      for (const auto& name : s.launched(run)) {
        order.push_back((run == older ? "old " : "new ") + name);
        s.succeeded(name, {}, run);
        goto next;
      }
    }
  next:;
  }
  CHECK(order == Names{"old urgent", "new urgent", "old root", "old first", "old leaf", "old behind", "new root",
                       "new first", "new leaf", "new behind"});
}

TEST_CASE("the priority of a submission takes the place of the workflow's, not of a task's own") {
  Scenario s("priority: 5\ntasks: {plain: {command: [x]}, own: {command: [x], priority: 3}}");
  s.worker({.cpus = 1});
  const RunKey workflows = s.submit();  // its first task comes to an idle worker
  const RunKey low = s.submit(Value::object(), {.labels = {}, .priority = 1});
  const RunKey high = s.submit(Value::object(), {.labels = {}, .priority = 6});
  CHECK(s.store().created(workflows).priority == 5);
  CHECK(s.store().created(low).priority == 1);
  s.restart();
  s.all_succeed();
  std::map<AttemptId, std::string> order;
  for (const auto& [run, name] : {std::pair(workflows, "5 "), std::pair(low, "1 "), std::pair(high, "6 ")}) {
    for (const std::string task : {"plain", "own"}) order[s.launch_of(task, run).attempt] = name + task;
  }
  Names names;
  for (const auto& [attempt, name] : order) names.push_back(name);
  CHECK(names == Names{"5 plain", "6 plain", "5 own", "1 own", "6 own", "1 plain"});
}

TEST_CASE("a pool bounds tasks across runs") {
  Scenario s("tasks: {t: {command: [x], pool: {db: 1}, matrix: {i: [1, 2]}}, heavy: {command: [x], pool: {db: 2}}}");
  s.worker();
  s.pools({{"db", 2}});
  const RunKey one = s.submit();
  const RunKey two = s.submit();
  CHECK(s.launched(one) == Names{"t[i=1]", "t[i=2]"});
  CHECK(s.launched(two).empty());
  CHECK(s.why("t[i=1]") == "the pool db has 2 slots, and they are taken");
  s.succeeded("t[i=1]", {}, one);
  s.succeeded("t[i=2]", {}, one);
  CHECK(s.launched(one) == Names{"heavy"});
  CHECK(s.launched(two).empty());
  s.pools({{"db", 4}});
  CHECK(s.launched(two) == Names{"t[i=1]", "t[i=2]"});
}

TEST_CASE("a pool that is not configured has one slot; asking for more than there is takes all") {
  Scenario s("tasks: {a: {command: [x], pool: p}, b: {command: [x], pool: {p: 7}}}");
  s.worker();
  s.submit();
  CHECK(s.launched() == Names{"a"});
  s.succeeded("a");
  CHECK(s.launched() == Names{"b"});
}

TEST_CASE("a deploy holds its environment alone, across runs") {
  Scenario s(R"(
params: {target: prod}
tasks:
  d: {command: [x], kind: deploy, environment: "${{ params.target }}"}
  t: {command: [x], kind: train, environment: prod}
)");
  s.worker();
  const RunKey one = s.submit();
  const RunKey two = s.submit();
  const RunKey elsewhere = s.submit(Value{{"target", "test"}});
  CHECK(s.launched(one) == Names{"d", "t"});
  CHECK(s.launched(two) == Names{"t"});
  CHECK(s.launched(elsewhere) == Names{"d", "t"});
  s.restart();
  CHECK(s.launched(two) == Names{"t"});
  s.failed("d", "exit:1", one);
  CHECK(s.launched(two) == Names{"t", "d"});
}

TEST_CASE("max_active_tasks bounds one run, max_active_runs the runs of a workflow") {
  Scenario s(R"(
name: limited
max_active_tasks: 2
max_active_runs: 1
tasks:
  a: {command: [x]}
  b: {command: [x]}
  c: {command: [x]}
)");
  s.worker();
  const RunKey one = s.submit();
  const RunKey two = s.submit();
  CHECK(s.launched(one) == Names{"a", "b"});
  CHECK(s.run_state(two) == "queued");
  s.restart();
  CHECK(s.run_state(two) == "queued");
  s.succeeded("a", {}, one);
  CHECK(s.launched(one) == Names{"b", "c"});
  s.succeeded("b", {}, one);
  s.succeeded("c", {}, one);
  CHECK(s.run_state(one) == "succeeded");
  CHECK(s.run_state(two) == "running");
  CHECK(s.launched(two) == Names{"a", "b"});
  REQUIRE(s.cancel(two));
}

TEST_CASE("a queued run can be cancelled and the next one moves up") {
  Scenario s("name: one\nmax_active_runs: 1\ntasks: {a: {command: [x]}}");
  s.worker();
  const RunKey one = s.submit();
  const RunKey two = s.submit();
  const RunKey three = s.submit();
  REQUIRE(s.cancel(two));
  CHECK(s.run_state(two) == "cancelled");
  s.succeeded("a", {}, one);
  CHECK(s.run_state(three) == "running");
}

TEST_CASE("short attempts are launched ahead of the free slots, long ones are not") {
  Scenario s("tasks: {t: {command: [x], matrix: {i: [1, 2, 3, 4, 5, 6, 7, 8]}}}");
  s.worker({.cpus = 1});
  s.submit();
  CHECK(s.launched().size() == 1);
  s.succeeded("t[i=1]");
  s.succeeded("t[i=2]");
  CHECK(s.launched().size() > 2);  // they took no time at all
  const auto& launched = s.launched();
  CHECK(std::vector<std::string>(launched.begin(), launched.begin() + 2) == Names{"t[i=3]", "t[i=4]"});
  // What waits at the worker uses nothing of it.
  s.started("t[i=3]");
  const Engine::Usage usage = s.engine().usage(WorkerId(0));
  CHECK(usage.used.cpu_milli == 1000);
  CHECK(usage.attempts == launched.size());
}

TEST_CASE("a task that is kept back does not keep back those that share its pool") {
  Scenario s(R"(
tasks:
  gpu: {command: [x], pool: {p: 1}, resources: {gpu: 1}, priority: 9}
  one: {command: [x], pool: {p: 1}}
  two: {command: [x], pool: {p: 1}}
)");
  s.worker({.cpus = 4});
  s.pools({{"p", 2}});
  s.submit();
  CHECK(s.launched() == Names{"one", "two"});
  s.all_succeed();
  CHECK(s.state("gpu") == "ready");
}

TEST_CASE("a hundred thousand instances in one run") {
  Scenario s("tasks: {t: {command: [x], matrix: {a: " +
             [] {
               std::string list = "[0";
               for (int i = 1; i < 1000; ++i) list += "," + std::to_string(i);
               return list + "]";
             }() +
             ", b: "
             "[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,"
             "38,39,40,41,42,43,44,45,46,47,48,49,50,51,52,53,54,55,56,57,58,59,60,61,62,63,64,65,66,67,68,69,70,71,72,"
             "73,74,75,76,77,78,79,80,81,82,83,84,85,86,87,88,89,90,91,92,93,94,95,96,97,98,99]}, max_parallel: 3}}");
  s.worker();
  s.submit();
  CHECK(s.store().instances().size() == 100000);
  CHECK(s.launched().size() == 3);
  REQUIRE(s.cancel());
}
