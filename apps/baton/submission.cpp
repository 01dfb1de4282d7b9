#include "submission.hpp"

#include <fmt/format.h>

#include <random>

#include "style.hpp"

namespace baton::cli {
namespace {

// 128 random bits: the daemon makes one run of however many requests with the same key.
std::string random_key() {
  std::random_device device;
  std::string key;
  for (int i = 0; i < 4; ++i) key += fmt::format("{:08x}", device());
  return key;
}

Result<std::map<std::string, std::string>> parse_labels(const std::vector<std::string>& assignments) {
  std::map<std::string, std::string> labels;
  for (const std::string& assignment : assignments) {
    const std::size_t equals = assignment.find('=');
    if (equals == std::string::npos || equals == 0) {
      return fail(ErrorCode::invalid_argument, "--label {}: a label is given as key=value", assignment);
    }
    labels[assignment.substr(0, equals)] = assignment.substr(equals + 1);
  }
  return labels;
}

}  // namespace

void SubmitOptions::declare(Arguments& arguments) {
  arguments.operand("FILE", file, Operand::file, "The workflow file; `-`: standard input");
  params.declare(arguments);
  arguments.texts("--label", labels, "KEY=VALUE", "A label of the run; may be given again and again");
  arguments.integer("--priority", priority, "Instead of the workflow's; higher goes first");
}

api::Answer<LoadedWorkflow> load_workflow(Session& session, const std::string& file) {
  auto files = collect(file);
  if (!files) return refuse(files.error());
  CheckedWorkflow checked = check(*files);
  if (checked.workflow == nullptr || !session.options.quiet) {
    session.err.write(checked.report);
    session.err.flush();
  }
  if (checked.workflow == nullptr) {
    return refuse(ErrorCode::invalid_workflow, "{} is not valid: {}", shown_file(file),
                  counted(checked.errors, "error"));
  }
  return LoadedWorkflow{*std::move(files), std::move(checked.workflow)};
}

api::Answer<views::RunView> submit_workflow(Session& session, const SubmitOptions& options) {
  auto params = read_params(options.params.assignments, options.params.file);
  if (!params) return refuse(params.error());
  auto labels = parse_labels(options.labels);
  if (!labels) return refuse(labels.error());
  auto loaded = load_workflow(session, options.file);
  if (!loaded) return std::unexpected(loaded.error());
  auto values = typed(*params, *loaded->workflow);
  if (const auto bound = workflow::bind_params(*loaded->workflow, values); !bound) {
    return refuse(ErrorCode::invalid_argument, "{}", bound.error().message);
  }

  api::SubmitRequest request;
  request.entry = loaded->files.bundle.entry;
  request.files = std::move(loaded->files.bundle.files);
  request.params = std::move(values);
  request.working_dir = loaded->files.working_dir;
  request.labels = *std::move(labels);
  request.priority = options.priority;
  request.request_key = random_key();

  auto client = session.connect();
  if (!client) return std::unexpected(client.error());
  client->set_timeout(std::chrono::minutes(5));  // large matrices are expanded and committed before the answer
  auto run = client->submit(request);
  if (run || run.error().error.code != ErrorCode::unavailable) return run;
  // The daemon went away with the question. Whether it took the run or not: the key makes asking again safe.
  client = session.connect();
  if (!client) return std::unexpected(client.error());
  client->set_timeout(std::chrono::minutes(5));
  return client->submit(request);
}

}  // namespace baton::cli
