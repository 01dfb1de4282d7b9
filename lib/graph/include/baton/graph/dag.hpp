// The dependency graph of one workflow, frozen into index arrays.
#pragma once
#include <cstdint>
#include <expected>
#include <span>
#include <utility>
#include <vector>

namespace baton::graph {

using Vertex = std::uint32_t;

// An acyclic graph over the vertices 0..size()-1. Immutable; spans live as long as the Dag.
class Dag {
 public:
  struct Cycle {
    std::vector<Vertex> path;  // each vertex needs the next one, the last one needs the first
  };
  struct Edge {
    Vertex from;  // must end before
    Vertex to;    // may start
  };

  Dag() = default;
  // Duplicate edges count once. Every endpoint must be below `vertices`.
  static std::expected<Dag, Cycle> build(std::uint32_t vertices, std::span<const Edge> edges);

  [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(order_.size()); }
  [[nodiscard]] std::span<const Vertex> needs(Vertex v) const;       // direct predecessors, ascending
  [[nodiscard]] std::span<const Vertex> dependents(Vertex v) const;  // direct successors, ascending
  // A topological order; among vertices that could come next the lowest index comes first.
  [[nodiscard]] std::span<const Vertex> order() const { return order_; }
  // The number of vertices on the longest path that starts at v (≥ 1): v's place on the critical path.
  [[nodiscard]] std::uint32_t height(Vertex v) const { return height_[v]; }
  // The number of vertices on the longest path that ends before v (0 for roots).
  [[nodiscard]] std::uint32_t depth(Vertex v) const { return depth_[v]; }
  // One longest path, first vertex first.
  [[nodiscard]] std::vector<Vertex> critical_path() const;
  // The edges that remain when every edge implied by a longer path is left out, for drawing.
  [[nodiscard]] std::vector<Edge> transitive_reduction() const;

 private:
  std::vector<std::uint32_t> needs_begin_{0}, dependents_begin_{0};  // size()+1 offsets into the arrays below
  std::vector<Vertex> needs_, dependents_, order_;
  std::vector<std::uint32_t> height_, depth_;
};

}  // namespace baton::graph
