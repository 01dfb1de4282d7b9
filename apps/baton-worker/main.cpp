// Runs task processes on one host for one daemon. Started by batond, locally or through ssh; not by people.
#include <CLI/CLI.hpp>
#include <baton/base/standard_streams.hpp>
#include <baton/base/umask.hpp>
#include <baton/worker/check.hpp>
#include <baton/worker/programs.hpp>

#include <sys/prctl.h>

#include <cstdio>

namespace {

// 0: nothing was found, 1: something was, 2: it cannot be looked at.
int check_folder(const std::string& folder) {
  const auto findings = baton::worker::check_folder(folder);
  if (!findings) {
    baton::tell("baton-worker: " + findings.error().message);
    return 2;
  }
  std::string text;
  for (const std::string& finding : *findings) text += finding + '\n';
  if (const auto written = baton::write_output(text); !written) {
    baton::tell("baton-worker: " + written.error().message);
    return 2;
  }
  return findings->empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  baton::keep_own_rights();
  // Programs started by descriptor are named after its number otherwise.
  ::prctl(PR_SET_NAME, "baton-worker");
  CLI::App app("Runs the tasks of a Baton daemon on this host. batond starts it; you need not.", "baton-worker");
  app.require_subcommand(1);
  baton::worker::SupervisorOptions options;
  long idle_ms = options.idle_exit.count();
  int ready_fd = -1;
  int notify_fd = -1;

  const auto add = [&](const char* name, const char* description) {
    CLI::App* command = app.add_subcommand(name, description);
    command->add_option("--dir", options.folder, "The daemon's worker folder; made if need be, private to its owner")
        ->required();
    command->add_option("--idle-exit-ms", idle_ms, "The supervisor leaves when it was idle for so long")
        ->check(CLI::NonNegativeNumber);
    return command;
  };
  CLI::App* attach = add("attach", "Connect stdin and stdout to a session, with a supervisor behind it");
  CLI::App* supervise = add("supervise", "Run the supervisor (started by attach)");
  supervise->add_option("--ready-fd", ready_fd, "Written to when it listens");
  CLI::App* session = add("session", "Run a session (started by the supervisor)");
  session->add_option("--notify-fd", notify_fd, "Readable when the supervisor has something for the session");
  CLI::App* check = app.add_subcommand(
      "check", "Say what is wrong with a worker folder, one line each (used by baton doctor --fsck)");
  check->add_option("--dir", options.folder, "The daemon's worker folder; nothing in it is changed")->required();
  CLI11_PARSE(app, argc, argv);

  options.idle_exit = std::chrono::milliseconds(idle_ms);
  if (attach->parsed()) return baton::worker::attach(options);
  if (supervise->parsed()) return baton::worker::supervise(options, ready_fd);
  if (check->parsed()) return check_folder(options.folder);
  return session->parsed() ? baton::worker::run_session(options, notify_fd) : 2;
}
