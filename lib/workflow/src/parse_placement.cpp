// What a task takes and where it may run: `resources`, `runs_on`, `pool`, `shell`, `priority`.
#include <fmt/format.h>
#include <baton/base/quantity.hpp>

#include <algorithm>

#include "parse.hpp"
#include "read_value.hpp"

namespace baton::workflow {
namespace {

constexpr std::int64_t kPriorityRange = 1'000'000;
constexpr std::int64_t kMostSlots = 1'000'000;
constexpr std::size_t kEntries = 100;  // resources, labels, pools of one task

bool check_size(Problems& problems, Node node, std::string_view key) {
  if (node.size() <= kEntries) return true;
  problems.error(node.offset(), fmt::format("`{}` has more than {} entries", key, kEntries));
  return false;
}

void read_amount(Problems& problems, Node node, std::string_view key, Result<std::int64_t> (*parse)(std::string_view),
                 std::string_view expected, std::int64_t& amount) {
  if (!is_string(node) && !as_number(node)) {
    wrong_type(problems, node, key, expected);
    return;
  }
  const auto parsed = parse(node.text());
  if (parsed) {
    amount = *parsed;
  } else {
    problems.error(node.offset(), fmt::format("`{}`: {}", key, parsed.error().message));
  }
}

}  // namespace

void read_resources(Problems& problems, Node node, Resources& resources) {
  if (!expect_map(problems, node, "resources") || !check_size(problems, node, "resources")) return;
  constexpr std::string_view kQuantity = "a quantity such as 2, 0.5 or 500m";
  for (const auto [key, value] : node.entries()) {
    const std::string_view name = key.text();
    if (name == "cpu") {
      read_amount(problems, value, name, parse_milli, kQuantity, resources.cpu_milli);
    } else if (name == "memory") {
      read_amount(problems, value, name, parse_bytes, "an amount of bytes such as 512Mi or 4Gi",
                  resources.memory_bytes);
    } else if (name == "gpu") {
      read_amount(problems, value, name, parse_milli, kQuantity, resources.gpu_milli);
    } else if (check_name(problems, key, "the name of a resource")) {
      read_amount(problems, value, name, parse_milli, kQuantity, resources.custom_milli[std::string(name)]);
    }
  }
}

RunsOn read_runs_on(Problems& problems, Node node) {
  RunsOn runs_on;
  constexpr std::string_view kExpected = "a label, a list of labels, or {worker: NAME}";
  if (node.is_map()) {
    enum class PlacementKey { worker };
    const auto fields =
        read_fields<PlacementKey>(problems, node, "`runs_on`", std::array<std::string_view, 1>{"worker"});
    if (fields.has(PlacementKey::worker)) {
      runs_on.worker = read_name(problems, fields.value(PlacementKey::worker), "worker").value_or("");
    } else {
      problems.error(node.offset(), fmt::format("`runs_on` must be {}", kExpected));
    }
    return runs_on;
  }
  const auto add = [&](Node item) {
    if (auto label = read_name(problems, item, "runs_on")) runs_on.labels.push_back(*std::move(label));
  };
  if (node.is_list()) {
    if (!expect_list(problems, node, "runs_on") || !check_size(problems, node, "runs_on")) return runs_on;
    for (const Node item : node.items()) add(item);
  } else if (is_string(node)) {
    add(node);
  } else {
    wrong_type(problems, node, "runs_on", kExpected);
  }
  std::sort(runs_on.labels.begin(), runs_on.labels.end());
  runs_on.labels.erase(std::unique(runs_on.labels.begin(), runs_on.labels.end()), runs_on.labels.end());
  return runs_on;
}

std::map<std::string, std::int64_t> read_pool(Problems& problems, Node node) {
  std::map<std::string, std::int64_t> pools;
  if (is_string(node)) {
    if (check_name(problems, node, "the name of a pool")) pools.emplace(node.text(), 1);
    return pools;
  }
  if (!node.is_map()) {
    wrong_type(problems, node, "pool", "the name of a pool, or a map of names and slots");
    return pools;
  }
  if (!check_size(problems, node, "pool")) return pools;
  for (const auto [key, value] : node.entries()) {
    if (!check_name(problems, key, "the name of a pool")) continue;
    if (const auto slots = read_integer(problems, value, key.text(), 1, kMostSlots)) pools.emplace(key.text(), *slots);
  }
  return pools;
}

std::vector<std::string> read_shell(Problems& problems, Node node) {
  std::vector<std::string> argv;
  if (node.is_list()) {
    if (!expect_list(problems, node, "shell") || !check_size(problems, node, "shell")) return argv;
    for (const Node item : node.items()) {
      if (auto word = read_string(problems, item, "shell")) argv.push_back(*std::move(word));
    }
  } else if (auto text = read_string(problems, node, "shell")) {
    std::size_t at = 0;
    while ((at = text->find_first_not_of(" \t\n", at)) != std::string::npos) {
      const std::size_t end = std::min(text->find_first_of(" \t\n", at), text->size());
      argv.push_back(text->substr(at, end - at));
      at = end;
    }
  } else {
    return argv;
  }
  if (argv.empty() || argv.front().empty()) problems.error(node.offset(), "`shell` is empty");
  for (const std::string& word : argv) {
    if (word.find("${{") == std::string::npos) continue;
    problems.error(node.offset(), "`shell` cannot have expressions in it");
    break;
  }
  return argv;
}

std::optional<int> read_priority(Problems& problems, Node node) {
  const auto priority = read_integer(problems, node, "priority", -kPriorityRange, kPriorityRange);
  return priority ? std::optional(static_cast<int>(*priority)) : std::nullopt;
}

}  // namespace baton::workflow
