// A YAML document as a tree of values that know where they stand in the file. Built from yaml-cpp's events under the
// bounds of limits.hpp, so that no file can exhaust memory or the stack; whoever walks the tree may recurse.
#pragma once
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "problems.hpp"
#include "source_text.hpp"

namespace baton::workflow {

enum class NodeKind : std::uint8_t { null, scalar, list, map };

struct NodeData {
  std::uint32_t begin = 0;   // a scalar's first byte in the source or the arena, a collection's first child
  std::uint32_t size = 0;    // bytes or children (a map's keys and values both count)
  std::uint32_t offset = 0;  // where it stands in the source
  std::uint32_t next = 0;    // its next sibling
  NodeKind kind = NodeKind::null;
  bool quoted = false;    // not a plain scalar: always a string
  bool in_arena = false;  // the text is not in the source as it is: it has escapes, or spans lines
};

class Tree;

// A handle to one node; cheap to copy, valid as long as its tree.
class Node {
 public:
  Node() = default;
  Node(const Tree* tree, std::uint32_t index) : tree_(tree), index_(index) {}

  [[nodiscard]] NodeKind kind() const;
  [[nodiscard]] bool is_null() const { return kind() == NodeKind::null; }
  [[nodiscard]] bool is_scalar() const { return kind() == NodeKind::scalar; }
  [[nodiscard]] bool is_list() const { return kind() == NodeKind::list; }
  [[nodiscard]] bool is_map() const { return kind() == NodeKind::map; }
  [[nodiscard]] bool is_quoted() const;
  [[nodiscard]] std::string_view text() const;  // of a scalar
  [[nodiscard]] std::size_t offset() const;     // of the node
  // Of the scalar's first character, if its text stands in the source as it is.
  [[nodiscard]] std::optional<std::size_t> text_offset() const;
  // Of the scalar as it is written, with its anchor and tag; of an alias: of what it stands for.
  [[nodiscard]] std::size_t written_at() const;
  [[nodiscard]] std::size_t size() const;  // a list's items, a map's entries
  // A map's value; nullopt if there is none.
  [[nodiscard]] std::optional<Node> find(std::string_view key) const;

  struct Entry;
  class ItemIterator;
  class EntryIterator;
  template <class Iterator>
  struct Range {
    Iterator first, last;
    Iterator begin() const { return first; }
    Iterator end() const { return last; }
  };
  [[nodiscard]] Range<ItemIterator> items() const;     // of a list
  [[nodiscard]] Range<EntryIterator> entries() const;  // of a map, in file order; keys are scalars

 private:
  const Tree* tree_ = nullptr;
  std::uint32_t index_ = 0;
};

struct Node::Entry {
  Node key, value;
};

class Tree {
 public:
  // Reads the one document in `source`. Everything wrong is reported; nullopt if there is nothing to work on. The
  // source must outlive the tree, and the tree must not move while there are nodes of it.
  static std::unique_ptr<Tree> read(const SourceText& source, Problems& problems);
  explicit Tree(std::string_view source) : source_(source) {}

  [[nodiscard]] Node root() const { return {this, root_}; }
  [[nodiscard]] const NodeData& data(std::uint32_t index) const { return chunks_[index / kChunk][index % kChunk]; }
  [[nodiscard]] NodeData& data(std::uint32_t index) { return chunks_[index / kChunk][index % kChunk]; }
  [[nodiscard]] std::string_view text(const NodeData& node) const {
    return (node.in_arena ? std::string_view(arena_) : source_).substr(node.begin, node.size);
  }
  // Where a scalar is written whose text is in the arena.
  [[nodiscard]] std::size_t written_at(const NodeData& node) const;
  [[nodiscard]] std::uint32_t size() const { return size_; }

  // For whoever builds it.
  std::uint32_t add(const NodeData& node);
  void set_text(NodeData& node, std::string_view text);
  void set_root(std::uint32_t index) { root_ = index; }

 private:
  static constexpr std::uint32_t kChunk = 4096;
  std::string_view source_;
  std::string arena_;
  struct Copy {
    std::uint32_t begin, offset;  // in the arena, in the source
  };
  std::vector<Copy> copies_;  // ascending
  std::vector<std::unique_ptr<NodeData[]>> chunks_;
  std::uint32_t size_ = 0;
  std::uint32_t root_ = 0;
};

// Nothing but comments and white space, which is no document.
bool is_blank(std::string_view text);

inline NodeKind Node::kind() const { return tree_->data(index_).kind; }
inline bool Node::is_quoted() const { return tree_->data(index_).quoted; }
inline std::string_view Node::text() const { return tree_->text(tree_->data(index_)); }
inline std::size_t Node::offset() const { return tree_->data(index_).offset; }
inline std::size_t Node::size() const {
  const NodeData& node = tree_->data(index_);
  return node.kind == NodeKind::map ? node.size / 2 : node.size;
}

class Node::ItemIterator {
 public:
  ItemIterator(const Tree* tree, std::uint32_t index, std::size_t left) : tree_(tree), index_(index), left_(left) {}
  Node operator*() const { return {tree_, index_}; }
  ItemIterator& operator++() {
    index_ = tree_->data(index_).next;
    --left_;
    return *this;
  }
  bool operator!=(const ItemIterator& other) const { return left_ != other.left_; }

 private:
  const Tree* tree_;
  std::uint32_t index_;
  std::size_t left_;
};

class Node::EntryIterator {
 public:
  EntryIterator(const Tree* tree, std::uint32_t index, std::size_t left) : tree_(tree), index_(index), left_(left) {}
  Entry operator*() const { return {{tree_, index_}, {tree_, tree_->data(index_).next}}; }
  EntryIterator& operator++() {
    index_ = tree_->data(tree_->data(index_).next).next;
    left_ -= 2;
    return *this;
  }
  bool operator!=(const EntryIterator& other) const { return left_ != other.left_; }

 private:
  const Tree* tree_;
  std::uint32_t index_;
  std::size_t left_;
};

inline Node::Range<Node::ItemIterator> Node::items() const {
  const NodeData& node = tree_->data(index_);
  return {{tree_, node.begin, node.size}, {tree_, 0, 0}};
}
inline Node::Range<Node::EntryIterator> Node::entries() const {
  const NodeData& node = tree_->data(index_);
  return {{tree_, node.begin, node.size}, {tree_, 0, 0}};
}

}  // namespace baton::workflow
