#include "tree_builder.hpp"

#include <fmt/format.h>
#include <baton/base/limits.hpp>

#include <algorithm>
#include <unordered_set>

namespace baton::workflow {
namespace {

constexpr std::size_t kAnchors = 100'000;

bool is_merge_key(const Tree& tree, const NodeData& node) {
  return node.kind == NodeKind::scalar && !node.quoted && tree.text(node) == "<<";
}

}  // namespace

void TreeBuilder::stop(std::size_t offset, std::string message, std::string hint) {
  problems_.only(offset, std::move(message), std::move(hint));
  throw Stop{};
}

std::uint32_t TreeBuilder::append(const NodeData& node) {
  if (tree_.size() >= limits::kYamlNodes) {
    stop(node.offset, fmt::format("the file has more than {} values", limits::kYamlNodes));
  }
  const std::uint32_t index = tree_.add(node);
  total_ += {1, node.kind == NodeKind::scalar ? tree_.text(node).size() : 0};
  if (frames_.empty()) {
    tree_.set_root(index);
    return index;
  }
  Frame& frame = frames_.back();
  NodeData& parent = tree_.data(frame.node);
  (parent.size == 0 ? parent.begin : tree_.data(frame.last).next) = index;
  frame.last = index;
  ++parent.size;
  if (parent.kind == NodeKind::map && parent.size % 2 == 1) check_key(node);
  return index;
}

void TreeBuilder::check_key(const NodeData& node) {
  if (node.kind != NodeKind::scalar) {
    problems_.error(node.offset, "a key must be a string");
    frames_.back().rewrite = true;
  } else if (is_merge_key(tree_, node)) {
    frames_.back().rewrite = true;
  }
}

void TreeBuilder::check_tag(std::size_t offset, std::string_view tag) {
  if (tag.size() <= 1 || tag == "tag:yaml.org,2002:str") return;
  problems_.error(offset, "YAML tags are not supported, except for `!!str`");
}

void TreeBuilder::remember(Anchor anchor, std::uint32_t node, Size size, bool complete) {
  if (anchor == 0) return;
  if (anchor > kAnchors) stop(tree_.data(node).offset, fmt::format("the file has more than {} anchors", kAnchors));
  if (anchors_.size() < anchor) anchors_.resize(anchor);
  anchors_[anchor - 1] = {node, size, complete};
}

std::optional<std::size_t> TreeBuilder::innermost() const {
  if (frames_.empty()) return std::nullopt;
  return tree_.data(frames_.back().node).offset;
}

// The parser places a value that is not there at whatever comes next; its key is what the user can go to.
std::size_t TreeBuilder::place_of_null(std::size_t offset) const {
  if (frames_.empty()) return offset;
  const NodeData& parent = tree_.data(frames_.back().node);
  const bool is_value = parent.kind == NodeKind::map && parent.size % 2 == 1;
  const std::string_view text = problems_.source().text();
  const std::string_view rest = text.substr(std::min(offset, text.size()));
  const std::string_view word = rest.substr(0, rest.find_first_of(" \t\r\n,]}"));
  const bool written = word == "~" || word == "null" || word == "Null" || word == "NULL" || word.starts_with('&');
  return is_value && !written ? tree_.data(frames_.back().last).offset : offset;
}

void TreeBuilder::null(std::size_t offset, Anchor anchor) {
  offset = place_of_null(offset);
  remember(anchor, append({.offset = static_cast<std::uint32_t>(offset), .kind = NodeKind::null}), {1, 0}, true);
}

void TreeBuilder::scalar(std::size_t offset, std::string_view tag, Anchor anchor, std::string_view value) {
  check_tag(offset, tag);
  if (value.find('\0') != std::string_view::npos) problems_.error(offset, "a value has a NUL character in it");
  NodeData node{.offset = static_cast<std::uint32_t>(offset), .kind = NodeKind::scalar, .quoted = tag != "?"};
  tree_.set_text(node, value);
  remember(anchor, append(node), {1, value.size()}, true);
}

void TreeBuilder::alias(std::size_t offset, Anchor anchor) {
  if (anchor == 0 || anchor > anchors_.size() || !anchors_[anchor - 1].complete) {
    stop(offset, "an alias stands inside of what it refers to");
  }
  const Anchored& target = anchors_[anchor - 1];
  constexpr const char* kHint = "this looks like an alias bomb; write the values out, or use a matrix";
  aliased_ += target.size;
  if (aliased_.nodes > limits::kYamlAliasExpansion) {
    stop(offset, fmt::format("aliases stand for more than {} values", limits::kYamlAliasExpansion), kHint);
  }
  if (aliased_.bytes > limits::kYamlAliasBytes) {
    stop(offset, fmt::format("aliases stand for more than {} MiB of text", limits::kYamlAliasBytes >> 20), kHint);
  }
  NodeData node = tree_.data(target.node);
  node.offset = static_cast<std::uint32_t>(offset);
  const Size size = target.size;
  append(node);  // which counts a node, and a scalar's text
  total_.nodes += size.nodes - 1;
  if (node.kind != NodeKind::scalar) total_.bytes += size.bytes;
}

void TreeBuilder::start(NodeKind kind, std::size_t offset, std::string_view tag, Anchor anchor) {
  check_tag(offset, tag);
  if (frames_.size() >= limits::kYamlDepth) {
    stop(offset, fmt::format("lists and maps are nested deeper than {}", limits::kYamlDepth));
  }
  const Size before = total_;
  const std::uint32_t index = append({.offset = static_cast<std::uint32_t>(offset), .kind = kind});
  remember(anchor, index, {}, false);
  frames_.push_back({.node = index, .anchor = anchor, .before = before});
}

void TreeBuilder::end() {
  Frame& frame = frames_.back();
  if (tree_.data(frame.node).kind == NodeKind::map) finish_map(frame);
  const Size size{total_.nodes - frame.before.nodes, total_.bytes - frame.before.bytes};
  remember(frame.anchor, frame.node, size, true);
  frames_.pop_back();
}

std::vector<TreeBuilder::Pair> TreeBuilder::pairs(std::uint32_t map) const {
  const NodeData& node = tree_.data(map);
  std::vector<Pair> result;
  result.reserve(node.size / 2);
  std::uint32_t key = node.begin;
  for (std::uint32_t i = 0; i < node.size; i += 2) {
    const std::uint32_t value = tree_.data(key).next;
    result.emplace_back(key, value);
    key = tree_.data(value).next;
  }
  return result;
}

void TreeBuilder::finish_map(Frame& frame) {
  const NodeData& node = tree_.data(frame.node);
  if (node.size <= 2 && !frame.rewrite) return;
  constexpr std::uint32_t kFew = 12;
  if (node.size <= 2 * kFew && !frame.rewrite) {  // the common case, without an allocation
    std::string_view keys[kFew];
    std::size_t count = 0;
    bool twice = false;
    std::uint32_t key = node.begin;
    for (std::uint32_t i = 0; i < node.size; i += 2) {
      keys[count] = text(key);
      twice = twice || std::find(keys, keys + count, keys[count]) != keys + count;
      ++count;
      key = tree_.data(tree_.data(key).next).next;
    }
    if (!twice) return;
  }
  std::vector<Pair> all = pairs(frame.node);
  bool changed = frame.rewrite;
  std::erase_if(all, [this](Pair pair) { return tree_.data(pair.first).kind != NodeKind::scalar; });
  changed = drop_duplicates(all) || changed;
  if (frame.rewrite) merge(all);
  if (changed) relink(frame.node, all);
}

bool TreeBuilder::drop_duplicates(std::vector<Pair>& all) {
  std::vector<std::pair<std::string_view, std::uint32_t>> keys;
  keys.reserve(all.size());
  for (const Pair& pair : all) keys.emplace_back(text(pair.first), pair.first);
  std::sort(keys.begin(), keys.end());  // nodes are numbered in file order: the first one stays
  std::unordered_set<std::uint32_t> dropped;
  std::uint32_t first = 0;
  for (std::size_t i = 1; i < keys.size(); ++i) {
    if (keys[i].first != keys[i - 1].first) continue;
    if (i < 2 || keys[i - 2].first != keys[i].first) first = keys[i - 1].second;
    const SourcePos pos = problems_.source().pos(tree_.data(first).offset);
    problems_.error(tree_.data(keys[i].second).offset, fmt::format("duplicate key `{}`", keys[i].first),
                    fmt::format("it stands first in line {}", pos.line));
    dropped.insert(keys[i].second);
  }
  std::erase_if(all, [&](Pair pair) { return dropped.contains(pair.first); });
  return !dropped.empty();
}

void TreeBuilder::merge_from(std::uint32_t value, std::vector<Pair>& merged) {
  const NodeData& node = tree_.data(value);
  if (node.kind == NodeKind::map) {
    const std::vector<Pair> from = pairs(value);
    merged.insert(merged.end(), from.begin(), from.end());
    return;
  }
  problems_.error(node.offset, "`<<` takes a map or a list of maps");
}

// What the map says itself wins over what it merges; of several merged maps the first wins
// (https://yaml.org/type/merge).
void TreeBuilder::merge(std::vector<Pair>& all) {
  const auto key =
      std::find_if(all.begin(), all.end(), [this](Pair pair) { return is_merge_key(tree_, tree_.data(pair.first)); });
  if (key == all.end()) return;
  std::vector<Pair> merged;
  const NodeData value = tree_.data(key->second);
  if (value.kind == NodeKind::list) {
    std::uint32_t item = value.begin;
    for (std::uint32_t i = 0; i < value.size; ++i, item = tree_.data(item).next) merge_from(item, merged);
  } else {
    merge_from(key->second, merged);
  }
  all.erase(key);
  std::unordered_set<std::string_view> known;
  for (const Pair& pair : all) known.insert(text(pair.first));
  for (const Pair& pair : merged) {
    if (!known.insert(text(pair.first)).second) continue;
    const std::uint32_t name = tree_.add(NodeData(tree_.data(pair.first)));
    all.emplace_back(name, tree_.add(NodeData(tree_.data(pair.second))));
  }
}

void TreeBuilder::relink(std::uint32_t map, const std::vector<Pair>& all) {
  NodeData& node = tree_.data(map);
  node.size = static_cast<std::uint32_t>(2 * all.size());
  std::uint32_t* link = &node.begin;
  for (const Pair& pair : all) {
    *link = pair.first;
    tree_.data(pair.first).next = pair.second;
    link = &tree_.data(pair.second).next;
  }
}

}  // namespace baton::workflow
