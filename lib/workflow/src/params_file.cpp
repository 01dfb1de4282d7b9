// `--params-file`.
#include <baton/base/limits.hpp>

#include <set>
#include <string>

#include "parse.hpp"
#include "read_value.hpp"

namespace baton::workflow {
namespace {

// JSON by the rules of JSON, which YAML does not share to the last escape. Null if it is none, or one with a mistake
// that the reader of YAML says better: too deep, a name that is there twice.
Value read_json(std::string_view text) {
  bool wrong = false;
  std::set<std::string> names;
  const auto look = [&](int depth, Value::parse_event_t event, Value& parsed) {
    const bool twice = event == Value::parse_event_t::key && depth == 1 && !names.insert(parsed).second;
    wrong = wrong || twice || depth > static_cast<int>(limits::kJsonDepth);
    return !wrong;
  };
  Value value = Value::parse(text, look, /*allow_exceptions=*/false);
  return wrong || !value.is_object() ? Value() : value;
}

}  // namespace

Result<Value> read_params_file(std::string_view file_name, std::string_view text) {
  if (Value value = read_json(text); value.is_object()) return value;
  const SourceText source(without_bom(text));
  if (is_blank(source.text())) return Value::object();
  Problems problems(std::string(file_name), source);
  const std::unique_ptr<Tree> tree = Tree::read(source, problems);
  if (tree && !tree->root().is_map()) problems.error(tree->root().offset(), "parameters are a map of names and values");
  if (tree && !problems.any()) {
    if (auto value = to_value(tree->root(), problems)) return *std::move(value);
  }
  return fail(ErrorCode::invalid_argument, "{}", in_one_line(problems.take()));
}

}  // namespace baton::workflow
