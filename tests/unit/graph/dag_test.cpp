#include <baton/graph/dag.hpp>

#include <algorithm>
#include <random>
#include <vector>

#include "catch.hpp"

namespace {

using baton::graph::Dag;
using baton::graph::Vertex;
using Edges = std::vector<Dag::Edge>;

Dag dag(std::uint32_t vertices, const Edges& edges) {
  auto result = Dag::build(vertices, edges);
  REQUIRE(result.has_value());
  return *std::move(result);
}

std::vector<Vertex> vec(std::span<const Vertex> span) { return {span.begin(), span.end()}; }

Edges sorted(Edges edges) {
  std::sort(edges.begin(), edges.end(),
            [](auto a, auto b) { return std::pair(a.from, a.to) < std::pair(b.from, b.to); });
  return edges;
}

std::vector<std::pair<Vertex, Vertex>> pairs(const Edges& edges) {
  std::vector<std::pair<Vertex, Vertex>> out;
  for (const auto edge : sorted(edges)) out.emplace_back(edge.from, edge.to);
  return out;
}

// Reachability by matrix, for graphs of up to 64 vertices.
std::vector<std::uint64_t> reach(std::uint32_t vertices, const Edges& edges) {
  std::vector<std::uint64_t> bits(vertices, 0);
  for (const auto edge : edges) bits[edge.from] |= std::uint64_t{1} << edge.to;
  for (std::uint32_t k = 0; k < vertices; ++k) {
    for (std::uint32_t i = 0; i < vertices; ++i) {
      if (bits[i] >> k & 1) bits[i] |= bits[k];
    }
  }
  return bits;
}

}  // namespace

TEST_CASE("an empty graph has no order and no path") {
  const Dag none = dag(0, {});
  CHECK(none.size() == 0);
  CHECK(none.critical_path().empty());
  CHECK(none.transitive_reduction().empty());
  CHECK(Dag{}.size() == 0);
}

TEST_CASE("neighbours are ascending and duplicate edges count once") {
  const Dag d = dag(4, {{0, 3}, {2, 3}, {0, 3}, {1, 3}, {0, 2}, {2, 3}});
  CHECK(vec(d.needs(3)) == std::vector<Vertex>{0, 1, 2});
  CHECK(vec(d.dependents(0)) == std::vector<Vertex>{2, 3});
  CHECK(vec(d.needs(0)).empty());
  CHECK(vec(d.dependents(3)).empty());
}

TEST_CASE("the order takes the lowest free vertex first") {
  CHECK(vec(dag(5, {{4, 0}, {3, 1}}).order()) == std::vector<Vertex>{2, 3, 1, 4, 0});
  CHECK(vec(dag(3, {}).order()) == std::vector<Vertex>{0, 1, 2});
}

TEST_CASE("height and depth count the longest paths") {
  const Dag d = dag(5, {{0, 1}, {1, 2}, {0, 2}, {3, 2}});
  CHECK(d.height(0) == 3);
  CHECK(d.height(3) == 2);
  CHECK(d.height(4) == 1);
  CHECK(d.depth(0) == 0);
  CHECK(d.depth(2) == 2);
  CHECK(d.depth(4) == 0);
  CHECK(d.critical_path() == std::vector<Vertex>{0, 1, 2});
}

TEST_CASE("a cycle is reported along its needs") {
  const auto path = [](std::uint32_t vertices, const Edges& edges) {
    const auto result = Dag::build(vertices, edges);
    REQUIRE_FALSE(result.has_value());
    return result.error().path;
  };
  CHECK(path(1, {{0, 0}}) == std::vector<Vertex>{0});
  CHECK(path(2, {{0, 1}, {1, 0}}) == std::vector<Vertex>{0, 1});
  // 1 needs 3, 3 needs 2, 2 needs 1; 0 comes before it and 4 behind it.
  CHECK(path(5, {{0, 1}, {3, 1}, {2, 3}, {1, 2}, {2, 4}}) == std::vector<Vertex>{1, 3, 2});
}

TEST_CASE("every reported cycle consists of edges") {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    const std::uint32_t vertices = 2 + random() % 12;
    Edges edges;
    for (std::uint32_t i = 0; i < vertices * 2; ++i) {
      edges.push_back({static_cast<Vertex>(random() % vertices), static_cast<Vertex>(random() % vertices)});
    }
    const auto bits = reach(vertices, edges);
    bool cyclic = false;
    for (std::uint32_t v = 0; v < vertices; ++v) cyclic = cyclic || (bits[v] >> v & 1);
    const auto result = Dag::build(vertices, edges);
    REQUIRE(result.has_value() == !cyclic);
    if (!cyclic) continue;
    const auto& path = result.error().path;
    REQUIRE_FALSE(path.empty());
    for (std::size_t i = 0; i < path.size(); ++i) {
      const Vertex need = path[(i + 1) % path.size()];
      CHECK(std::any_of(edges.begin(), edges.end(), [&](auto e) { return e.from == need && e.to == path[i]; }));
    }
  }
}

TEST_CASE("the transitive reduction is the smallest graph with the same paths") {
  CHECK(pairs(dag(3, {{0, 1}, {1, 2}, {0, 2}}).transitive_reduction()) ==
        std::vector<std::pair<Vertex, Vertex>>{{0, 1}, {1, 2}});
  std::mt19937 random(11);
  for (int round = 0; round < 300; ++round) {
    const std::uint32_t vertices = 2 + random() % 20;
    Edges edges;
    for (std::uint32_t i = 0; i < vertices * 3; ++i) {
      const auto a = static_cast<Vertex>(random() % vertices), b = static_cast<Vertex>(random() % vertices);
      if (a != b) edges.push_back({std::max(a, b), std::min(a, b)});  // downwards, so that indexes are not the order
    }
    const Edges reduced = dag(vertices, edges).transitive_reduction();
    const auto bits = reach(vertices, edges);
    REQUIRE(reach(vertices, reduced) == bits);
    for (const auto edge : reduced) {
      Edges without;
      for (const auto other : reduced) {
        if (other.from != edge.from || other.to != edge.to) without.push_back(other);
      }
      REQUIRE(reach(vertices, without) != bits);
    }
  }
}

TEST_CASE("the order respects every edge and a longest path is found") {
  std::mt19937 random(13);
  for (int round = 0; round < 200; ++round) {
    const std::uint32_t vertices = 1 + random() % 30;
    Edges edges;
    for (std::uint32_t i = 0; vertices > 1 && i < vertices * 2; ++i) {
      const auto a = static_cast<Vertex>(random() % vertices), b = static_cast<Vertex>(random() % vertices);
      if (a != b) edges.push_back({std::max(a, b), std::min(a, b)});
    }
    const Dag d = dag(vertices, edges);
    std::vector<std::uint32_t> place(vertices);
    for (std::uint32_t i = 0; i < vertices; ++i) place[d.order()[i]] = i;
    for (const auto edge : edges) {
      REQUIRE(place[edge.from] < place[edge.to]);
      REQUIRE(d.height(edge.from) > d.height(edge.to));
      REQUIRE(d.depth(edge.from) < d.depth(edge.to));
    }
    const auto path = d.critical_path();
    for (std::size_t i = 1; i < path.size(); ++i) {
      const auto next = d.dependents(path[i - 1]);
      REQUIRE(std::binary_search(next.begin(), next.end(), path[i]));
    }
    for (Vertex v = 0; v < vertices; ++v) REQUIRE(d.height(v) <= path.size());
  }
}

TEST_CASE("a chain of a million does not use the stack") {
  constexpr std::uint32_t kSize = 1'000'000;
  Edges edges;
  for (Vertex v = kSize - 1; v > 0; --v) edges.push_back({v, v - 1});
  const Dag d = dag(kSize, edges);
  CHECK(d.height(kSize - 1) == kSize);
  CHECK(d.depth(0) == kSize - 1);
  CHECK(d.critical_path().size() == kSize);
  CHECK(d.transitive_reduction().size() == kSize - 1);
  edges.push_back({0, kSize - 1});
  const auto cycle = Dag::build(kSize, edges);
  REQUIRE_FALSE(cycle.has_value());
  CHECK(cycle.error().path.size() == kSize);
}

TEST_CASE("a million vertices with two million edges") {
  constexpr std::uint32_t kSize = 1'000'000;
  std::mt19937 random(17);
  Edges edges;
  for (Vertex v = 1; v < kSize; ++v) {
    edges.push_back({static_cast<Vertex>(random() % v), v});
    edges.push_back({static_cast<Vertex>(random() % v), v});
  }
  const Dag d = dag(kSize, edges);
  CHECK(d.size() == kSize);
  CHECK(d.order()[0] == 0);
  CHECK(d.critical_path().size() == d.height(0));
}
