#include "attach.hpp"
#include "json_output.hpp"
#include "submission.hpp"

namespace baton::cli {
namespace {

void print_submitted(Session& session, const views::RunView& run) {
  if (session.json()) {
    write_json(session.out, run);
  } else if (session.names_only()) {
    session.out.print("{}\n", run.id);
  } else {
    session.out.print("run {} ({} #{}) submitted\n", run.id, run.workflow, run.number);
  }
}

}  // namespace

Action declare_run(Arguments& arguments) {
  struct RunOptions : SubmitOptions {
    bool detach = false;
  };
  auto options = std::make_shared<RunOptions>();
  options->declare(arguments);
  arguments.flag("-d,--detach", options->detach, "Do not wait for its end");
  return [options](Session& session) -> Outcome {
    const auto submitted = submit_workflow(session, *options);
    if (!submitted) return std::unexpected(submitted.error());
    if (options->detach) {
      print_submitted(session, *submitted);
      return kExitSucceeded;
    }
    // With its tasks counted. The run is there whatever becomes of the daemon now, so its id is always printed.
    auto client = session.connect_if_running();
    const auto run = client ? client->run(submitted->id) : submitted;
    return attach(session, run ? *run : *submitted);
  };
}

Action declare_submit(Arguments& arguments) {
  auto options = std::make_shared<SubmitOptions>();
  options->declare(arguments);
  return [options](Session& session) -> Outcome {
    const auto run = submit_workflow(session, *options);
    if (!run) return std::unexpected(run.error());
    if (session.json()) {
      write_json(session.out, *run);
    } else {
      session.out.print("{}\n", run->id);
    }
    return kExitSucceeded;
  };
}

}  // namespace baton::cli
