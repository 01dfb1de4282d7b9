// `defaults`: what tasks take over unless they say otherwise.
#include <fmt/format.h>

#include "parse.hpp"
#include "read_value.hpp"

namespace baton::workflow {
namespace {

enum class DefaultsKey { timeout, grace, retry, env, resources, shell, working_dir, runs_on, pool };
constexpr std::array<std::string_view, 9> kDefaultsKeys{"timeout", "grace",       "retry",   "env", "resources",
                                                        "shell",   "working_dir", "runs_on", "pool"};

}  // namespace

void read_defaults(FileContext& file, Node node) {
  Problems& problems = file.problems;
  Defaults& defaults = file.defaults;
  if (!expect_map(problems, node, "defaults")) return;
  const auto fields = read_fields<DefaultsKey>(problems, node, "`defaults`", kDefaultsKeys);
  const auto each = [&](DefaultsKey key, const auto& read) {
    if (fields.has(key)) read(fields.value(key));
  };
  each(DefaultsKey::timeout,
       [&](Node value) { defaults.timeout = read_duration(problems, value, "timeout", std::chrono::milliseconds(1)); });
  each(DefaultsKey::grace, [&](Node value) { defaults.grace = read_duration(problems, value, "grace"); });
  each(DefaultsKey::retry, [&](Node value) { defaults.retry = read_retry(problems, value); });
  each(DefaultsKey::resources, [&](Node value) { read_resources(problems, value, defaults.resources); });
  each(DefaultsKey::shell, [&](Node value) { defaults.shell = read_shell(problems, value); });
  each(DefaultsKey::runs_on, [&](Node value) { defaults.runs_on = read_runs_on(problems, value); });
  each(DefaultsKey::pool, [&](Node value) { defaults.pools = read_pool(problems, value); });
  const auto scope = [](std::string_view field, bool secrets) {
    return Scope{.field = field, .needs = false, .matrix = false, .env = true, .secrets = secrets};
  };
  each(DefaultsKey::env, [&](Node value) { read_env(file, value, scope("env", true), defaults.env); });
  each(DefaultsKey::working_dir, [&](Node value) {
    if (!read_string(problems, value, "working_dir")) return;
    auto text = compile_template(file, value, scope("working_dir", false));
    if (text) defaults.working_dir = *std::move(text);
  });
}

}  // namespace baton::workflow
