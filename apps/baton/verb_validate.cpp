#include <baton/base/text.hpp>

#include <algorithm>

#include "json_output.hpp"
#include "plan.hpp"
#include "style.hpp"
#include "submission.hpp"
#include "workflow_files.hpp"

namespace baton::cli {
namespace {

// One file: its line on standard output, its diagnostics on standard error.
int validate(Session& session, const std::string& path, nlohmann::json& results) {
  const auto files = collect(path);
  const std::string file = shown_file(path);
  if (!files) {
    session.err.print("baton: {}\n", escape_control(files.error().message));
    session.err.flush();
    results.push_back(
        {{"file", file}, {"valid", false}, {"error", files.error().message}, {"diagnostics", nlohmann::json::array()}});
    return exit_code_of(files.error().code);
  }
  const CheckedWorkflow checked = check(*files);
  session.err.write(checked.report);
  session.err.flush();
  const bool valid = checked.workflow != nullptr;
  nlohmann::json result{
      {"file", file}, {"valid", valid}, {"errors", checked.errors}, {"diagnostics", checked.diagnostics}};
  std::string line = fmt::format("{}: {}", escape_control(file), counted(checked.errors, "error"));
  if (valid) {
    const InstanceCount instances = count_instances(*checked.workflow);
    result["workflow"] = checked.workflow->name;
    result["tasks"] = checked.workflow->tasks.size();
    result["instances"] = instances.known;
    result["instances_open"] = instances.open;
    line = fmt::format("{}: ok ({}, {}{})", escape_control(file), counted(checked.workflow->tasks.size(), "task"),
                       instances.open ? "at least " : "", counted(instances.known, "instance"));
  }
  results.push_back(std::move(result));
  if (session.options.format == Format::name) {
    if (valid) session.out.print("{}\n", file);
  } else if (!session.json() && !session.options.quiet) {
    session.out.print("{}\n", line);
  }
  session.out.flush();
  return valid ? kExitSucceeded : kExitInvalidWorkflow;
}

}  // namespace

Action declare_validate(Arguments& arguments) {
  auto files = std::make_shared<std::vector<std::string>>();
  arguments.operands("FILE", *files, Operand::file, "The workflow files; `-`: standard input");
  return [files](Session& session) -> Outcome {
    nlohmann::json results = nlohmann::json::array();
    int code = kExitSucceeded;
    for (const std::string& path : *files) {
      const int own = validate(session, path, results);
      // A file that could not be read leaves more open than one that is wrong.
      code = own == kExitUsage || code == kExitUsage ? kExitUsage : std::max(code, own);
    }
    if (session.json()) write_json(session.out, results);
    return code;
  };
}

}  // namespace baton::cli
