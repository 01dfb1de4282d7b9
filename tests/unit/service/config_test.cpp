#include <baton/service/config.hpp>

#include <fstream>

#include "catch.hpp"
#include "unique_folder.hpp"

using namespace baton;
using namespace baton::service;
using namespace std::chrono_literals;

namespace {

Config good(std::string_view text) {
  ConfigResult result = parse_config("config.yaml", text);
  for (const Diagnostic& diagnostic : result.diagnostics) UNSCOPED_INFO(render(diagnostic, text));
  REQUIRE(result.config.has_value());
  return *result.config;
}

// The one error in it.
Diagnostic bad(std::string_view text) {
  const ConfigResult result = parse_config("config.yaml", text);
  INFO(text);
  CHECK_FALSE(result.config.has_value());
  REQUIRE(result.diagnostics.size() == 1);
  return result.diagnostics.front();
}

}  // namespace

TEST_CASE("No configuration is one local worker with what the host has") {
  for (const char* text : {"", "\n", "# nothing\n"}) {
    const Config config = good(text);
    REQUIRE(config.workers.size() == 1);
    CHECK(config.workers[0].name == "local");
    CHECK(config.workers[0].cpu_milli == 0);
    CHECK_FALSE(config.workers[0].gpu_milli.has_value());
    CHECK(config.pools.empty());
    CHECK(config.log_level == LogLevel::info);
  }
}

TEST_CASE("A configuration says everything once") {
  const Config config = good(R"(
workers:
  - {name: local, cpu: 7.5, memory: 32Gi, gpu: auto, labels: [x86, big], custom: {licence: 2}}
  - {name: second, gpu: 0}
  - {name: third, gpu: 2}
pools: {db-connections: 4}
retention: {runs: 90d, logs: 30d}
log: {level: debug, format: json}
secrets:
  TOKEN: {env: MY_TOKEN}
  KEY: {file: /run/secrets/key}
)");
  REQUIRE(config.workers.size() == 3);
  CHECK(config.workers[0].cpu_milli == 7500);
  CHECK(config.workers[0].memory_bytes == std::int64_t{32} << 30);
  CHECK(config.workers[0].labels == std::vector<std::string>{"big", "x86"});
  CHECK(config.workers[0].custom_milli == std::map<std::string, std::int64_t>{{"licence", 2000}});
  CHECK_FALSE(config.workers[0].gpu_milli.has_value());
  CHECK(config.workers[1].gpu_milli == 0);
  CHECK(config.workers[2].gpu_milli == 2000);
  CHECK(config.pools == std::map<std::string, std::int64_t>{{"db-connections", 4}});
  CHECK(config.retention.runs == Duration(24h * 90));
  CHECK(config.retention.logs == Duration(24h * 30));
  CHECK(config.log_level == LogLevel::debug);
  CHECK(config.log_json);
  CHECK(config.secrets.at("TOKEN") == SecretSource{.env = "MY_TOKEN", .file = ""});
  CHECK(config.secrets.at("KEY") == SecretSource{.env = "", .file = "/run/secrets/key"});
}

TEST_CASE("What is wrong in a configuration is named with its place") {
  struct Case {
    const char* text;
    SourcePos pos;
    const char* message;
  };
  const std::vector<Case> cases{
      {"pool: {a: 1}\n", {1, 1}, "pool"},
      {"pools:\n  a: many\n", {2, 6}, "a"},
      {"pools: {a: -1}\n", {1, 12}, "a"},
      {"pools: {a: 1, a: 2}\n", {1, 15}, "a"},
      {"workers:\n  - {cpu: 2}\n", {2, 5}, "name"},
      {"workers:\n  - {name: a}\n  - {name: a}\n", {3, 5}, "two workers"},
      {"workers:\n  - {name: g, ssh: {host: g}}\n", {2, 15}, "not supported by this version"},
      {"workers: [{name: a, cpu: 0}]\n", {1, 26}, "more than 0"},
      {"workers: [{name: a, memory: 1Q}]\n", {1, 29}, "memory"},
      {"workers: [{name: a, gpu: 0.5}]\n", {1, 26}, "whole number"},
      {"log: {level: loud}\n", {1, 14}, "level"},
      {"retention: {runs: 3}\n", {1, 19}, "runs"},
      {"secrets: {A: {}}\n", {1, 11}, "exactly one"},
      {"secrets: {A: {env: X, file: /y}}\n", {1, 11}, "exactly one"},
      {"secrets: {A: {file: y}}\n", {1, 21}, "absolute"},
      {"- a\n", {1, 1}, "configuration"},
  };
  for (const Case& each : cases) {
    const Diagnostic diagnostic = bad(each.text);
    INFO(each.text << " → " << diagnostic.message);
    CHECK(diagnostic.pos == each.pos);
    CHECK(diagnostic.message.find(each.message) != std::string::npos);
  }
}

TEST_CASE("All errors of a configuration come in one pass") {
  const ConfigResult result = parse_config("c", "pool: 1\nlogs: 2\nlog: {level: x, format: y}\n");
  CHECK(result.diagnostics.size() == 4);
}

TEST_CASE("A configuration file that is not there counts only if it was named") {
  const testing::UniqueFolder folder;
  const std::string path = folder / "config.yaml";
  CHECK(load_config(path, false).has_value());
  CHECK(load_config(path, true).error().code == ErrorCode::not_found);
  std::ofstream(path) << "pools: {a: x}\nlog: 1\n";
  const auto config = load_config(path, false);
  REQUIRE_FALSE(config.has_value());
  CHECK(config.error().message.starts_with(path + ":1:12: "));
  CHECK(config.error().message.find("; " + path + ":2:6: ") != std::string::npos);
  CHECK(config.error().message.find('\n') == std::string::npos);
  std::ofstream(path) << std::string(1u << 20, '#');
  CHECK(load_config(path, true).has_value());
  std::ofstream(path) << std::string((1u << 20) + 1, '#');
  REQUIRE_FALSE(load_config(path, true).has_value());
  CHECK(load_config(path, true).error().code == ErrorCode::limit);
  CHECK(load_config("/", true).error().code == ErrorCode::io);
}
