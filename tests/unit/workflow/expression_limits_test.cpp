// Every bound on expressions, just within and just beyond.
#include <baton/base/limits.hpp>

#include <random>

#include "catch.hpp"
#include "expression_context.hpp"

using namespace baton;
using namespace baton::workflow;
using test::check_context;
using test::FixedContext;

namespace {

std::optional<Expression> compile(std::string_view text, std::string* message = nullptr) {
  std::vector<Diagnostic> diagnostics;
  auto expression = Expression::compile(text, {1, 1}, check_context(), diagnostics);
  if (message != nullptr && !diagnostics.empty()) *message = diagnostics[0].message;
  return expression;
}

std::string repeated(std::string_view text, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += text;
  return out;
}

}  // namespace

TEST_CASE("nesting ends at the limit, in whatever way it is written") {
  const std::size_t most = limits::kExpressionDepth;
  const auto nested = [](std::string_view open, std::string_view close, std::size_t depth) {
    return repeated(open, depth) + "1" + repeated(close, depth);
  };
  const std::pair<std::string_view, std::string_view> kinds[] = {{"(", ")"},      {"[", "]"},       {"-", ""},
                                                                 {"!", ""},       {"string(", ")"}, {"1+(", ")"},
                                                                 {"true?", ":0"}, {"true?0:", ""},  {"params[", "]"}};
  for (const auto& [open, close] : kinds) {
    INFO(open);
    std::string message;
    CHECK_FALSE(compile(nested(open, close, most), &message));
    CHECK(message == "the expression is nested deeper than 64 levels");
    CHECK_FALSE(compile(nested(open, close, 9000), &message));
    if (open != "params[" && open != "string(") CHECK(compile(nested(open, close, most - 1)));
  }
}

TEST_CASE("long chains are no nesting") {
  const std::string sum = "0" + repeated("+1", 30'000);
  const auto expression = compile(sum);
  REQUIRE(expression);
  CHECK(expression->evaluate(FixedContext{}) == Value(30'000));
  CHECK(compile("false" + repeated(" || false", 7'000))->evaluate(FixedContext{}) == Value(false));
  CHECK(compile("params.any" + repeated(".a", 20'000))->evaluate(FixedContext{}) == Value());
  CHECK(compile("length([1" + repeated(",1", 30'000) + "])")->evaluate(FixedContext{}) == Value(30'001));
}

TEST_CASE("an expression has a greatest length") {
  std::string message;
  CHECK(compile("'" + std::string(limits::kExpressionBytes - 2, 'x') + "'"));
  CHECK_FALSE(compile("'" + std::string(limits::kExpressionBytes - 1, 'x') + "'", &message));
  CHECK(message == "the expression is longer than 65536 bytes");
  CHECK_FALSE(compile("'\xff'", &message));
  CHECK(message == "the expression is not valid UTF-8");
}

TEST_CASE("values have a greatest size") {
  FixedContext context;
  context.params_["name"] = std::string(limits::kExpressionValueBytes / 3, 'x');
  for (const char* text :
       {"params.name + params.name + params.name + params.name", "format('{0}{0}{0}{0}', params.name)",
        "join([params.name, params.name], params.name + 'y')", "[params.name, params.name, params.name]",
        "toJSON([params.name, params.name]) + params.name"}) {
    INFO(text);
    const auto expression = compile(text);
    REQUIRE(expression);
    const auto value = expression->evaluate(context);
    REQUIRE_FALSE(value);
    CHECK(value.error().code == ErrorCode::limit);
  }
  CHECK(compile("length(params.name + params.name)")->evaluate(context));
  context.params_["name"] = std::string(limits::kExpressionValueBytes + 1, 'x');
  CHECK(compile("params.name")->evaluate(context).error().code == ErrorCode::limit);
  CHECK(compile("length(params.name)")->evaluate(context).error().code == ErrorCode::limit);
}

TEST_CASE("work on large values counts as steps") {
  FixedContext context;
  context.params_["name"] = std::string(8u << 20, 'x');
  const auto expression = compile("0" + repeated(" + length(params.name)", 2'000));
  REQUIRE(expression);
  const auto value = expression->evaluate(context);
  REQUIRE_FALSE(value);
  CHECK(value.error().code == ErrorCode::limit);
  CHECK(value.error().message.starts_with("the evaluation takes more than 100000 steps"));
}

TEST_CASE("fromJSON reads no deeper than the limit") {
  FixedContext context;
  const auto read = [&](std::size_t depth) {
    context.params_["name"] = repeated("[", depth) + repeated("]", depth);
    return compile("fromJSON(params.name)")->evaluate(context);
  };
  CHECK(read(limits::kJsonDepth));
  CHECK(read(limits::kJsonDepth + 1).error().code == ErrorCode::limit);
  CHECK(read(1'000'000).error().code == ErrorCode::limit);
  context.params_["name"] = "\"" + repeated("[", 1000) + "\"";
  CHECK(compile("fromJSON(params.name)")->evaluate(context));
}

TEST_CASE("a message does not repeat a whole long expression") {
  const auto value = compile("1 / 0" + repeated(" + 1", 10'000))->evaluate(FixedContext{});
  REQUIRE_FALSE(value);
  CHECK(value.error().message.size() < 200);
}

TEST_CASE("no sequence of tokens or bytes breaks the compiler") {
  const std::vector<std::string> tokens{
      "(",     ")",       "[",        "]",    ",",       ".",      "?",        ":",     "+",       "-",
      "*",     "/",       "%",        "!",    "==",      "<",      "&&",       "||",    "1",       "'a'",
      "\"b\"", "true",    "null",     "x",    "params",  "needs",  "matrix",   "env",   "secrets", "run",
      "prep",  "outputs", "train",    "rows", "result",  "C",      "name",     "min",   "format",  "contains",
      " ",     "\n",      "accuracy", "HOME", "default", "number", "workflow", "'{0}'", "\xff",    "}"};
  std::mt19937 random(7);
  int compiled = 0;
  for (int round = 0; round < 50'000; ++round) {
    std::string text;
    for (std::uint32_t i = random() % 12; i > 0; --i) text += tokens[random() % tokens.size()];
    std::vector<Diagnostic> diagnostics;
    const auto expression = Expression::compile(text, {1, 1}, check_context(), diagnostics);
    REQUIRE(expression.has_value() == diagnostics.empty());
    if (!expression) continue;
    ++compiled;
    (void)expression->evaluate(FixedContext{});
  }
  CHECK(compiled > 100);
}
