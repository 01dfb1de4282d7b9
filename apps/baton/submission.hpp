// From a workflow file to a run: read, checked here, sent.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "verbs.hpp"
#include "workflow_files.hpp"

namespace baton::cli {

struct SubmitOptions {
  std::string file;
  ParamOptions params;
  std::vector<std::string> labels;
  std::optional<int> priority;
  void declare(Arguments& arguments);
};

// Everything that can be found wrong without a daemon is found before one is asked. Diagnostics go to standard error.
// Problems: invalid_workflow, invalid_argument; otherwise the daemon's.
api::Answer<views::RunView> submit_workflow(Session& session, const SubmitOptions& options);

// Reads and checks `file`, with the diagnostics on standard error. Problem: invalid_workflow.
struct LoadedWorkflow {
  WorkflowFiles files;
  std::shared_ptr<const workflow::WorkflowSpec> workflow;
};
api::Answer<LoadedWorkflow> load_workflow(Session& session, const std::string& file);

}  // namespace baton::cli
