// How the daemon comes up: nothing is served and no worker is called before everything that was is remembered.
#include "daemon_parts.hpp"
#include "worker_program.hpp"

#include <baton/engine/snapshot_check.hpp>
#include <baton/executor/worker_executor.hpp>
#include <baton/service/log.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <utility>

namespace baton::service {
namespace {

// systemd's socket activation (sd_listen_fds(3)): the first descriptor it passes is 3.
int inherited_socket() {
  const char* pid = std::getenv("LISTEN_PID");
  const char* count = std::getenv("LISTEN_FDS");
  constexpr int kFirst = 3;
  const bool ours = pid != nullptr && count != nullptr && std::strtol(pid, nullptr, 10) == ::getpid() &&
                    std::strtol(count, nullptr, 10) >= 1;
  ::unsetenv("LISTEN_PID");
  ::unsetenv("LISTEN_FDS");
  ::unsetenv("LISTEN_FDNAMES");
  if (!ours || ::fcntl(kFirst, F_SETFD, FD_CLOEXEC) != 0) return -1;
  return kFirst;
}

}  // namespace

Result<> make_socket_folder(const std::string& socket) {
  const std::filesystem::path folder = std::filesystem::path(socket).parent_path();
  std::error_code error;
  if (std::filesystem::is_directory(folder, error)) return {};
  std::filesystem::create_directories(folder.parent_path(), error);
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return fail_errno(errno, folder.string());
  return {};
}

Result<> Daemon::load() {
  Result<Config> config = load_config(options_.locations.config, options_.locations.config_named);
  if (!config) return std::unexpected(config.error());
  config_ = std::move(*config);
  secrets_.configure(config_.secrets);
  begin_log("");
  return {};
}

void Daemon::begin_log(const std::string& file) {
  start_log(options_.log_level.value_or(config_.log_level), options_.log_json.value_or(config_.log_json), file);
}

Result<> Daemon::open_state() {
  Result<StateDir> claimed = StateDir::claim(options_.locations.state_dir);
  if (!claimed) return std::unexpected(claimed.error());
  state_dir_.emplace(std::move(*claimed));
  // Not before: it is another daemon's as long as the state is.
  if (!options_.log_file.empty()) begin_log(options_.log_file);
  for (const std::string& warning : state_dir_->warnings()) spdlog::warn("{}", warning);
  Result<std::unique_ptr<store::Store>> opened =
      store::Store::open({.path = state_dir_->database(),
                          .post = [this](std::function<void()> completion) { post(std::move(completion)); },
                          .on_health = [this](store::Health health) { on_health(health); },
                          .seen = state_dir_->seen()});
  if (!opened) return std::unexpected(opened.error());
  store_ = std::move(*opened);
  Result<store::Recovered> recovered = store_->recover();
  if (!recovered) return std::unexpected(recovered.error());
  recovered_ = std::move(*recovered);
  files_.emplace(state_dir_->database());
  for (const auto& run : recovered_.quarantined) {
    leave_alone(run.run, run.why);
    left_attempts_.insert(left_attempts_.end(), run.attempts.begin(), run.attempts.end());
  }
  return make_socket_folder(options_.locations.socket);
}

// A run whose stored state makes no sense stays as it is. Nothing of it is done, and the rest goes on.
void Daemon::leave_alone(const std::string& run, const std::string& why) {
  left_alone_.push_back(run.empty() ? why : fmt::format("run {}: {}", run, why));
  spdlog::error("left alone, its stored state makes no sense: {}", left_alone_.back());
}

std::vector<executor::LinkOptions> Daemon::make_links() {
  const std::string program = options_.worker_program.empty() ? find_worker_program() : options_.worker_program;
  std::vector<executor::LinkOptions> links;
  for (const WorkerConfig& worker : config_.workers) {
    executor::LinkOptions link;
    link.id = WorkerId(static_cast<std::uint32_t>(links.size()));
    link.name = worker.name;
    link.labels = worker.labels;
    link.capacity = {.cpu_milli = worker.cpu_milli,
                     .memory_bytes = worker.memory_bytes,
                     .gpu_milli = worker.gpu_milli == 0 ? wire::Capacity::kNone : worker.gpu_milli.value_or(0),
                     .custom_milli = worker.custom_milli};
    link.dial = [argv = std::vector<std::string>{program, "attach", "--dir", state_dir_->worker_dir(worker.name)}] {
      return executor::spawn_link(argv);
    };
    link.boot_file = state_dir_->boot_file(worker.name);
    links.push_back(std::move(link));
  }
  return links;
}

Result<> Daemon::build() {
  for (const WorkerConfig& worker : config_.workers) {
    if (Result<> made = state_dir_->make_worker_dir(worker.name); !made) return made;
  }
  background_ = std::make_unique<Background>();
  run_ids_ = std::make_unique<RunIds>([random = std::make_shared<std::random_device>()] { return (*random)(); });
  executor_ = executor::make_worker_executor(
      io_, {.daemon_id = recovered_.state_id, .incarnation = recovered_.incarnation, .links = make_links()},
      [this](std::vector<engine::Event> events) { scheduler_->enqueue(std::move(events)); });
  SchedulerPorts ports;
  ports.store = store_.get();
  ports.executor = executor_.get();
  ports.clock = &clock_;
  ports.post = [this](std::function<void()> completion) { post(std::move(completion)); };
  ports.wake_at = [this](std::optional<Duration> since_boot) { wake_at(since_boot); };
  ports.secret = [this](const std::string& name) { return secrets_.give(name); };
  ports.masked_values = [this] { return secrets_.values(); };
  ports.run_created = [this](const engine::RunCreated& run) { feed_->add_child(run.id, run.parent_id); };
  ports.publish = [this](std::vector<views::EventView> events) { feed_->publish(std::move(events)); };
  ports.fatal = [this](Error error) {
    spdlog::critical("the state cannot be written any more, ending; tasks go on: {}", error.message);
    stop_with(std::move(error));
  };
  scheduler_ = std::make_unique<Scheduler>(engine::Engine(recovered_.counters), std::move(ports));
  return {};
}

void Daemon::begin() {
  using Events = std::vector<views::EventView>;
  store_->ask<Events>([](store::Queries& queries) { return queries.events(std::nullopt, 0, 1, 1); },
                      [this](Result<Events> last) {
                        if (!last) return stop_with(std::move(last.error()));
                        feed_ = std::make_unique<EventFeed>(last->empty() ? 0 : last->back().seq);
                        restore_next();
                      });
}

void Daemon::restore_next() {
  if (stopping_) return;
  if (next_restored_ == recovered_.runs.size()) return serve();
  const engine::RunCreated& run = recovered_.runs[next_restored_].created;
  if (auto workflow = workflows_.find(run.bundle_hash, run.used_path)) return on_restored(std::move(workflow));
  store_->ask<std::string>(
      [hash = run.bundle_hash](store::Queries& queries) { return queries.bundle(hash); },
      [this, path = run.used_path](Result<std::string> contents) {
        if (!contents) return on_restored(std::unexpected(contents.error()));
        const auto then = [this](Result<std::shared_ptr<const workflow::WorkflowSpec>> workflow) {
          post([this, workflow = std::move(workflow)]() mutable { on_restored(std::move(workflow)); });
        };
        background_->run([then, path, contents = std::move(*contents)] { then(parse_stored(contents, path)); },
                         [then](Error error) { then(std::unexpected(std::move(error))); });
      });
}

void Daemon::on_restored(Result<std::shared_ptr<const workflow::WorkflowSpec>> workflow) {
  engine::RunSnapshot& snapshot = recovered_.runs[next_restored_++];
  if (workflow) {
    if (Result<> fits = engine::check_snapshot(snapshot, **workflow); !fits) workflow = std::unexpected(fits.error());
  }
  if (!workflow) {
    leave_out(snapshot, workflow.error().message);
  } else {
    workflows_.insert(snapshot.created.bundle_hash, snapshot.created.used_path, *workflow);
    restored_.push_back({.snapshot = std::move(snapshot), .workflow = std::move(*workflow)});
  }
  // Not from inside this call: thousands of runs of one workflow would become as many nested calls.
  post([this] { restore_next(); });
}

void Daemon::leave_out(const engine::RunSnapshot& snapshot, const std::string& why) {
  left_out_.insert(snapshot.created.run);
  for (const engine::AttemptChanged& attempt : snapshot.attempts) left_attempts_.push_back(attempt.id);
  leave_alone(snapshot.created.id, why);
}

// A run and the runs that it waits for go on together or not at all.
void Daemon::leave_out_families() {
  const auto belongs_to = [this](const engine::RunSnapshot& run) -> std::optional<RunKey> {
    if (run.created.parent && left_out_.contains(run.created.parent->run)) return run.created.parent->run;
    for (const engine::InstanceChanged& instance : run.instances) {
      const bool waits = instance.phase == engine::InstancePhase::running && left_out_.contains(instance.child);
      if (waits) return instance.child;
    }
    return std::nullopt;
  };
  for (std::size_t before = 0; before != left_out_.size();) {
    before = left_out_.size();
    std::erase_if(restored_, [&](const engine::RunRestored& run) {
      const auto other = belongs_to(run.snapshot);
      if (other)
        leave_out(run.snapshot, fmt::format("it belongs to run number {}, which is left alone", other->value()));
      return other.has_value();
    });
  }
}

// What the engine begins with.
std::vector<engine::Event> Daemon::first_events() {
  engine::WorkersConfigured workers;
  for (const WorkerConfig& worker : config_.workers) {
    workers.names.emplace(WorkerId(static_cast<std::uint32_t>(workers.names.size())), worker.name);
  }
  std::vector<engine::Event> events{std::move(workers), engine::AttemptsLeftAlone{std::exchange(left_attempts_, {})},
                                    engine::PoolsChanged{.pools = config_.pools}};
  for (engine::RunRestored& run : restored_) {
    feed_->add_child(run.snapshot.created.id, run.snapshot.created.parent_id);
    events.emplace_back(std::move(run));
  }
  return events;
}

void Daemon::serve() {
  if (!left_out_.empty()) leave_out_families();
  const std::size_t runs = restored_.size();
  scheduler_->enqueue(first_events());
  restored_.clear();
  recovered_.runs.clear();
  left_out_.clear();
  scheduler_->after_commits([this, runs] {
    backend_ = make_backend(backend_ports());
    Result<std::unique_ptr<api::Server>> server = api::Server::listen(
        io_, *backend_,
        {.socket_path = options_.locations.socket, .allowed_uid = ::geteuid(), .inherited_fd = inherited_socket()});
    if (!server) return stop_with(std::move(server.error()));
    server_ = std::move(*server);
    executor_->start();
    socket_ = options_.locations.socket;
    state_dir_->note_socket(socket_);
    watch();
    spdlog::info("batond {} serves {} (state {}, start {}, {} runs under way)", BATON_VERSION,
                 options_.locations.socket, state_dir_->path(), recovered_.incarnation, runs);
    report_.ready();
  });
}

BackendPorts Daemon::backend_ports() {
  BackendPorts ports;
  ports.store = store_.get();
  ports.executor = executor_.get();
  ports.scheduler = scheduler_.get();
  ports.feed = feed_.get();
  ports.background = background_.get();
  ports.workflows = &workflows_;
  ports.run_ids = run_ids_.get();
  ports.secrets = &secrets_;
  ports.clock = &clock_;
  ports.post = [this](std::function<void()> completion) { post(std::move(completion)); };
  ports.after = [this](Duration pause, std::function<void()> then) { return after(pause, std::move(then)); };
  ports.reload = [this] { return reload(); };
  ports.shut_down = [this] {
    spdlog::info("ending on request; tasks go on");
    stop();
  };
  ports.state_dir = state_dir_->path();
  ports.database = state_dir_->database();
  ports.left_alone = left_alone_;
  std::error_code error;
  const bool has_config = std::filesystem::exists(options_.locations.config, error);
  ports.info.version = BATON_VERSION;
  ports.info.pid = static_cast<std::uint64_t>(::getpid());
  ports.info.uid = ::geteuid();
  ports.info.started_at = started_at_;
  ports.info.state_dir = state_dir_->path();
  ports.socket = [this] { return socket_; };
  ports.info.state_id = recovered_.state_id;
  ports.info.config = has_config ? options_.locations.config : "";
  ports.info.incarnation = recovered_.incarnation;
  return ports;
}

}  // namespace baton::service
