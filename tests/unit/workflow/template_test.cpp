#include <baton/base/limits.hpp>

#include "catch.hpp"
#include "expression_context.hpp"

using namespace baton;
using namespace baton::workflow;
using test::check_context;
using test::FixedContext;

namespace {

Template compiled(std::string_view text) {
  std::vector<Diagnostic> diagnostics;
  auto result = Template::compile(text, {3, 5}, check_context(), diagnostics);
  for (const Diagnostic& diagnostic : diagnostics) UNSCOPED_INFO(diagnostic.message);
  REQUIRE(result);
  return *std::move(result);
}

Value value_of(std::string_view text) {
  INFO(text);
  const auto value = compiled(text).evaluate(FixedContext{});
  REQUIRE(value);
  return *value;
}

// The only diagnostic, as LINE:COLUMN: message.
std::string error_of(std::string_view text) {
  std::vector<Diagnostic> found;
  CHECK_FALSE(Template::compile(text, {3, 5}, check_context(), found));
  if (found.size() != 1) return fmt::format("{} diagnostics", found.size());
  return fmt::format("{}:{}: {}", found[0].pos.line, found[0].pos.column, found[0].message);
}

}  // namespace

TEST_CASE("text without expressions is a literal") {
  for (const char* text : {"", "plain", "$HOME ${HOME} {{ x }} }}", "$${ {", "$"}) {
    INFO(text);
    CHECK(compiled(text).is_literal());
    CHECK(compiled(text).source() == text);
    CHECK(value_of(text) == text);
  }
  CHECK(Template::literal("${{ x").evaluate(FixedContext{}) == Value("${{ x"));
  CHECK(Template().evaluate_text(FixedContext{}) == "");
}

TEST_CASE("one expression alone keeps its type") {
  CHECK(value_of("${{ params.n }}") == 3);
  CHECK(value_of("${{params.list}}") == Value({1, 2, 3}));
  CHECK(compiled("${{ params.list }}").evaluate_text(FixedContext{}) == "[1,2,3]");
  CHECK(value_of("${{ params.absent }}").is_null());
}

TEST_CASE("expressions in a text are joined as text") {
  CHECK(value_of("C=${{ matrix.C }},n=${{ params.n }}.") == "C=0.1,n=3.");
  CHECK(value_of("${{ params.n }}${{ params.n }}") == "33");
  CHECK(value_of(" ${{ params.n }}") == " 3");
  CHECK(value_of("x${{ params.absent }}y") == "xy");
  CHECK(compiled("a ${{ params.n }}").source() == "a ${{ params.n }}");
}

TEST_CASE("braces in quotes do not end an expression") {
  CHECK(value_of("${{ 'a}}b' }}") == "a}}b");
  CHECK(value_of(R"(${{ "a}}\"}}b" }})") == "a}}\"}}b");
  CHECK(value_of("${{ 'it''s}}' }}!") == "it's}}!");
  CHECK(value_of("${{ '${{' }}") == "${{");
  CHECK(value_of("${{ format('{{{0}}}', 1) }}") == "{1}");
}

TEST_CASE("$${{ stands for the characters") {
  CHECK(value_of("$${{ x }}") == "${{ x }}");
  CHECK(compiled("$${{ x }}").is_literal());
  CHECK(compiled("$${{ x }}").source() == "${{ x }}");
  CHECK(value_of("a$${{b${{ params.n }}c$${{") == "a${{b3c${{");
  CHECK(value_of("$$${{ x") == "$${{ x");
  CHECK(value_of("${{ params.n }}$${{") == "3${{");
}

TEST_CASE("an expression without end is an error at its beginning") {
  CHECK(error_of("a ${{ params.n") == "3:7: this `${{` has no closing `}}`");
  CHECK(error_of("${{ params.n }") == "3:5: this `${{` has no closing `}}`");
  CHECK(error_of("${{ 1 }} ${{") == "3:14: this `${{` has no closing `}}`");
  CHECK(error_of("${{ 'a }}") == "3:9: this string has no closing quote");
  CHECK(error_of("${{ \"a }}") == "3:9: this string has no closing quote");
  CHECK(error_of("${{ }}") == "3:8: the expression is empty");
  CHECK(error_of("${{}}") == "3:8: the expression is empty");
  CHECK(error_of("${{ 1 } }}") == "3:11: unexpected character `}`");
}

TEST_CASE("errors of all expressions are found, at their columns") {
  std::vector<Diagnostic> found;
  CHECK_FALSE(Template::compile("é${{ params.a }} ${{ params.n }} ${{ params.b }}", {3, 5}, check_context(), found));
  REQUIRE(found.size() == 2);
  CHECK(found[0].pos == SourcePos{3, 17});
  CHECK(found[1].pos == SourcePos{3, 49});
}

TEST_CASE("behind a line break the beginning of the text is the place") {
  CHECK(error_of("a\n${{ params.a }}").starts_with("3:5: unknown parameter"));
  CHECK(error_of("a\n${{ params.n").starts_with("3:5: this `${{`"));
  CHECK(value_of("a\n${{ params.n\n + 1 }}\n") == "a\n4\n");
}

TEST_CASE("a secret is the whole text or an error") {
  CHECK(compiled("${{ secrets.TOKEN }}").secret() == "TOKEN");
  CHECK_FALSE(compiled("${{ env.HOME }}").secret());
  CHECK_FALSE(compiled("TOKEN").secret());
  CHECK(error_of("Bearer ${{ secrets.TOKEN }}").starts_with("3:16: a secret must be the whole value"));
  CHECK(error_of("${{ secrets.TOKEN }} ").starts_with("3:9: a secret must be the whole value"));
  CHECK(error_of("${{ secrets.A }}${{ secrets.B }}") == "2 diagnostics");
}

TEST_CASE("what a template uses") {
  CHECK(compiled("a${{ params.n }}b${{ needs.prep.result }}").uses_needs());
  CHECK_FALSE(compiled("a${{ params.n }}").uses_needs());
  CHECK(compiled("${{ 1 }}${{ matrix.C }}").uses_matrix());
  CHECK_FALSE(compiled("matrix.C").uses_matrix());
}

TEST_CASE("evaluation passes errors on and bounds the text") {
  CHECK_FALSE(compiled("a${{ 1 / 0 }}").evaluate(FixedContext{}));
  CHECK_FALSE(compiled("a${{ 1 / 0 }}").evaluate_text(FixedContext{}));
  FixedContext context;
  context.params_["name"] = std::string(limits::kExpressionValueBytes / 2, 'x');
  CHECK(compiled("${{ params.name }}y").evaluate(context));
  CHECK(compiled("${{ params.name }}y${{ params.name }}").evaluate(context).error().code == ErrorCode::limit);
}
