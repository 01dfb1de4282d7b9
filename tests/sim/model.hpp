// What must be true, written from the promises (docs/reliability.md) and not from the engine: a mirror of what is on
// disk, and the truth about processes, which only the simulated machines know.
#pragma once
#include <baton/engine/record.hpp>
#include <baton/store/store.hpp>
#include <baton/workflow/spec.hpp>

#include <map>
#include <optional>
#include <set>
#include <string>

#include "plan.hpp"
#include "rules.hpp"
#include "world.hpp"

namespace baton::sim {

// What a machine has. Devices 0 and 1 are GPUs.
inline constexpr std::int64_t kMachineCpuMilli = 2000;
inline constexpr std::size_t kMachineDevices = 2;

inline bool is_over(engine::AttemptState state) { return state >= engine::AttemptState::succeeded; }

class Model {
 public:
  // A step of the engine.
  struct Decision {
    std::vector<engine::Record> records;
    Time at = 0;
    TimePoint wall;  // what the clock said then
  };

  explicit Model(World& world) : world_(world) {}

  // --- the database ---
  void began(std::uint64_t incarnation, const store::Recovered& recovered);
  void committed(const std::vector<Decision>& decisions, std::uint64_t incarnation);
  void know(const std::string& workflow, std::shared_ptr<const workflow::WorkflowSpec> spec) {
    rules_[workflow] = rules_of(*spec);
    specs_[workflow] = std::move(spec);
  }

  // --- answers ---
  void accepted(RunKey run);
  void cancel_answered(RunKey run);
  void refused(const std::string& id);  // for want of room: there is and will be no such run

  // --- what the daemon tells workers ---
  void launch_sent(AttemptId attempt, std::uint64_t incarnation) const;
  void forget_sent(AttemptId attempt) const;

  // --- the machines ---
  // What a process found around it.
  struct Start {
    std::string machine;
    std::string devices;  // "0,1": CUDA_VISIBLE_DEVICES
    std::string param;    // what `params.p` was for it; empty: it did not ask
  };
  void admitted(const std::string& machine, std::uint64_t incarnation, std::uint64_t highest);
  void process_started(AttemptId attempt, const Start& start);
  void process_wrote(AttemptId attempt, std::string output) { truths_[attempt].output = std::move(output); }
  void process_killed(AttemptId attempt) { truths_[attempt].killed = true; }
  void process_ended(AttemptId attempt, std::int32_t status, bool seen);
  void exit_unseen(AttemptId attempt) { truths_[attempt].seen = false; }
  void process_left(AttemptId attempt, int change) { truths_[attempt].alive += change; }
  void worker_disk_full(const std::string& machine, bool full);
  void memory_lost(const std::string& machine);  // a reboot, or a journal that is torn: attempts of before may be lost

  // --- at the end ---
  [[nodiscard]] bool all_ended() const;
  void finish() const;
  [[nodiscard]] std::string unfinished() const;

  [[nodiscard]] const std::map<RunKey, engine::RunChanged>& runs() const { return runs_; }
  [[nodiscard]] const engine::RunCreated& created(RunKey run) const { return created_.at(run); }
  [[nodiscard]] const std::map<InstanceKey, engine::InstanceChanged>& instances() const { return instances_; }

 private:
  struct Truth {
    int starts = 0;
    int alive = 0;
    bool killed = false;
    std::optional<std::int32_t> status;
    bool seen = false;  // by a session or supervisor that lived
    bool may_be_lost = false;
    bool lacks_room = false;  // its worker's disk was full at some time before its end
    std::string devices;      // once it has started
    std::string output;       // the value of `x`
    Value param;              // of its run, when it was made
  };
  // What a daemon decided to wait for; the next one cannot know how far the clock was set meanwhile.
  struct Wait {
    std::uint64_t incarnation = 0;
    Time until = 0;
  };
  void put(const engine::RunCreated& record);
  void put(const engine::RunChanged& record);
  void put(const engine::TaskExpanded& record);
  void put(const engine::InstanceChanged& record);
  void put(const engine::DueChanged& record) { instances_.at(record.key).due = record.due; }
  void put(const engine::AttemptChanged& record);
  void check_wait(const engine::InstanceChanged& record, const Decision& decision);
  void check_outputs(const engine::InstanceChanged& record) const;
  void check_expansion(const engine::TaskExpanded& record) const;
  // Whether the matrix that the task got out of another one's output has no combination.
  [[nodiscard]] bool is_empty(RunKey run, std::size_t task) const;
  void check_room(AttemptId attempt) const;
  void check_shares() const;
  void check_end(const engine::AttemptChanged& attempt);
  void check_final(RunKey run);
  void check_rules(RunKey run) const;
  void check_alive(RunKey run) const;
  [[nodiscard]] const workflow::TaskSpec& task(InstanceKey key) const;
  [[nodiscard]] bool is_cancel_answered(RunKey run) const;
  [[nodiscard]] bool succeeded(RunKey run, TaskIndex task) const;
  [[nodiscard]] bool ended(RunKey run, TaskIndex task) const;

  World& world_;
  // Attempts made before the daemon knows of a machine's reboot may never have reached it.
  std::map<std::string, Time> unsettled_until_;
  std::set<std::string> full_disks_;  // of machines
  std::uint64_t incarnation_ = 0;
  std::map<std::string, std::shared_ptr<const workflow::WorkflowSpec>> specs_;
  std::map<std::string, std::optional<std::vector<RuleTask>>> rules_;  // nullopt: not in their power
  std::map<RunKey, engine::RunCreated> created_;
  std::map<RunKey, engine::RunChanged> runs_;
  std::map<InstanceKey, engine::InstanceChanged> instances_;
  std::map<InstanceKey, std::string> outputs_;  // the value of `x`
  std::map<InstanceKey, Wait> waits_;
  std::map<AttemptId, engine::AttemptChanged> attempts_;
  std::map<AttemptId, Truth> truths_;
  std::set<std::string> refused_;
  std::set<RunKey> accepted_, cancel_answered_, retried_;
};

}  // namespace baton::sim
