#include <baton/service/config.hpp>

#include <baton/base/limits.hpp>
#include <baton/base/quantity.hpp>
#include <baton/base/text.hpp>

#include "read_value.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <limits>
#include <set>
#include <utility>

namespace baton::service {
namespace {

using workflow::Node;
using workflow::Problems;

constexpr std::size_t kConfigBytes = 1u << 20;
constexpr std::int64_t kMostSlots = 1'000'000;

class Reader {
 public:
  explicit Reader(Problems& problems) : problems_(problems) {}

  Config read(Node root) {
    enum class Key { workers, pools, retention, log, secrets };
    constexpr std::array<std::string_view, 5> kNames{"workers", "pools", "retention", "log", "secrets"};
    Config config;
    if (root.is_null()) return config;
    if (!workflow::expect_map(problems_, root, "the configuration")) return config;
    const auto fields = workflow::read_fields<Key>(problems_, root, "", kNames);
    if (fields.has(Key::workers)) read_workers(fields.value(Key::workers), config);
    if (fields.has(Key::pools)) read_pools(fields.value(Key::pools), config);
    if (fields.has(Key::retention)) read_retention(fields.value(Key::retention), config);
    if (fields.has(Key::log)) read_log(fields.value(Key::log), config);
    if (fields.has(Key::secrets)) read_secrets(fields.value(Key::secrets), config);
    return config;
  }

 private:
  void error(Node node, std::string message, std::string hint = {}) {
    problems_.error(node.offset(), std::move(message), std::move(hint));
  }

  void read_workers(Node list, Config& config) {
    if (!workflow::expect_list(problems_, list, "workers")) return;
    std::set<std::string> names;
    for (const Node item : list.items()) {
      if (!workflow::expect_map(problems_, item, "workers")) continue;
      WorkerConfig worker = read_worker(item);
      if (!worker.name.empty() && !names.insert(worker.name).second) {
        error(item, fmt::format("there are two workers named `{}`", worker.name));
      }
      config.workers.push_back(std::move(worker));
    }
  }

  WorkerConfig read_worker(Node map) {
    enum class Key { name, cpu, memory, gpu, labels, custom, ssh };
    constexpr std::array<std::string_view, 7> kNames{"name", "cpu", "memory", "gpu", "labels", "custom", "ssh"};
    const auto fields = workflow::read_fields<Key>(problems_, map, "a worker", kNames);
    WorkerConfig worker;
    worker.pos = problems_.source().pos(map.offset());
    if (fields.has(Key::name)) {
      worker.name = workflow::read_name(problems_, fields.value(Key::name), "name").value_or("");
    } else {
      error(map, "a worker needs a `name`");
    }
    if (fields.has(Key::ssh)) error(fields.key(Key::ssh), "`ssh` workers are not supported by this version");
    if (fields.has(Key::cpu)) worker.cpu_milli = read_amount(fields.value(Key::cpu), "cpu", parse_milli).value_or(0);
    if (fields.has(Key::memory)) {
      worker.memory_bytes = read_amount(fields.value(Key::memory), "memory", parse_bytes).value_or(0);
    }
    if (fields.has(Key::gpu)) worker.gpu_milli = read_gpu(fields.value(Key::gpu));
    if (fields.has(Key::labels)) worker.labels = read_labels(fields.value(Key::labels));
    if (fields.has(Key::custom)) worker.custom_milli = read_custom(fields.value(Key::custom));
    return worker;
  }

  // More than zero: zero would mean "what the host has", which is said by leaving the key out.
  std::optional<std::int64_t> read_amount(Node node, std::string_view key,
                                          Result<std::int64_t> (*parse)(std::string_view), std::int64_t least = 1) {
    const std::optional<std::string> text = workflow::read_text(problems_, node, key);
    if (!text) return std::nullopt;
    const Result<std::int64_t> amount = parse(*text);
    if (!amount) {
      error(node, fmt::format("`{}`: {}", key, amount.error().message));
      return std::nullopt;
    }
    if (*amount < least) {
      error(node, fmt::format("`{}` must be more than 0", key));
      return std::nullopt;
    }
    return *amount;
  }

  std::optional<std::int64_t> read_gpu(Node node) {
    if (node.is_scalar() && node.text() == "auto") return std::nullopt;
    const std::optional<std::int64_t> count = read_amount(node, "gpu", parse_milli, 0);
    if (count && *count % 1000 != 0) error(node, "`gpu` must be `auto` or a whole number of devices");
    return count;
  }

  std::vector<std::string> read_labels(Node list) {
    std::vector<std::string> labels;
    if (!workflow::expect_list(problems_, list, "labels")) return labels;
    for (const Node item : list.items()) {
      if (auto label = workflow::read_name(problems_, item, "labels")) labels.push_back(std::move(*label));
    }
    std::ranges::sort(labels);
    labels.erase(std::ranges::unique(labels).begin(), labels.end());
    return labels;
  }

  std::map<std::string, std::int64_t> read_custom(Node map) {
    std::map<std::string, std::int64_t> amounts;
    if (!workflow::expect_map(problems_, map, "custom")) return amounts;
    for (const Node::Entry entry : map.entries()) {
      if (!workflow::check_name(problems_, entry.key, "a resource")) continue;
      const auto amount = read_amount(entry.value, entry.key.text(), parse_milli);
      if (amount) amounts.emplace(entry.key.text(), *amount);
    }
    return amounts;
  }

  void read_pools(Node map, Config& config) {
    if (!workflow::expect_map(problems_, map, "pools")) return;
    for (const Node::Entry entry : map.entries()) {
      if (!workflow::check_name(problems_, entry.key, "a pool")) continue;
      const auto slots = workflow::read_integer(problems_, entry.value, entry.key.text(), 0, kMostSlots);
      if (slots) config.pools.emplace(entry.key.text(), *slots);
    }
  }

  void read_retention(Node map, Config& config) {
    enum class Key { runs, logs };
    constexpr std::array<std::string_view, 2> kNames{"runs", "logs"};
    if (!workflow::expect_map(problems_, map, "retention")) return;
    const auto fields = workflow::read_fields<Key>(problems_, map, "`retention`", kNames);
    if (fields.has(Key::runs)) {
      config.retention.runs = workflow::read_duration(problems_, fields.value(Key::runs), "runs");
    }
    if (fields.has(Key::logs)) {
      config.retention.logs = workflow::read_duration(problems_, fields.value(Key::logs), "logs");
    }
  }

  void read_log(Node map, Config& config) {
    enum class Key { level, format };
    constexpr std::array<std::string_view, 2> kNames{"level", "format"};
    static constexpr workflow::Choices<LogLevel, 5> kLevels{{{"trace", LogLevel::trace},
                                                             {"debug", LogLevel::debug},
                                                             {"info", LogLevel::info},
                                                             {"warn", LogLevel::warn},
                                                             {"error", LogLevel::error}}};
    static constexpr workflow::Choices<bool, 2> kFormats{{{"text", false}, {"json", true}}};
    if (!workflow::expect_map(problems_, map, "log")) return;
    const auto fields = workflow::read_fields<Key>(problems_, map, "`log`", kNames);
    if (fields.has(Key::level)) {
      config.log_level =
          workflow::read_choice(problems_, fields.value(Key::level), "level", kLevels).value_or(LogLevel::info);
    }
    if (fields.has(Key::format)) {
      config.log_json = workflow::read_choice(problems_, fields.value(Key::format), "format", kFormats).value_or(false);
    }
  }

  void read_secrets(Node map, Config& config) {
    if (!workflow::expect_map(problems_, map, "secrets")) return;
    for (const Node::Entry entry : map.entries()) {
      if (!workflow::check_identifier(problems_, entry.key, "a secret")) continue;
      if (!workflow::expect_map(problems_, entry.value, entry.key.text())) continue;
      if (auto source = read_secret(entry)) config.secrets.emplace(entry.key.text(), std::move(*source));
    }
  }

  std::optional<SecretSource> read_secret(Node::Entry entry) {
    enum class Key { env, file };
    constexpr std::array<std::string_view, 2> kNames{"env", "file"};
    const auto fields = workflow::read_fields<Key>(problems_, entry.value, "a secret", kNames);
    if (fields.has(Key::env) == fields.has(Key::file)) {
      error(entry.key, fmt::format("secret `{}` needs exactly one of `env` and `file`", entry.key.text()));
      return std::nullopt;
    }
    if (fields.has(Key::env)) {
      if (!workflow::check_identifier(problems_, fields.value(Key::env), "an environment variable"))
        return std::nullopt;
      return SecretSource{.env = std::string(fields.value(Key::env).text()), .file = ""};
    }
    std::optional<std::string> file = workflow::read_string(problems_, fields.value(Key::file), "file");
    if (!file) return std::nullopt;
    if (!file->starts_with('/')) {
      error(fields.value(Key::file), "`file` must be an absolute path");
      return std::nullopt;
    }
    return SecretSource{.env = "", .file = std::move(*file)};
  }

  Problems& problems_;
};

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail_errno(errno, path);
  std::string text(kConfigBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return fail(ErrorCode::io, "{} cannot be read", path);  // a folder, or a failing disk
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kConfigBytes) return fail(ErrorCode::limit, "{} is longer than 1 MiB", path);
  return text;
}

}  // namespace

ConfigResult parse_config(std::string_view file_name, std::string_view text) {
  const workflow::SourceText source(text);
  Problems problems(std::string(file_name), source);
  Config config;
  // A file of nothing but comments is a configuration without wishes.
  if (!workflow::is_blank(text)) {
    if (const auto tree = workflow::Tree::read(source, problems)) config = Reader(problems).read(tree->root());
  }
  if (config.workers.empty()) config.workers.push_back({.name = "local", .labels = {}, .custom_milli = {}, .pos = {}});
  const bool failed = problems.any();
  ConfigResult result{.config = std::nullopt, .diagnostics = problems.take()};
  if (!failed) result.config = std::move(config);
  return result;
}

Result<Config> load_config(const std::string& path, bool must_exist) {
  Result<std::string> text = read_file(path);
  if (!text && text.error().code == ErrorCode::not_found && !must_exist) text = std::string();
  if (!text) return std::unexpected(text.error());
  ConfigResult result = parse_config(path, *text);
  if (result.config) return std::move(*result.config);
  return fail(ErrorCode::invalid_argument, "{}", in_one_line(result.diagnostics));
}

}  // namespace baton::service
