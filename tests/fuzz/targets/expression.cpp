// `${{ … }}`: compiled, checked and evaluated.
#include <baton/base/limits.hpp>
#include <baton/base/text.hpp>

#include "../../unit/workflow/expression_context.hpp"
#include "../target.hpp"

namespace baton::fuzz {
namespace {

using workflow::Type;

bool has_type(const Value& value, Type type) {
  switch (type) {
    case Type::any:
      return true;
    case Type::null:
      return value.is_null();
    case Type::boolean:
      return value.is_boolean();
    case Type::number:
      return value.is_number();
    case Type::string:
      return value.is_string() || value.is_null();  // an output that was not written
    case Type::list:
      return value.is_array();
    case Type::object:
      return value.is_object();
  }
  return false;
}

void check_value(const Result<Value>& value, Type type) {
  if (!value) {
    holds(value.error().message.size() < (64u << 10), "an error is for people");
    return;
  }
  holds(has_type(*value, type), "the value has the type that was found when the file was checked");
  const std::string json = value->dump();  // throws for text that is none
  holds(json.size() <= 8 * limits::kExpressionValueBytes, "a value is bounded");
  workflow::truthy(*value);
  workflow::to_text(*value);
}

}  // namespace

void expression(std::string_view input) {
  if (!is_valid_utf8(input)) return;  // the file it stands in was refused
  const workflow::CheckContext check = workflow::test::check_context();
  const workflow::test::FixedContext context;
  std::vector<Diagnostic> diagnostics;
  const auto compiled = workflow::Expression::compile(input, {.line = 1, .column = 1}, check, diagnostics);
  holds(compiled.has_value() != has_errors(diagnostics), "an expression, or errors, never both");
  if (compiled && !compiled->secret()) {
    const Result<Value> value = compiled->evaluate(context);
    check_value(value, compiled->type());
    holds(compiled->evaluate(context) == value, "evaluation is a pure function");
  }
  diagnostics.clear();
  const auto text = workflow::Template::compile(input, {.line = 1, .column = 1}, check, diagnostics);
  holds(text.has_value() != has_errors(diagnostics), "a template, or errors, never both");
  if (!text || text->secret()) return;
  check_value(text->evaluate(context), Type::any);
  if (const auto joined = text->evaluate_text(context)) {
    holds(is_valid_utf8(*joined) && joined->size() <= limits::kExpressionValueBytes,
          "a template's text is bounded text");
  }
}

}  // namespace baton::fuzz
