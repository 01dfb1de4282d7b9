// `env`: environment variables, in order; later ones may refer to those before them.
#include <fmt/format.h>
#include <baton/base/limits.hpp>
#include <baton/base/text.hpp>

#include <algorithm>
#include <array>

#include "parse.hpp"
#include "read_value.hpp"

namespace baton::workflow {
namespace {

constexpr std::size_t kEntries = 1'000;
// What every task gets (docs/language.md). A value here would never be seen.
constexpr std::array<std::string_view, 14> kReserved{
    "BATON_RUN_ID",  "BATON_RUN_NUMBER",    "BATON_WORKFLOW",   "BATON_ATTEMPT_ID",    "BATON_TASK",
    "BATON_ATTEMPT", "BATON_SCHEDULED_FOR", "BATON_OUTPUT",     "BATON_TMPDIR",        "BATON_IDEMPOTENCY_KEY",
    "BATON_CPUS",    "BATON_MEMORY",        "BATON_RUN_STATUS", "CUDA_VISIBLE_DEVICES"};

void check_size(Problems& problems, Node value, std::string_view name, const Template& text) {
  const std::size_t bytes = text.least_bytes();
  if (bytes <= limits::kTaskEnvBytes) return;
  problems.error(value.offset(),
                 fmt::format("`{}` has {}{} bytes, over the {} that an environment variable may have", name,
                             text.is_literal() ? "" : "at least ", bytes, limits::kTaskEnvBytes),
                 "keep big data in a file and hand over its path");
}

}  // namespace

void read_env(FileContext& file, Node node, const Scope& scope, EnvEntries& env) {
  Problems& problems = file.problems;
  if (!expect_map(problems, node, scope.field)) return;
  if (node.size() > kEntries) {
    problems.error(node.offset(), fmt::format("`{}` has more than {} variables", scope.field, kEntries));
    return;
  }
  env.reserve(env.size() + node.size());
  for (const auto [key, value] : node.entries()) {
    const std::string_view name = key.text();
    const bool named = check_identifier(problems, key, "the name of an environment variable");
    if (std::find(kReserved.begin(), kReserved.end(), name) != kReserved.end()) {
      problems.error(key.offset(), fmt::format("`{}` is set by Baton", name));
    }
    if (!value.is_scalar()) {
      wrong_type(problems, value, name, "a string, number or boolean",
                 value.is_null() ? "write \"\" for an empty text" : "use ${{ toJSON(…) }} to hand over a list or map");
    } else if (auto text = compile_template(file, value, scope)) {
      check_size(problems, value, name, *text);
      if (named) env.emplace_back(name, *std::move(text));
    }
    file.check.env_names.emplace_back(name);
  }
}

}  // namespace baton::workflow
