// One start of the daemon: the production Scheduler with its Engine, LinkSet with its Links, and Writer on a SQLite
// database, wired as lib/service wires them. Destroying it is kill -9.
#pragma once
#include <baton/service/scheduler.hpp>

#include <map>
#include <memory>
#include <string>

#include "machine.hpp"
#include "recovery.hpp"
#include "schema.hpp"
#include "snapshot.hpp"
#include "statement.hpp"
#include "worker/link_set.hpp"
#include "writer.hpp"

namespace baton::sim {

struct DaemonCrash {};
// It could not begin: the disk is full.
struct NoStart {};

// What every start shares.
struct Site {
  World& world;
  Model& model;
  std::vector<std::unique_ptr<Machine>>& machines;  // by worker
  std::string database;
  std::string boot_file;  // of each worker, with its number behind
  std::map<std::string, std::shared_ptr<const workflow::WorkflowSpec>> workflows;  // by name
  std::map<std::size_t, std::shared_ptr<Channel>> dialled;                         // the last one, by worker
  std::uint64_t channels = 0;
  std::int64_t clock_offset = 0;
  // Armed by the plan.
  bool crash_before_commit = false, crash_after_commit = false;
  std::uint64_t crash_in_release = 0;
  Time slow_until = 0;
  std::uint64_t duplicates = 0;

  [[nodiscard]] TimePoint wall() const {
    return TimePoint(
        Duration(std::int64_t{1'700'000'000} * 1'000'000 + clock_offset + static_cast<std::int64_t>(world.now())));
  }
};

class Daemon {
 public:
  explicit Daemon(Site& site);  // may throw NoStart
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  void submit(const std::string& workflow);
  void cancel(RunKey run);
  void retry(RunKey run, std::optional<std::int64_t> param);
  void decide(InstanceKey key, bool approve);
  void check() const { scheduler_->engine().check(); }

  [[nodiscard]] const std::shared_ptr<Life>& life() const { return life_; }
  [[nodiscard]] bool ready() const { return ready_; }
  [[nodiscard]] bool failed() const { return failed_; }

 private:
  class SqliteStore;
  class Ports;
  class SimClock;

  void wake_at(std::optional<Duration> since_boot);
  void refused(const std::string& id, const Error& error);
  void post(std::function<void()> what) { site_.world.after(10, life_, std::move(what)); }

  Site& site_;
  std::shared_ptr<Life> life_ = std::make_shared<Life>();
  std::unique_ptr<SqliteStore> store_;
  std::unique_ptr<service::Clock> clock_;
  std::unique_ptr<executor::Executor> executor_;
  std::unique_ptr<service::Scheduler> scheduler_;
  std::uint64_t incarnation_ = 0;
  std::uint64_t wakes_ = 0;
  bool ready_ = false;
  bool failed_ = false;
};

}  // namespace baton::sim
