#include <baton/base/text.hpp>

#include "json_output.hpp"
#include "style.hpp"
#include "submission.hpp"
#include "workflow_files.hpp"

namespace baton::cli {
namespace {

struct RetryOptions {
  std::string run, from;
  bool failed = false;  // the default, said aloud
  bool dry_run = false;
  ParamOptions params;
};

constexpr std::size_t kShownInstances = 20;

void print_reply(Session& session, const api::RetryReply& reply, bool dry_run) {
  if (session.json()) {
    write_json(session.out, {{"run", reply.run}, {"instances", reply.instances}, {"dry_run", dry_run}});
    return;
  }
  if (session.names_only()) {
    session.out.print("{}\n", reply.run.id);
    return;
  }
  session.out.print("run {} ({} #{}): {} {} again\n", reply.run.id, escape_control(reply.run.workflow),
                    reply.run.number, counted(reply.instances.size(), "task"), dry_run ? "would run" : "to run");
  const std::size_t shown = session.options.format == Format::wide ? reply.instances.size() : kShownInstances;
  for (std::size_t i = 0; i < std::min(shown, reply.instances.size()); ++i) {
    session.out.print("  {}\n", escape_control(reply.instances[i]));
  }
  if (reply.instances.size() > shown) session.out.print("  … and {} more\n", reply.instances.size() - shown);
}

// Only the run's workflow knows the types of what -p gives.
api::Answer<nlohmann::json> typed_for_run(api::Client& client, const std::string& run, const GivenParams& params) {
  if (params.texts.empty()) return params.values;
  auto source = client.workflow_source(run);
  if (!source) return std::unexpected(source.error());
  const auto parsed = workflow::parse_bundle({source->entry, std::move(source->files)});
  if (parsed.workflow == nullptr) {
    return refuse(ErrorCode::internal, "the workflow of run {} does not validate with this version of baton", run);
  }
  return typed(params, *parsed.workflow);
}

}  // namespace

Action declare_retry(Arguments& arguments) {
  auto options = std::make_shared<RetryOptions>();
  arguments.operand("RUN", options->run, Operand::run, "The run");
  arguments.flag("--failed", options->failed, "What did not succeed, and everything behind it (the default)");
  arguments.text("--from", options->from, "TASK", "This task and everything behind it");
  arguments.exclude("--failed", "--from");
  options->params.declare(arguments);
  arguments.flag("--dry-run", options->dry_run, "Only say what would run again");
  return [options](Session& session) -> Outcome {
    if (const std::size_t bracket = options->from.find('['); bracket != std::string::npos) {
      return refuse(ErrorCode::invalid_argument, "--from takes a task, with all of its instances: --from {}",
                    options->from.substr(0, bracket));
    }
    auto params = read_params(options->params.assignments, options->params.file);
    if (!params) return refuse(params.error());
    auto client = session.connect();
    if (!client) return std::unexpected(client.error());
    const auto run = client->run(options->run);  // `last` may be another one a moment later
    if (!run) return std::unexpected(run.error());
    auto values = typed_for_run(*client, run->id, *params);
    if (!values) return std::unexpected(values.error());
    const auto reply = client->retry({run->id, options->from, *std::move(values), options->dry_run});
    if (!reply) return std::unexpected(reply.error());
    print_reply(session, *reply, options->dry_run);
    return kExitSucceeded;
  };
}

}  // namespace baton::cli
