#include "json_output.hpp"
#include "verbs.hpp"

namespace baton::cli {

Action declare_cancel(Arguments& arguments) {
  struct CancelOptions {
    std::vector<std::string> runs;
    std::string reason;
  };
  auto options = std::make_shared<CancelOptions>();
  arguments.operands("RUN", options->runs, Operand::run, "The runs");
  arguments.text("--reason", options->reason, "TEXT", "Kept with the run");
  return [options](Session& session) -> Outcome {
    auto client = session.connect();
    if (!client) return std::unexpected(client.error());
    std::vector<views::RunView> cancelled;
    for (const std::string& reference : options->runs) {
      auto run = client->cancel(reference, options->reason);
      if (!run) return std::unexpected(run.error());
      if (session.names_only()) {
        session.out.print("{}\n", run->id);
      } else if (!session.json()) {
        const bool ended = is_final_run_state(run->state);
        session.out.print("{} {}\n", run->id, ended ? run->state : "is being cancelled");
      }
      session.out.flush();
      cancelled.push_back(*std::move(run));
    }
    if (session.json()) write_json(session.out, cancelled);
    return kExitSucceeded;
  };
}

}  // namespace baton::cli
