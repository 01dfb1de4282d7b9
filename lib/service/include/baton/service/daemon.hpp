// The whole daemon: puts the parts together, recovers what was, serves until it is told to end.
#pragma once
#include <baton/base/locations.hpp>
#include <baton/service/config.hpp>

#include <optional>
#include <string>

namespace baton::service {

struct DaemonOptions {
  Locations locations;
  // Told once how the start went: `ready\n`, or `error: MESSAGE\n`; then closed. -1: nobody listens.
  int ready_fd = -1;
  std::string worker_program;  // baton-worker; empty: beside this program, else on PATH
  std::string log_file;        // absolute; empty: the log goes to stderr
  // Over what the configuration says.
  std::optional<LogLevel> log_level;
  std::optional<bool> log_json;
};

// Returns the program's exit code: 0 after SIGTERM, SIGINT or a shutdown request; 6 if the start was denied; 1 for
// every other error, each of them said in one line on stderr. Tasks go on in any case.
int run_daemon(DaemonOptions options);

}  // namespace baton::service
