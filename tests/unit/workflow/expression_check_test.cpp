// What the checker refuses, where it points and what it suggests.
#include <baton/base/limits.hpp>

#include "catch.hpp"
#include "expression_context.hpp"

using namespace baton;
using namespace baton::workflow;
using test::check_context;

namespace {

std::vector<Diagnostic> diagnostics_of(std::string_view text, const CheckContext& context = check_context()) {
  std::vector<Diagnostic> diagnostics;
  const auto expression = Expression::compile(text, {5, 10}, context, diagnostics);
  INFO(text);
  CHECK(expression.has_value() == diagnostics.empty());
  return diagnostics;
}

// The only diagnostic, as COLUMN: message (hint), where the text's first character has column 0.
std::string check_error_of(std::string_view text, const CheckContext& context = check_context()) {
  const auto found = diagnostics_of(text, context);
  INFO(text);
  if (found.size() != 1) return fmt::format("{} diagnostics", found.size());
  CHECK(found[0].pos.line == 5);
  CHECK(found[0].severity == Severity::error);
  return fmt::format("{}: {}", found[0].pos.column - 10, found[0].message) +
         (found[0].hint.empty() ? "" : " (" + found[0].hint + ")");
}

}  // namespace

TEST_CASE("syntax errors point to the place") {
  CHECK(check_error_of("") == "0: the expression is empty");
  CHECK(check_error_of("   ") == "0: the expression is empty");
  CHECK(check_error_of("1 +") == "3: the expression ends here, but something is missing");
  CHECK(check_error_of("1 2") == "2: unexpected `2`");
  CHECK(check_error_of("* 2") == "0: unexpected `*`");
  CHECK(check_error_of("(1") == "2: missing `)` to close the `(`");
  CHECK(check_error_of("(1]") == "2: expected `)` to close the `(`, found `]`");
  CHECK(check_error_of("1)") == "1: unexpected `)`");
  CHECK(check_error_of("[1, 2") == "5: missing `]` to close the `[`");
  CHECK(check_error_of("[1 2]") == "3: expected `,` or `]`, found `2`");
  CHECK(check_error_of("[1,]") == "3: unexpected `]`");
  CHECK(check_error_of("min(1, 2") == "8: missing `)` to close the call");
  CHECK(check_error_of("params.") == "7: a name must follow the `.`");
  CHECK(check_error_of("params.list[") == "12: the expression ends here, but something is missing");
  CHECK(check_error_of("params.list[0") == "13: missing `]` behind the index");
  CHECK(check_error_of("true ? 1") == "8: missing `:` between the two sides of `?:`");
  CHECK(check_error_of("'abc") ==
        "0: this string has no closing quote (a quote inside a single-quoted string is written twice: 'it''s')");
  CHECK(check_error_of("1 + \"abc") == "4: this string has no closing quote");
  CHECK(check_error_of("\"abc\\\"") == "0: this string has no closing quote");
  CHECK(check_error_of("1 + \"\\x\"").starts_with("4: this string has an escape"));
  CHECK(check_error_of("1 # 2") == "2: unexpected character `#`");
  CHECK(check_error_of("1 $ 2") == "2: unexpected character `$`");
  CHECK(check_error_of("1 + é") == "4: unexpected character `é`");
  CHECK(check_error_of("1x") == "0: `1x` is not a number");
  CHECK(check_error_of("1.2.3") == "0: `1.2.3` is not a number");
  CHECK(check_error_of("1e999") == "0: `1e999` is not a number");
  CHECK(check_error_of("\x1b") == "0: unexpected character `\\x1b`");
}

TEST_CASE("slips from other languages get a hint") {
  CHECK(check_error_of("params.n = 3") == "9: `=` is not an operator (did you mean `==`?)");
  CHECK(check_error_of("params.on & true") == "10: `&` is not an operator (did you mean `&&`?)");
  CHECK(check_error_of("params.on | true") == "10: `|` is not an operator (did you mean `||`?)");
  CHECK(check_error_of("params.on and true") == "10: unexpected `and` (did you mean `&&`?)");
  CHECK(check_error_of("params.on or true") == "10: unexpected `or` (did you mean `||`?)");
  CHECK(check_error_of("inputs.n") == "0: unknown name `inputs` (a workflow's inputs are its `params`)");
  CHECK(check_error_of("needs.train.outputs.*").starts_with("20: `.*` is not known here"));
}

TEST_CASE("columns count characters") {
  CHECK(check_error_of("'žluťoučký' + 1").starts_with("12: `+` cannot add a string and a number"));
  CHECK(check_error_of("   params.nn").starts_with("10: unknown parameter `nn`"));
}

TEST_CASE("behind a line break the beginning is the place") {
  CHECK(check_error_of("1 +\n  params.nn").starts_with("0: unknown parameter"));
  CHECK(check_error_of("\n params.nn").starts_with("0: unknown parameter"));
}

TEST_CASE("unknown references are errors with a hint") {
  CHECK(check_error_of("params.rat") == "7: unknown parameter `rat` (did you mean `rate`?)");
  CHECK(check_error_of("params['nope']") == "7: unknown parameter `nope`");
  CHECK(check_error_of("rate") == "0: unknown name `rate` (did you mean `params.rate`?)");
  CHECK(check_error_of("param.rate") == "0: unknown name `param` (did you mean `params`?)");
  CHECK(check_error_of("production == 'x'").starts_with("0: unknown name `production` (a string is written in quotes"));
  CHECK(check_error_of("matrix.sed") == "7: the matrix has no `sed` (did you mean `seed`?)");
  CHECK(check_error_of("matrix.learning") ==
        "7: the matrix has no `learning` (`learning-rate` needs quotes here: matrix['learning-rate'])");
  CHECK(check_error_of("needs.perp.result") == "6: `perp` is not among this task's needs (did you mean `prep`?)");
  CHECK(check_error_of("needs.v1.outputs") ==
        "6: `v1` is not among this task's needs (`v1.2` needs quotes here: needs['v1.2'])");
  CHECK(check_error_of("needs.prep.outputs.row") == "19: task `prep` declares no output `row` (did you mean `rows`?)");
  CHECK(check_error_of("needs.train.outputs.acuracy") ==
        "20: task `train` declares no output `acuracy` (did you mean `accuracy`?)");
  CHECK(check_error_of("needs.train.outputs[0].x") == "23: task `train` declares no output `x`");
  CHECK(check_error_of("needs.prep.output.rows").find("(did you mean `outputs`?)") != std::string::npos);
  CHECK(check_error_of("needs.prep.rows") ==
        "11: a need has `outputs` and `result`, but no `rows` (did you mean `outputs.rows`?)");
  CHECK(check_error_of("run.nubmer") == "4: `run` has no `nubmer` (did you mean `number`?)");
  CHECK(check_error_of("workflow.title") == "9: `workflow` has no `title`");
  CHECK(check_error_of("env.HOEM") == "4: no variable `HOEM` is bound before this place (did you mean `HOME`?)");
  CHECK(check_error_of("env").starts_with("0: `env` alone is not a value"));
  CHECK(check_error_of("env[params.name]").starts_with("0: `env` alone is not a value"));
}

TEST_CASE("unknown functions are errors with a hint") {
  CHECK(check_error_of("contain('a', 'b')") == "0: unknown function `contain` (did you mean `contains`?)");
  CHECK(check_error_of("tojson(params)") == "0: unknown function `tojson` (did you mean `toJSON`?)");
  CHECK(check_error_of("hashFiles('x')") == "0: unknown function `hashFiles`");
}

TEST_CASE("contexts that the field does not allow are errors that name it") {
  CheckContext context = check_context();
  context.allow_needs = context.allow_matrix = context.allow_status = context.allow_env = context.allow_secrets =
      context.allow_run = false;
  CHECK(check_error_of("needs.prep.result", context) == "0: `needs` cannot be used here");
  context.field = "schedule";
  CHECK(check_error_of("needs.prep.result", context) == "0: `needs` cannot be used in `schedule`");
  CHECK(check_error_of("matrix.C", context) == "0: `matrix` cannot be used in `schedule`");
  CHECK(check_error_of("run.id", context) == "0: `run` cannot be used in `schedule`");
  CHECK(check_error_of("env.HOME", context) == "0: `env` cannot be used in `schedule`");
  CHECK(check_error_of("secrets.X", context) == "0: `secrets` cannot be used in `schedule`");
  CHECK(check_error_of("1 + length('a') == 2 && success()", context) ==
        "24: `success()` cannot be used in `schedule` (it belongs into `if`)");
  context.matrix_axes = std::vector<std::string>{};
  context.allow_matrix = true;
  CHECK(check_error_of("matrix.C", context) == "7: this task has no matrix");
  context.matrix_axes = std::nullopt;
  CHECK(diagnostics_of("matrix.anything", context).empty());
}

TEST_CASE("types are checked wherever they are known") {
  CHECK(check_error_of("needs.prep.outputs.rows < 3") ==
        "24: `<` cannot compare a string with a number (convert the string with number(…))");
  CHECK(check_error_of("needs.train.outputs.accuracy[0] >= 0.5")
            .starts_with("32: `>=` cannot compare a string with a number"));
  CHECK(check_error_of("params.name == 3") ==
        "12: a number and a string are never equal (convert the string with number(…))");
  CHECK(check_error_of("3 != params.name").starts_with("2: a number and a string are never equal"));
  CHECK(check_error_of("params.on < true") == "10: `<` compares numbers or strings, not a boolean");
  CHECK(check_error_of("1 < 2 < 3") == "6: `<` compares numbers or strings, not a boolean");
  CHECK(check_error_of("1 + params.name").starts_with("2: `+` cannot add a number and a string"));
  CHECK(check_error_of("true + 1").starts_with("5: `+` cannot add a boolean and a number"));
  CHECK(check_error_of("'a' * 2") == "4: `*` takes numbers, not a string (convert the string with number(…))");
  CHECK(check_error_of("2 - [1]") == "2: `-` takes numbers, not a list");
  CHECK(check_error_of("-'a'").starts_with("0: `-` takes a number, not a string"));
  CHECK(check_error_of("params.name.x") == "12: a string has no member `x`");
  CHECK(check_error_of("[1].x") == "4: a list has no member `x` (an element is written list[0])");
  CHECK(check_error_of("params.n[0]") == "9: a number cannot be indexed");
  CHECK(check_error_of("[1]['a']") == "4: a list has no member `a` (an element is written list[0])");
  CHECK(check_error_of("[1][params.name]") == "4: a list is indexed with a number, not with a string");
  CHECK(check_error_of("params[1]") == "7: an object is indexed with a string, not with a number");
}

TEST_CASE("calls are checked") {
  CHECK(check_error_of("contains('a')") ==
        "0: `contains` takes 2 arguments, not 1 (write contains(list or string, item))");
  CHECK(check_error_of("success(1)") == "0: `success` takes no arguments, not 1");
  CHECK(check_error_of("min()").starts_with("0: `min` takes at least 1 argument, not 0"));
  CHECK(check_error_of("join([], ',', 1)").starts_with("0: `join` takes 1 or 2 arguments, not 3"));
  CHECK(check_error_of("1 + length(true)") == "11: `length` takes a string, a list or an object, not a boolean");
  CHECK(
      check_error_of("startsWith('a', 1)").starts_with("16: `startsWith` takes a string as argument 2, not a number"));
  CHECK(check_error_of("min(1, 'a')").starts_with("7: `min` takes a number as argument 2, not a string"));
  CHECK(check_error_of("min([1], 2)").starts_with("4: `min` takes a number as argument 1, not a list"));
  CHECK(check_error_of("max(needs.train.outputs.accuracy)") ==
        "4: `max` takes a list of numbers; this is one of strings (convert all of them with number(list))");
  CHECK(check_error_of("number(null)").starts_with("7: `number` takes"));
  CHECK(check_error_of("fromJSON(1)").starts_with("9: `fromJSON` takes a string, not a number"));
  CHECK(check_error_of("contains('abc', 1)").starts_with("16: a number and a string are never equal"));
  CHECK(check_error_of("contains(needs.train.outputs.accuracy, 1)")
            .starts_with("39: a number and a string are never equal"));
  CHECK(check_error_of("contains('abc', true)").starts_with("16: a string contains strings, not a boolean"));
  CHECK(check_error_of("format('{0} {1}', 1)") == "7: `{1}` has no argument: 1 given");
  CHECK(check_error_of("format('{', 1)").starts_with("7: format() has no field like `{`"));
  CHECK(diagnostics_of("max(number(needs.train.outputs.accuracy)) < 1").empty());
}

TEST_CASE("secrets stand alone") {
  CHECK(diagnostics_of("secrets.TOKEN").empty());
  CHECK(diagnostics_of("secrets['TOKEN']").empty());
  CHECK(check_error_of("'Bearer ' + secrets.TOKEN").starts_with("12: a secret must be the whole value"));
  CHECK(check_error_of("toJSON(secrets.TOKEN)").starts_with("7: a secret must be the whole value"));
  CHECK(check_error_of("secrets.TOKEN == 'x'").starts_with("0: a secret must be the whole value"));
  CHECK(check_error_of("toJSON(secrets)").starts_with("7: `secrets` alone is not a value"));
  CHECK(check_error_of("secrets[params.name]").starts_with("0: `secrets` alone is not a value"));
  CHECK(check_error_of("secrets['a b']") == "8: `a b` is not a name for a secret");
}

TEST_CASE("all type errors are found in one pass") {
  const auto found = diagnostics_of("params.x + matrix.y + needs.z.result + -'a' + nope");
  CHECK(found.size() == 5);
  std::string many = "nope";
  for (int i = 0; i < 5000; ++i) many += "+nope";
  CHECK(diagnostics_of(many).size() == limits::kDiagnostics);
}

TEST_CASE("nothing is compiled when the list of diagnostics is full") {
  std::vector<Diagnostic> full(limits::kDiagnostics);
  CHECK_FALSE(Expression::compile("nope", {1, 1}, check_context(), full));
  CHECK_FALSE(Expression::compile("1 +", {1, 1}, check_context(), full));
  CHECK(full.size() == limits::kDiagnostics);
}
