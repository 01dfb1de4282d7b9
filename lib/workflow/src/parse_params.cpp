// `params`: declarations with a type, a default and limits.
#include <fmt/format.h>
#include <baton/base/limits.hpp>

#include "param_pattern.hpp"
#include "parse.hpp"
#include "read_value.hpp"

namespace baton::workflow {
namespace {

constexpr std::size_t kParams = 1'000;

enum class ParamsKey { type, default_value, enumeration, min, max, pattern, required, description };
constexpr std::array<std::string_view, 8> kParamsKeys{"type", "default", "enum",     "min",
                                                      "max",  "pattern", "required", "description"};
using ParamFields = Fields<ParamsKey, kParamsKeys.size()>;

constexpr Choices<ParamType, 5> kTypes{{{"string", ParamType::string},
                                        {"int", ParamType::integer},
                                        {"number", ParamType::number},
                                        {"bool", ParamType::boolean},
                                        {"duration", ParamType::duration}}};

std::optional<ParamType> type_of_default(Node node) {
  if (as_bool(node)) return ParamType::boolean;
  if (as_integer(node)) return ParamType::integer;
  if (as_number(node)) return ParamType::number;
  if (is_string(node)) return ParamType::string;
  return std::nullopt;
}

}  // namespace

std::optional<Value> read_param_value(Problems& problems, Node node, const ParamSpec& param, std::string_view key) {
  if (!node.is_scalar()) {
    wrong_type(problems, node, key, fmt::format("a value of the type {}", to_string(param.type)));
    return std::nullopt;
  }
  // Text is only converted where a command line or an environment cannot say otherwise.
  if (is_string(node) && !takes_text(param.type)) {
    wrong_type(problems, node, key, fmt::format("a value of the type {}", to_string(param.type)));
    return std::nullopt;
  }
  const auto value = to_value(node, problems);
  if (!value) return std::nullopt;
  auto bound = bind_value(param, *value);
  if (bound) return *std::move(bound);
  problems.error(node.offset(), fmt::format("`{}` {}", key, bound.error().message));
  return std::nullopt;
}

namespace {

std::optional<double> read_bound(Problems& problems, const ParamFields& fields, ParamsKey key, const ParamSpec& param) {
  if (!fields.has(key)) return std::nullopt;
  const std::string_view name = kParamsKeys[static_cast<std::size_t>(key)];
  const Node node = fields.value(key);
  switch (param.type) {
    case ParamType::duration:
      if (const auto duration = read_duration(problems, node, name)) return to_seconds(*duration);
      return std::nullopt;
    case ParamType::integer:
    case ParamType::number:
      return read_number(problems, node, name, std::numeric_limits<double>::lowest(),
                         std::numeric_limits<double>::max());
    case ParamType::string:
    case ParamType::boolean:
      break;
  }
  problems.error(fields.key(key).offset(),
                 fmt::format("`{}` does not apply to a {} parameter", name, to_string(param.type)));
  return std::nullopt;
}

void read_limits(Problems& problems, const ParamFields& fields, ParamSpec& param) {
  param.min = read_bound(problems, fields, ParamsKey::min, param);
  param.max = read_bound(problems, fields, ParamsKey::max, param);
  if (param.min && param.max && *param.min > *param.max) {
    problems.error(fields.value(ParamsKey::max).offset(), "`max` is less than `min`");
    param.min = param.max = std::nullopt;
  }
  if (fields.has(ParamsKey::pattern)) {
    const Node node = fields.value(ParamsKey::pattern);
    if (param.type != ParamType::string) {
      problems.error(fields.key(ParamsKey::pattern).offset(),
                     fmt::format("`pattern` does not apply to a {} parameter", to_string(param.type)));
    } else if (auto pattern = read_string(problems, node, "pattern")) {
      if (auto compiled = ParamPattern::compile(*pattern); compiled) {
        param.pattern = *std::move(pattern);
        param.matcher = *std::move(compiled);
      } else {
        problems.error(node.offset(), compiled.error().message);
      }
    }
  }
  if (!fields.has(ParamsKey::enumeration) || !expect_list(problems, fields.value(ParamsKey::enumeration), "enum"))
    return;
  const Node enumeration = fields.value(ParamsKey::enumeration);
  if (param.matcher && enumeration.size() > limits::kPatternValues) {
    problems.error(enumeration.offset(),
                   fmt::format("`enum` beside a `pattern` has at most {} values", limits::kPatternValues));
    return;
  }
  std::vector<Value> values;
  for (const Node item : enumeration.items()) {
    if (auto value = read_param_value(problems, item, param, "enum")) values.push_back(*std::move(value));
  }
  param.enumeration = std::move(values);
}

void read_declaration(Problems& problems, Node node, ParamSpec& param) {
  const auto fields = read_fields<ParamsKey>(problems, node, fmt::format("parameter `{}`", param.name), kParamsKeys);
  if (fields.has(ParamsKey::type)) {
    const auto type = read_choice(problems, fields.value(ParamsKey::type), "type", kTypes);
    if (!type) return;  // nothing else can be judged
    param.type = *type;
  } else if (fields.has(ParamsKey::default_value)) {
    param.type = type_of_default(fields.value(ParamsKey::default_value)).value_or(ParamType::string);
  }
  read_limits(problems, fields, param);
  if (fields.has(ParamsKey::description)) {
    param.description = read_string(problems, fields.value(ParamsKey::description), "description").value_or("");
  }
  if (fields.has(ParamsKey::required)) {
    param.required = read_bool(problems, fields.value(ParamsKey::required), "required").value_or(false);
  }
  if (!fields.has(ParamsKey::default_value)) return;
  if (param.required) {
    problems.error(fields.key(ParamsKey::default_value).offset(), "a required parameter has no use for a `default`",
                   "leave out one of the two");
  }
  if (auto value = read_param_value(problems, fields.value(ParamsKey::default_value), param, "default")) {
    param.default_value = *std::move(value);
  }
}

Type expression_type(const ParamSpec& param) {
  if (param.default_value.is_null() && !param.required) return Type::any;
  switch (param.type) {
    case ParamType::integer:
    case ParamType::number:
      return Type::number;
    case ParamType::boolean:
      return Type::boolean;
    case ParamType::string:
    case ParamType::duration:
      break;
  }
  return Type::string;
}

}  // namespace

void read_params(FileContext& file, Node node) {
  Problems& problems = file.problems;
  if (!expect_map(problems, node, "params")) return;
  if (node.size() > kParams) {
    problems.error(node.offset(), fmt::format("`params` has more than {} parameters", kParams));
    return;
  }
  file.spec.params.reserve(node.size());
  std::size_t pattern_parts = 0;
  for (const auto [key, value] : node.entries()) {
    ParamSpec param{.name = std::string(key.text()), .pos = problems.source().pos(key.offset())};
    if (!check_identifier(problems, key, "the name of a parameter")) continue;
    if (value.is_map()) {
      read_declaration(problems, value, param);
    } else if (const auto type = type_of_default(value)) {
      param.type = *type;
      param.default_value = read_param_value(problems, value, param, param.name).value_or(Value());
    } else {
      wrong_type(problems, value, param.name, "a default value, or a map with `type`, `default`, …",
                 value.is_null() ? "write {required: true} if it has no default" : "");
    }
    if (param.matcher) pattern_parts += param.matcher->parts();
    file.spec.params.push_back(std::move(param));
  }
  if (pattern_parts > limits::kAllPatternParts) {
    problems.error(node.offset(),
                   fmt::format("the patterns of all parameters have more than {} parts, counts written out",
                               limits::kAllPatternParts));
  }
  for (const ParamSpec& param : file.spec.params) {
    file.param_types.emplace(param.name, expression_type(param));
    file.check.param_names.push_back(param.name);
  }
}

}  // namespace baton::workflow
