#include <baton/service/daemon.hpp>

#include "daemon_parts.hpp"

#include <baton/base/standard_streams.hpp>
#include <baton/service/log.hpp>

#include <fmt/format.h>
#include <signal.h>
#include <spdlog/spdlog.h>

#include <boost/asio/post.hpp>
#include <cstdio>
#include <exception>
#include <utility>

namespace baton::service {
namespace {

// For answers that are on their way when the daemon ends.
constexpr auto kLinger = std::chrono::milliseconds(50);

// How late something may be due after the machine slept.
constexpr Duration kLongestNap = std::chrono::minutes(1);

constexpr int kExitError = 1;
constexpr int kExitDenied = 6;

}  // namespace

Daemon::Daemon(DaemonOptions options, StartReport& report)
    : options_(std::move(options)), report_(report), started_at_(clock_.now()) {}

Result<> Daemon::run() {
  if (Result<> loaded = load(); !loaded) return loaded;
  if (Result<> opened = open_state(); !opened) return opened;
  if (Result<> built = build(); !built) return built;
  watch_signals();
  post([this] { begin(); });
  io_.run();
  background_.reset();  // its jobs use the backend
  if (error_) return std::unexpected(*error_);
  return {};
}

void Daemon::post(std::function<void()> completion) { boost::asio::post(io_, std::move(completion)); }

std::shared_ptr<void> Daemon::after(Duration pause, std::function<void()> then) {
  auto timer = std::make_shared<boost::asio::steady_timer>(io_, pause);
  // The handler does not own the timer: dropping the token cancels it.
  timer->async_wait([then = std::move(then), alive = std::weak_ptr(timer)](const boost::system::error_code& cancelled) {
    if (!cancelled && !alive.expired()) then();
  });
  return timer;
}

void Daemon::wake_at(std::optional<Duration> since_boot) {
  if (since_boot == wake_time_) return;
  wake_time_ = since_boot;
  if (wake_time_) {
    arm_wake_timer();
  } else {
    wake_timer_.cancel();
  }
}

// The timer stands still while the machine sleeps.
void Daemon::arm_wake_timer() {
  wake_timer_.expires_after(std::min(*wake_time_ - clock_.since_boot(), kLongestNap));
  wake_timer_.async_wait([this](const boost::system::error_code& cancelled) {
    if (cancelled || !wake_time_) return;
    if (clock_.since_boot() < *wake_time_) return arm_wake_timer();
    wake_time_.reset();
    scheduler_->wake();
  });
}

void Daemon::watch_signals() {
  end_signals_.add(SIGINT);
  end_signals_.add(SIGTERM);
  end_signals_.async_wait([this](const boost::system::error_code& cancelled, int signal) {
    if (cancelled) return;
    spdlog::info("ending on signal {}; tasks go on", signal);
    stop();
  });
  reload_signal_.add(SIGHUP);
  watch_reload_signal();
}

void Daemon::watch_reload_signal() {
  reload_signal_.async_wait([this](const boost::system::error_code& cancelled, int) {
    if (cancelled) return;
    [[maybe_unused]] const auto reloaded = reload();  // the log has it
    watch_reload_signal();
  });
}

Result<std::vector<std::string>> Daemon::reload() {
  Result<Config> config = load_config(options_.locations.config, options_.locations.config_named);
  if (!config) {
    spdlog::error("the configuration stays as it was: {}", config.error().message);
    return std::unexpected(config.error());
  }
  std::vector<std::string> notices;
  if (config->workers != config_.workers)
    notices.emplace_back("workers changed: that takes effect with the next start");
  if (config->log_json != config_.log_json) {
    notices.emplace_back("log.format changed: that takes effect with the next start");
  }
  for (const std::string& notice : notices) spdlog::warn("{}", notice);
  config->workers = config_.workers;
  config->log_json = config_.log_json;
  config_ = std::move(*config);
  secrets_.configure(config_.secrets);
  if (!options_.log_level) set_log_level(config_.log_level);
  std::vector<engine::Event> events;
  events.emplace_back(engine::PoolsChanged{.pools = config_.pools});
  scheduler_->enqueue(std::move(events));
  spdlog::info("configuration reloaded");
  return notices;
}

void Daemon::on_health(store::Health health) {
  switch (health) {
    case store::Health::good:
      spdlog::info("the database in {} can be written again; new runs are taken", state_dir_->path());
      break;
    case store::Health::low_on_space:
      spdlog::warn("the disk of {} is nearly full; new runs are refused, those under way go on", state_dir_->path());
      break;
    case store::Health::out_of_space:
      spdlog::error("the disk of {} is full; everything waits until there is room, no restart is needed",
                    state_dir_->path());
      break;
    case store::Health::locked:
      spdlog::error("another process has locked the database in {}; everything waits until it is free",
                    state_dir_->path());
      break;
  }
  scheduler_->on_health(health);
}

void Daemon::stop() {
  if (std::exchange(stopping_, true)) return;
  if (server_ && !error_) server_->end_streams({{ErrorCode::stopped, "the daemon was stopped"}, {}});
  linger_timer_.expires_after(kLinger);
  linger_timer_.async_wait([this](const boost::system::error_code&) {
    scheduler_->stop();
    server_.reset();
    if (database_is_kept()) return io_.stop();
    save_state([this] { io_.stop(); });
  });
}

void Daemon::stop_with(Error error) {
  if (!error_) error_ = std::move(error);
  stop();
}

int run_daemon(DaemonOptions options) {
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow is a full disk
  StartReport report(options.ready_fd);
  Result<> result;
  try {
    result = Daemon(std::move(options), report).run();
  } catch (const std::exception& error) {
    result = fail(ErrorCode::internal, "internal error: {}", error.what());
  }
  if (result) return 0;
  report.failed(result.error().message);
  tell("error: " + result.error().message);
  return result.error().code == ErrorCode::denied ? kExitDenied : kExitError;
}

}  // namespace baton::service
