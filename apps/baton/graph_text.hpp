// A workflow's graph in the languages of drawing programs.
#pragma once
#include <baton/views/views.hpp>
#include <baton/workflow/spec.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace baton::cli {

struct DrawnGraph {
  struct Node {
    std::string id;
    std::string kind;
    std::optional<std::uint64_t> instances;  // of a matrix, if known
    bool is_matrix = false;
    bool is_finally = false;
    std::string state;  // of a run's task: the most telling one of its instances; empty for a workflow
  };
  std::string name;
  std::vector<Node> nodes;                                     // in the workflow's order
  std::vector<std::pair<std::uint32_t, std::uint32_t>> edges;  // indexes into nodes: from ends before to starts
};

// `reduced`: without the edges that longer paths imply.
DrawnGraph drawn_graph(const workflow::WorkflowSpec& workflow, bool reduced);
// Adds what a run's tasks are doing.
void add_states(DrawnGraph& graph, const views::RunView& run);

std::string to_dot(const DrawnGraph& graph);      // Graphviz
std::string to_mermaid(const DrawnGraph& graph);  // mermaid.js, as Markdown viewers draw it
nlohmann::json to_json(const DrawnGraph& graph);

}  // namespace baton::cli
