#include <baton/graph/dag.hpp>
#include <boost/graph/compressed_sparse_row_graph.hpp>

#include <algorithm>
#include <cassert>
#include <functional>
#include <iterator>
#include <queue>

namespace baton::graph {
namespace {

using Csr = boost::compressed_sparse_row_graph<boost::directedS, boost::no_property, boost::no_property,
                                               boost::no_property, Vertex, std::uint32_t>;

struct Adjacency {
  std::vector<std::uint32_t> begin;
  std::vector<Vertex> targets;
};

Csr csr(std::uint32_t vertices, std::span<const Dag::Edge> edges, bool reversed) {
  std::vector<std::pair<Vertex, Vertex>> pairs(edges.size());
  std::transform(edges.begin(), edges.end(), pairs.begin(), [reversed](const Dag::Edge& edge) {
    return reversed ? std::pair(edge.to, edge.from) : std::pair(edge.from, edge.to);
  });
  return {boost::edges_are_unsorted_multi_pass, pairs.begin(), pairs.end(), vertices};
}

// The graph's adjacency, ascending and each target once.
Adjacency freeze(const Csr& graph) {
  const auto vertices = static_cast<Vertex>(boost::num_vertices(graph));
  Adjacency result;
  result.begin.reserve(vertices + std::size_t{1});
  result.targets.reserve(boost::num_edges(graph));
  result.begin.push_back(0);
  for (Vertex v = 0; v < vertices; ++v) {
    const auto first = static_cast<std::ptrdiff_t>(result.targets.size());
    const auto [next, end] = boost::adjacent_vertices(v, graph);
    std::copy(next, end, std::back_inserter(result.targets));
    std::sort(result.targets.begin() + first, result.targets.end());
    result.targets.erase(std::unique(result.targets.begin() + first, result.targets.end()), result.targets.end());
    result.begin.push_back(static_cast<std::uint32_t>(result.targets.size()));
  }
  return result;
}

// Kahn's algorithm; vertices on a cycle or behind one are left out.
std::vector<Vertex> lowest_first_order(const Csr& dependents, std::vector<std::uint32_t>& open_needs) {
  std::vector<Vertex> order;
  order.reserve(open_needs.size());
  std::priority_queue<Vertex, std::vector<Vertex>, std::greater<>> free;
  for (Vertex v = 0; v < open_needs.size(); ++v) {
    if (open_needs[v] == 0) free.push(v);
  }
  while (!free.empty()) {
    const Vertex v = free.top();
    free.pop();
    order.push_back(v);
    for (auto [next, end] = boost::adjacent_vertices(v, dependents); next != end; ++next) {
      if (--open_needs[*next] == 0) free.push(*next);
    }
  }
  return order;
}

// Every vertex that Kahn's algorithm left has a need that was left too, so walking along them must come back.
Dag::Cycle find_cycle(const Adjacency& needs, const std::vector<std::uint32_t>& open_needs) {
  const auto is_left = [&](Vertex v) { return open_needs[v] != 0; };
  Vertex v = 0;
  while (!is_left(v)) ++v;
  std::vector<Vertex> path;
  std::vector<std::uint32_t> place(open_needs.size(), 0);  // in `path`, from 1
  while (place[v] == 0) {
    path.push_back(v);
    place[v] = static_cast<std::uint32_t>(path.size());
    const auto first = needs.targets.begin() + needs.begin[v];
    v = *std::find_if(first, needs.targets.begin() + needs.begin[v + 1], is_left);
  }
  path.erase(path.begin(), path.begin() + (place[v] - 1));
  std::rotate(path.begin(), std::min_element(path.begin(), path.end()), path.end());
  return {std::move(path)};
}

}  // namespace

std::expected<Dag, Dag::Cycle> Dag::build(std::uint32_t vertices, std::span<const Edge> edges) {
  assert(std::all_of(edges.begin(), edges.end(),
                     [vertices](const Edge& edge) { return edge.from < vertices && edge.to < vertices; }));
  const Csr forward = csr(vertices, edges, false);
  Adjacency needs = freeze(csr(vertices, edges, true));

  std::vector<std::uint32_t> open_needs(vertices, 0);
  for (const Edge& edge : edges) ++open_needs[edge.to];  // duplicates too: `forward` still has them
  std::vector<Vertex> order = lowest_first_order(forward, open_needs);
  if (order.size() < vertices) return std::unexpected(find_cycle(needs, open_needs));

  Adjacency dependents = freeze(forward);
  Dag dag;
  dag.depth_.assign(vertices, 0);
  dag.height_.assign(vertices, 1);
  for (const Vertex v : order) {
    for (std::uint32_t i = dependents.begin[v]; i < dependents.begin[v + 1]; ++i) {
      std::uint32_t& depth = dag.depth_[dependents.targets[i]];
      depth = std::max(depth, dag.depth_[v] + 1);
    }
  }
  for (auto v = order.rbegin(); v != order.rend(); ++v) {
    for (std::uint32_t i = dependents.begin[*v]; i < dependents.begin[*v + 1]; ++i) {
      dag.height_[*v] = std::max(dag.height_[*v], dag.height_[dependents.targets[i]] + 1);
    }
  }
  dag.needs_begin_ = std::move(needs.begin);
  dag.needs_ = std::move(needs.targets);
  dag.dependents_begin_ = std::move(dependents.begin);
  dag.dependents_ = std::move(dependents.targets);
  dag.order_ = std::move(order);
  return dag;
}

std::span<const Vertex> Dag::needs(Vertex v) const {
  return std::span(needs_).subspan(needs_begin_[v], needs_begin_[v + 1] - needs_begin_[v]);
}

std::span<const Vertex> Dag::dependents(Vertex v) const {
  return std::span(dependents_).subspan(dependents_begin_[v], dependents_begin_[v + 1] - dependents_begin_[v]);
}

std::vector<Vertex> Dag::critical_path() const {
  std::vector<Vertex> path;
  const auto highest = std::max_element(height_.begin(), height_.end());
  if (highest == height_.end()) return path;
  path.reserve(*highest);
  auto v = static_cast<Vertex>(highest - height_.begin());
  path.push_back(v);
  while (height_[v] > 1) {
    const std::span<const Vertex> next = dependents(v);
    v = *std::find_if(next.begin(), next.end(), [&](Vertex w) { return height_[w] + 1 == height_[v]; });
    path.push_back(v);
  }
  return path;
}

// An edge over more than one level of depth is left out if its end can be reached through another dependent. The search
// for one vertex visits nothing that is deeper than its deepest dependent, and each vertex once.
std::vector<Dag::Edge> Dag::transitive_reduction() const {
  std::vector<Edge> kept;
  std::vector<Vertex> seen_from(size(), size()), open;
  for (Vertex from = 0; from < size(); ++from) {
    const std::span<const Vertex> targets = dependents(from);
    std::uint32_t deepest = 0;
    for (const Vertex to : targets) deepest = std::max(deepest, depth_[to]);
    if (deepest > depth_[from] + 1) open.assign(targets.begin(), targets.end());
    while (!open.empty()) {
      const Vertex v = open.back();
      open.pop_back();
      for (const Vertex w : dependents(v)) {
        if (depth_[w] > deepest || seen_from[w] == from) continue;
        seen_from[w] = from;
        open.push_back(w);
      }
    }
    for (const Vertex to : targets) {
      if (seen_from[to] != from) kept.push_back({from, to});
    }
  }
  return kept;
}

}  // namespace baton::graph
