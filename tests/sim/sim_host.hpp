// The ports through which a Runner meets its simulated machine.
#pragma once
#include <baton/wire/frame.hpp>

#include "machine.hpp"

namespace baton::sim {

class SimContainment final : public worker::Containment {
 public:
  explicit SimContainment(Machine& machine) : machine_(machine) {}
  [[nodiscard]] std::string_view name() const override { return "simulated"; }
  worker::Enclosure enclose(std::uint32_t, std::int64_t) override { return {}; }
  void add(AttemptId, const worker::Record&, bool) override {}
  void settle() override {}
  bool remove(AttemptId) override { return true; }
  void main_reaped(AttemptId) override {}
  void orphan_reaped(pid_t) override {}
  bool may_be_left(AttemptId attempt) override { return machine_.living(attempt) > 0; }
  std::size_t signal_all(AttemptId attempt, int number) override { return machine_.signal(attempt, number); }
  [[nodiscard]] bool out_of_memory(AttemptId) const override { return false; }
  void leave() override {}

 private:
  Machine& machine_;
};

class SimHost final : public worker::Host {
 public:
  explicit SimHost(Machine& machine) : machine_(machine) {}
  [[nodiscard]] std::uint64_t boot_ns() const override { return machine_.boot_ns(); }
  [[nodiscard]] TimePoint wall_time() const override { return machine_.wall(); }
  [[nodiscard]] std::string name() const override { return "simulated"; }
  [[nodiscard]] worker::HostResources resources() const override {
    return {.cpu_milli = kMachineCpuMilli, .memory_bytes = std::int64_t{1} << 30, .gpus = {{0, "one"}, {1, "two"}}};
  }
  worker::SpawnResult spawn(const worker::SpawnPlan& plan) override { return machine_.spawn(plan); }
  std::optional<worker::ExitedChild> peek_exited() override {
    machine_.may_crash();
    for (const auto& [pid, process] : machine_.processes_) {
      if (!process.zombie || process.parent != Machine::Parent::session) continue;
      return worker::ExitedChild{.pid = pid, .status = process.status};
    }
    return std::nullopt;
  }
  void reap(pid_t pid) override {
    machine_.may_crash();
    machine_.processes_.erase(pid);
  }
  [[nodiscard]] bool has_ended(pid_t child) const override {
    const auto found = machine_.processes_.find(child);
    return found != machine_.processes_.end() && found->second.zombie;
  }
  [[nodiscard]] Result<worker::ProcessStat> read_process(pid_t pid) const override {
    const auto found = machine_.processes_.find(pid);
    if (found == machine_.processes_.end()) return fail(ErrorCode::not_found, "no process {}", pid);
    worker::ProcessStat stat;
    stat.pid = pid;
    stat.state = found->second.zombie ? 'Z' : 'S';
    stat.start_ns = found->second.start_ns;
    return stat;
  }
  void log(const std::string&) override {}  // the model judges by what is done
  std::unique_ptr<worker::Containment> contain(const worker::Folder&) override {
    return std::make_unique<SimContainment>(machine_);
  }

 private:
  Machine& machine_;
};

// The incarnation in the Hello that these bytes begin with.
inline std::uint64_t highest_incarnation(const std::string& bytes) {
  wire::FrameReader<wire::ToWorker> reader;
  reader.feed(bytes);
  const auto message = reader.next();
  if (!message || !*message) return 0;
  const auto* hello = std::get_if<wire::Hello>(&**message);
  return hello == nullptr ? 0 : hello->incarnation;
}

}  // namespace baton::sim
