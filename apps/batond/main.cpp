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

constexpr int kExitUndone = 6;  // as the CLI has it: 1 would be a finding
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

// What is done to a state instead of serving it; one of them at a time.
class Upkeep {
 public:
  explicit Upkeep(CLI::App& app) {
    CLI::Option* check = app.add_flag("--check", check_, "Check the state and end; no daemon may run");
    app.add_flag("--json", json_, "With --check: findings as a JSON array of texts")->needs(check);
    CLI::Option* start = app.add_flag("--check-start", check_start_, "Say what a start would refuse, and end");
    CLI::Option* adopt =
        app.add_flag("--adopt", adopt_, "Make a backup that was put in the database's place the state, and end");
    CLI::Option* backup =
        app.add_option("--backup", backup_, "Copy the database to a new file and end; a daemon may run")
            ->option_text("FILE");
    check->excludes(adopt)->excludes(backup)->excludes(start);
    start->excludes(adopt)->excludes(backup);
    adopt->excludes(backup);
  }

  // Its exit code; nullopt: nothing of it was asked for.
  [[nodiscard]] std::optional<int> run(const baton::Locations& locations) const try {
    if (check_) return baton::service::check_state(locations, json_);
    if (check_start_) return baton::service::check_start(locations);
    if (adopt_) return baton::service::adopt_state(locations);
    if (backup_) return baton::service::back_up_state(locations, *backup_);
    return std::nullopt;
  } catch (const std::exception& error) {
    baton::tell(fmt::format("error: {}", error.what()));
    return kExitUndone;
  }

 private:
  bool check_ = false;
  bool json_ = false;
  bool check_start_ = false;
  bool adopt_ = false;
  std::optional<std::string> backup_;
};

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
  Upkeep upkeep(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    baton::tell(fmt::format("error: {}", error.what()));
    return kExitUsage;
  }
  if (level_option->count() > 0) options.log_level = level;
  if (format_option->count() > 0) options.log_json = format == "json";

  std::error_code removed;
  const std::string here = std::filesystem::current_path(removed).string();
  baton::Result<baton::Locations> locations = baton::locate(environment, ::geteuid(), removed ? "/" : here, overrides);
  if (!locations) return fail_start(options.ready_fd, locations.error().message);
  options.locations = std::move(*locations);
  if (const auto done = upkeep.run(options.locations)) return *done;
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
