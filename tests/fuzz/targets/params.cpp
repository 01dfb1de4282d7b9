// Parameters as a request brings them: JSON against declarations of every type.
#include <baton/base/limits.hpp>
#include <baton/workflow/spec.hpp>

#include "../../../lib/api/src/problem.hpp"
#include "../target.hpp"

namespace baton::fuzz {
namespace {

constexpr std::string_view kDeclarations = R"(
params:
  text: hello
  int: 3
  num: 0.5
  on: true
  wait: {type: duration, default: 5s}
  kind: {type: string, enum: [a, b], default: a}
  small: {type: int, min: -5, max: 5, default: 0}
  id: {type: string, pattern: "[a-z]+(-[0-9]*)?", default: x}
  must: {type: number, required: true}
tasks: {t: {run: x}}
)";

}  // namespace

void params(std::string_view input) {
  static const workflow::ParseResult declared = workflow::parse_workflow("params.yaml", kDeclarations);
  holds(declared.workflow != nullptr, "the declarations are good");
  const auto json = api::parse_json(input, limits::kJsonDepth);
  if (!json || !json->is_object()) return;
  const auto bound = workflow::bind_params(*declared.workflow, *json);
  if (!bound) {
    holds(!bound.error().message.empty(), "an error says what is wrong");
    return;
  }
  for (const workflow::ParamSpec& param : declared.workflow->params) {
    holds(bound->contains(param.name), "every parameter has a value");
  }
  holds(bound->size() == declared.workflow->params.size(), "and nothing else has one");
  holds(workflow::bind_params(*declared.workflow, *bound) == bound, "bound parameters are bound to themselves");
}

}  // namespace baton::fuzz
