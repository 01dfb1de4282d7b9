#include <baton/base/limits.hpp>
#include <baton/workflow/matrix.hpp>

#include <set>

#include "catch.hpp"
#include "expression_context.hpp"

using namespace baton;
using namespace baton::workflow;

namespace {

using Axes = std::vector<MatrixCombos::Axis>;
using Values = std::vector<Value>;

MatrixCombos built(Axes axes, Values include = {}, Values exclude = {}) {
  auto result = MatrixCombos::build(std::move(axes), std::move(include), std::move(exclude));
  if (!result) UNSCOPED_INFO(result.error().message);
  REQUIRE(result);
  return *std::move(result);
}

Values all(const MatrixCombos& combos) {
  Values out;
  for (std::uint32_t i = 0; i < combos.size(); ++i) out.push_back(combos.at(i));
  return out;
}

std::vector<std::string> labels(const MatrixCombos& combos) {
  std::vector<std::string> out;
  for (std::uint32_t i = 0; i < combos.size(); ++i) out.push_back(combos.label(i));
  return out;
}

void check_stored(const MatrixCombos& combos) {
  const auto text = combos.to_json().dump();
  const auto again = MatrixCombos::from_json(Value::parse(text));
  REQUIRE(again);
  CHECK(all(*again) == all(combos));
  CHECK(labels(*again) == labels(combos));
  CHECK(again->to_json() == combos.to_json());
}

std::string error_of(Axes axes, Values include = {}, Values exclude = {}) {
  const auto result = MatrixCombos::build(std::move(axes), std::move(include), std::move(exclude));
  return result ? "" : result.error().message;
}

Values numbers(int count) {
  Values out;
  for (int i = 0; i < count; ++i) out.emplace_back(i);
  return out;
}

}  // namespace

TEST_CASE("a matrix is the product of its axes, the last one turning fastest") {
  const auto combos = built({{"C", {0.1, 1}}, {"seed", {1, 2, 3}}});
  CHECK(all(combos) == Values{{{"C", 0.1}, {"seed", 1}},
                              {{"C", 0.1}, {"seed", 2}},
                              {{"C", 0.1}, {"seed", 3}},
                              {{"C", 1}, {"seed", 1}},
                              {{"C", 1}, {"seed", 2}},
                              {{"C", 1}, {"seed", 3}}});
  CHECK(combos.label(0) == "C=0.1,seed=1");
  CHECK(combos.label(5) == "C=1,seed=3");
  check_stored(combos);
}

TEST_CASE("axes stay in the order of the file") { CHECK(built({{"z", {1}}, {"a", {2}}}).label(0) == "z=1,a=2"); }

TEST_CASE("a matrix may be empty") {
  CHECK(MatrixCombos().size() == 0);
  CHECK(built({}).size() == 0);
  CHECK(built({{"a", {}}, {"b", {1}}}).size() == 0);
  CHECK(built({{"a", {1, 2}}}, {}, {{{"a", 1}}, {{"a", 2}}}).size() == 0);
  check_stored(built({}));
}

TEST_CASE("exclude removes what agrees with it") {
  const auto combos =
      built({{"os", {"a", "b"}}, {"v", {1, 2, 3}}}, {}, {{{"os", "a"}, {"v", 2}}, {{"v", 3.0}}, {{"v", 9}}});
  CHECK(labels(combos) == std::vector<std::string>{"os=a,v=1", "os=b,v=1", "os=b,v=2"});
  CHECK(combos.at(2) == Value{{"os", "b"}, {"v", 2}});
  check_stored(combos);
}

// The example of GitHub's documentation, "Expanding or adding matrix configurations".
TEST_CASE("include extends or adds as in GitHub Actions") {
  const auto combos =
      built({{"fruit", {"apple", "pear"}}, {"animal", {"cat", "dog"}}}, {{{"color", "green"}},
                                                                         {{"color", "pink"}, {"animal", "cat"}},
                                                                         {{"fruit", "apple"}, {"shape", "circle"}},
                                                                         {{"fruit", "banana"}},
                                                                         {{"fruit", "banana"}, {"animal", "cat"}}});
  CHECK(all(combos) == Values{{{"fruit", "apple"}, {"animal", "cat"}, {"color", "pink"}, {"shape", "circle"}},
                              {{"fruit", "apple"}, {"animal", "dog"}, {"color", "green"}, {"shape", "circle"}},
                              {{"fruit", "pear"}, {"animal", "cat"}, {"color", "pink"}},
                              {{"fruit", "pear"}, {"animal", "dog"}, {"color", "green"}},
                              {{"fruit", "banana"}},
                              {{"fruit", "banana"}, {"animal", "cat"}}});
  CHECK(combos.label(0) == "fruit=apple,animal=cat,color=pink,shape=circle");
  CHECK(combos.label(4) == "fruit=banana");
  check_stored(combos);
}

TEST_CASE("a later include entry wins over an earlier one, also over one for all") {
  const auto combos =
      built({{"a", {1, 2}}}, {{{"a", 1}, {"x", "first"}}, {{"x", "second"}}, {{"a", 2}, {"x", "third"}}});
  CHECK(combos.at(0)["x"] == "second");
  CHECK(combos.at(1)["x"] == "third");
}

TEST_CASE("what is included in every combination is looked at once") {
  Values values, include;
  for (int i = 0; i < 2'000; ++i) values.emplace_back(i);
  for (int i = 0; i < 200'000; ++i) include.push_back({{"x", i}, {"y" + std::to_string(i % 3), i}});
  include.push_back({{"v", 7}, {"x", "of seven"}});
  include.push_back({{"y0", "last"}});
  const MatrixCombos combos = built({{"v", values}}, include);
  REQUIRE(combos.size() == 2'000);
  for (std::uint32_t i = 0; i < combos.size(); ++i) {
    const Value x = i == 7 ? Value("of seven") : Value(199'999);
    REQUIRE(combos.at(i) == Value{{"v", i}, {"x", x}, {"y0", "last"}, {"y1", 199'999}, {"y2", 199'997}});
  }
  CHECK(combos.label(7) == "v=7,x=of%20seven,y0=last,y1=199999,y2=199997");
  CHECK(combos.label(8) == "v=8,x=199999,y0=last,y1=199999,y2=199997");
}

TEST_CASE("include works without axes and after everything is excluded") {
  CHECK(all(built({}, {{{"a", 1}}, {{"b", 2}}})) == Values{{{"a", 1}}, {{"b", 2}}});
  const auto combos = built({{"a", {1}}}, {{{"x", 5}}, {{"a", 1}}}, {{{"a", 1}}});
  CHECK(all(combos) == Values{{{"x", 5}}, {{"a", 1}}});
  CHECK(built({{"a", {1, 2}}}, {{{"a", 1}}}).size() == 2);  // it agrees with one, and adds nothing
}

TEST_CASE("what is given twice is an error") {
  CHECK(error_of({{"a", {1, 2, 1}}}) == "axis `a` has the value 1 twice, at 1 and 3");
  CHECK(error_of({{"a", {1, 1.0}}}).find("twice") != std::string::npos);
  CHECK(error_of({{"a", {1, "1"}}}).empty());
  CHECK(error_of({{"a", {1}}, {"a", {2}}}) == "the matrix has two axes `a`");
  CHECK(error_of({}, {{{"a", 1}}, {{"b", 1}}, {{"a", 1}}})
            .starts_with("the combinations 1 and 3 of the matrix are equal"));
  CHECK(MatrixCombos::from_list({"x", "y", "x"}).error().message.starts_with("the combinations 1 and 3"));
  CHECK_FALSE(MatrixCombos::from_list({"x", {{"item", "x"}}}));
  CHECK_FALSE(MatrixCombos::from_list({1, 1.0}));
}

TEST_CASE("entries must make sense") {
  CHECK(error_of({{"a", {1}}}, {}, {{{"b", 1}}}) == "`exclude` names `b`, which is no axis of the matrix");
  CHECK(error_of({{"a", {1}}}, {}, {5}) == "an entry of `exclude` must be an object, not a number");
  CHECK(error_of({{"a", {1}}}, {"x"}) == "an entry of `include` must be an object, not a string");
  CHECK(error_of({{"a", {1}}}, {Value::object()}) == "an entry of `include` is empty");
  CHECK(error_of({{"a", {1}}}, {}, {Value::object()}) == "an entry of `exclude` is empty");
}

TEST_CASE("dynamic mapping takes objects and wraps everything else") {
  const auto combos = MatrixCombos::from_list({"x", 2, {{"a", 1}, {"b", "z"}}, Value::array({1, 2}), nullptr});
  REQUIRE(combos);
  CHECK(all(*combos) ==
        Values{{{"item", "x"}}, {{"item", 2}}, {{"a", 1}, {"b", "z"}}, {{"item", {1, 2}}}, {{"item", nullptr}}});
  CHECK(labels(*combos) == std::vector<std::string>{"item=x", "item=2", "a=1,b=z", "item=%5B1%2C2%5D", "item=null"});
  check_stored(*combos);
  CHECK(MatrixCombos::from_list({})->size() == 0);
}

TEST_CASE("labels show values as the user would write them") {
  const auto combos = built(
      {{"v", {0.1, 1e-5, 1e22, 3.0, true, nullptr, "a b", "ü", "50%", "x=1,y", "1.0", "https://h/p_-+", "", "~"}}});
  CHECK(labels(combos) == std::vector<std::string>{"v=0.1", "v=1e-5", "v=1e22", "v=3", "v=true", "v=null", "v=a%20b",
                                                   "v=%C3%BC", "v=50%25", "v=x%3D1%2Cy", "v=1.0", "v=https://h/p_-+",
                                                   "v=", "v=%7E"});
}

TEST_CASE("values that look the same get labels of their own") {
  const auto combos = built({{"v", {1, "1", true, "true", nullptr, "null"}}, {"w", {2}}});
  CHECK(labels(combos) == std::vector<std::string>{"v=1,w=2", "v=1~v1,w=2", "v=true,w=2", "v=true~v3,w=2", "v=null,w=2",
                                                   "v=null~v5,w=2"});
  const auto included = built({{"v", {1}}}, {{{"v", "1"}}, {{"v", "1"}, {"x", 1}}, {{"v", "1"}, {"x", "1"}}});
  CHECK(labels(included) == std::vector<std::string>{"v=1", "v=1~1", "v=1,x=1~2", "v=1,x=1~3"});
  check_stored(included);
  const auto listed = MatrixCombos::from_list({1, "1"});
  CHECK(labels(*listed) == std::vector<std::string>{"item=1", "item=1~1"});
}

TEST_CASE("long labels are cut and stay apart") {
  const std::string lots(1000, 'x');
  const auto combos = built({{"v", {lots + "a", lots + "b", std::string(500, ' '), "short"}}, {"w", {1, 2}}});
  std::set<std::string> seen;
  for (const std::string& label : labels(combos)) {
    CHECK(label.size() <= 128);
    CHECK(seen.insert(label).second);
  }
  CHECK(combos.label(0) == "v=" + std::string(124, 'x') + "~0");
  CHECK(combos.label(4).ends_with("%20~4"));
  CHECK(combos.label(6) == "v=short,w=1");
  const auto exact = built({{"v", {std::string(126, 'y'), std::string(127, 'y')}}});
  CHECK(exact.label(0).size() == 128);
  CHECK(exact.label(0).back() == 'y');
  CHECK(exact.label(1).ends_with("~1"));
}

TEST_CASE("a million combinations take no room of their own") {
  const auto combos = built({{"a", numbers(100)}, {"b", numbers(100)}, {"c", numbers(100)}});
  REQUIRE(combos.size() == 1'000'000);
  CHECK(combos.at(0) == Value{{"a", 0}, {"b", 0}, {"c", 0}});
  CHECK(combos.at(123'456) == Value{{"a", 12}, {"b", 34}, {"c", 56}});
  CHECK(combos.at(999'999) == Value{{"a", 99}, {"b", 99}, {"c", 99}});
  CHECK(combos.label(123'456) == "a=12,b=34,c=56");
  CHECK(combos.to_json().dump().size() < 2000);
}

TEST_CASE("a million combinations with exclusions, extensions and additions keep their numbers") {
  const auto combos =
      built({{"a", numbers(1000)}, {"b", numbers(999)}},
            {{{"a", 5}, {"note", "five"}}, {{"a", 5}, {"b", 7}, {"note", "both"}}, {{"a", -1}}}, {{{"b", 0}}});
  REQUIRE(combos.size() == 1000 * 998 + 1);
  CHECK(combos.at(0) == Value{{"a", 0}, {"b", 1}});
  CHECK(combos.at(5 * 998) == Value{{"a", 5}, {"b", 1}, {"note", "five"}});
  CHECK(combos.at(5 * 998 + 6) == Value{{"a", 5}, {"b", 7}, {"note", "both"}});
  CHECK(combos.label(5 * 998 + 6) == "a=5,b=7,note=both");
  CHECK(combos.at(1000 * 998) == Value{{"a", -1}});
}

TEST_CASE("a matrix has a greatest size") {
  const auto code = [](Axes axes, Values include = {}, Values exclude = {}) {
    const auto result = MatrixCombos::build(std::move(axes), std::move(include), std::move(exclude));
    return result ? ErrorCode::internal : result.error().code;
  };
  CHECK(code({{"a", numbers(1000)}, {"b", numbers(1001)}}) == ErrorCode::limit);
  CHECK(code({{"a", numbers(100'000)}, {"b", numbers(100'000)}, {"c", numbers(100'000)}, {"d", numbers(100'000)}}) ==
        ErrorCode::limit);
  const Values wide = numbers(1 << 16);  // 2^64 combinations
  CHECK(code({{"a", wide}, {"b", wide}, {"c", wide}, {"d", wide}}) == ErrorCode::limit);
  CHECK(code({{"a", numbers(1000)}, {"b", numbers(1000)}}, {{{"a", -1}}}) == ErrorCode::limit);
  Values excludes;
  for (int i = 0; i < 100; ++i) excludes.push_back({{"a", i % 10}});
  CHECK(code({{"a", numbers(10)}, {"b", numbers(100'000)}}, {}, excludes) == ErrorCode::limit);
  for (Value& entry : excludes) entry["x"] = 1;
  CHECK(code({{"a", numbers(10)}, {"b", numbers(100'000)}}, excludes) == ErrorCode::limit);
}

TEST_CASE("what is no stored matrix is refused") {
  for (const char* text :
       {"null", "[]", "{}", "{\"axes\":1}", "{\"axes\":[1]}", "{\"axes\":[[1,[]]]}", "{\"axes\":[[\"a\",1]]}",
        "{\"items\":{}}", "{\"axes\":[],\"include\":1}", "{\"axes\":[],\"exclude\":{}}"}) {
    INFO(text);
    const auto result = MatrixCombos::from_json(Value::parse(text));
    REQUIRE_FALSE(result);
    CHECK(result.error().code == ErrorCode::corrupt);
  }
  CHECK_FALSE(MatrixCombos::from_json(Value::parse(R"({"axes":[["a",[1,1]]]})")));
}

namespace {

Expression expression(std::string_view text) {
  std::vector<Diagnostic> diagnostics;
  auto result = Expression::compile(text, {1, 1}, test::check_context(), diagnostics);
  REQUIRE(result);
  return *std::move(result);
}

}  // namespace

TEST_CASE("a matrix with an expression for an axis is expanded in its context") {
  MatrixSpec spec;
  spec.axes = std::vector<MatrixSpec::AxisTemplate>{{"n", expression("params.list"), {}}, {"m", Values{"a", "b"}, {}}};
  spec.exclude = {{{"n", 2}}};
  const auto combos = spec.expand(test::FixedContext{});
  REQUIRE(combos);
  CHECK(labels(*combos) == std::vector<std::string>{"n=1,m=a", "n=1,m=b", "n=3,m=a", "n=3,m=b"});
  spec.axes = std::vector<MatrixSpec::AxisTemplate>{{"n", expression("params.any"), {}}};
  CHECK(spec.expand(test::FixedContext{}).error().message == "matrix axis `n` must be a list, not null");
  spec.axes = std::vector<MatrixSpec::AxisTemplate>{{"n", expression("params.list[9]"), {}}};
  CHECK_FALSE(spec.expand(test::FixedContext{}));
}

TEST_CASE("a whole matrix may be an expression: a list, or an object of axes") {
  MatrixSpec spec;
  spec.axes = expression("params.list");
  spec.include = {{{"item", 9}, {"x", 1}}};
  CHECK(labels(*spec.expand(test::FixedContext{})) ==
        std::vector<std::string>{"item=1", "item=2", "item=3", "item=9,x=1"});
  spec.include.clear();
  spec.axes = expression("fromJSON('[{\"a\":1,\"b\":1},{\"a\":2,\"b\":1}]')");
  spec.exclude = {{{"a", 1}}};
  CHECK(labels(*spec.expand(test::FixedContext{})) == std::vector<std::string>{"a=2,b=1"});
  spec.axes = expression("fromJSON('{\"a\":[1,2],\"b\":[3]}')");
  CHECK(labels(*spec.expand(test::FixedContext{})) == std::vector<std::string>{"a=2,b=3"});
  spec.axes = expression("fromJSON('{\"a\":1}')");
  CHECK(spec.expand(test::FixedContext{}).error().message == "matrix axis `a` must be a list, not a number");
  spec.axes = expression("params.n");
  CHECK(spec.expand(test::FixedContext{}).error().message ==
        "a matrix must be a list or an object of lists, not a number");
}

TEST_CASE("a fixed matrix needs no context") {
  MatrixSpec spec;
  spec.fixed = built({{"a", {1, 2}}});
  CHECK(spec.expand(test::FixedContext{})->size() == 2);
}
