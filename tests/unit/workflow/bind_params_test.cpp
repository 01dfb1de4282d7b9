#include <fmt/format.h>
#include <baton/base/limits.hpp>

#include "catch.hpp"
#include "param_pattern.hpp"
#include "parse_support.hpp"

namespace {

using namespace baton;
using namespace baton::workflow;

constexpr std::string_view kParams = R"(
params:
  s: {type: string, default: v1, pattern: "v[0-9]+"}
  i: {type: int, default: 3, min: 1, max: 100}
  n: {type: number, default: 0.5}
  b: {type: bool, default: false}
  d: {type: duration, default: 90s, max: 1h}
  e: {type: string, default: x, enum: [x, y]}
  o: {type: int}
tasks: {a: {run: x}}
)";

std::string bind_error_of(const Value& submitted) {
  const auto bound = bind_params(*parsed(kParams), submitted);
  return bound ? "" : bound.error().message;
}

Value bound_of(const Value& submitted) {
  const auto bound = bind_params(*parsed(kParams), submitted);
  INFO((bound ? "" : bound.error().message));
  REQUIRE(bound);
  return *bound;
}

Value typed_of(const std::map<std::string, std::string>& texts) { return typed_params(*parsed(kParams), texts); }

}  // namespace

TEST_CASE("text is not taken for another type") {
  CHECK(bind_error_of({{"i", "5"}}) == "parameter `i` must be of the type int, not the text \"5\"");
  CHECK(bind_error_of({{"n", "0.5"}}) == "parameter `n` must be of the type number, not the text \"0.5\"");
  CHECK(bind_error_of({{"b", "true"}}) == "parameter `b` must be of the type bool, not the text \"true\"");
}

TEST_CASE("a duration stays as it was written") {
  CHECK(bound_of({{"d", "90s"}})["d"] == "90s");
  CHECK(bound_of({{"d", "1m30s"}})["d"] == "1m30s");
  CHECK(bound_of({{"d", "1.5m"}})["d"] == "1.5m");
  CHECK(bound_of({{"d", "0"}})["d"] == "0s");
  const auto workflow =
      parsed("params: {d: {type: duration, default: 1m30s, enum: [90s, 2m]}}\ntasks: {a: {run: x}}\n");
  CHECK((*bind_params(*workflow, Value::object()))["d"] == "1m30s");
  CHECK((*bind_params(*workflow, {{"d", "120s"}}))["d"] == "120s");
  CHECK(bind_params(*workflow, {{"d", "91s"}}).error().message == "parameter `d` must be one of 90s, 2m, not `91s`");
}

TEST_CASE("defaults are filled in") {
  const Value expected{{"s", "v1"}, {"i", 3}, {"n", 0.5}, {"b", false}, {"d", "90s"}, {"e", "x"}, {"o", nullptr}};
  CHECK(bound_of(Value::object()) == expected);
  CHECK(bound_of(nullptr) == expected);
  CHECK(bound_of({{"i", nullptr}}) == expected);
}

TEST_CASE("values that come as text are converted") {
  const Value typed = typed_of(
      {{"s", "v22"}, {"i", "42"}, {"n", "1e3"}, {"b", "true"}, {"d", "60m"}, {"e", "y"}, {"o", "-7"}, {"no", "1"}});
  CHECK(typed ==
        Value{{"s", "v22"}, {"i", 42}, {"n", 1000.0}, {"b", true}, {"d", "60m"}, {"e", "y"}, {"o", -7}, {"no", "1"}});
  CHECK(bound_of({{"i", 42}, {"n", 1000.0}, {"b", true}, {"o", -7}})["o"] == -7);
  CHECK(bound_of({{"i", 4.0}})["i"].is_number_integer());
  CHECK(bound_of({{"n", 4}})["n"] == 4);
  CHECK(bound_of({{"d", 0}})["d"] == "0s");
}

TEST_CASE("values of a wrong type or outside of their limits are refused") {
  CHECK(bind_error_of({{"i", "3.5"}}) == "parameter `i` must be an integer, not `3.5`");
  CHECK(bind_error_of({{"i", 3.5}}) == "parameter `i` must be an integer, not `3.5`");
  CHECK(bind_error_of({{"i", true}}) == "parameter `i` must be an integer, not `true`");
  CHECK(bind_error_of({{"i", "3 "}}) == "parameter `i` must be an integer, not `3 `");
  CHECK(bind_error_of({{"i", ""}}) == "parameter `i` must be an integer, not ``");
  CHECK(bind_error_of({{"i", 18446744073709551615u}}) ==
        "parameter `i` must be an integer of at most 64 bits, not `18446744073709551615`");
  CHECK(bind_error_of({{"i", 0}}) == "parameter `i` must be at least 1, not `0`");
  CHECK(bind_error_of({{"i", 101}}) == "parameter `i` must be at most 100, not `101`");
  CHECK(bind_error_of({{"n", "nan"}}) == "parameter `n` must be a number, not `nan`");
  CHECK(bind_error_of({{"n", "inf"}}) == "parameter `n` must be a number, not `inf`");
  CHECK(bind_error_of({{"b", "yes"}}) == "parameter `b` must be true or false, not `yes`");
  CHECK(bind_error_of({{"b", 1}}) == "parameter `b` must be true or false, not `1`");
  CHECK(bind_error_of({{"s", 7}}) == "parameter `s` must be a string, not `7`");
  CHECK(bind_error_of({{"s", "w1"}}) == "parameter `s` must match the pattern `v[0-9]+`, which `w1` does not");
  CHECK(bind_error_of({{"s", "v1x"}}) == "parameter `s` must match the pattern `v[0-9]+`, which `v1x` does not");
  CHECK(bind_error_of({{"d", "2h"}}) == "parameter `d` must be at most 1h, not `2h`");
  CHECK(bind_error_of({{"d", 90}}) == "parameter `d` must be a duration such as 10s, 5m or 1h30m, not `90`");
  CHECK(bind_error_of({{"e", "z"}}) == "parameter `e` must be one of x, y, not `z`");
  CHECK(bind_error_of({{"e", Value::array({"x"})}}) == "parameter `e` must be a string, not `[\"x\"]`");
  CHECK(bind_error_of(Value::array()) == "parameters must be an object");
}

TEST_CASE("unknown and missing parameters, all in one message") {
  CHECK(bind_error_of({{"ii", 3}, {"b", 7}}) ==
        "parameter `b` must be true or false, not `7`; there is no parameter `ii` (did you mean `i`?)");
  const auto bound = bind_params(*parsed("params: {r: {required: true}}\ntasks: {a: {run: x}}\n"), Value::object());
  REQUIRE_FALSE(bound);
  CHECK(bound.error().code == ErrorCode::invalid_argument);
  CHECK(bound.error().message == "parameter `r` is required");
}

TEST_CASE("a client that sends very many wrong parameters gets a short answer") {
  Value submitted = Value::object();
  for (int i = 0; i < 20'000; ++i) submitted[fmt::format("unknown{}", i)] = i;
  CHECK(bind_error_of(submitted).size() < 5'000);
}

TEST_CASE("a pattern cannot take exponential time or the stack") {
  const auto workflow =
      parsed("params: {p: {type: string, required: true, pattern: '(a+)+b'}}\ntasks: {a: {run: x}}\n");
  CHECK_FALSE(bind_params(*workflow, {{"p", std::string(1'000, 'a')}}));
  CHECK(bind_params(*workflow, {{"p", std::string(1'000, 'a') + "b"}}));
  const auto error_of = [&](std::size_t bytes) {
    const auto bound = bind_params(*workflow, {{"p", std::string(bytes, 'a')}});
    REQUIRE_FALSE(bound);
    CHECK(bound.error().message.size() < 1'000);
    return bound.error().message;
  };
  CHECK_THAT(error_of(1'025), Catch::Contains("is longer than the 1024 bytes"));
  CHECK_THAT(error_of(10'000'000), Catch::Contains("is longer than the 65536 bytes that a parameter may have"));
}

TEST_CASE("a value has a greatest length") {
  const auto workflow = parsed("params: {s: {type: string}, i: {type: int, default: 1}}\ntasks: {a: {run: x}}\n");
  CHECK(bind_params(*workflow, {{"s", std::string(64u << 10, 'a')}}));
  CHECK_FALSE(bind_params(*workflow, {{"s", std::string((64u << 10) + 1, 'a')}}));
  CHECK_FALSE(bind_params(*workflow, {{"i", std::string((64u << 10) + 1, '0')}}));
}

TEST_CASE("the parts of a pattern, its counts written out") {
  CHECK(pattern_parts("") == 0);
  CHECK(pattern_parts("v[0-9]+") == 3);
  CHECK(pattern_parts("(ab){9}") == 45);
  CHECK(pattern_parts("a{3,}") == 8);
  CHECK(pattern_parts("a{2,5}b") == 11);
  CHECK(pattern_parts("[]a]{9}") == 20);  // an empty class, an `a` and a bracket nine times
  CHECK(pattern_parts("[\\]]{9}") == 18);
  CHECK(pattern_parts("[[:alpha:]]{9}") == 18);
  CHECK(pattern_parts("\\({9}") == 18);
  CHECK(pattern_parts("(((((a?))))){5000}") == 5000 * 13);
  CHECK(pattern_parts("(?:x{100}){100}") == 100 * 203);
  CHECK(pattern_parts("(?=.*a)b") == 64 * 5 + 1);
  CHECK(pattern_parts("((((a{999999999999}){999999999}){99999})") >= 1'000'000);
  CHECK(pattern_parts("a{") <= 2);
}

TEST_CASE("a pattern, and all of them together, have a greatest size") {
  const auto problems = [](int params, std::string_view pattern, int values = 0) {
    std::string text = "params:\n";
    for (int i = 0; i < params; ++i) text += fmt::format("  p{}: {{type: string, pattern: '{}'}}\n", i, pattern);
    if (values != 0) {
      text += fmt::format("  e: {{type: string, pattern: '{}', enum: [", pattern);
      for (int i = 0; i < values; ++i) text += fmt::format("a{}, ", i);
      text += "]}\n";
    }
    return problems_in(text + "tasks: {a: {run: x}}\n");
  };
  CHECK(problems(1, "[a-f0-9]{64}").empty());
  CHECK(problems(1, "a{500}").empty());
  CHECK(problems(1, "a{501}").find("`pattern` has more than 1000 parts") != std::string::npos);
  CHECK(problems(1, "(((((a?))))){5000}").find("`pattern` has more than 1000 parts") != std::string::npos);
  CHECK(problems(8, "a{500}").empty());
  CHECK(problems(9, "a{500}") == "2:3: the patterns of all parameters have more than 8000 parts, counts written out\n");
  CHECK(problems(0, "a[0-9]+", 100).empty());
  CHECK(problems(0, "a[0-9]+", 101).find("`enum` beside a `pattern` has at most 100 values") != std::string::npos);
}

TEST_CASE("the largest patterns are matched with the longest values") {
  for (const char* pattern : {"(((((a?))))){76}b", "(.*){199}b", "((a*)*){110}b", "((?=.*.*b).)*b", "(?:(?=.*b)|.)*b",
                              "((((((((a*)*)*)*)*)*)*)*){30}b"}) {
    INFO(pattern);
    const auto compiled = ParamPattern::compile(pattern);
    REQUIRE(compiled);
    CHECK(compiled.value()->matches(std::string(limits::kPatternValueBytes, 'a')) == false);
  }
}

TEST_CASE("a pattern has a greatest length") {
  const auto problems = [](std::size_t bytes) {
    return problems_in(
        fmt::format("params: {{p: {{type: string, required: true, pattern: '{}'}}}}\ntasks: {{a: {{run: x}}}}\n",
                    std::string(bytes, 'b')));
  };
  CHECK(problems(512).empty());
  CHECK(problems(513).find("longer than 512 bytes") != std::string::npos);
}
