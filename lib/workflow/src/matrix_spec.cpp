#include <fmt/format.h>
#include <baton/workflow/matrix.hpp>

#include <algorithm>

#include "expression_program.hpp"

namespace baton::workflow {
namespace {

using Axes = std::vector<MatrixCombos::Axis>;

Result<std::vector<Value>> list_of(const Value& value, std::string_view axis) {
  if (!value.is_array()) {
    return fail(ErrorCode::invalid_argument, "matrix axis `{}` must be a list, not {}", shown(axis),
                described(type_of(value)));
  }
  return std::vector<Value>(value.begin(), value.end());
}

Result<Axes> evaluate_axes(const std::vector<MatrixSpec::AxisTemplate>& templates, const EvalContext& context) {
  Axes axes;
  for (const MatrixSpec::AxisTemplate& axis : templates) {
    if (const auto* values = std::get_if<std::vector<Value>>(&axis.values)) {
      axes.push_back({axis.name, *values});
      continue;
    }
    const Result<Value> value = std::get<Expression>(axis.values).evaluate(context);
    if (!value) return std::unexpected(value.error());
    Result<std::vector<Value>> values = list_of(*value, axis.name);
    if (!values) return std::unexpected(values.error());
    axes.push_back({axis.name, *std::move(values)});
  }
  return axes;
}

bool agrees(const Value& combination, const Value& entry) {
  return entry.is_object() && std::all_of(entry.items().begin(), entry.items().end(), [&](const auto& item) {
           return combination.is_object() && combination.contains(item.key()) &&
                  combination[item.key()] == item.value();
         });
}

// A list is mapped as it is: without what `exclude` agrees with, and what `include` has behind it.
Result<MatrixCombos> map_list(const Value& list, const std::vector<Value>& include, const std::vector<Value>& exclude) {
  std::vector<Value> items;
  for (const Value& item : list) {
    const auto excluded = [&](const Value& entry) { return agrees(item, entry); };
    if (std::none_of(exclude.begin(), exclude.end(), excluded)) items.push_back(item);
  }
  items.insert(items.end(), include.begin(), include.end());
  return MatrixCombos::from_list(std::move(items));
}

}  // namespace

Result<MatrixCombos> MatrixSpec::expand(const EvalContext& context) const {
  if (fixed) return *fixed;
  if (const auto* templates = std::get_if<std::vector<AxisTemplate>>(&axes)) {
    Result<Axes> evaluated = evaluate_axes(*templates, context);
    if (!evaluated) return std::unexpected(evaluated.error());
    return MatrixCombos::build(*std::move(evaluated), include, exclude);
  }
  const Result<Value> value = std::get<Expression>(axes).evaluate(context);
  if (!value) return std::unexpected(value.error());
  if (value->is_array()) return map_list(*value, include, exclude);
  if (!value->is_object()) {
    return fail(ErrorCode::invalid_argument, "a matrix must be a list or an object of lists, not {}",
                described(type_of(*value)));
  }
  Axes from_object;
  for (const auto& [name, list] : value->items()) {
    Result<std::vector<Value>> values = list_of(list, name);
    if (!values) return std::unexpected(values.error());
    from_object.push_back({name, *std::move(values)});
  }
  return MatrixCombos::build(std::move(from_object), include, exclude);
}

}  // namespace baton::workflow
