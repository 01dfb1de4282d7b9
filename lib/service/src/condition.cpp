#include "backend_parts.hpp"

#include <baton/base/quantity.hpp>
#include <baton/calendar/cron.hpp>
#include <baton/service/state_dir.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace baton::service {
namespace {

constexpr std::uint64_t kLittleSpace = 256u << 20;

// Resident pages are the second field of statm (proc(5)).
std::uint64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t total = 0, resident = 0;
  file >> total >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::string human(std::uint64_t bytes) { return format_bytes(static_cast<std::int64_t>(bytes)); }

api::Check check_directory(const std::string& path) {
  api::Check check{.name = "state directory", .state = "ok", .detail = path};
  if (::access(path.c_str(), R_OK | W_OK | X_OK) != 0) {
    check.state = "error";
    check.detail = fmt::format("{} cannot be written", path);
    return check;
  }
  const Result<FileSystem> system = file_system_of(path);
  if (system && system->kind != FileSystemKind::local) {
    check.state = "warning";
    check.detail = fmt::format("{} is on {}: no other host may use it", path, system->name);
  }
  return check;
}

api::Check check_disk(const std::string& path) {
  const Result<std::uint64_t> free = free_bytes(path);
  if (!free) return {.name = "disk space", .state = "error", .detail = free.error().message};
  std::string detail = fmt::format("{} free", human(*free));
  if (*free < kReservedBytes) {
    return {.name = "disk space", .state = "error", .detail = detail + ", new runs are refused"};
  }
  return {.name = "disk space", .state = *free < kLittleSpace ? "warning" : "ok", .detail = std::move(detail)};
}

// TZ as tzset(3) takes it, or where /etc/localtime points to.
api::Check check_time_zone() {
  std::string name;
  if (const char* variable = std::getenv("TZ"); variable != nullptr && *variable != '\0') {
    name = *variable == ':' ? variable + 1 : variable;
  } else {
    std::error_code error;
    const std::string target = std::filesystem::read_symlink("/etc/localtime", error).string();
    const std::size_t at = target.find("zoneinfo/");
    name = at == std::string::npos ? "UTC" : target.substr(at + 9);
  }
  if (calendar::is_time_zone(name)) return {.name = "time zone", .state = "ok", .detail = name};
  return {.name = "time zone",
          .state = "warning",
          .detail = fmt::format("{} is not in the zone database, is the package tzdata installed?", name)};
}

// One line, however many there are; the daemon's log has all of them.
api::Check check_left_alone(const std::vector<std::string>& left_alone) {
  constexpr std::size_t kShown = 3;
  api::Check check{.name = "stored runs", .state = "error", .detail = "left alone: "};
  for (std::size_t i = 0; i < std::min(kShown, left_alone.size()); ++i) {
    check.detail += (i == 0 ? "" : "; ") + left_alone[i];
  }
  if (left_alone.size() > kShown) check.detail += fmt::format("; and {} more, see the log", left_alone.size() - kShown);
  return check;
}

api::Check check_worker(const executor::WorkerStatus& worker) {
  api::Check check{.name = fmt::format("worker {}", worker.name), .state = "ok", .detail = ""};
  if (worker.state != executor::WorkerState::online) {
    check.state = worker.state == executor::WorkerState::offline ? "error" : "warning";
    check.detail = std::string(to_string(worker.state));
    if (!worker.problem.empty()) check.detail += ": " + worker.problem;
    return check;
  }
  check.detail = fmt::format("{}: {} cpu, {}, {} gpu, containment by {}", worker.host,
                             format_milli(worker.capacity.cpu_milli), format_bytes(worker.capacity.memory_bytes),
                             format_milli(worker.capacity.gpu_milli), worker.containment);
  if (worker.containment != "cgroup") {
    check.state = "warning";
    check.detail +=
        worker.containment == "session"
            ? " (no cgroup delegated: memory limits are not enforced, and a process that hides on purpose may "
              "outlive its task)"
            : " (the memory controller is not delegated: memory limits are not enforced)";
  }
  return check;
}

}  // namespace

void Condition::info(api::Done<api::DaemonInfo> done) {
  ports_.store->ask<store::Queries::Statistics>(
      [](store::Queries& queries) { return queries.statistics(); },
      [this, done = std::move(done)](Result<store::Queries::Statistics> statistics) {
        if (!statistics) {
          return done(std::unexpected(api::Problem{.error = statistics.error(), .diagnostics = {}}));
        }
        api::DaemonInfo info = ports_.info;
        info.socket = ports_.socket();
        info.active_runs = ports_.scheduler->engine().active_runs();
        info.runs = statistics->runs;
        info.instances = statistics->instances;
        info.database_bytes = statistics->bytes;
        info.schema_version = statistics->schema_version;
        info.resident_bytes = resident_bytes();
        done(std::move(info));
      });
}

void Condition::workers(api::Done<std::vector<views::WorkerView>> done) {
  ports_.post([this, done = std::move(done)] {
    std::vector<views::WorkerView> workers;
    for (const executor::WorkerStatus& status : ports_.executor->workers()) {
      const engine::Engine::Usage usage = ports_.scheduler->engine().usage(status.id);
      views::WorkerView view;
      view.name = status.name;
      view.state = std::string(to_string(status.state));
      view.host = status.host;
      view.version = status.version;
      view.labels = status.labels;
      view.cpu_milli = status.capacity.cpu_milli;
      view.memory_bytes = status.capacity.memory_bytes;
      view.gpu_milli = status.capacity.gpu_milli;
      view.custom_milli = status.capacity.custom_milli;
      view.cpu_milli_used = usage.used.cpu_milli;
      view.memory_bytes_used = usage.used.memory_bytes;
      view.gpu_milli_used = usage.used.gpu_milli;
      view.custom_milli_used = usage.used.custom_milli;
      view.attempts = usage.attempts;
      workers.push_back(std::move(view));
    }
    done(std::move(workers));
  });
}

void Condition::doctor(api::Done<std::vector<api::Check>> done) {
  ports_.store->ask<store::Queries::Statistics>(
      [](store::Queries& queries) { return queries.statistics(); },
      [this, done = std::move(done)](Result<store::Queries::Statistics> statistics) {
        std::vector<api::Check> checks{check_directory(ports_.state_dir), check_disk(ports_.state_dir)};
        if (statistics) {
          checks.push_back({.name = "database",
                            .state = "ok",
                            .detail = fmt::format("version {}, {}, {} runs, {} attempts", statistics->schema_version,
                                                  human(statistics->bytes), statistics->runs, statistics->attempts)});
        } else {
          checks.push_back({.name = "database", .state = "error", .detail = statistics.error().message});
        }
        if (!ports_.left_alone.empty()) checks.push_back(check_left_alone(ports_.left_alone));
        for (const executor::WorkerStatus& worker : ports_.executor->workers()) {
          checks.push_back(check_worker(worker));
        }
        checks.push_back(check_time_zone());
        done(std::move(checks));
      });
}

}  // namespace baton::service
