#include <baton/base/limits.hpp>

#include "catch.hpp"
#include "expression_context.hpp"

using namespace baton;
using namespace baton::workflow;
using test::check_context;
using test::FixedContext;

namespace {

Result<Value> evaluate(std::string_view text, const EvalContext& context = FixedContext{}) {
  std::vector<Diagnostic> diagnostics;
  const auto expression = Expression::compile(text, {1, 1}, check_context(), diagnostics);
  for (const Diagnostic& diagnostic : diagnostics) UNSCOPED_INFO(text << ": " << diagnostic.message);
  REQUIRE(expression);
  REQUIRE(diagnostics.empty());
  Result<Value> value = expression->evaluate(context);
  if (value && expression->type() != Type::any && !value->is_null()) {  // what the checker says is what comes
    const bool number = expression->type() == Type::number;
    CHECK((number ? value->is_number()
                  : std::string(value->type_name()) ==
                        (expression->type() == Type::list ? "array" : to_string(expression->type()))));
  }
  return value;
}

Value value_of(std::string_view text) {
  INFO(text);
  Result<Value> value = evaluate(text);
  if (!value) UNSCOPED_INFO(value.error().message);
  REQUIRE(value);
  return *value;
}

std::string error_of(std::string_view text) {
  INFO(text);
  const Result<Value> value = evaluate(text);
  REQUIRE_FALSE(value);
  return value.error().message;
}

}  // namespace

TEST_CASE("literals") {
  CHECK(value_of("12") == 12);
  CHECK(value_of("12").is_number_integer());
  CHECK(value_of("0.5") == 0.5);
  CHECK(value_of("1e3") == 1000);
  CHECK(value_of("2.5E-1") == 0.25);
  CHECK(value_of("9223372036854775807") == 9223372036854775807);
  CHECK(value_of("true") == true);
  CHECK(value_of("false") == false);
  CHECK(value_of("null").is_null());
  CHECK(value_of("'it''s'") == "it's");
  CHECK(value_of(R"('a\n')") == "a\\n");
  CHECK(value_of(R"("a\n\"\u00e9'")") == "a\n\"é'");
  CHECK(value_of("''") == "");
  CHECK(value_of("[1, 'a', [true]]") == Value({1, "a", Value::array({true})}));
  CHECK(value_of("[]") == Value::array());
}

TEST_CASE("operators bind as in C") {
  CHECK(value_of("1 + 2 * 3") == 7);
  CHECK(value_of("(1 + 2) * 3") == 9);
  CHECK(value_of("10 - 4 - 3") == 3);
  CHECK(value_of("100 / 10 / 5") == 2);
  CHECK(value_of("-2 * -3") == 6);
  CHECK(value_of("- -2") == 2);
  CHECK(value_of("7 % 4 * 2") == 6);
  CHECK(value_of("1 + 1 == 2 && 3 > 2") == true);
  CHECK(value_of("1 < 2 == true") == true);
  CHECK(value_of("!true || true") == true);
  CHECK(value_of("!(true || true)") == false);
  CHECK(value_of("true || false && false") == true);
  CHECK(value_of("1 == 2 ? 'a' : 2 == 2 ? 'b' : 'c'") == "b");
  CHECK(value_of("true ? 1 : 2 + 5") == 1);
}

TEST_CASE("integers stay exact as long as they can") {
  CHECK(value_of("9223372036854775806 + 1") == 9223372036854775807);
  CHECK(value_of("9223372036854775807 + 1").is_number_float());
  CHECK(value_of("9223372036854775807 > 9223372036854775806") == true);
  CHECK(value_of("7 / 2") == 3.5);
  CHECK(value_of("8 / 2").is_number_integer());
  CHECK(value_of("-7 % 3") == -1);
  CHECK(value_of("5.5 % 2") == 1.5);
  CHECK(value_of("(0 - 9223372036854775807 - 1) / -1").get<double>() == 9223372036854775808.0);
  CHECK(value_of("(0 - 9223372036854775807 - 1) % -1") == 0);
  CHECK(value_of("-(0 - 9223372036854775807 - 1)").get<double>() == 9223372036854775808.0);
  CHECK(value_of("1 == 1.0") == true);
}

TEST_CASE("arithmetic that has no result is an error") {
  CHECK(error_of("1 / 0").starts_with("division by zero, in `${{ 1 / 0 }}` at 1:3"));
  CHECK(error_of("1 % 0").starts_with("division by zero"));
  CHECK(error_of("1 / 0.0").starts_with("division by zero"));
  CHECK(error_of("1e308 * 10").starts_with("the result of `*` is too large"));
}

TEST_CASE("+ joins strings") {
  CHECK(value_of("'a' + 'b' + \"c\"") == "abc");
  CHECK(error_of("fromJSON('1') + 'a'").starts_with("`+` cannot add a number and a string"));
  CHECK(error_of("params.absent + 'a'").starts_with("`+` cannot add null and a string"));
}

TEST_CASE("equality is by type and value") {
  CHECK(value_of("'a' == 'a'") == true);
  CHECK(value_of("'a' == 'A'") == false);
  CHECK(value_of("'a' != 'b'") == true);
  CHECK(value_of("null == null") == true);
  CHECK(value_of("params.absent == null") == true);
  CHECK(value_of("true == 1") == false);
  CHECK(value_of("'' == null") == false);
  CHECK(value_of("fromJSON('\"1\"') == 1") == false);  // the type is not known before
  CHECK(value_of("[1, 2] == [1.0, 2]") == true);
  CHECK(value_of("fromJSON('{\"a\": 1}') == fromJSON('{\"a\":1}')") == true);
}

TEST_CASE("order is of numbers and of strings, never of both") {
  CHECK(value_of("2 < 10") == true);
  CHECK(value_of("2 <= 2.0") == true);
  CHECK(value_of("2 > 10") == false);
  CHECK(value_of("10 >= 2") == true);
  CHECK(value_of("'2' < '10'") == false);
  CHECK(value_of("'abc' < 'abd'") == true);
  CHECK(error_of("params.any < 3").starts_with("`<` cannot compare null with a number"));
  CHECK(error_of("fromJSON('\"3\"') < 3").starts_with("`<` cannot compare a string with a number"));
  CHECK(error_of("fromJSON('[]') >= fromJSON('[]')").starts_with("`>=` cannot compare a list with a list"));
}

TEST_CASE("&& and || yield an operand and leave the other one alone") {
  CHECK(value_of("'' || 'b'") == "b");
  CHECK(value_of("'a' || 'b'") == "a");
  CHECK(value_of("'a' && 'b'") == "b");
  CHECK(value_of("0 && 1") == 0);
  CHECK(value_of("null || 0 || 'x'") == "x");
  CHECK(value_of("false && 1 / 0") == false);
  CHECK(value_of("true || 1 / 0") == true);
  CHECK(value_of("true ? 1 : 1 / 0") == 1);
  CHECK(value_of("false ? 1 / 0 : 2") == 2);
  CHECK(value_of("(false && 1 / 0) || (true && 5)") == 5);
  CHECK(value_of("[false && 1 / 0, true || 1 / 0, 3]") == Value({false, true, 3}));
}

TEST_CASE("truth is as in GitHub Actions") {
  for (const char* text : {"''", "0", "0.0", "null", "false", "-0"}) CHECK(value_of(std::string("!") + text) == true);
  for (const char* text : {"'0'", "'false'", "1", "[]", "fromJSON('{}')"})
    CHECK(value_of(std::string("!") + text) == false);
}

TEST_CASE("contexts") {
  CHECK(value_of("params.n") == 3);
  CHECK(value_of("params['name']") == "digits");
  CHECK(value_of("params.list[1]") == 2);
  CHECK(value_of("matrix.C") == 0.1);
  CHECK(value_of("matrix['learning-rate']") == "low");
  CHECK(value_of("matrix.seed - 1") == 1);
  CHECK(value_of("run.id") == "r-1");
  CHECK(value_of("run.number + 1") == 8);
  CHECK(value_of("run.scheduled_for").is_null());
  CHECK(value_of("run.status") == "running");
  CHECK(value_of("workflow.name") == "digits");
  CHECK(value_of("workflow") == Value({{"name", "digits"}}));
  CHECK(value_of("env.HOME") == "/root");
  CHECK(value_of("toJSON(matrix)") == R"({"C":0.1,"learning-rate":"low","seed":2})");
}

TEST_CASE("needs") {
  CHECK(value_of("needs.prep.outputs.rows") == "1797");
  CHECK(value_of("needs['prep']['outputs']['rows']") == "1797");
  CHECK(value_of("(needs.prep).outputs") == Value({{"rows", "1797"}, {"path", "work/x"}}));
  CHECK(value_of("needs.prep.result") == "succeeded");
  CHECK(value_of("needs.build-app.result") == "skipped");
  CHECK(value_of("needs . build-app . result == 'skipped'") == true);
  CHECK(value_of("needs['v1.2'].result") == "skipped");
  CHECK(value_of("needs.prep") ==
        Value({{"outputs", {{"rows", "1797"}, {"path", "work/x"}}}, {"result", "succeeded"}}));
  CHECK(value_of("needs['pr' + 'ep'].result") == "succeeded");
  CHECK(value_of("length(needs)") == 4);
  CHECK(value_of("needs.build-app.outputs.image").is_null());
  CHECK(value_of("default(needs.build-app.outputs.image, 'none')") == "none");
}

TEST_CASE("the outputs of a matrix task are a list in instance order") {
  CHECK(value_of("needs.train.outputs") ==
        Value::array({{{"accuracy", "0.9"}}, {{"accuracy", "0.95"}}, Value::object()}));
  CHECK(value_of("needs.train.outputs.accuracy") == Value({"0.9", "0.95", nullptr}));
  CHECK(value_of("needs.train.outputs.accuracy[1]") == "0.95");
  CHECK(value_of("needs.train.outputs[0].accuracy") == "0.9");
  CHECK(value_of("length(needs.train.outputs)") == 3);
}

TEST_CASE("a missing member is null; a missing element is an error") {
  CHECK(value_of("fromJSON('{}').a").is_null());
  CHECK(value_of("fromJSON('{}').a.b['c']").is_null());
  CHECK(value_of("fromJSON('{\"a\":{\"b\":[1,2]}}').a.b[1]") == 2);
  CHECK(error_of("params.list[3]").starts_with("there is no element 3 in a list of 3"));
  CHECK(error_of("params.list[-1]").starts_with("there is no element -1"));
  CHECK(error_of("params.list[0.5]").starts_with("there is no element 0.5"));
  CHECK(error_of("params.list[1e300]").starts_with("there is no element 1e300"));
  CHECK(error_of("fromJSON('[1]').a").starts_with("a list has no member `a`"));
  CHECK(error_of("fromJSON('1')[0]").starts_with("a number cannot be indexed"));
}

TEST_CASE("status functions ask the context") {
  FixedContext context;
  context.success_ = false;
  context.failure_ = context.cancelled_ = true;
  CHECK(evaluate("[success(), failure(), cancelled(), always()]", context) == Value({false, true, true, true}));
}

TEST_CASE("text functions") {
  CHECK(value_of("contains('abc', 'b')") == true);
  CHECK(value_of("contains('abc', 'B')") == false);
  CHECK(value_of("contains([1, 2], 2)") == true);
  CHECK(value_of("contains(['a'], 'b')") == false);
  CHECK(value_of("contains(params.list, 3.0)") == true);
  CHECK(value_of("startsWith('abc', 'ab')") == true);
  CHECK(value_of("endsWith('abc', 'ab')") == false);
  CHECK(value_of("format('{1}-{0}-{1}', 1, 'a')") == "a-1-a");
  CHECK(value_of("format('{{{0}}}', params.rate)") == "{0.5}");
  CHECK(value_of("join(['a', 1, null, true], '-')") == "a-1--true");
  CHECK(value_of("join([1, 2])") == "1,2");
  CHECK(value_of("join([], 'x')") == "");
  CHECK(value_of("length('žluť')") == 4);
  CHECK(value_of("length([1, 2])") == 2);
  CHECK(value_of("length(params)") == 6);
}

TEST_CASE("format refuses fields that are not there") {
  CHECK(error_of("format(params.name + '{0}')").starts_with("`{0}` has no argument: 0 given"));
  CHECK(error_of("format(params.name + '{x}', 1)").starts_with("format() has no field like `{x}`"));
  CHECK(error_of("format(params.name + '{', 1)").starts_with("format() has no field like `{`"));
  CHECK(error_of("format(params.name + '}', 1)").starts_with("format() has no field like `}`"));
}

TEST_CASE("conversions") {
  CHECK(value_of("number('0.95')") == 0.95);
  CHECK(value_of("number(' -3\n')") == -3);
  CHECK(value_of("number('1e3')") == 1000);
  CHECK(value_of("number(5)") == 5);
  CHECK(value_of("number(['1', 2])") == Value({1, 2}));
  CHECK(value_of("string(0.10)") == "0.1");
  CHECK(value_of("string(3.0)") == "3");
  CHECK(value_of("string(true) + string(null)") == "true");
  CHECK(value_of("string([1, 'a'])") == R"([1,"a"])");
  CHECK(value_of("toJSON('a\"b')") == R"("a\"b")");
  CHECK(value_of("fromJSON('{\"a\": [1, null]}').a[0]") == 1);
  CHECK(value_of("fromJSON(toJSON(params)) == params") == true);
  for (const char* text :
       {"''", "'x'", "'1x'", "'0x10'", "'inf'", "'nan'", "'-'", "'1 2'", "'+1'", "'1e999'", "'.5'"}) {
    CHECK(error_of(std::string("number(") + text + ")").find("is not a number") != std::string::npos);
  }
  CHECK(error_of("number(params.absent)").starts_with("`number` takes a number, a string or a list, not null"));
  CHECK(error_of("number(needs.train.outputs.accuracy)").starts_with("number() cannot read null"));
  for (const char* text : {"''", "'{'", "'[1,]'", "'1 2'", "'NaN'", "'{a:1}'"}) {
    CHECK(error_of(std::string("fromJSON(") + text + ")").starts_with("fromJSON() cannot read"));
  }
}

TEST_CASE("extremes and defaults") {
  CHECK(value_of("min(3, 1.5, 2)") == 1.5);
  CHECK(value_of("max(3, 1, 2)") == 3);
  CHECK(value_of("max([1, 7, 3])") == 7);
  CHECK(value_of("min(4)") == 4);
  CHECK(value_of("max(number(['0.9', '0.10']))") == 0.9);
  CHECK(error_of("max([])").starts_with("max() of an empty list"));
  CHECK(error_of("max(fromJSON('[1, \"a\"]'))").starts_with("max() takes numbers, not a string"));
  CHECK(error_of("max(fromJSON('\"a\"'), 1)").starts_with("`max` takes a number or a list, not a string"));
  CHECK(error_of("max(1, fromJSON('[]'))").find("not a list") != std::string::npos);
  CHECK(error_of("max(fromJSON('[2]'), 1)").starts_with("max() takes numbers, not a list"));
  CHECK(value_of("default(params.absent, 5)") == 5);
  CHECK(value_of("default('', 5)") == "");
  CHECK(value_of("default(null, 'x')") == "x");
}

TEST_CASE("what an expression uses") {
  std::vector<Diagnostic> diagnostics;
  const auto compiled = [&](const char* text) {
    const auto expression = Expression::compile(text, {1, 1}, check_context(), diagnostics);
    REQUIRE(expression);
    return *expression;
  };
  CHECK(compiled(" success() ").uses_status_function());
  CHECK(compiled("!cancelled()").uses_status_function());
  CHECK_FALSE(compiled("'success()'").uses_status_function());
  CHECK(compiled("1 + length(needs.prep.result)").uses_needs());
  CHECK_FALSE(compiled("params.n").uses_needs());
  CHECK(compiled("matrix.C").uses_matrix());
  CHECK_FALSE(compiled("params.n").uses_matrix());
  CHECK(compiled(" secrets.TOKEN ").secret() == "TOKEN");
  CHECK_FALSE(compiled("env.HOME").secret());
  CHECK(compiled("  1 + 1 ").text() == "1 + 1");
  CHECK(compiled("1 + 1").type() == Type::number);
  CHECK(compiled("needs.train.outputs.accuracy").type() == Type::list);
  CHECK(compiled("matrix.C").type() == Type::any);
  CHECK(compiled("true ? 'a' : 'b'").type() == Type::string);
}

TEST_CASE("a secret has no value here") {
  CHECK(error_of("secrets.TOKEN").starts_with("only the task itself gets the value of a secret"));
}

TEST_CASE("an unbound variable, a default expression and a throwing context are errors, not exceptions") {
  FixedContext context;
  context.env_.clear();
  CHECK(evaluate("env.HOME", context).error().code == ErrorCode::not_found);
  context.outputs_.clear();
  CHECK(evaluate("needs.prep.outputs.rows", context).error().code == ErrorCode::internal);
  CHECK(Expression().evaluate(context).error().code == ErrorCode::internal);
}

TEST_CASE("values as text") {
  CHECK(to_text(0.1) == "0.1");
  CHECK(to_text(1e-5) == "1e-5");
  CHECK(to_text(1e22) == "1e22");
  CHECK(to_text(-0.0) == "0");
  CHECK(to_text(3.0) == "3");
  CHECK(to_text(1e100) == "1e100");
  CHECK(to_text(12345678901234567890u) == "12345678901234567890");
  CHECK(to_text("a\nb") == "a\nb");
  CHECK(to_text(Value()) == "");
  CHECK(to_text(true) == "true");
  CHECK(to_text(Value({{"b", 1}, {"a", {1, 2}}})) == R"({"a":[1,2],"b":1})");
  CHECK(to_text(Value::array({"\xff"})) == "[\"\xef\xbf\xbd\"]");
}

TEST_CASE("what evaluations share is computed once, and changes no result") {
  struct Counted : FixedContext {
    mutable int asked = 0;
    Value outputs(TaskIndex task) const override {
      ++asked;
      return FixedContext::outputs(task);
    }
  };
  const std::string text =
      GENERATE("fromJSON(needs.prep.outputs.rows) > matrix.seed", "number(needs.train.outputs.accuracy)[matrix.seed]",
               "toJSON(matrix.seed == 1 ? params.list : params.name)",
               "length(matrix.seed == 1 && needs.prep || params.list)", "toJSON(params.list[matrix.seed])",
               "fromJSON(needs.prep.outputs.path)[matrix.seed]", "toJSON(needs) != run.status",
               "success() && contains(string(needs.train.outputs.accuracy), string(matrix.seed))");
  INFO(text);
  std::vector<Diagnostic> diagnostics;
  const auto expression = Expression::compile(text, {1, 1}, check_context(), diagnostics);
  REQUIRE(expression);
  Memo memo;
  Counted counted;
  for (const int seed : {0, 1, 2, 1, 0, 3}) {
    counted.matrix_["seed"] = seed;
    counted.success_ = seed != 2;
    const Result<Value> shared = expression->evaluate(counted, memo);
    FixedContext alone = counted;
    const Result<Value> expected = expression->evaluate(alone);
    REQUIRE(shared.has_value() == expected.has_value());
    if (expected) CHECK(*shared == *expected);
    if (!expected) CHECK(shared.error().message == expected.error().message);
  }
  if (text != "toJSON(needs) != run.status") CHECK(counted.asked <= 1);
}
