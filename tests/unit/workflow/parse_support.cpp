#include "parse_support.hpp"

#include <fmt/format.h>

#include "catch.hpp"

namespace baton::workflow {

std::shared_ptr<const WorkflowSpec> parsed(std::string_view text) {
  ParseResult result = parse_workflow("test.yaml", text);
  INFO(problems_of(result));
  REQUIRE(result.workflow != nullptr);
  return result.workflow;
}

const TaskSpec& task_of(const WorkflowSpec& workflow, std::string_view id) {
  const auto index = workflow.find(id);
  REQUIRE(index.has_value());
  return workflow.task(*index);
}

std::string problems_of(const ParseResult& result) {
  std::string text;
  for (const Diagnostic& diagnostic : result.diagnostics) {
    text += fmt::format("{}:{}: {}\n", diagnostic.pos.line, diagnostic.pos.column, diagnostic.message);
  }
  return text;
}

std::string problems_in(std::string_view text) { return problems_of(parse_workflow("test.yaml", text)); }

}  // namespace baton::workflow
