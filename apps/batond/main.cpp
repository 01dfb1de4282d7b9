// batond: the daemon. Everything it does is in lib/service; this reads the command line.
#include <baton/base/descriptor_limit.hpp>
#include <baton/base/limits.hpp>
#include <baton/base/locations.hpp>
#include <baton/base/standard_streams.hpp>
#include <baton/base/umask.hpp>
#include <baton/service/daemon.hpp>
#include <baton/service/upkeep.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>

namespace {

constexpr int kExitUsage = 2;

std::optional<std::string> environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

// Where a start is reported even if it fails before there is a daemon.
int fail_start(int ready_fd, const std::string& message) {
  const std::string line = fmt::format("error: {}\n", message);
  if (ready_fd >= 0) [[maybe_unused]]
    const ssize_t written = ::write(ready_fd, line.data(), line.size());
  std::fputs(line.c_str(), stderr);
  return 1;
}

int run(int argc, char** argv) {
  using baton::service::LogLevel;
  baton::LocationOverrides overrides;
  baton::service::DaemonOptions options;
  LogLevel level{};
  std::string format;

  CLI::App app{"The Baton scheduler service. Usually started by the first `baton` command that needs it.", "batond"};
  app.set_version_flag("--version", std::string("batond " BATON_VERSION));
  app.add_option("--socket", overrides.socket, "Unix socket to serve on (BATON_SOCKET)");
  app.add_option("--state-dir", overrides.state_dir, "Database, logs and spool (BATON_STATE_DIR)");
  app.add_option("--config", overrides.config, "Configuration file (BATON_CONFIG)");
  app.add_option("--ready-fd", options.ready_fd, "Descriptor to write `ready` or `error: …` to");
  app.add_option("--worker-program", options.worker_program,
                 "baton-worker to use instead of the one beside this program");
  const std::map<std::string, LogLevel> levels{{"trace", LogLevel::trace},
                                               {"debug", LogLevel::debug},
                                               {"info", LogLevel::info},
                                               {"warn", LogLevel::warn},
                                               {"error", LogLevel::error}};
  CLI::Option* level_option = app.add_option("--log-level", level, "trace, debug, info, warn or error")
                                  ->transform(CLI::CheckedTransformer(levels))
                                  ->option_text("LEVEL");
  CLI::Option* format_option = app.add_option("--log-format", format, "text or json")
                                   ->check(CLI::IsMember({"text", "json"}))
                                   ->option_text("FORMAT");
  app.add_option(
         "--log-file", options.log_file,
         fmt::format("Log into this file instead of stderr; at {} MiB it is put aside, and the last {} are kept",
                     baton::limits::kDaemonLogBytes >> 20, baton::limits::kDaemonLogsBefore))
      ->option_text("FILE");
  bool foreground = false;
  app.add_flag("--foreground", foreground, "Stay in the foreground (the daemon never does anything else)");
  bool check = false;
  bool json = false;
  bool check_start = false;
  bool adopt = false;
  std::string backup;
  CLI::Option* check_option = app.add_flag("--check", check, "Check the state and end; no daemon may run");
  app.add_flag("--json", json, "With --check: findings as a JSON array of texts")->needs(check_option);
  CLI::Option* start_option = app.add_flag("--check-start", check_start, "Say what a start would refuse, and end");
  CLI::Option* adopt_option =
      app.add_flag("--adopt", adopt, "Make a backup that was put in the database's place the state, and end");
  CLI::Option* backup_option =
      app.add_option("--backup", backup, "Copy the database to a new file and end; a daemon may run")
          ->option_text("FILE");
  check_option->excludes(adopt_option)->excludes(backup_option)->excludes(start_option);
  start_option->excludes(adopt_option)->excludes(backup_option);
  adopt_option->excludes(backup_option);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    baton::tell(fmt::format("error: {}", error.what()));
    return kExitUsage;
  }
  if (level_option->count() > 0) options.log_level = level;
  if (format_option->count() > 0) options.log_json = format == "json";

  baton::Result<baton::Locations> locations =
      baton::locate(environment, ::geteuid(), std::filesystem::current_path().string(), overrides);
  if (!locations) return fail_start(options.ready_fd, locations.error().message);
  options.locations = std::move(*locations);
  if (check) return baton::service::check_state(options.locations, json);
  if (check_start) return baton::service::check_start(options.locations);
  if (adopt) return baton::service::adopt_state(options.locations);
  if (backup_option->count() > 0) return baton::service::back_up_state(options.locations, backup);
  if (const auto enough = baton::check_descriptor_limit("batond"); !enough) {
    return fail_start(options.ready_fd, enough.error().message);
  }
  if (!options.log_file.empty()) options.log_file = std::filesystem::absolute(options.log_file).string();
  // The folder it was started in may be unmounted or removed.
  if (::chdir("/") != 0) return fail_start(options.ready_fd, "cannot change to /");
  return baton::service::run_daemon(std::move(options));
}

}  // namespace

int main(int argc, char** argv) {
  baton::keep_standard_streams();
  baton::keep_own_rights();
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    baton::tell(fmt::format("error: {}", error.what()));
    return 1;
  }
}
