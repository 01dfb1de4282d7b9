// Workflows that use other files.
#include <fmt/format.h>
#include <baton/base/limits.hpp>

#include "catch.hpp"
#include "parse_support.hpp"

namespace {

using namespace baton;
using namespace baton::workflow;

constexpr std::string_view kGreet =
    "params: {name: {required: true}, times: 1}\ntasks: {say: {run: x, outputs: [g]}}\n"
    "outputs: {greeting: \"${{ needs.say.outputs.g }}\"}\n";

std::string chain(int length, bool circle) {
  Bundle bundle{.entry = "f0.yaml", .files = {}};
  for (int i = 0; i < length; ++i) {
    const bool last = i + 1 == length;
    bundle.files[fmt::format("f{}.yaml", i)] =
        last && !circle ? "tasks: {a: {run: x}}\n"
                        : fmt::format("tasks: {{a: {{uses: f{}.yaml}}}}\n", last ? 0 : i + 1);
  }
  const ParseResult result = parse_bundle(bundle);
  CHECK((result.workflow == nullptr) == !result.diagnostics.empty());
  return problems_of(result);
}

}  // namespace

TEST_CASE("a used workflow is a part of the one that uses it") {
  const ParseResult result =
      parse_bundle({.entry = "flows/main.yaml",
                    .files = {{"flows/main.yaml",
                               "tasks:\n  a: {uses: ../parts/greet.yaml, with: {name: Ada, times: 2}}\n"
                               "  b: {needs: a, env: {G: \"${{ needs.a.outputs.greeting }}\"}, run: x}\n"},
                              {"parts/greet.yaml", std::string(kGreet)}}});
  INFO(problems_of(result));
  REQUIRE(result.workflow);
  const auto& uses = std::get<UsesWorkflow>(result.workflow->tasks[0].action);
  CHECK(uses.path == "../parts/greet.yaml");
  CHECK(uses.file == "parts/greet.yaml");
  REQUIRE(uses.workflow);
  CHECK(uses.workflow->name == "greet");
  CHECK(uses.with.size() == 2);
  CHECK(result.workflow->tasks[0].outputs == std::vector<std::string>{"greeting"});
}

TEST_CASE("files that are used twice are one workflow") {
  const ParseResult result =
      parse_bundle({.entry = "m.yaml",
                    .files = {{"m.yaml", "tasks:\n  a: {uses: p.yaml}\n  b: {uses: ./x/../p.yaml}\n"},
                              {"p.yaml", "tasks: {t: {run: x}}\n"}}});
  REQUIRE(result.workflow);
  CHECK(std::get<UsesWorkflow>(result.workflow->tasks[0].action).workflow ==
        std::get<UsesWorkflow>(result.workflow->tasks[1].action).workflow);
}

TEST_CASE("errors in used files are reported there, once, and the user is not blamed for them") {
  const ParseResult result =
      parse_bundle({.entry = "m.yaml",
                    .files = {{"m.yaml",
                               "tasks:\n  a: {uses: p.yaml, with: {any: 1}}\n  b: {uses: p.yaml}\n"
                               "  c: {needs: a, env: {X: \"${{ needs.a.outputs.o }}\"}, timeout: 5, run: x}\n"},
                              {"p.yaml", "tasks: {t: {runn: x}}\n"}}});
  CHECK(result.workflow == nullptr);
  REQUIRE(result.diagnostics.size() == 3);
  CHECK(result.diagnostics[0].file == "m.yaml");
  CHECK(result.diagnostics[0].pos.line == 4);
  CHECK(result.diagnostics[1].file == "p.yaml");
  CHECK(result.diagnostics[2].file == "p.yaml");
}

TEST_CASE("what is handed over is checked against the used file's parameters") {
  const auto problems = [](std::string_view with) {
    return problems_of(parse_bundle({.entry = "m.yaml",
                                     .files = {{"m.yaml", fmt::format("tasks:\n  a:\n    uses: p.yaml\n{}", with)},
                                               {"p.yaml", std::string(kGreet)}}}));
  };
  CHECK(problems("    with: {name: x}\n").empty());
  CHECK(problems("    with: {name: \"${{ run.id }}\", times: \"${{ 2 }}\"}\n").empty());
  CHECK(problems("") == "3:11: `with` does not give the required parameter `name` of `p.yaml`\n");
  CHECK(problems("    with: {name: x, times: many}\n") == "4:28: parameter `times` must be an integer, not `many`\n");
  CHECK(problems("    with: {name: x, time: 1}\n") == "4:21: `p.yaml` has no parameter `time`\n");
}

TEST_CASE("files cannot use each other in a circle or too deep") {
  CHECK(chain(3, true) == "1:19: workflows use each other in a circle: f0.yaml -> f1.yaml -> f2.yaml -> f0.yaml\n");
  CHECK(chain(1, true) == "1:19: workflows use each other in a circle: f0.yaml -> f0.yaml\n");
  CHECK(chain(static_cast<int>(limits::kUsesDepth) + 1, false).empty());
  CHECK(chain(static_cast<int>(limits::kUsesDepth) + 2, false) == "1:19: workflows use each other more than 8 deep\n");
}

TEST_CASE("depth counts also where a file was read before") {
  // main uses f1, which begins a chain of eight, and then a file that uses f1: nine deep.
  Bundle bundle{.entry = "main.yaml",
                .files = {{"main.yaml", "tasks:\n  a: {uses: f1.yaml}\n  b: {uses: g.yaml}\n"},
                          {"g.yaml", "tasks: {a: {uses: f1.yaml}}\n"}}};
  for (int i = 1; i <= 8; ++i) {
    bundle.files[fmt::format("f{}.yaml", i)] =
        i == 8 ? "tasks: {a: {run: x}}\n" : fmt::format("tasks: {{a: {{uses: f{}.yaml}}}}\n", i + 1);
  }
  CHECK(problems_of(parse_bundle(bundle)) == "1:19: workflows use each other more than 8 deep\n");
}

TEST_CASE("a bundle without its entry, or with too many files") {
  CHECK(problems_of(parse_bundle({.entry = "m.yaml", .files = {}})) == "0:0: the file is missing\n");
  Bundle bundle{.entry = "m.yaml", .files = {{"m.yaml", "tasks: {a: {run: x}}\n"}}};
  for (std::size_t i = 0; i < limits::kBundleFiles; ++i) bundle.files[fmt::format("{}.yaml", i)] = "";
  CHECK(problems_of(parse_bundle(bundle)) == "0:0: more than 256 files belong to the workflow\n");
}

TEST_CASE("the paths that a file uses") {
  using Paths = std::vector<std::string>;
  CHECK(used_paths("m.yaml", "tasks: {a: {run: uses}}\n").empty());
  CHECK(
      used_paths(
          "dir/m.yaml",
          "tasks: {a: {uses: ./p.yaml}, b: {uses: ../q.yaml}, c: {uses: p.yaml}}\nfinally: {d: {uses: r/s.yaml}}\n") ==
      Paths{"dir/p.yaml", "dir/r/s.yaml", "q.yaml"});
  CHECK(used_paths("m.yaml", "tasks: [uses: x\n").empty());
  CHECK(used_paths("m.yaml", "uses\n").empty());
  CHECK(used_paths("m.yaml", "tasks: {a: uses, b: {uses: [x]}}\n").empty());
}

TEST_CASE("a single file cannot use others") {
  CHECK(problems_in("tasks: {a: {uses: p.yaml}}\n") == "1:19: there is no file `p.yaml`\n");
}
