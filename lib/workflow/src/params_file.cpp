// `--params-file`.
#include <baton/base/limits.hpp>

#include "parse.hpp"
#include "read_value.hpp"

namespace baton::workflow {
namespace {

// JSON by the rules of JSON, which YAML does not share to the last escape. Null if it is none.
Value read_json(std::string_view text) {
  bool too_deep = false;
  const auto shallow = [&](int depth, Value::parse_event_t, Value&) {
    too_deep = too_deep || depth > static_cast<int>(limits::kJsonDepth);
    return !too_deep;
  };
  Value value = Value::parse(text, shallow, /*allow_exceptions=*/false);
  return too_deep || !value.is_object() ? Value() : value;
}

}  // namespace

Result<Value> read_params_file(std::string_view file_name, std::string_view text) {
  if (Value value = read_json(text); value.is_object()) return value;
  const SourceText source(without_bom(text));
  if (is_blank(source.text())) return Value::object();
  Problems problems(std::string(file_name), source);
  const std::unique_ptr<Tree> tree = Tree::read(source, problems);
  if (tree && expect_map(problems, tree->root(), "a file of parameters") && !problems.any()) {
    if (auto value = to_value(tree->root(), problems)) return *std::move(value);
  }
  return fail(ErrorCode::invalid_argument, "{}", in_one_line(problems.take()));
}

}  // namespace baton::workflow
