// Short ways to a parsed workflow.
#pragma once
#include <baton/workflow/spec.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace baton::workflow {

// The workflow in `text`; the test fails with its diagnostics if it has errors.
std::shared_ptr<const WorkflowSpec> parsed(std::string_view text);
const TaskSpec& task_of(const WorkflowSpec& workflow, std::string_view id);
// "LINE:COLUMN: message" of each diagnostic, one a line.
std::string problems_of(const ParseResult& result);
std::string problems_in(std::string_view text);

}  // namespace baton::workflow
