// The processes of a machine, from their fork to the one who reaps them.
#include <fcntl.h>
#include <unistd.h>

#include <csignal>

#include "machine.hpp"

namespace baton::sim {
namespace {

std::string variable(const worker::SpawnPlan& plan, std::string_view name) {
  for (char* const* entry = plan.environment; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (text.starts_with(name) && text.substr(name.size()).starts_with('=')) {
      return std::string(text.substr(name.size() + 1));
    }
  }
  return {};
}

// A list of none to three, and no two attempts write the same numbers.
std::string output_of(AttemptId attempt, std::uint64_t chance) {
  std::string list;
  for (std::uint64_t i = 0; i < chance % 4; ++i) {
    list += fmt::format("{}{}", list.empty() ? "" : ", ", attempt.value() * 4 + i);
  }
  return "[" + list + "]";
}

}  // namespace

void Machine::may_crash() {
  if (crash_how_ % 3 == 1) return;  // only between fork and exec
  if (crash_in_ > 0 && --crash_in_ == 0) throw SessionCrash{};
}

pid_t Machine::fresh_pid() {
  do last_pid_ = last_pid_ % 64 + 1;
  while (processes_.contains(100 + last_pid_));
  return 100 + last_pid_;
}

worker::SpawnResult Machine::spawn(const worker::SpawnPlan& plan) {
  if (crash_in_ > 0 && crash_how_ % 3 == 0) may_crash();
  const pid_t pid = fresh_pid();
  Process process;
  process.attempt = AttemptId(plan.started->attempt);
  const std::uint64_t chance = world_.hash(process.attempt.value(), 0x9c);
  process.ignores_term = chance % 6 == 0;
  plan.started->start.boot_from_ns = boot_ns();
  process.start_ns = boot_ns() / 10'000'000 * 10'000'000;
  process.output_path = variable(plan, "BATON_OUTPUT");
  process.start = {.machine = name_, .devices = variable(plan, "CUDA_VISIBLE_DEVICES"), .param = variable(plan, "P")};
  processes_[pid] = process;
  worker::Record started = *plan.started;
  started.pid = static_cast<std::uint32_t>(pid);
  if (crash_in_ > 0 && crash_how_ % 3 == 1) {
    // The session dies while its child is between fork and exec.
    crash_in_ = 0;
    ++between_fork_and_exec_;
    const int journal = ::dup(plan.journal_fd);
    world_.after(10 * kMs + chance % (800 * kMs), power_, [this, pid, started, journal]() mutable {
      started.start.boot_to_ns = boot_ns();
      const WorkerDisk::Use disk(disk_);
      const int error = worker::append_record(journal, started);
      ::close(journal);
      --between_fork_and_exec_;
      if (error == 0) {
        run_process(pid);
      } else {
        processes_.erase(pid);  // it ends, and nobody asks for its status
      }
      world_.after(100, power_, [this] { start_next_session(); });
    });
    throw SessionCrash{};
  }
  started.start.boot_to_ns = boot_ns();
  *plan.started = started;
  if (const int error = worker::append_record(plan.journal_fd, *plan.started); error != 0) {
    processes_.erase(pid);
    return {-1, error, worker::SpawnStage::journal};
  }
  run_process(pid);
  if (const std::uint64_t how = std::exchange(reboot_chance_, 0); how != 0) {
    world_.after(how % (4 * kMs), nullptr, [this, how] { reboot(how / 2); });
  }
  if (crash_in_ > 0 && crash_how_ % 3 != 0) may_crash();
  return {pid, 0, worker::SpawnStage::none};
}

// exec: from here on it is the task.
void Machine::run_process(pid_t pid) {
  Process& process = processes_.at(pid);
  process.running = true;
  world_.say("attempt {} runs as {} on {} {}", process.attempt.value(), pid, name_, process.start.devices);
  model_.process_started(process.attempt, process.start);
  const std::uint64_t chance = world_.hash(process.attempt.value(), 0x7a5c);
  const std::uint64_t kind = chance % 20;
  Time lasts = kMs + (chance >> 8) % (50 * kMs);
  if (kind >= 12) lasts = (chance >> 8) % (2 * kSecond);
  if (kind == 19) lasts = (chance >> 8) % (20 * kSecond);
  const std::uint64_t how = (chance >> 40) % 20;
  const std::int32_t status = how < 14 ? 0 : how < 19 ? static_cast<std::int32_t>(how - 13) << 8 : SIGSEGV;
  world_.after(lasts, process.life, [this, pid, status] { end_process(pid, status); });
}

void Machine::end_process(pid_t pid, std::int32_t status) {
  Process& process = processes_.at(pid);
  if (process.zombie) return;
  process.zombie = true;
  process.status = status;
  process.life->alive = false;
  const AttemptId attempt = process.attempt;
  const std::uint64_t chance = world_.hash(attempt.value(), 0x0f);
  if (status == 0 && chance % 20 != 0) {
    const Descriptor file(::open(process.output_path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600));
    const std::string value = output_of(attempt, chance >> 8);
    const std::string line = "x=" + value + "\n";
    if (file && ::write(file.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
      throw Violation{"set-up", "no output"};
    }
    model_.process_wrote(attempt, value);
  }
  if (status != SIGKILL && chance % 7 == 1) {  // it leaves a daemon behind
    ++left_[attempt];
    model_.process_left(attempt, 1);
    world_.after(chance % (3 * kSecond), power_, [this, attempt] {
      if (left_[attempt] == 0) return;
      --left_[attempt];
      model_.process_left(attempt, -1);
    });
  }
  model_.process_ended(attempt, status, process.parent != Parent::nobody);
  world_.say("attempt {} ended with {}", attempt.value(), status);
  if (process.parent == Parent::session && holder_) {
    world_.after(50, holder_->life,
                 [this, session = holder_] { turn(session, [&] { session->talk->runner().reap(); }); });
  } else {
    world_.after(50, power_, [this] { supervise(); });
  }
}

// What the supervisor does: record, then reap. Without one, init reaps and nobody saw.
void Machine::supervise() {
  bool recorded = false;
  for (auto at = processes_.begin(); at != processes_.end();) {
    Process& process = at->second;
    if (!process.zombie || process.parent == Parent::session) {
      ++at;
      continue;
    }
    if (process.parent == Parent::supervisor && supervisor_) {
      worker::Record record(worker::RecordKind::exited);
      record.pid = static_cast<std::uint32_t>(at->first);
      record.time_us = wall().time_since_epoch().count();
      record.end.start_ns = process.start_ns;
      record.end.status = process.status;
      const WorkerDisk::Use disk(disk_);
      if (worker::append_to_journal(folder_->fd.get(), record) != 0) {  // it stays as it is until there is room
        world_.after(100 * kMs, power_, [this] { supervise(); });
        break;
      }
      recorded = true;
    } else {
      model_.exit_unseen(process.attempt);
    }
    at = processes_.erase(at);
  }
  if (!recorded || !holder_) return;
  world_.after(50, holder_->life,
               [this, session = holder_] { turn(session, [&] { session->talk->runner().journal_changed(); }); });
}

std::size_t Machine::living(AttemptId attempt) const {
  std::size_t count = 0;
  for (const auto& [pid, process] : processes_)
    count += process.attempt == attempt && process.running && !process.zombie ? 1 : 0;
  const auto left = left_.find(attempt);
  return count + (left == left_.end() ? 0 : static_cast<std::size_t>(left->second));
}

std::size_t Machine::signal(AttemptId attempt, int number) {
  may_crash();
  const std::size_t count = living(attempt);
  if (count > 0) model_.process_killed(attempt);
  std::vector<pid_t> pids;
  for (const auto& [pid, process] : processes_) {
    if (process.attempt == attempt && process.running && !process.zombie) pids.push_back(pid);
  }
  for (const pid_t pid : pids) {
    if (number == SIGKILL) {
      end_process(pid, SIGKILL);
    } else if (!processes_.at(pid).ignores_term) {
      world_.after(world_.hash(attempt.value(), 0x15) % (50 * kMs), processes_.at(pid).life,
                   [this, pid] { end_process(pid, SIGTERM); });
    }
  }
  if (number == SIGKILL) {
    if (int& left = left_[attempt]; left > 0) model_.process_left(attempt, -std::exchange(left, 0));
  }
  return count;
}

}  // namespace baton::sim
