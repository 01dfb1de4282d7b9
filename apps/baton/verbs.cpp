#include "verbs.hpp"

#include <array>

namespace baton::cli {
namespace {

constexpr std::array<Verb, 7> kDaemonVerbs{{
    {"start", "Start the daemon, if none answers", "baton daemon start", declare_daemon_start},
    {"stop", "Stop the daemon; tasks go on", "baton daemon stop", declare_daemon_stop},
    {"status", "Show whether the daemon runs, and where", "baton daemon status -o json", declare_daemon_status},
    {"reload", "Read the configuration anew; no task is stopped", "baton daemon reload", declare_daemon_reload},
    {"backup", "Copy the state to a new file, also while the daemon runs", "baton daemon backup baton-monday.db",
     declare_daemon_backup},
    {"adopt", "Go on from a backup that was put in the database's place", "baton daemon adopt", declare_daemon_adopt},
    {"logs", "Show the log of a daemon that the CLI started", "baton daemon logs -f", declare_daemon_logs},
}};

constexpr std::array<Verb, 1> kWorkerVerbs{{
    {"ls", "List the workers and what is in use on them", "baton worker ls", declare_worker_ls},
}};

constexpr std::array<Verb, 20> kVerbs{{
    {"run", "Run a workflow and follow it to its end", "baton run pipeline.yaml -p C=0.1", declare_run},
    {"submit", "Submit a workflow and print the run's id", "id=$(baton submit pipeline.yaml)", declare_submit},
    {"ls", "List runs, newest first", "baton ls --workflow digits --state failed", declare_ls},
    {"describe", "Show a run and its tasks", "baton describe last", declare_describe},
    {"logs", "Show what tasks wrote", "baton logs last train -f", declare_logs},
    {"wait", "Wait for runs to end", "baton wait last --timeout 1h", declare_wait},
    {"cancel", "Cancel runs and stop their tasks", "baton cancel digits#3", declare_cancel},
    {"retry", "Run parts of a run again", "baton retry last --from train -p C=1", declare_retry},
    {"approve", "Approve what waits for approval", "baton approve last release", declare_approve},
    {"reject", "Reject what waits for approval", "baton reject last --comment 'not on a Friday'", declare_reject},
    {"why", "Say why a run or task is not running yet", "baton why last deploy", declare_why},
    {"validate", "Check workflow files", "baton validate *.yaml", declare_validate},
    {"plan", "Show what a workflow would run", "baton plan pipeline.yaml", declare_plan},
    {"graph", "Draw the graph of a workflow or a run", "baton graph pipeline.yaml -o svg > graph.svg", declare_graph},
    {"events", "Show what happened", "baton events -f last", declare_events},
    {"worker", "Look at the workers", "baton worker ls", nullptr, kWorkerVerbs},
    {"daemon", "Start, stop and look at the daemon", "baton daemon status", nullptr, kDaemonVerbs},
    {"doctor", "Check this installation", "baton doctor", declare_doctor},
    {"completion", "Print a completion script", "source <(baton completion bash)", declare_completion},
    {"version", "Print the version", "baton version", declare_version},
}};

}  // namespace

std::span<const Verb> verbs() { return kVerbs; }

void ParamOptions::declare(Arguments& arguments) {
  arguments.texts("-p,--param", assignments, "KEY=VALUE", "A parameter; may be given again and again");
  arguments.text("--params-file", file, "FILE", "Parameters as YAML or JSON; -p wins");
}

}  // namespace baton::cli
