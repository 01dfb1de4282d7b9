// Builds a Tree from a parser's events and checks what YAML itself demands: keys that are strings and stand once,
// aliases that end, merge keys (`<<`), and the bounds on depth and size.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "problems.hpp"
#include "yaml_tree.hpp"

namespace baton::workflow {

class TreeBuilder {
 public:
  // Thrown through the parser to stop it, after the reason was reported.
  struct Stop {};
  using Anchor = std::size_t;  // counts from 1; 0: none

  TreeBuilder(Tree& tree, Problems& problems) : tree_(tree), problems_(problems) {}
  void null(std::size_t offset, Anchor anchor);
  void scalar(std::size_t offset, std::string_view tag, Anchor anchor, std::string_view value);
  void alias(std::size_t offset, Anchor anchor);
  void start(NodeKind kind, std::size_t offset, std::string_view tag, Anchor anchor);
  void end();
  // Where the innermost collection that is not complete begins.
  [[nodiscard]] std::optional<std::size_t> innermost() const;

 private:
  // Of a part of the document, counting what aliases stand for.
  struct Size {
    std::uint64_t nodes = 0;
    std::uint64_t bytes = 0;  // of text
    Size& operator+=(const Size& other) {
      nodes += other.nodes;
      bytes += other.bytes;
      return *this;
    }
  };
  struct Frame {
    std::uint32_t node;
    std::uint32_t last = 0;  // child
    bool rewrite = false;    // the map has a key that cannot stay
    Anchor anchor = 0;
    Size before;  // total_ when it began
  };
  struct Anchored {
    std::uint32_t node = 0;
    Size size;
    bool complete = false;
  };
  using Pair = std::pair<std::uint32_t, std::uint32_t>;

  [[noreturn]] void stop(std::size_t offset, std::string message, std::string hint = {});
  std::uint32_t append(const NodeData& node);
  void remember(Anchor anchor, std::uint32_t node, Size size, bool complete);
  void check_tag(std::size_t offset, std::string_view tag);
  void check_key(const NodeData& node);
  [[nodiscard]] std::size_t place_of_null(std::size_t offset) const;
  void finish_map(Frame& frame);
  [[nodiscard]] std::vector<Pair> pairs(std::uint32_t map) const;
  void merge(std::vector<Pair>& pairs);
  void merge_from(std::uint32_t value, std::vector<Pair>& merged);
  bool drop_duplicates(std::vector<Pair>& pairs);
  void relink(std::uint32_t map, const std::vector<Pair>& pairs);
  [[nodiscard]] std::string_view text(std::uint32_t index) const { return tree_.text(tree_.data(index)); }

  Tree& tree_;
  Problems& problems_;
  std::vector<Frame> frames_;
  std::vector<Anchored> anchors_;
  Size total_;
  Size aliased_;  // what aliases stand for
};

}  // namespace baton::workflow
