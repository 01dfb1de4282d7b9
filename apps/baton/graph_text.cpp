#include "graph_text.hpp"

#include <fmt/format.h>
#include <baton/base/text.hpp>

#include <algorithm>
#include <array>
#include <unordered_map>

namespace baton::cli {
namespace {

// Of the states of a task's instances the one that a person would ask about first.
constexpr std::array<std::string_view, 12> kMostTelling{"failed",   "awaiting_approval", "unreachable", "running",
                                                        "starting", "backoff",           "ready",       "cancelled",
                                                        "waiting",  "upstream_failed",   "succeeded",   "skipped"};

std::string_view colour_of(std::string_view state) {
  if (state == "succeeded") return "#c8e6c9";
  if (state == "failed") return "#ffcdd2";
  if (state == "running" || state == "starting") return "#bbdefb";
  if (state == "backoff" || state == "awaiting_approval" || state == "unreachable") return "#fff9c4";
  if (state == "cancelled" || state == "skipped" || state == "upstream_failed") return "#e0e0e0";
  return "#ffffff";
}

// A double-quoted string of the DOT language.
std::string dot_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

std::string label_of(const DrawnGraph::Node& node) {
  if (!node.is_matrix) return node.id;
  return node.id + (node.instances ? fmt::format(" ×{}", *node.instances) : std::string(" ×?"));
}

}  // namespace

DrawnGraph drawn_graph(const workflow::WorkflowSpec& workflow, bool reduced) {
  DrawnGraph graph;
  graph.name = workflow.name;
  for (const workflow::TaskSpec& task : workflow.tasks) {
    DrawnGraph::Node node{
        task.id, std::string(to_string(task.kind)), std::nullopt, task.matrix.has_value(), task.is_finally, ""};
    if (task.matrix && task.matrix->fixed) node.instances = task.matrix->fixed->size();
    graph.nodes.push_back(std::move(node));
  }
  if (reduced) {
    for (const graph::Dag::Edge& edge : workflow.dag.transitive_reduction())
      graph.edges.emplace_back(edge.from, edge.to);
    std::sort(graph.edges.begin(), graph.edges.end());
  } else {
    for (std::uint32_t from = 0; from < workflow.dag.size(); ++from) {
      for (const graph::Vertex to : workflow.dag.dependents(from)) graph.edges.emplace_back(from, to);
    }
  }
  return graph;
}

void add_states(DrawnGraph& graph, const views::RunView& run) {
  std::unordered_map<std::string, const views::TaskSummary*> tasks;
  for (const views::TaskSummary& task : run.summary) tasks.emplace(task.task, &task);
  for (DrawnGraph::Node& node : graph.nodes) {
    const auto found = tasks.find(node.id);
    if (found == tasks.end()) continue;
    const auto& states = found->second->states;
    std::uint64_t total = 0;
    for (const auto& [state, count] : states) total += count;
    if (node.is_matrix && total != 0) node.instances = total;
    const auto telling = std::find_if(kMostTelling.begin(), kMostTelling.end(), [&](std::string_view state) {
      const auto at = states.find(std::string(state));
      return at != states.end() && at->second != 0;
    });
    if (telling != kMostTelling.end()) node.state = *telling;
  }
  graph.name = fmt::format("{} #{}", run.workflow, run.number);
}

std::string to_dot(const DrawnGraph& graph) {
  std::string out =
      fmt::format("digraph {} {{\n  rankdir=LR;\n  node [shape=box, style=\"rounded,filled\", fillcolor=white];\n",
                  dot_string(graph.name));
  const auto node = [&](const DrawnGraph::Node& drawn, std::string_view indent) {
    out += fmt::format("{}{} [label={}", indent, dot_string(drawn.id), dot_string(label_of(drawn)));
    if (!drawn.state.empty())
      out += fmt::format(", fillcolor={}, tooltip={}", dot_string(colour_of(drawn.state)), dot_string(drawn.state));
    out += "];\n";
  };
  for (const DrawnGraph::Node& drawn : graph.nodes) {
    if (!drawn.is_finally) node(drawn, "  ");
  }
  if (std::any_of(graph.nodes.begin(), graph.nodes.end(), [](const auto& drawn) { return drawn.is_finally; })) {
    out += "  subgraph cluster_finally {\n    label=finally; style=dashed;\n";
    for (const DrawnGraph::Node& drawn : graph.nodes) {
      if (drawn.is_finally) node(drawn, "    ");
    }
    out += "  }\n";
  }
  for (const auto& [from, to] : graph.edges) {
    out += fmt::format("  {} -> {};\n", dot_string(graph.nodes[from].id), dot_string(graph.nodes[to].id));
  }
  return out + "}\n";
}

std::string to_mermaid(const DrawnGraph& graph) {
  // Ids are numbered, because mermaid has words of its own (`end`) that tasks may be called.
  std::string out = "flowchart LR\n";
  const auto node = [&](std::size_t i, std::string_view indent) {
    out += fmt::format("{}t{}[\"{}\"]\n", indent, i, label_of(graph.nodes[i]));
  };
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    if (!graph.nodes[i].is_finally) node(i, "  ");
  }
  if (std::any_of(graph.nodes.begin(), graph.nodes.end(), [](const auto& drawn) { return drawn.is_finally; })) {
    out += "  subgraph finally\n";
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      if (graph.nodes[i].is_finally) node(i, "    ");
    }
    out += "  end\n";
  }
  for (const auto& [from, to] : graph.edges) out += fmt::format("  t{} --> t{}\n", from, to);
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    if (!graph.nodes[i].state.empty()) out += fmt::format("  style t{} fill:{}\n", i, colour_of(graph.nodes[i].state));
  }
  return out;
}

nlohmann::json to_json(const DrawnGraph& graph) {
  nlohmann::json nodes = nlohmann::json::array();
  for (const DrawnGraph::Node& node : graph.nodes) {
    nlohmann::json json{{"name", node.id},
                        {"kind", node.kind},
                        {"finally", node.is_finally},
                        {"matrix", node.is_matrix},
                        {"instances", nullptr}};
    if (!node.is_matrix) json["instances"] = 1;
    if (node.instances) json["instances"] = *node.instances;
    if (!node.state.empty()) json["state"] = node.state;
    nodes.push_back(std::move(json));
  }
  nlohmann::json edges = nlohmann::json::array();
  for (const auto& [from, to] : graph.edges) {
    edges.push_back({{"from", graph.nodes[from].id}, {"to", graph.nodes[to].id}});
  }
  return {{"name", graph.name}, {"nodes", std::move(nodes)}, {"edges", std::move(edges)}};
}

}  // namespace baton::cli
