// Submitted values against declarations.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <baton/base/limits.hpp>
#include <baton/base/text.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "param_pattern.hpp"
#include "parse.hpp"

namespace baton::workflow {
namespace {

constexpr std::size_t kShownBytes = 80;
constexpr std::size_t kErrors = 20;  // in one message

std::string shown_value(const Value& value) {
  std::string text = value.is_string() ? value.get_ref<const std::string&>()
                                       : value.dump(-1, ' ', false, Value::error_handler_t::replace);
  if (text.size() > kShownBytes) text = text.substr(0, kShownBytes) + "…";
  return text;
}

std::unexpected<Error> wrong(const Value& value, std::string_view expected) {
  return fail(ErrorCode::invalid_argument, "must be {}, not `{}`", expected, shown_value(value));
}

template <class Number>
std::optional<Number> from_text(const std::string& text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Result<Value> bind_integer(const Value& value) {
  constexpr double kExact = 9007199254740992.0;  // doubles above have no units digit
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > std::uint64_t{INT64_MAX}) {
    return wrong(value, "an integer of at most 64 bits");
  }
  if (value.is_number_integer()) return value.get<std::int64_t>();
  if (value.is_number_float()) {
    const double number = value.get<double>();
    if (std::trunc(number) == number && std::abs(number) <= kExact) return static_cast<std::int64_t>(number);
  }
  if (value.is_string()) {
    if (const auto number = from_text<std::int64_t>(value.get_ref<const std::string&>())) return *number;
  }
  return wrong(value, "an integer");
}

Result<Value> bind_number(const Value& value) {
  if (value.is_number_integer()) return value;
  if (value.is_number_float() && std::isfinite(value.get<double>())) return value;
  if (value.is_string()) {
    const std::string& text = value.get_ref<const std::string&>();
    if (const auto integer = from_text<std::int64_t>(text)) return *integer;
    if (const auto number = from_text<double>(text); number && std::isfinite(*number)) return *number;
  }
  return wrong(value, "a number");
}

// As it was written: tasks see `90s` where 90s was given.
Result<Value> bind_duration(const std::string& text) {
  const auto duration = parse_duration(text);
  if (!duration) return fail(duration.error().code, "is wrong: {}", duration.error().message);
  return Value(text == "0" ? "0s" : text);
}

Result<Value> bind_type(ParamType type, const Value& value) {
  switch (type) {
    case ParamType::string:
      if (value.is_string()) return value;
      return wrong(value, "a string");
    case ParamType::integer:
      return bind_integer(value);
    case ParamType::number:
      return bind_number(value);
    case ParamType::boolean:
      if (value.is_boolean()) return value;
      if (value == "true" || value == "false") return Value(value == "true");
      return wrong(value, "true or false");
    case ParamType::duration:
      if (value == 0) return "0s";
      if (!value.is_string()) return wrong(value, "a duration such as 10s, 5m or 1h30m");
      return bind_duration(value.get_ref<const std::string&>());
  }
  return wrong(value, "of a known type");
}

// `90s` and `1m30s` are the same.
bool same(ParamType type, const Value& left, const Value& right) {
  if (type != ParamType::duration) return left == right;
  return parse_duration(left.get_ref<const std::string&>()).value() ==
         parse_duration(right.get_ref<const std::string&>()).value();
}

std::string bound_text(const ParamSpec& param, double bound) {
  if (param.type == ParamType::duration) return format_duration(Duration(std::llround(bound * 1e6)));
  return fmt::format("{}", bound);
}

Result<> check_limits(const ParamSpec& param, const Value& value) {
  const auto& allowed = param.enumeration;
  const auto is_it = [&](const Value& one) { return same(param.type, one, value); };
  if (!allowed.empty() && std::none_of(allowed.begin(), allowed.end(), is_it)) {
    std::string list;
    for (const Value& one : allowed) list += (list.empty() ? "" : ", ") + shown_value(one);
    return fail(ErrorCode::invalid_argument, "must be one of {}, not `{}`", list, shown_value(value));
  }
  if (param.min || param.max) {
    const double number = param.type == ParamType::duration
                              ? to_seconds(parse_duration(value.get_ref<const std::string&>()).value())
                              : value.get<double>();
    if (param.min && number < *param.min) {
      return fail(ErrorCode::invalid_argument, "must be at least {}, not `{}`", bound_text(param, *param.min),
                  shown_value(value));
    }
    if (param.max && number > *param.max) {
      return fail(ErrorCode::invalid_argument, "must be at most {}, not `{}`", bound_text(param, *param.max),
                  shown_value(value));
    }
  }
  if (!param.matcher) return {};
  const auto matches = param.matcher->matches(value.get_ref<const std::string&>());
  if (!matches) return std::unexpected(matches.error());
  if (*matches) return {};
  return fail(ErrorCode::invalid_argument, "must match the pattern `{}`, which `{}` does not", param.pattern,
              shown_value(value));
}

}  // namespace

namespace {

// Where a value has a type of its own, text is only text. What could be nothing else has its usual message.
Result<Value> refuse_text(const ParamSpec& param, const Value& text) {
  auto converted = bind_value(param, text);
  if (!converted) return converted;
  return fail(ErrorCode::invalid_argument, "must be of the type {}, not the text \"{}\"", to_string(param.type),
              shown_value(text));
}

}  // namespace

Result<Value> bind_value(const ParamSpec& param, const Value& value) {
  if (value.is_string() && value.get_ref<const std::string&>().size() > limits::kParamValueBytes) {
    return fail(ErrorCode::limit, "is longer than the {} bytes that a parameter may have", limits::kParamValueBytes);
  }
  auto bound = bind_type(param.type, value);
  if (!bound) return bound;
  if (auto checked = check_limits(param, *bound); !checked) return std::unexpected(checked.error());
  return bound;
}

bool takes_text(ParamType type) { return type == ParamType::string || type == ParamType::duration; }

std::vector<std::string_view> param_names(const std::vector<ParamSpec>& params) {
  std::vector<std::string_view> names;
  names.reserve(params.size());
  for (const ParamSpec& param : params) names.push_back(param.name);
  return names;
}

Value typed_params(const WorkflowSpec& workflow, const std::map<std::string, std::string>& texts) {
  Value result = Value::object();
  for (const auto& [name, text] : texts) {
    const auto param = std::find_if(workflow.params.begin(), workflow.params.end(),
                                    [&](const ParamSpec& candidate) { return candidate.name == name; });
    auto typed = param == workflow.params.end() ? Result<Value>(text) : bind_type(param->type, text);
    result[name] = typed ? *std::move(typed) : Value(text);
  }
  return result;
}

Result<Value> bind_params(const WorkflowSpec& workflow, const Value& submitted) {
  if (!submitted.is_object() && !submitted.is_null()) {
    return fail(ErrorCode::invalid_argument, "parameters must be an object");
  }
  std::vector<std::string> errors;
  Value result = Value::object();
  for (const ParamSpec& param : workflow.params) {
    const Value given = submitted.is_object() ? submitted.value(param.name, Value()) : Value();
    if (given.is_null()) {
      if (param.required) errors.push_back(fmt::format("parameter `{}` is required", param.name));
      result[param.name] = param.default_value;
      continue;
    }
    auto value = given.is_string() && !takes_text(param.type) ? refuse_text(param, given) : bind_value(param, given);
    if (!value) errors.push_back(fmt::format("parameter `{}` {}", param.name, value.error().message));
    result[param.name] = value ? *std::move(value) : Value();
  }
  const auto names = param_names(workflow.params);
  for (const auto& [name, value] : submitted.items()) {
    if (result.contains(name) || errors.size() >= kErrors) continue;
    const auto near = nearest(name, names);
    errors.push_back(fmt::format("there is no parameter `{}`{}", shown_value(name),
                                 near ? fmt::format(" (did you mean `{}`?)", *near) : ""));
  }
  if (errors.empty()) return result;
  return fail(ErrorCode::invalid_argument, "{}", fmt::join(errors, "; "));
}

}  // namespace baton::workflow
