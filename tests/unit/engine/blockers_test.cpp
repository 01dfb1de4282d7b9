// What waits for something beside a worker is started when that is free, whatever becomes of those before it.
#include "catch.hpp"
#include "scenario.hpp"

using namespace baton;
using namespace baton::engine::test;
using Names = std::vector<std::string>;

TEST_CASE("a task that cannot be launched takes nothing of what it shares") {
  const std::string shared = GENERATE("pool: mutex", "kind: deploy, environment: prod");
  Scenario s(R"(
tasks:
  p: {command: [p], outputs: [x]}
  b: {command: [b], needs: p, env: {X: "${{ number(needs.p.outputs.x) }}"}, priority: 9, )" +
             shared + R"(}
  c: {command: [c], needs: p, )" +
             shared + "}\n");
  s.worker();
  s.submit();
  s.succeeded("p", {{"x", "abc"}});
  CHECK(s.reason("b") == "invalid_expression");
  CHECK(s.launched() == Names{"c"});
}

TEST_CASE("a group that is woken and must wait for something else passes its turn on") {
  Scenario s(R"(
max_active_tasks: 1
tasks:
  x: {command: [x], priority: 9}
  y: {command: [y], pool: busy, priority: 5}
  z: {command: [z]}
)");
  s.worker();
  s.pools({{"busy", 1}});
  const RunKey holder = s.submit_yaml("tasks: {h: {command: [h], pool: busy}}");
  const RunKey run = s.submit();
  CHECK(s.launched(run) == Names{"x"});
  s.succeeded("x", {}, run);
  CHECK(s.why("y") == "the pool busy has 1 slots, and they are taken");
  CHECK(s.launched(run) == Names{"z"});
  s.succeeded("h", {}, holder);
  CHECK(s.launched(run) == Names{"z"});
  s.succeeded("z", {}, run);
  CHECK(s.launched(run) == Names{"y"});
}

TEST_CASE("a group that is woken and cancelled, or fails, passes its turn on") {
  const std::string deploy = "command: [d], kind: deploy, environment: prod";
  Scenario s("tasks: {a: {" + deploy + "}}");
  s.worker({.name = "one", .cpus = 2});
  s.worker({.name = "two", .cpus = 2});
  const RunKey first = s.submit();
  const RunKey second = s.submit_yaml("priority: 5\ntasks: {b: {" + deploy + ", resources: {cpu: 2}}}");
  const RunKey third = s.submit();
  const RunKey other = s.submit_yaml("tasks: {o: {command: [o], matrix: {n: [1, 2]}}}");
  CHECK(s.launched(other).size() == 2);
  s.succeeded("a", {}, first);
  CHECK(s.state("b", second) == "ready");  // the environment is free, the worker is not
  CHECK(s.launched(third) == Names{"a"});  // so the next one goes first
  const RunKey fourth = s.submit();
  s.succeeded("a", {}, third);
  CHECK(s.launched(fourth) == Names{"a"});
  REQUIRE(s.cancel(second));
  s.succeeded("a", {}, fourth);
  CHECK(s.run_state(fourth) == "succeeded");
}

TEST_CASE("what no worker has room for does not keep the next of its pool from another worker") {
  Scenario s(R"(
tasks:
  hold: {command: [h], pool: p, priority: 9}
  big: {command: [b], pool: p, resources: {gpu: 1}, priority: 5}
  busy: {command: [g], resources: {gpu: 1}, priority: 9}
  small: {command: [s], pool: p}
)");
  s.worker({.gpus = 1});
  s.submit();
  CHECK(s.launched() == Names{"hold", "busy"});
  s.succeeded("hold");
  CHECK(s.launched() == Names{"busy", "small"});
  s.succeeded("busy");
  CHECK(s.launched() == Names{"small"});
  s.succeeded("small");
  CHECK(s.launched() == Names{"big"});
}

TEST_CASE("who waits behind one that is cancelled, and wants less, is asked") {
  Scenario s("tasks: {big: {command: [b], pool: {p: 3}}}");
  s.worker();
  s.pools({{"p", 3}});
  const RunKey two = s.submit_yaml("tasks: {two: {command: [h], pool: {p: 2}}}");
  const RunKey one = s.submit_yaml("tasks: {one: {command: [h], pool: {p: 1}}}");
  const RunKey big = s.submit();
  const RunKey small = s.submit_yaml("tasks: {small: {command: [s], pool: {p: 1}}}");
  s.succeeded("one", {}, one);
  CHECK(s.launched(two) == Names{"two"});
  CHECK(s.launched(small).empty());  // it is not its turn
  REQUIRE(s.cancel(big));
  CHECK(s.launched(small) == Names{"small"});
}

TEST_CASE("a pool without slots is closed") {
  Scenario s("tasks: {t: {command: [t], pool: p}}");
  s.worker();
  s.pools({{"p", 0}});
  s.submit();
  CHECK(s.launched().empty());
  CHECK(s.why("t") == "the pool p has 0 slots, and they are taken");
  s.pools({{"p", 1}});
  CHECK(s.launched() == Names{"t"});
}

TEST_CASE("a workflow that uses one of its own name waits for no room of its own") {
  Scenario s("name: deploy\nmax_active_runs: 1\ntasks: {t: {uses: parts/deploy.yaml}}",
             {{"parts/deploy.yaml", "name: deploy\nmax_active_runs: 1\ntasks: {c: {command: [c]}}"}});
  s.worker();
  s.submit();
  const RunKey child = s.child("t");
  CHECK(s.launched(child) == Names{"c"});
  const RunKey second = s.submit();
  CHECK(s.run_state(second) == "queued");
}

TEST_CASE("a run that one of its own name waits for does not queue behind those that wait for that one") {
  const std::string limit = GENERATE("max_active_runs: 1\n", "");
  Scenario s(R"(
name: deploy
max_active_runs: 1
tasks: {prep: {command: [p]}, t: {uses: parts/deploy.yaml, needs: prep, matrix: {n: [1, 2]}}}
)",
             {{"parts/deploy.yaml", "name: deploy\n" + limit + "tasks: {c: {command: [c]}}"}});
  s.worker();
  const RunKey first = s.submit();
  const RunKey second = s.submit();
  CHECK(s.why("prep") == "the run is queued: deploy allows 1 active runs at a time");
  s.succeeded("prep", {}, first);
  s.restart();
  CHECK(s.names("running", first) == Names{"t[n=1]", "t[n=2]"});
  const RunKey one = s.child("t[n=1]", first);
  const RunKey two = s.child("t[n=2]", first);
  CHECK(s.launched(one) == Names{"c"});
  // By the limit of their own one of them goes after the other.
  CHECK(s.run_state(two) == (limit.empty() ? "running" : "queued"));
  s.succeeded("c", {}, one);
  s.succeeded("c", {}, two);
  CHECK(s.run_state(first) == "succeeded");
  CHECK(s.launched(second) == Names{"prep"});
}

TEST_CASE("a run without a limit does not queue behind those of its name that have one") {
  Scenario s("name: deploy\nmax_active_runs: 1\ntasks: {t: {command: [t]}}");
  s.worker();
  s.submit();
  const RunKey limited = s.submit();
  const RunKey unlimited = s.submit_yaml("name: deploy\ntasks: {u: {command: [u]}}");
  CHECK(s.run_state(limited) == "queued");
  CHECK(s.launched(unlimited) == Names{"u"});
}

TEST_CASE("what fits a pool is not forgotten for one behind it that does not") {
  Scenario s(R"(
tasks:
  hold: {command: [h], pool: {db: 1}, priority: 9, resources: {cpu: 100m}}
  ends: {command: [e], pool: {db: 2}, priority: 9, resources: {cpu: 100m}}
  full: {command: [f], priority: 9, resources: {cpu: 1700m}}
  one: {command: [o], pool: {db: 1}, priority: 5, resources: {cpu: 500m}}
  two: {command: [t], pool: {db: 1}, priority: 4, resources: {cpu: 500m}}
  wide: {command: [w], pool: {db: 3}, priority: 1, resources: {cpu: 50m}}
)");
  s.worker({.cpus = 2});
  s.pools({{"db", 3}});
  s.submit();
  CHECK(s.launched() == Names{"hold", "ends", "full"});
  s.succeeded("ends");  // room in the pool, but on the worker for `wide` only, which wants all of the pool
  CHECK(s.launched() == Names{"hold", "full"});
  s.succeeded("full");
  CHECK(s.launched() == Names{"hold", "one", "two"});
}

TEST_CASE("a group that is woken behind one that no worker has room for passes its turn on") {
  Scenario s(R"(
tasks:
  hold: {command: [h], pool: p, priority: 9}
  big: {command: [b], pool: p, resources: {gpu: 1}, priority: 5}
  small: {command: [s], pool: p}
)");
  s.worker({.gpus = 1});
  const RunKey busy = s.submit_yaml("tasks: {g: {command: [g], resources: {gpu: 1}}}");
  const RunKey run = s.submit();
  CHECK(s.launched(run) == Names{"hold"});
  const RunKey before = s.submit_yaml("priority: 9\ntasks: {g: {command: [g], resources: {gpu: 1}}}");
  s.succeeded("hold", {}, run);
  CHECK(s.launched(run) == Names{"small"});
  s.succeeded("g", {}, busy);
  s.succeeded("g", {}, before);
  s.succeeded("small", {}, run);
  CHECK(s.launched(run) == Names{"big"});
}
