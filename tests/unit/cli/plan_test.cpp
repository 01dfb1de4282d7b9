#include "plan.hpp"

#include "catch.hpp"
#include "graph_text.hpp"

namespace baton::cli {
namespace {

constexpr std::string_view kWorkflow = R"(
name: digits
description: Train and deploy
params: {count: 3}
tasks:
  prep: {run: "true", outputs: [parts]}
  train:
    needs: prep
    kind: train
    matrix: {C: [0.01, 0.1, 1, 10]}
    max_parallel: 2
    resources: {cpu: 2, memory: 1Gi}
    run: "true"
  map:
    needs: prep
    matrix: {part: "${{ fromJSON(needs.prep.outputs.parts) }}"}
    runs_on: [gpu]
    run: "true"
  evaluate: {needs: [prep, train], run: "true"}
  release: {needs: evaluate, approval: {message: sure}}
finally:
  report: {run: "true"}
)";

std::shared_ptr<const workflow::WorkflowSpec> parsed(std::string_view text) {
  const auto result = workflow::parse_workflow("w.yaml", text);
  for (const Diagnostic& diagnostic : result.diagnostics) UNSCOPED_INFO(render(diagnostic, text));
  REQUIRE(result.workflow != nullptr);
  return result.workflow;
}

Plan planned(const workflow::WorkflowSpec& workflow) {
  const auto params = workflow::bind_params(workflow, Value::object());
  REQUIRE(params);
  auto plan = make_plan(workflow, *params);
  REQUIRE(plan);
  return *std::move(plan);
}

TEST_CASE("a plan is ordered by levels and counts instances") {
  const auto workflow = parsed(kWorkflow);
  const Plan plan = planned(*workflow);
  CHECK(render_plan(*workflow, plan, false, false) ==
        "digits: Train and deploy\n"
        "\n"
        "LEVEL    TASK      KIND   INSTANCES    RESOURCES          CONDITIONS\n"
        "1        prep      task   1            cpu 1\n"
        "2        train     train  4            cpu 2, memory 1Gi  2 at a time\n"
        "2        map       task   known later  cpu 1\n"
        "3        evaluate  task   1            cpu 1\n"
        "4        release   task   1            -                  waits for approval\n"
        "finally  report    task   1            cpu 1\n"
        "\n"
        "total: 6 tasks, at least 8 instances\n"
        "critical path: prep → train → evaluate → release\n"
        "workers: not checked, because no daemon answers\n");
}

TEST_CASE("a plan as JSON has levels, instances and resources as numbers") {
  const auto workflow = parsed(kWorkflow);
  const nlohmann::json json = plan_json(*workflow, planned(*workflow));
  CHECK(json["workflow"] == "digits");
  CHECK(json["instances"] == 8);
  CHECK(json["instances_open"] == true);
  CHECK(json["missing"].is_null());
  const nlohmann::json& train = json["tasks"][1];
  CHECK(train["name"] == "train");
  CHECK(train["level"] == 2);
  CHECK(train["instances"] == 4);
  CHECK(train["resources"]["cpu"] == 2.0);
  CHECK(train["resources"]["memory"] == 1 << 30);
  CHECK(json["tasks"][2]["instances"].is_null());
}

TEST_CASE("a matrix made of params is expanded with them") {
  const auto workflow =
      parsed("params: {list: \"[1,2,3]\"}\ntasks: {a: {matrix: {i: \"${{ fromJSON(params.list) }}\"}, run: \"true\"}}");
  CHECK(planned(*workflow).total.known == 3);
  const auto params = workflow::bind_params(*workflow, Value{{"list", "[1]"}});
  CHECK(make_plan(*workflow, *params)->total.known == 1);
  const auto wrong = workflow::bind_params(*workflow, Value{{"list", "nonsense"}});
  CHECK_FALSE(make_plan(*workflow, *wrong));
  CHECK(count_instances(*workflow).open);
}

TEST_CASE("what no known worker could run is named with the reason") {
  const auto workflow = parsed(kWorkflow);
  Plan plan = planned(*workflow);
  views::WorkerView worker;
  worker.name = "local";
  worker.cpu_milli = 1000;
  worker.memory_bytes = std::int64_t{8} << 30;
  match_workers(plan, {worker});
  CHECK(plan.missing == std::vector<std::string>{"train: no worker can run it (local has 1 cpu)",
                                                 "map: no worker can run it (local has no label gpu)"});
  worker.cpu_milli = 4000;
  worker.labels = {"gpu"};
  match_workers(plan, {worker});
  CHECK(plan.missing.empty());
  match_workers(plan, {});
  CHECK(plan.missing.size() == 5);

  plan = planned(*parsed("tasks: {a: {command: [a], resources: {cpu: 1, licences: 2}}}"));
  match_workers(plan, {worker});
  CHECK(plan.missing == std::vector<std::string>{"a: no worker can run it (local has 0 licences)"});
  worker.custom_milli = {{"licences", 2000}};
  match_workers(plan, {worker});
  CHECK(plan.missing.empty());
}

TEST_CASE("a graph in the languages of drawing programs") {
  const auto workflow = parsed(
      "name: g\ntasks:\n  a: {run: \"true\"}\n  b: {needs: a, matrix: {i: [1, 2]}, run: \"true\"}\n"
      "  c: {needs: [a, b], run: \"true\"}\nfinally:\n  end: {run: \"true\"}\n");
  CHECK(to_dot(drawn_graph(*workflow, false)) ==
        "digraph \"g\" {\n"
        "  rankdir=LR;\n"
        "  node [shape=box, style=\"rounded,filled\", fillcolor=white];\n"
        "  \"a\" [label=\"a\"];\n"
        "  \"b\" [label=\"b ×2\"];\n"
        "  \"c\" [label=\"c\"];\n"
        "  subgraph cluster_finally {\n"
        "    label=finally; style=dashed;\n"
        "    \"end\" [label=\"end\"];\n"
        "  }\n"
        "  \"a\" -> \"b\";\n"
        "  \"a\" -> \"c\";\n"
        "  \"b\" -> \"c\";\n"
        "}\n");
  CHECK(to_mermaid(drawn_graph(*workflow, true)) ==
        "flowchart LR\n"
        "  t0[\"a\"]\n"
        "  t1[\"b ×2\"]\n"
        "  t2[\"c\"]\n"
        "  subgraph finally\n"
        "    t3[\"end\"]\n"
        "  end\n"
        "  t0 --> t1\n"
        "  t1 --> t2\n");
  const nlohmann::json json = to_json(drawn_graph(*workflow, false));
  CHECK(json["nodes"].size() == 4);
  CHECK(json["nodes"][1]["instances"] == 2);
  CHECK(json["edges"][2] == nlohmann::json{{"from", "b"}, {"to", "c"}});
}

TEST_CASE("a run's graph shows the most telling state of each task") {
  const auto workflow = parsed("name: g\ntasks:\n  a: {run: \"true\"}\n  b: {matrix: {i: [1, 2]}, run: \"true\"}\n");
  DrawnGraph graph = drawn_graph(*workflow, false);
  views::RunView run;
  run.workflow = "g";
  run.number = 7;
  views::TaskSummary a, b;
  a.task = "a";
  a.states = {{"succeeded", 1}};
  b.task = "b";
  b.states = {{"succeeded", 2}, {"failed", 1}};
  run.summary = {a, b};
  add_states(graph, run);
  CHECK(graph.name == "g #7");
  CHECK(graph.nodes[0].state == "succeeded");
  CHECK(graph.nodes[1].state == "failed");
  CHECK(graph.nodes[1].instances == 3);
}

}  // namespace
}  // namespace baton::cli
