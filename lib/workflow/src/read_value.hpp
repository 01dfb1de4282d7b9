// Typed values from nodes. Each function reports what is wrong at the node and then returns nothing.
#pragma once
#include <baton/base/time.hpp>

#include <array>
#include <bitset>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "problems.hpp"
#include "scalar.hpp"
#include "yaml_tree.hpp"

namespace baton::workflow {

// "`key` must be EXPECTED, not a list".
void wrong_type(Problems& problems, Node node, std::string_view key, std::string_view expected, std::string hint = {});

bool expect_map(Problems& problems, Node node, std::string_view key);
bool expect_list(Problems& problems, Node node, std::string_view key);  // with at least one item
std::optional<std::string> read_string(Problems& problems, Node node, std::string_view key);
// A scalar of any type, as it is written.
std::optional<std::string> read_text(Problems& problems, Node node, std::string_view key);
std::optional<std::string> read_name(Problems& problems, Node node, std::string_view key);
std::optional<bool> read_bool(Problems& problems, Node node, std::string_view key);
std::optional<std::int64_t> read_integer(Problems& problems, Node node, std::string_view key, std::int64_t min,
                                         std::int64_t max);
std::optional<double> read_number(Problems& problems, Node node, std::string_view key, double min, double max);
std::optional<Duration> read_duration(Problems& problems, Node node, std::string_view key, Duration min = Duration(0));
// Reports a name or identifier that is not one; also used for keys.
bool check_name(Problems& problems, Node node, std::string_view what);
bool check_identifier(Problems& problems, Node node, std::string_view what);

template <class Enum, std::size_t N>
using Choices = std::array<std::pair<std::string_view, Enum>, N>;
std::optional<std::size_t> read_choice(Problems& problems, Node node, std::string_view key,
                                       std::span<const std::string_view> words);
template <class Enum, std::size_t N>
std::optional<Enum> read_choice(Problems& problems, Node node, std::string_view key, const Choices<Enum, N>& choices) {
  std::array<std::string_view, N> words;
  for (std::size_t i = 0; i < N; ++i) words[i] = choices[i].first;
  const auto index = read_choice(problems, node, key, std::span<const std::string_view>(words));
  return index ? std::optional(choices[*index].second) : std::nullopt;
}

// The entries of a map whose keys are known beforehand. `Key` numbers them, in the order of their names.
template <class Key, std::size_t N>
class Fields {
 public:
  [[nodiscard]] bool has(Key key) const { return present_[static_cast<std::size_t>(key)]; }
  [[nodiscard]] Node value(Key key) const { return entries_[static_cast<std::size_t>(key)].value; }
  [[nodiscard]] Node key(Key key) const { return entries_[static_cast<std::size_t>(key)].key; }
  void set(std::size_t index, Node::Entry entry) {
    entries_[index] = entry;
    present_.set(index);
  }

 private:
  std::array<Node::Entry, N> entries_;
  std::bitset<N> present_;
};

void unknown_key(Problems& problems, Node key, std::string_view where, std::span<const std::string_view> names);

// `where` is for messages: "`retry`"; empty where the place is obvious. The node must be a map.
template <class Key, std::size_t N>
Fields<Key, N> read_fields(Problems& problems, Node map, std::string_view where,
                           const std::array<std::string_view, N>& names) {
  Fields<Key, N> fields;
  for (const Node::Entry entry : map.entries()) {
    const std::string_view name = entry.key.text();
    std::size_t i = 0;
    while (i < N && names[i] != name) ++i;
    if (i < N) {
      fields.set(i, entry);
    } else {
      unknown_key(problems, entry.key, where, names);
    }
  }
  return fields;
}

}  // namespace baton::workflow
