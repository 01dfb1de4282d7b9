// `matrix`: axes with their values, `include` and `exclude`; or expressions for what is only known in the run.
#include <fmt/format.h>

#include <algorithm>

#include "parse.hpp"
#include "read_value.hpp"

namespace baton::workflow {
namespace {

constexpr std::size_t kAxes = 32;
constexpr std::size_t kNames = 256;  // axes, and keys of `include`
constexpr Scope kScope{.field = "matrix", .matrix = false};

bool has_expression(const Value& value) {
  if (value.is_string()) return value.get_ref<const std::string&>().find("${{") != std::string::npos;
  return value.is_structured() && std::any_of(value.begin(), value.end(), has_expression);
}

std::optional<Value> read_literal(Problems& problems, Node node) {
  auto value = to_value(node, problems);
  if (!value || !has_expression(*value)) return value;
  problems.error(node.offset(), "an expression cannot be a part of a matrix value",
                 "let one expression give the whole list: \"${{ … }}\"");
  return std::nullopt;
}

// `include` or `exclude`: a list of maps.
std::vector<Value> read_combinations(Problems& problems, Node node, std::string_view key) {
  std::vector<Value> combinations;
  if (!expect_list(problems, node, key)) return combinations;
  for (const Node item : node.items()) {
    if (!item.is_map() || item.size() == 0) {
      problems.error(item.offset(), fmt::format("`{}` is a list of maps from axes to values", key));
      continue;
    }
    if (auto value = read_literal(problems, item)) combinations.push_back(*std::move(value));
  }
  return combinations;
}

std::optional<MatrixSpec::AxisTemplate> read_axis(FileContext& file, Node key, Node node) {
  MatrixSpec::AxisTemplate axis{.name = std::string(key.text()), .pos = file.problems.source().pos(key.offset())};
  if (looks_like_expression(node)) {
    auto expression = compile_expression_field(file, node, kScope, false);
    if (!expression) return std::nullopt;
    if (const Type type = expression->type(); type != Type::list && type != Type::any) {
      file.problems.error(node.offset(),
                          fmt::format("the axis `{}` must be a list, not {}", axis.name, to_string(type)));
      return std::nullopt;
    }
    axis.values = *std::move(expression);
    return axis;
  }
  if (!node.is_list()) {
    wrong_type(file.problems, node, axis.name, "a list of values, or an expression that yields one");
    return std::nullopt;
  }
  if (node.size() == 0) {
    file.problems.error(node.offset(), fmt::format("the matrix is empty: the axis `{}` has no values", axis.name));
    return std::nullopt;
  }
  std::vector<Value> values;
  values.reserve(node.size());
  bool good = true;
  for (const Node item : node.items()) {
    auto value = read_literal(file.problems, item);
    good = good && value.has_value();
    if (value) values.push_back(*std::move(value));
  }
  if (!good) return std::nullopt;
  axis.values = std::move(values);
  return axis;
}

void check_exclude(Problems& problems, Node node, const std::vector<std::string>& axes) {
  const std::vector<std::string_view> names(axes.begin(), axes.end());
  for (const Node item : node.items()) {
    if (!item.is_map()) continue;
    for (const auto [key, value] : item.entries()) {
      if (std::find(names.begin(), names.end(), key.text()) != names.end()) continue;
      problems.error(key.offset(), fmt::format("the matrix has no axis `{}`", key.text().substr(0, 80)),
                     problems.did_you_mean(key.text(), names));
    }
  }
}

// The axes' names, and behind them the keys that only `include` brings in.
void add_included_names(Problems& problems, Node node, MatrixSpec& matrix) {
  std::vector<std::string>& names = matrix.axis_names;
  for (const Value& included : matrix.include) {
    for (const auto& [name, value] : included.items()) {
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
      if (names.size() <= kNames) continue;
      problems.error(node.offset(), fmt::format("the matrix has more than {} different keys", kNames));
      return;
    }
  }
}

void fix(Problems& problems, Node node, std::vector<MatrixSpec::AxisTemplate> axes, MatrixSpec& matrix) {
  std::vector<MatrixCombos::Axis> values;
  values.reserve(axes.size());
  for (MatrixSpec::AxisTemplate& axis : axes) {
    values.push_back({std::move(axis.name), std::get<std::vector<Value>>(std::move(axis.values))});
  }
  auto combos = MatrixCombos::build(std::move(values), matrix.include, matrix.exclude);
  if (!combos) {
    problems.error(node.offset(), fmt::format("`matrix`: {}", combos.error().message));
  } else if (combos->size() == 0) {
    problems.error(node.offset(), "the matrix is empty: `exclude` leaves no combination");
  } else {
    matrix.fixed = *std::move(combos);
  }
}

void read_axes(FileContext& file, Node node, MatrixSpec& matrix) {
  Problems& problems = file.problems;
  std::vector<MatrixSpec::AxisTemplate> axes;
  bool good = true, fixed = true, any = false;
  std::optional<Node> exclude;
  const std::size_t before = problems.count();
  for (const auto [key, value] : node.entries()) {
    if (key.text() == "include") {
      matrix.include = read_combinations(problems, value, "include");
      continue;
    }
    if (key.text() == "exclude") {
      matrix.exclude = read_combinations(problems, value, "exclude");
      exclude = value;
      continue;
    }
    any = true;
    if (!check_identifier(problems, key, "the name of an axis")) continue;
    matrix.axis_names.emplace_back(key.text());
    auto axis = read_axis(file, key, value);
    good = good && axis.has_value();
    if (!axis) continue;
    fixed = fixed && std::holds_alternative<std::vector<Value>>(axis->values);
    axes.push_back(*std::move(axis));
  }
  if (matrix.axis_names.size() > kAxes) {
    problems.error(node.offset(), fmt::format("the matrix has more than {} axes", kAxes));
    return;
  }
  if (exclude && exclude->is_list()) check_exclude(problems, *exclude, matrix.axis_names);
  if (!any && !node.find("include")) {
    problems.error(node.offset(), "the matrix is empty: it has no axis and no `include`");
  }
  add_included_names(problems, node, matrix);
  if (!good || problems.count() != before) return;
  if (fixed) {
    fix(problems, node, std::move(axes), matrix);
  } else {
    matrix.axes = std::move(axes);
  }
}

}  // namespace

void read_matrix(FileContext& file, Node node, TaskSpec& task) {
  MatrixSpec& matrix = task.matrix.emplace();
  matrix.pos = file.problems.source().pos(node.offset());
  if (looks_like_expression(node)) {
    auto expression = compile_expression_field(file, node, kScope, false);
    if (!expression) return;
    const Type type = expression->type();
    if (type != Type::list && type != Type::object && type != Type::any) {
      file.problems.error(node.offset(), fmt::format("`matrix` must be a list or an object, not {}", to_string(type)));
    }
    matrix.axes = *std::move(expression);
  } else if (node.is_map()) {
    read_axes(file, node, matrix);
  } else {
    wrong_type(file.problems, node, "matrix", "a map from axes to lists, or an expression");
  }
}

}  // namespace baton::workflow
