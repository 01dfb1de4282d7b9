#include "yaml_tree.hpp"

#include <algorithm>

namespace baton::workflow {

std::optional<std::size_t> Node::text_offset() const {
  const NodeData& node = tree_->data(index_);
  if (node.kind != NodeKind::scalar || node.in_arena) return std::nullopt;
  return node.begin;
}

std::size_t Node::written_at() const {
  const NodeData& node = tree_->data(index_);
  return node.in_arena ? tree_->written_at(node) : node.begin;
}

// An empty text may have its place from the one before it: there is nothing in it to be found.
std::size_t Tree::written_at(const NodeData& node) const {
  const auto behind = std::upper_bound(copies_.begin(), copies_.end(), node.begin,
                                       [](std::uint32_t begin, const Copy& copy) { return begin < copy.begin; });
  return std::prev(behind)->offset;
}

std::optional<Node> Node::find(std::string_view key) const {
  if (!is_map()) return std::nullopt;
  for (const auto [name, value] : entries()) {
    if (name.text() == key) return value;
  }
  return std::nullopt;
}

bool is_blank(std::string_view text) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    const std::size_t first = line.find_first_not_of(" \t\r");
    if (first != std::string_view::npos && line[first] != '#') return false;
    text.remove_prefix(std::min(text.size(), line.size() + 1));
  }
  return true;
}

std::uint32_t Tree::add(const NodeData& node) {
  if (size_ % kChunk == 0) chunks_.push_back(std::make_unique<NodeData[]>(kChunk));
  data(size_) = node;
  return size_++;
}

void Tree::set_text(NodeData& node, std::string_view text) {
  node.size = static_cast<std::uint32_t>(text.size());
  // Most scalars stand in the file as they are; behind the quote, if they have one.
  std::size_t begin = node.offset;
  if (node.quoted && begin < source_.size() && (source_[begin] == '"' || source_[begin] == '\'')) ++begin;
  if (begin <= source_.size() && source_.substr(begin, text.size()) == text) {
    node.begin = static_cast<std::uint32_t>(begin);
    return;
  }
  node.in_arena = true;
  node.begin = static_cast<std::uint32_t>(arena_.size());
  copies_.push_back({node.begin, node.offset});
  arena_ += text;
}

}  // namespace baton::workflow
