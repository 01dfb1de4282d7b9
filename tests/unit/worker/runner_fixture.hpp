// A Runner on this machine, but for the containment, and with a clock that the test moves.
#pragma once
#include <baton/worker/clock.hpp>
#include <baton/worker/containment.hpp>
#include <baton/worker/host.hpp>
#include <baton/worker/runner.hpp>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "temp_folder.hpp"

namespace baton::worker {

using Batches = std::vector<std::pair<std::size_t, int>>;  // of signals: to how many attempts at once, and which

// One attempt leaves a process behind that does not die until the test says so.
class Immortal final : public Containment {
 public:
  Immortal(const bool& alive, const bool& removable, const bool& reachable, Batches& batches,
           std::function<void()> look)
      : alive_(alive), removable_(removable), reachable_(reachable), batches_(batches), look_(std::move(look)) {}
  std::string_view name() const override { return "session"; }
  Enclosure enclose(std::uint32_t, std::int64_t) override { return {}; }
  void add(AttemptId, const Record&, bool) override {}
  void settle() override {}
  bool remove(AttemptId) override { return removable_; }
  void main_reaped(AttemptId) override {}
  void orphan_reaped(pid_t) override {}
  bool may_be_left(AttemptId attempt) override {
    look_();
    return alive_ && attempt == AttemptId(1);
  }
  std::size_t signal_all(AttemptId attempt, int) override { return reachable_ && may_be_left(attempt) ? 1 : 0; }
  void signal_each(const std::vector<AttemptId>& attempts, int signal) override {
    batches_.emplace_back(attempts.size(), signal);
  }
  bool out_of_memory(AttemptId) const override { return false; }
  void leave() override {}

 private:
  const bool& alive_;
  const bool& removable_;
  const bool& reachable_;
  Batches& batches_;
  std::function<void()> look_;
};

struct Daemon {
  std::vector<wire::ToDaemon> told;
  template <class T>
  const T* find(std::uint64_t attempt) const {
    for (const wire::ToDaemon& message : told) {
      const T* one = std::get_if<T>(&message);
      if (one != nullptr && one->attempt == AttemptId(attempt)) return one;
    }
    return nullptr;
  }
};

class TestHost final : public Host {
 public:
  std::uint64_t boot_ns() const override { return now; }
  TimePoint wall_time() const override { return system_host().wall_time(); }
  std::string name() const override { return "test"; }
  HostResources resources() const override { return {.cpu_milli = 1000, .memory_bytes = 1 << 30, .gpus = {}}; }
  SpawnResult spawn(const SpawnPlan& plan) override {
    SpawnResult result = system_host().spawn(plan);
    if (given_pid == 0) return result;
    real_pid = std::exchange(result.pid, given_pid);
    plan.started->pid = static_cast<std::uint32_t>(given_pid);
    return result;
  }
  std::optional<ExitedChild> peek_exited() override {
    auto child = system_host().peek_exited();
    if (child && given_pid != 0 && child->pid == real_pid) child->pid = given_pid;
    return child;
  }
  void reap(pid_t pid) override { system_host().reap(given_pid != 0 && pid == given_pid ? real_pid : pid); }
  bool has_ended(pid_t child) const override {
    return system_host().has_ended(given_pid != 0 && child == given_pid ? real_pid : child);
  }
  Result<ProcessStat> read_process(pid_t pid) const override {
    if (given_pid != 0 && pid == given_pid) {
      auto process = system_host().read_process(real_pid);
      if (process) process->start_ns += 1'000'000'000u;  // not within a tick of who had the pid before
      return process;
    }
    if (blind) return fail_errno(EMFILE, "/proc");
    return system_host().read_process(pid);
  }
  std::unique_ptr<Containment> contain(const Folder&) override {
    return std::make_unique<Immortal>(alive, removable, reachable, batches, [this] { now += look_ns; });
  }

  void log(const std::string& problem) override { logged.push_back(problem); }

  std::uint64_t now = worker::boot_ns();
  std::uint64_t look_ns = 0;  // what a look for what is left takes
  std::vector<std::string> logged;
  bool alive = false;  // what attempt 1 has left behind
  bool blind = false;
  bool removable = true;
  bool reachable = true;  // by signals
  Batches batches;
  pid_t given_pid = 0;  // what the next process seems to have; 0: its own
  pid_t real_pid = 0;
};

inline int null_fd() {
  static const Descriptor fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  return fd.get();
}

inline Runner make_runner(TestHost& host, const Folder& folder, Daemon& daemon) {
  return Runner(host, folder, std::move(*Journal::open(folder.fd.get())), null_fd(), "boot",
                [&daemon](wire::ToDaemon message) { daemon.told.push_back(std::move(message)); });
}
inline Runner make_runner(TestHost& host, TempFolder& temp, Daemon& daemon) {
  return make_runner(host, temp.folder(), daemon);
}

// Turns the loop until `done`: time goes on from deadline to deadline, and children are waited for.
template <class Done>
void turn_until(TestHost& host, Runner& runner, const Done& done) {
  while (!done()) {
    siginfo_t info;
    ::waitid(P_ALL, 0, &info, WEXITED | WNOWAIT);  // at once if there is no child left
    runner.reap();
    runner.start_queued();
    host.now = std::max(host.now, runner.next_deadline().value_or(0));
    runner.tick();
  }
}

inline wire::Launch launch_of(std::uint64_t attempt) {
  wire::Launch launch;
  launch.attempt = AttemptId(attempt);
  launch.argv = {"/bin/true"};
  launch.needs.cpu_milli = 1000;
  return launch;
}

}  // namespace baton::worker
