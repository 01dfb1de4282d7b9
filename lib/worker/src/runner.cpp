#include <baton/base/mutation.hpp>
#include <baton/worker/log_cap.hpp>
#include <baton/worker/log_reader.hpp>
#include <baton/worker/outcome.hpp>
#include <baton/worker/runner.hpp>

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "runner_files.hpp"

namespace baton::worker {

Runner::Runner(Host& host, const Folder& folder, Journal journal, int null_fd, std::string boot_id, Emit emit)
    : host_(host),
      folder_(folder),
      journal_(std::move(journal)),
      null_fd_(null_fd),
      boot_id_(std::move(boot_id)),
      emit_(std::move(emit)),
      environment_(::environ),
      slots_(folder),
      containment_(host.contain(folder)),
      log_cap_(log_cap()) {}

void Runner::emit(wire::ToDaemon message) {
  if (welcomed_) emit_(std::move(message));
}

bool Runner::record(Record& record) {
  if (failure_) return false;
  if (auto appended = journal_.append(record); !appended) {
    failure_ = appended.error();
    return false;
  }
  return true;
}

Runner::Running* Runner::running(AttemptId attempt) {
  const auto known = attempts_.find(attempt);
  return known == attempts_.end() ? nullptr : std::get_if<Running>(&known->second);
}

void Runner::set_due(AttemptId attempt, Running& run, std::uint64_t due) {
  if (run.due == due) return;
  if (run.due != 0) deadlines_.erase({run.due, attempt});
  run.due = due;
  if (due != 0) deadlines_.emplace(due, attempt);
}

void Runner::launch(wire::Launch launch) {
  const AttemptId attempt = launch.attempt;
  const auto known = attempts_.find(attempt);
  const bool again = mutated(Mutation::start_repeated_launch) && known != attempts_.end() &&
                     std::holds_alternative<Ended>(known->second);
  if (known == attempts_.end() || again) {
    queue_.push_back(attempt);
    attempts_.insert_or_assign(attempt, Queued{std::move(launch)});
  } else if (const auto* run = std::get_if<Running>(&known->second)) {
    emit(wire::Started{attempt, TimePoint(Duration(run->started.time_us)), run->started.pid, open_log(run->started)});
  } else if (const auto* ended = std::get_if<Ended>(&known->second)) {
    emit(wire::Exited{attempt, ended->outcome});
  }
}

void Runner::kill(const wire::Kill& kill) {
  // What has ended by now was not killed.
  reap();
  const auto known = attempts_.find(kill.attempt);
  if (known != attempts_.end()) {
    if (const auto* ended = std::get_if<Ended>(&known->second)) {
      emit(wire::Exited{kill.attempt, ended->outcome});
      return;
    }
    if (std::holds_alternative<Running>(known->second)) {
      begin_kill(kill.attempt, kill.cause);
      return;
    }
  }
  // Queued or not known yet: the record makes sure that it never starts.
  wire::Outcome outcome;
  outcome.cause = kill.cause;
  outcome.ended_at = host_.wall_time();
  if (mutated(Mutation::drop_tombstone)) {
    return emit(wire::Exited{kill.attempt, outcome});
  }
  end_without_start(kill.attempt, std::move(outcome));
}

// An attempt that has no process and never will. A place in the queue that it may have is skipped later.
void Runner::end_without_start(AttemptId attempt, wire::Outcome outcome) {
  conclude(attempt, keep_message(attempt, std::move(outcome)), false);
}

// The outcome is decided. `has_record`: the journal says it already.
void Runner::conclude(AttemptId attempt, Ended ended, bool has_record) {
  if (!has_record) {
    Record record = finished_record(attempt, ended.outcome);
    if (ended.has_side_file) record.flags |= Record::kHasSideFile;
    if (unkillable_.contains(attempt)) record.flags |= Record::kLeftBehind;
    if (!this->record(record)) return;
  }
  emit(wire::Exited{attempt, ended.outcome});
  attempts_.insert_or_assign(attempt, std::move(ended));
}

void Runner::forget(const wire::Forget& forget) {
  Record batch(RecordKind::forgotten);
  std::size_t count = 0;
  const auto flush = [&] {
    if (count == 0) return true;
    count = 0;
    const bool recorded = record(batch);
    batch = Record(RecordKind::forgotten);
    return recorded;
  };
  std::vector<AttemptId> dropped;
  for (const AttemptId attempt : forget.attempts) {
    const auto known = attempts_.find(attempt);
    // What has not ended cannot have been committed as ended.
    if (known == attempts_.end() || !std::holds_alternative<Ended>(known->second)) continue;
    // What cannot be killed must be known to the next session too.
    if (const auto left = unkillable_.find(attempt); left != unkillable_.end()) {
      left->second.forgotten = true;
      continue;
    }
    batch.forgotten[count++] = attempt.value();
    if (count == Record::kForgottenIds && !flush()) return;
    if (std::get<Ended>(known->second).has_side_file) dropped.push_back(attempt);
    attempts_.erase(known);
  }
  if (!flush()) return;
  for (const AttemptId attempt : dropped) remove_details(folder_.fd.get(), attempt);
  compact_if_long();
}

// Not to succeed harms nothing as long as there is room for records.
void Runner::compact_if_long() {
  if (!journal_.wants_compaction()) return;
  if (auto compacted = journal_.compact(); !compacted) {
    host_.log("the journal was not compacted: " + compacted.error().message);
  }
}

void Runner::read_log(const wire::ReadLog& request) {
  wire::ReadLog bounded = request;
  if (request.extent.to == wire::LogExtent::kOpen) {
    // The asker may not know yet that the attempt has ended. Segments used to be shared, each by one attempt after the
    // other, so that what follows may be another's.
    for (const auto& [attempt, state] : attempts_) {
      const auto* ended = std::get_if<Ended>(&state);
      if (ended == nullptr || ended->outcome.log.segment != request.extent.segment) continue;
      const wire::LogExtent& log = ended->outcome.log;
      if (request.extent.from >= log.from && request.extent.from <= log.to) bounded.extent.to = log.to;
    }
  }
  emit(wire::ToDaemon(worker::read_log(folder_.fd.get(), bounded)));
}

void Runner::start_queued() {
  while (!queue_.empty() && !failure_) {
    const AttemptId attempt = queue_.front();
    const auto known = attempts_.find(attempt);
    const auto* queued = known == attempts_.end() ? nullptr : std::get_if<Queued>(&known->second);
    if (queued == nullptr) {  // killed or forgotten while it waited
      queue_.pop_front();
      continue;
    }
    if (std::string reason = allocator_.never_fits(queued->launch.needs); !reason.empty()) {
      queue_.pop_front();
      wire::Outcome outcome;
      outcome.cause = wire::ExitCause::spawn_error;
      outcome.detail = EINVAL;
      outcome.message = std::move(reason);
      outcome.ended_at = host_.wall_time();
      end_without_start(attempt, std::move(outcome));
      continue;
    }
    auto grant = allocator_.take(queued->launch.needs);
    if (!grant) return;
    queue_.pop_front();
    const wire::Launch launch = std::move(std::get<Queued>(known->second).launch);
    start(attempt, launch, std::move(*grant));
  }
}

std::optional<std::uint64_t> Runner::next_deadline() const {
  std::optional<std::uint64_t> next;
  if (!deadlines_.empty()) next = deadlines_.begin()->first;
  if (!unkillable_.empty()) next = std::min(next.value_or(unkillable_check_at_), unkillable_check_at_);
  if (logs_check_at_ != 0) next = std::min(next.value_or(logs_check_at_), logs_check_at_);
  if (reap_again_at_ != 0) next = std::min(next.value_or(reap_again_at_), reap_again_at_);
  return next;
}

void Runner::tick() {
  if (next_deadline().value_or(~std::uint64_t{0}) > host_.boot_ns()) return;
  reap();
  turn_ends_ = 0;  // ends that come all the time must not keep deadlines from their turn
  const std::uint64_t now = host_.boot_ns();
  while (!deadlines_.empty() && deadlines_.begin()->first <= now && !failure_ && has_time()) {
    const AttemptId attempt = deadlines_.begin()->second;
    Running* run = running(attempt);
    if (run == nullptr) {
      deadlines_.erase(deadlines_.begin());
      continue;
    }
    set_due(attempt, *run, 0);
    check(attempt);
  }
  if (!unkillable_.empty() && unkillable_check_at_ <= now) check_unkillable();
  if (logs_check_at_ != 0 && logs_check_at_ <= now) check_logs();
  send_signals();
}

}  // namespace baton::worker
