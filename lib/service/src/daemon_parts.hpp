// The daemon as an object: everything it is made of, in the order in which it must be taken apart again.
#pragma once
#include "start_report.hpp"

#include <baton/api/server.hpp>
#include <baton/executor/worker_executor.hpp>
#include <baton/service/backend.hpp>
#include <baton/service/daemon.hpp>
#include <baton/service/state_dir.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/system_timer.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace baton::service {

// The socket's folder is private: that is what keeps others out between bind and chmod.
Result<> make_socket_folder(const std::string& socket);

class Daemon {
 public:
  Daemon(DaemonOptions options, StartReport& report);
  // Serves until the end; an error is one that kept it from starting or made it stop.
  Result<> run();

 private:
  void begin_log(const std::string& file);
  // In this order; see daemon.cpp and daemon_start.cpp.
  Result<> load();
  Result<> open_state();
  Result<> build();
  void begin();         // on the loop from here on
  void restore_next();  // one run after the other
  void on_restored(Result<std::shared_ptr<const workflow::WorkflowSpec>> workflow);
  void serve();

  std::vector<executor::LinkOptions> make_links();
  BackendPorts backend_ports();
  void on_health(store::Health health);
  void watch_signals();
  void watch();          // see daemon_watch.cpp
  bool look_at_state();  // false: the daemon ends
  [[nodiscard]] bool database_is_kept() const;
  void save_state(const std::function<void()>& then);
  void listen_again();
  void leave_alone(const std::string& run, const std::string& why);
  void leave_out(const engine::RunSnapshot& snapshot, const std::string& why);
  void leave_out_families();
  std::vector<engine::Event> first_events();
  void watch_reload_signal();
  Result<std::vector<std::string>> reload();  // what takes effect with the next start only
  void wake_at(std::optional<Duration> since_boot);
  void arm_wake_timer();
  std::shared_ptr<void> after(Duration pause, std::function<void()> then);
  void post(std::function<void()> completion);
  void stop();  // soon: answers under way may still leave
  void stop_with(Error error);

  DaemonOptions options_;
  StartReport& report_;
  Config config_;
  Secrets secrets_;
  SystemClock clock_;
  TimePoint started_at_;
  std::optional<StateDir> state_dir_;
  boost::asio::io_context io_{1};
  std::unique_ptr<store::Store> store_;
  std::optional<store::OpenFiles> files_;
  store::Recovered recovered_;
  std::unique_ptr<Background> background_;
  WorkflowCache workflows_;
  std::unique_ptr<RunIds> run_ids_;
  std::unique_ptr<EventFeed> feed_;
  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<executor::Executor> executor_;
  std::unique_ptr<api::Backend> backend_;
  std::unique_ptr<api::Server> server_;
  boost::asio::signal_set end_signals_{io_};
  boost::asio::signal_set reload_signal_{io_};
  boost::asio::steady_timer wake_timer_{io_};
  boost::asio::steady_timer linger_timer_{io_};
  boost::asio::steady_timer watch_timer_{io_};
  std::optional<Duration> wake_time_;  // since boot
  std::string socket_;                 // where it listens
  bool unreachable_ = false;           // was said already
  std::shared_ptr<void> saving_;       // until there is room

  std::vector<std::string> left_alone_;  // "run ID: why", for doctor

  // While starting: runs come back one by one.
  std::size_t next_restored_ = 0;
  std::vector<engine::RunRestored> restored_;
  std::set<RunKey> left_out_;
  std::vector<AttemptId> left_attempts_;  // of runs that are left alone
  std::optional<Error> error_;
  bool stopping_ = false;
};

}  // namespace baton::service
