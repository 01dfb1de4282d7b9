// The life of attempts on one host: queue, start, timeout, kill, end, containment, report.
//
// The session program feeds it with messages, child signals and time, and sends what it emits. It does no waiting and
// no protocol I/O of its own. Every fact is in the journal before it is emitted or acted upon.
#pragma once
#include <baton/wire/messages.hpp>
#include <baton/worker/containment.hpp>
#include <baton/worker/environment.hpp>
#include <baton/worker/host.hpp>
#include <baton/worker/journal.hpp>
#include <baton/worker/resources.hpp>
#include <baton/worker/slots.hpp>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <unordered_map>
#include <variant>

namespace baton::worker {

class Runner {
 public:
  static constexpr std::uint64_t kLogCheckNs = 500'000'000;  // between looks at how long logs are
  using Emit = std::function<void(wire::ToDaemon)>;

  // `host` and `folder` must outlive the runner; `null_fd` is /dev/null, opened to read.
  Runner(Host& host, const Folder& folder, Journal journal, int null_fd, std::string boot_id, Emit emit);

  // Reads the journal: what runs on is adopted, what ended is known again. Once, first.
  Result<void> recover();
  // Sets the capacity and emits Welcome. Once, after recover(); nothing is emitted before.
  void welcome(const wire::Capacity& configured);

  void launch(wire::Launch launch);
  void kill(const wire::Kill& kill);
  void forget(const wire::Forget& forget);
  void read_log(const wire::ReadLog& request);

  // Children of this process have ended.
  void reap();
  // The supervisor has appended to the journal.
  void journal_changed();
  // Sends the signals that this turn has decided on; after everything else of it. What a turn had no time for is due
  // at once, in tick().
  void send_signals();
  // Deadlines that are due: timeouts, graces, checks. Sends signals itself.
  void tick();
  // When tick() is to be called next, by the host's boot_ns().
  [[nodiscard]] std::optional<std::uint64_t> next_deadline() const;
  // Starts what fits; at the end of every turn of the loop.
  void start_queued();
  // Removes some of what tasks left behind; true if there is more.
  bool sweep() { return slots_.sweeper().step(256); }

  [[nodiscard]] bool has_garbage() { return slots_.sweeper().pending(); }

  // This process is about to leave.
  void leave() { containment_->leave(); }

  // The journal cannot be written: nothing was acted upon since, and the session must end.
  [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }

 private:
  struct Queued {
    wire::Launch launch;
  };
  struct Running {
    Record started{RecordKind::started};
    std::vector<std::string> outputs;
    Grant grant;
    Slot* slot = nullptr;
    bool adopted = false;
    std::optional<Record> exited;  // the main process ended; the attempt ends when nothing is left of it
    std::optional<Record> killed;
    bool lost = false;             // the main process is gone and nobody saw how
    bool lingered = false;         // something outlived the main process
    bool lost_files = false;       // what it declared cannot be read any more
    bool waits_for_room = false;   // to keep its outputs
    bool let_go = false;           // somebody stops it: its outputs are not worth waiting for
    std::uint64_t timeout_at = 0;  // boot_ns; 0: never
    std::uint64_t kill_at = 0;     // when SIGTERM's grace is over
    std::uint64_t give_up_at = 0;
    std::uint64_t due = 0;  // its entry in deadlines_; 0: none
  };
  struct Ended {
    wire::Outcome outcome;
    bool has_side_file = false;
  };
  using Attempt = std::variant<Queued, Running, Ended>;

  void emit(wire::ToDaemon message);
  bool record(Record& record);
  Running* running(AttemptId attempt);
  void set_due(AttemptId attempt, Running& run, std::uint64_t due);
  void end_without_start(AttemptId attempt, wire::Outcome outcome);
  void conclude(AttemptId attempt, Ended ended, bool has_record);
  void compact_if_long();

  // runner_start.cpp
  void start(AttemptId attempt, const wire::Launch& launch, Grant grant);
  Result<void> write_files(const wire::Launch& launch, const Slot& slot);
  Variables worker_variables(const wire::Launch& launch, const Slot& slot, const Grant& grant) const;
  void fail_to_start(AttemptId attempt, const Grant& grant, Slot* slot, int error, std::string message,
                     const Record* started);

  // runner_outputs.cpp
  std::optional<Result<std::string>> read_output_file(const Running& run);
  [[nodiscard]] bool collect_outputs(const Running& run, wire::Outcome& outcome);
  std::optional<Ended> keep_details(AttemptId attempt, Running& run, wire::Outcome outcome);
  Ended keep_message(AttemptId attempt, wire::Outcome outcome);

  // runner_end.cpp
  bool main_exited(AttemptId attempt, const ExitedChild& child);
  void begin_kill(AttemptId attempt, wire::ExitCause cause);
  void check(AttemptId attempt);
  void check_adopted(AttemptId attempt, Running& run);
  bool has_time();
  void drain_all();
  void drain_in_time(AttemptId attempt);
  void drain(AttemptId attempt);
  void finish(AttemptId attempt, bool unkillable);
  void check_unkillable();
  void check_logs();

  // runner_recover.cpp
  void recover_attempt(AttemptId attempt, const Ledger::Entry& entry, bool rebooted);
  void adopt(AttemptId attempt, const Ledger::Entry& entry, Slot* slot, bool rebooted);
  void resume(AttemptId attempt);
  Result<std::optional<Ended>> recover_ended(AttemptId attempt, const Ledger::Entry& entry) const;
  wire::InventoryEntry describe(AttemptId attempt, const Attempt& state) const;

  Host& host_;
  const Folder& folder_;
  Journal journal_;
  int null_fd_;
  std::string boot_id_;
  Emit emit_;
  Environment environment_;
  Allocator allocator_;
  Slots slots_;
  std::unique_ptr<Containment> containment_;
  std::unordered_map<AttemptId, Attempt> attempts_;
  std::deque<AttemptId> queue_;
  std::unordered_map<pid_t, AttemptId> mains_;  // main processes that have not ended, as far as is known
  std::set<AttemptId> draining_;
  std::vector<AttemptId> to_ask_, to_kill_;  // with SIGTERM and SIGKILL, by send_signals()
  std::set<std::pair<std::uint64_t, AttemptId>> deadlines_;
  struct Unkillable {
    Grant grant;
    bool forgotten = false;  // by the daemon
  };
  std::unordered_map<AttemptId, Unkillable> unkillable_;  // reported, but something of them still has its resources
  std::uint64_t unkillable_check_at_ = 0;
  std::uint64_t logs_check_at_ = 0;  // 0: nothing runs
  std::uint64_t reap_again_at_ = 0;  // 0: there was time for all that had ended
  std::uint64_t turn_ends_ = 0;      // when it has done enough; 0: it has done nothing yet that may take long
  std::uint64_t log_cap_;
  bool welcomed_ = false;
  std::optional<Error> failure_;
};

}  // namespace baton::worker
