#include <baton/base/file.hpp>
#include <baton/base/limits.hpp>
#include <baton/base/mutation.hpp>
#include <baton/base/quantity.hpp>
#include <baton/worker/log_cap.hpp>
#include <baton/worker/outcome.hpp>
#include <baton/worker/runner.hpp>

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

namespace baton::worker {
namespace {

constexpr std::uint64_t kMillisecond = 1'000'000;
constexpr std::uint64_t kTurn = 100 * kMillisecond;
constexpr std::uint64_t kDrainCheck = 50 * kMillisecond;       // beside the signals of children
constexpr std::uint64_t kRoomCheck = 1'000 * kMillisecond;     // a disk may be full for hours
constexpr std::uint64_t kAdoptedCheck = 1'000 * kMillisecond;  // beside the supervisor's notices
constexpr std::uint64_t kKillAgain = 1'000 * kMillisecond;
constexpr std::uint64_t kGiveUp = 10'000 * kMillisecond;  // after the first SIGKILL to what lingers
constexpr std::uint64_t kUnkillableCheck = 5'000 * kMillisecond;

// The kernel ended a process of the attempt for want of memory. If that was its undoing, it is the cause.
void blame_memory(const Record& started, wire::Outcome& outcome) {
  const bool failed = outcome.cause == wire::ExitCause::exited && outcome.detail != 0;
  if (!failed && outcome.cause != wire::ExitCause::signalled) return;
  if (!failed) outcome.detail += 128;
  outcome.cause = wire::ExitCause::oom;
  const std::int64_t limit = started.start.memory_bytes;
  outcome.message = limit > 0 ? fmt::format("used up its {} of memory", format_bytes(limit))
                              : std::string("the host or a limit above had no memory left");
}

// For the message of an attempt that cannot be ended.
std::string describe_left(std::size_t count) {
  return count == 1 ? "a process of it cannot be killed" : fmt::format("{} processes of it cannot be killed", count);
}

}  // namespace

// Looking for what attempts have left behind may take long, and hundreds may end at once. Every turn does a part, so
// that messages are read and answered meanwhile.
bool Runner::has_time() {
  const std::uint64_t now = host_.boot_ns();
  if (turn_ends_ == 0) turn_ends_ = now + kTurn;
  return now < turn_ends_;
}

void Runner::reap() {
  reap_again_at_ = 0;
  bool orphans = false;
  for (;;) {
    // Looked at first and reaped after its record is written: in between it cannot get lost.
    const std::optional<ExitedChild> child = failure_ ? std::nullopt : host_.peek_exited();
    if (!child) break;
    if (!has_time()) {
      reap_again_at_ = host_.boot_ns();
      break;
    }
    const pid_t pid = child->pid;
    const auto main = mains_.find(pid);
    const AttemptId attempt = main == mains_.end() ? AttemptId() : main->second;
    Running* run = main == mains_.end() ? nullptr : running(attempt);
    const bool is_main = run != nullptr && !run->adopted;
    if (is_main && !main_exited(attempt, *child)) return;
    host_.reap(pid);
    if (!is_main) {
      containment_->orphan_reaped(pid);
      orphans = true;
      continue;
    }
    mains_.erase(pid);
    containment_->main_reaped(attempt);
    if (!run->lingered) {
      finish(attempt, false);
    } else {
      draining_.insert(attempt);
      drain_in_time(attempt);
    }
  }
  if (orphans) drain_all();
}

// Records the end of a main process that is not reaped yet. False: it could not, and the process must stay as it is.
bool Runner::main_exited(AttemptId attempt, const ExitedChild& child) {
  Running& run = *running(attempt);
  Record exited(RecordKind::exited);
  exited.pid = static_cast<std::uint32_t>(child.pid);
  exited.attempt = attempt.value();
  exited.time_us = host_.wall_time().time_since_epoch().count();
  exited.end.status = child.status;
  exited.end.user_us = child.user_us;
  exited.end.system_us = child.system_us;
  exited.end.max_rss_bytes = child.max_rss_bytes;
  exited.end.log_to = Slots::size(*run.slot);
  if (!mutated(Mutation::report_unrecorded) && !record(exited)) return false;
  run.exited = exited;
  run.lingered = containment_->may_be_left(attempt);
  return true;
}

void Runner::journal_changed() {
  auto records = journal_.read_new();
  if (!records) {
    failure_ = records.error();
    return;
  }
  for (const Record& record : *records) {
    if (record.kind != RecordKind::exited) continue;
    const auto main = mains_.find(static_cast<pid_t>(record.pid));
    Running* run = main == mains_.end() ? nullptr : running(main->second);
    if (run == nullptr || !run->adopted || run->exited) continue;
    if (record.attempt != 0 && record.attempt != run->started.attempt) continue;
    if (record.end.start_ns != 0 && !same_process(run->started, record.end.start_ns)) continue;
    const AttemptId attempt = main->second;
    run->exited = record;
    run->exited->attempt = attempt.value();
    mains_.erase(main);
    containment_->main_reaped(attempt);
    draining_.insert(attempt);
  }
  drain_all();
}

void Runner::begin_kill(AttemptId attempt, wire::ExitCause cause) {
  Running& run = *running(attempt);
  run.let_go = true;
  if (run.killed || run.exited || run.lost) return;  // its end is under way
  if (reap_again_at_ != 0 && !run.adopted && host_.has_ended(static_cast<pid_t>(run.started.pid))) return;
  Record killed(RecordKind::killed);
  killed.attempt = attempt.value();
  killed.cause = static_cast<std::uint8_t>(cause);
  killed.time_us = host_.wall_time().time_since_epoch().count();
  killed.kill.boot_ns = host_.boot_ns();
  if (!record(killed)) return;
  run.killed = killed;
  run.kill_at = killed.kill.boot_ns + grace_ns(run.started);
  if (run.started.start.grace_us > 0) to_ask_.push_back(attempt);
  check(attempt);
}

// Not one by one: each may need a look at every process of the host, and many attempts may be killed at once.
void Runner::send_signals() {
  turn_ends_ = 0;
  if (!to_ask_.empty()) containment_->signal_each(std::exchange(to_ask_, {}), SIGTERM);
  if (!to_kill_.empty()) containment_->signal_each(std::exchange(to_kill_, {}), SIGKILL);
}

// Does what is due for a running attempt and says when to look again.
void Runner::check(AttemptId attempt) {
  Running* run = running(attempt);
  if (run == nullptr || failure_) return;
  if (draining_.contains(attempt)) return drain_in_time(attempt);
  if (run->adopted) {
    check_adopted(attempt, *run);
    run = running(attempt);
    if (run == nullptr || draining_.contains(attempt)) return;
  }
  const std::uint64_t now = host_.boot_ns();
  if (!run->killed && run->timeout_at != 0 && now >= run->timeout_at) {
    return begin_kill(attempt, wire::ExitCause::timeout);
  }
  std::uint64_t due = run->adopted ? now + kAdoptedCheck : ~std::uint64_t{0};
  if (run->killed) {
    if (now >= run->kill_at) {
      to_kill_.push_back(attempt);
      run->kill_at = now + kKillAgain;
    }
    due = std::min(due, run->kill_at);
  } else if (run->timeout_at != 0) {
    due = std::min(due, run->timeout_at);
  }
  set_due(attempt, *run, due == ~std::uint64_t{0} ? 0 : due);
}

// An adopted process is reaped by its supervisor, which records before it reaps. So if it is gone and there is no
// record there will be none: its supervisor is gone too. Not to be able to look says nothing, and is tried again.
void Runner::check_adopted(AttemptId attempt, Running& run) {
  const auto pid = static_cast<pid_t>(run.started.pid);
  const auto process = host_.read_process(pid);
  const bool may_live =
      process ? same_process(run.started, process->start_ns) : process.error().code != ErrorCode::not_found;
  if (may_live) return;
  journal_changed();
  Running* still = running(attempt);
  if (still == nullptr || still->exited || failure_) return;
  still->lost = true;
  if (const auto main = mains_.find(pid); main != mains_.end() && main->second == attempt) mains_.erase(main);
  containment_->main_reaped(attempt);
  draining_.insert(attempt);
  drain_in_time(attempt);
}

void Runner::drain_all() {
  for (const AttemptId attempt : std::vector(draining_.begin(), draining_.end())) drain_in_time(attempt);
}

// Now, or as soon as other turns have had theirs; who has waited longest comes first.
void Runner::drain_in_time(AttemptId attempt) {
  if (has_time()) return drain(attempt);
  const std::uint64_t now = host_.boot_ns();
  Running* run = running(attempt);
  if (run != nullptr && (run->due == 0 || run->due > now)) set_due(attempt, *run, now);
}

// The main process has ended. The attempt ends when nothing is left of it, which this sees to.
void Runner::drain(AttemptId attempt) {
  Running* run = running(attempt);
  if (run == nullptr || failure_) return;
  if (!containment_->may_be_left(attempt)) return finish(attempt, false);
  run->lingered = true;
  const std::uint64_t now = host_.boot_ns();
  if (run->killed && now < run->kill_at) {  // what got SIGTERM has its grace
    set_due(attempt, *run, std::min(run->kill_at, now + kDrainCheck));
    return;
  }
  const std::size_t living = containment_->signal_all(attempt, SIGKILL);
  if (living == 0) {
    run->give_up_at = 0;  // what was not hit, because it could not be seen or reached now, has not withstood
  } else if (run->give_up_at == 0) {
    run->give_up_at = now + kGiveUp;
  } else if (now >= run->give_up_at) {
    return finish(attempt, true);
  }
  set_due(attempt, *run, now + kDrainCheck);
}

void Runner::finish(AttemptId attempt, bool unkillable) {
  Running& run = *running(attempt);
  const auto again_after = [&](std::uint64_t pause) {
    draining_.insert(attempt);
    set_due(attempt, run, host_.boot_ns() + pause);
  };
  const Record* exited = run.exited ? &*run.exited : nullptr;
  const Record* killed = run.killed ? &*run.killed : nullptr;
  const wire::Outcome recorded = outcome_of(run.started, exited, killed);
  wire::Outcome outcome = recorded;
  if (run.adopted || run.lingered) outcome.log.to = std::max(Slots::size(*run.slot), outcome.log.from);
  cap_log(run.slot->log.get(), outcome.log.from, outcome.log.to, log_cap_);
  if (exited == nullptr) outcome.ended_at = host_.wall_time();
  if (containment_->out_of_memory(attempt)) blame_memory(run.started, outcome);
  if (outcome.cause == wire::ExitCause::exited && outcome.detail == 0 && !collect_outputs(run, outcome)) {
    return again_after(kDrainCheck);
  }
  if (unkillable) {
    if (!outcome.message.empty()) outcome.message += "; ";
    outcome.message += describe_left(containment_->signal_all(attempt, SIGKILL));
  }
  // What `exited` says alone is enough where the slot's files are not needed to understand it.
  const bool needs_files = (run.started.flags & Record::kHasSideFile) != 0;
  const bool has_record = exited != nullptr && outcome == recorded && !needs_files;
  auto ended = has_record ? Ended{std::move(outcome), false} : keep_details(attempt, run, std::move(outcome));
  if (!ended) return again_after(kRoomCheck);
  set_due(attempt, run, 0);
  draining_.erase(attempt);
  bool reusable = !unkillable;
  if (unkillable) {
    unkillable_.emplace(attempt, Unkillable{run.grant, false});
    unkillable_check_at_ = host_.boot_ns() + kUnkillableCheck;
  } else {
    reusable = containment_->remove(attempt);
    allocator_.give_back(run.grant);
  }
  Slot* slot = run.slot;
  conclude(attempt, *std::move(ended), has_record);
  // Only now: a session that comes back before the record must find the attempt's files.
  if (!failure_) slots_.release(slot, reusable);
}

void Runner::check_logs() {
  logs_check_at_ = 0;
  for (const auto& [attempt, state] : attempts_) {
    const auto* run = std::get_if<Running>(&state);
    if (run == nullptr) continue;
    cap_log(run->slot->log.get(), run->started.start.log_from, Slots::size(*run->slot), log_cap_);
    logs_check_at_ = host_.boot_ns() + kLogCheckNs;
  }
}

void Runner::check_unkillable() {
  wire::Forget gone;
  for (auto at = unkillable_.begin(); at != unkillable_.end();) {
    containment_->signal_all(at->first, SIGKILL);
    if (containment_->may_be_left(at->first)) {
      ++at;
      continue;
    }
    containment_->remove(at->first);
    allocator_.give_back(at->second.grant);
    if (at->second.forgotten) gone.attempts.push_back(at->first);
    at = unkillable_.erase(at);
  }
  if (!gone.attempts.empty()) forget(gone);
  unkillable_check_at_ = host_.boot_ns() + kUnkillableCheck;
}

}  // namespace baton::worker
