// The needs of all tasks as one graph.
#include <fmt/format.h>

#include "parse.hpp"

namespace baton::workflow {
namespace {

constexpr int kCycles = 10;              // reported for one file
constexpr std::size_t kCycleNames = 12;  // shown of one cycle

std::string describe(const FileContext& file, const std::vector<graph::Vertex>& path) {
  std::string text;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (i == kCycleNames && path.size() > kCycleNames + 1) {
      text += fmt::format("… ({} more) -> ", path.size() - kCycleNames);
      break;
    }
    text += fmt::format("{} -> ", file.heads[path[i]].id);
  }
  return text + std::string(file.heads[path.front()].id);
}

}  // namespace

void build_graph(FileContext& file, std::vector<graph::Dag::Edge> edges, std::vector<std::uint32_t> places) {
  const auto size = static_cast<std::uint32_t>(file.heads.size());
  for (int cycle = 0; cycle < kCycles; ++cycle) {
    auto dag = graph::Dag::build(size, edges);
    if (dag) {
      file.spec.dag = *std::move(dag);
      return;
    }
    const std::vector<graph::Vertex>& path = dag.error().path;
    // Without this edge the next round finds what else is wrong.
    const graph::Vertex to = path.front(), from = path[1 % path.size()];
    std::size_t kept = 0, place = 0;
    for (std::size_t i = 0; i < edges.size(); ++i) {
      if (edges[i].from == from && edges[i].to == to) {
        place = places[i];
        continue;
      }
      edges[kept] = edges[i];
      places[kept++] = places[i];
    }
    edges.resize(kept);
    places.resize(kept);
    file.problems.error(place, fmt::format("the tasks need each other in a circle: {}", describe(file, path)));
  }
}

}  // namespace baton::workflow
