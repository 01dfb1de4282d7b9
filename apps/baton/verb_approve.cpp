#include "json_output.hpp"
#include "verbs.hpp"

namespace baton::cli {
namespace {

Action declare_decision(Arguments& arguments, bool approve) {
  auto request = std::make_shared<api::DecideRequest>();
  request->approve = approve;
  arguments.operand("RUN", request->run, Operand::run, "The run");
  arguments.operand("TASK", request->task, Operand::task, "The task; not needed if only one waits for approval", false);
  arguments.text("--comment", request->comment, "TEXT", "Kept with the decision");
  return [request](Session& session) -> Outcome {
    auto client = session.connect();
    if (!client) return std::unexpected(client.error());
    const auto run = client->decide(*request);
    if (!run) return std::unexpected(run.error());
    if (session.json()) {
      write_json(session.out, *run);
    } else if (session.names_only()) {
      session.out.print("{}\n", run->id);
    } else {
      session.out.print("{} {}\n", run->id, request->approve ? "approved" : "rejected");
    }
    return kExitSucceeded;
  };
}

}  // namespace

Action declare_approve(Arguments& arguments) { return declare_decision(arguments, true); }
Action declare_reject(Arguments& arguments) { return declare_decision(arguments, false); }

}  // namespace baton::cli
