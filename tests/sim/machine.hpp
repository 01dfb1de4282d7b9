// A worker's machine: its processes, its supervisor (a model of lib/worker's, which is a kernel's creature) and its
// sessions, which are the production Conversation, Runner, Journal and Slots on a real folder.
#pragma once
#include <baton/worker/conversation.hpp>
#include <baton/worker/host.hpp>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "channel.hpp"
#include "model.hpp"
#include "worker_disk.hpp"

namespace baton::sim {

struct SessionCrash {};

class Machine {
 public:
  Machine(World& world, Model& model, std::string name, std::string path);
  ~Machine();

  // A daemon dials: attach makes sure of a supervisor, which forks a session on this channel.
  void attach(const std::shared_ptr<Channel>& channel);

  void crash_session(std::uint64_t chance);
  void stop_session(std::uint64_t chance);  // SIGSTOP, for a while or for good
  void crash_in_session(std::uint64_t chance) {
    crash_in_ = 1 + chance % 6;
    crash_how_ = chance / 7;
  }
  void crash_supervisor();
  void reboot(std::uint64_t chance);
  void tear_journal(std::uint64_t chance);
  void fill_disk(std::uint64_t chance, Time lasts);
  void step_clock(std::int64_t by) { wall_offset_ += by; }
  void reboot_after_spawn(std::uint64_t chance) { reboot_chance_ = chance | 1; }
  void stop_faults() {
    crash_in_ = reboot_chance_ = 0;
    disk_.empty();
  }
  [[nodiscard]] TimePoint wall() const {
    return TimePoint(Duration(wall_offset_ + static_cast<std::int64_t>(world_.now())));
  }

 private:
  friend class SimHost;
  friend class SimContainment;
  enum class Parent : std::uint8_t { session, supervisor, nobody };
  struct Process {
    AttemptId attempt;
    Parent parent = Parent::session;
    std::uint64_t start_ns = 0;
    bool running = false;  // past its exec
    bool zombie = false;
    bool ignores_term = false;
    std::int32_t status = 0;
    std::shared_ptr<Life> life = std::make_shared<Life>();
    Model::Start start;
    std::string output_path;
  };
  struct Session {
    std::shared_ptr<Life> life = std::make_shared<Life>();
    std::shared_ptr<Channel> channel;
    std::string early;  // what came before it had the lock
    bool ended_early = false;
    bool is_orphan = false;  // its supervisor is gone
    std::unique_ptr<worker::Conversation> talk;
    std::optional<std::uint64_t> deadline;
  };
  using SessionPtr = std::shared_ptr<Session>;

  void start_next_session();
  void begin(const SessionPtr& session);
  void end_stopped_holder();
  void turn(const SessionPtr& session, const std::function<void()>& what);
  void arm(const SessionPtr& session);
  void leave(const SessionPtr& session, bool in_order);
  void hear(const SessionPtr& session, std::string bytes);
  [[nodiscard]] std::uint64_t boot_ns() const { return (world_.now() - booted_ + kSecond) * 1000; }
  void may_crash();

  pid_t fresh_pid();
  worker::SpawnResult spawn(const worker::SpawnPlan& plan);
  void run_process(pid_t pid);
  void end_process(pid_t pid, std::int32_t status);
  void bury(pid_t pid, bool seen);
  void supervise();
  std::size_t signal(AttemptId attempt, int number);
  [[nodiscard]] std::size_t living(AttemptId attempt) const;

  World& world_;
  Model& model_;
  std::string name_, path_;
  std::unique_ptr<worker::Host> host_;
  std::optional<worker::Folder> folder_;  // stays open: the supervisor's
  WorkerDisk disk_;
  std::int64_t wall_offset_ = std::int64_t{1'700'000'000} * 1'000'000;
  Time booted_ = 0;
  int boots_ = 1;
  bool supervisor_ = false;
  SessionPtr holder_;
  std::deque<SessionPtr> waiting_;
  int between_fork_and_exec_ = 0;
  std::shared_ptr<Life> power_ = std::make_shared<Life>();
  std::map<pid_t, Process> processes_;
  std::map<AttemptId, int> left_;  // processes that outlive the main one
  pid_t last_pid_ = 0;
  std::uint64_t highest_ = 0;
  std::uint64_t channels_ = 0;
  std::uint64_t crash_in_ = 0, crash_how_ = 0, reboot_chance_ = 0;
};

}  // namespace baton::sim
