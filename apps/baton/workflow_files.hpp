// Workflow files on this machine: collected into a bundle, checked, with diagnostics as the user named the files.
#pragma once
#include <baton/base/result.hpp>
#include <baton/workflow/spec.hpp>

#include <string>
#include <vector>

namespace baton::cli {

// The contents of a file; of a pipe what comes until its end; `-` is standard input. Reads at most `limit` bytes and
// one more, so that the reader can see that it is too long. Errors: not_found, denied, io, invalid_argument for a
// folder.
Result<std::string> read_file(const std::string& path, std::size_t limit);

// `<stdin>` for `-`.
std::string shown_file(const std::string& path);

// A workflow file with everything it `uses`. What comes through a pipe belongs to the current folder and is called
// stdin.
struct WorkflowFiles {
  workflow::Bundle bundle;                        // paths relative to the entry's folder
  std::string folder;                             // of the entry, as the user named it; empty: the current one
  std::string stream;                             // the entry as the user named it, if it is a pipe
  std::string working_dir;                        // the same, absolute
  std::map<std::string, std::string> unreadable;  // used files that could not be read → why, and who uses them
};

// Reads `path` and, from file to file, what is used. A used file that cannot be read is noted; check() reports
// it. Errors: invalid_argument if the entry cannot be read, limit for too many files.
Result<WorkflowFiles> collect(const std::string& path);

struct CheckedWorkflow {
  std::shared_ptr<const workflow::WorkflowSpec> workflow;  // null if it is not valid
  std::vector<Diagnostic> diagnostics;                     // files as the user named them
  std::string report;                                      // the diagnostics as text, with source lines and carets
  std::size_t errors = 0;
};
CheckedWorkflow check(const WorkflowFiles& files);

// `path` of a bundle as the user would name it.
std::string shown_path(const WorkflowFiles& files, const std::string& path);

// Values of a file have their types; those of -p are text, to which the workflow's declarations give types.
struct GivenParams {
  nlohmann::json values = nlohmann::json::object();
  std::map<std::string, std::string> texts;
};
// -p key=value, over the values of a YAML or JSON file.
Result<GivenParams> read_params(const std::vector<std::string>& assignments, const std::string& file);
nlohmann::json typed(const GivenParams& params, const workflow::WorkflowSpec& workflow);

}  // namespace baton::cli
