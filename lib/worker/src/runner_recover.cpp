#include <baton/base/mutation.hpp>
#include <baton/worker/outcome.hpp>
#include <baton/worker/runner.hpp>

#include <algorithm>
#include <csignal>
#include <cstdio>

#include "runner_files.hpp"

namespace baton::worker {
namespace {

// Room in one frame for the outcomes of an inventory; the rest follows as Exited messages.
constexpr std::size_t kInventoryText = 8u << 20;

bool left_behind(const Ledger::Entry& entry) {
  return entry.started && entry.finished && (entry.finished->flags & Record::kLeftBehind) != 0;
}

Grant grant_of(const Record& started) {
  Grant grant;
  grant.needs.cpu_milli = started.start.cpu_milli;
  grant.needs.memory_bytes = started.start.memory_bytes;
  grant.needs.gpu_milli = started.start.gpu_milli;
  grant.gpu_devices = started.start.gpu_devices;
  return grant;
}

std::size_t text_size(const wire::Outcome& outcome) {
  std::size_t size = outcome.message.size();
  for (const auto& [name, value] : outcome.outputs) size += name.size() + value.size() + 16;
  return size;
}

}  // namespace

Result<void> Runner::recover() {
  auto records = journal_.read_new();
  if (!records) return std::unexpected(records.error());
  Ledger ledger;
  for (const Record& record : *records) ledger.apply(record);
  const bool rebooted = ledger.boot_id() != boot_id_ && !mutated(Mutation::ignore_reboot);

  std::set<std::uint32_t> slots, segments;
  for (const auto& [attempt, entry] : ledger.entries()) {
    if (!entry.started || (entry.finished && !left_behind(entry))) continue;
    slots.insert(slot_of(*entry.started));
    segments.insert(entry.started->start.segment);
  }
  if (auto opened = slots_.open(slots, segments); !opened) return opened;
  for (const auto& [attempt, entry] : ledger.entries()) {
    recover_attempt(attempt, entry, rebooted);
    // What is not known must not be taken for nobody's below.
    if (failure_) return std::unexpected(*failure_);
  }
  // All are known before the first is looked into: one look at the host's processes then serves all that have ended.
  std::vector<AttemptId> adopted;
  for (const auto& [attempt, state] : attempts_) {
    if (std::holds_alternative<Running>(state)) adopted.push_back(attempt);
  }
  containment_->settle();
  for (const AttemptId attempt : adopted) resume(attempt);
  send_signals();
  for (const AttemptId attempt : list_details(folder_.fd.get())) {
    const auto known = attempts_.find(attempt);
    if (known == attempts_.end() || !std::holds_alternative<Ended>(known->second)) {
      remove_details(folder_.fd.get(), attempt);
    }
  }
  if (rebooted && !failure_) {
    // After the verdicts on what ran before the boot, so that a crash in between repeats them.
    Record boot(RecordKind::boot);
    boot_id_.copy(boot.boot_id, sizeof boot.boot_id - 1);
    record(boot);
  }
  if (failure_) return std::unexpected(*failure_);
  compact_if_long();
  return {};
}

void Runner::recover_attempt(AttemptId attempt, const Ledger::Entry& entry, bool rebooted) {
  auto ended = recover_ended(attempt, entry);
  if (!ended) {
    failure_ = ended.error();
    return;
  }
  if (*ended) {
    attempts_.emplace(attempt, std::move(**ended));
    if (!rebooted && left_behind(entry)) {
      containment_->add(attempt, *entry.started, true);
      containment_->main_reaped(attempt);
      unkillable_.emplace(attempt, Unkillable{grant_of(*entry.started), false});
      unkillable_check_at_ = host_.boot_ns();
    }
    return;
  }
  // Only a kill is known of it, and its process was never started.
  if (!entry.started) return;
  auto slot = slots_.adopt(slot_of(*entry.started), entry.started->start.segment);
  if (!slot) {
    failure_ = slot.error();
    return;
  }
  adopt(attempt, entry, *slot, rebooted);
}

Result<std::optional<Runner::Ended>> Runner::recover_ended(AttemptId attempt, const Ledger::Entry& entry) const {
  if (!entry.finished) return std::optional<Ended>();
  Ended ended{outcome_of_finished(*entry.finished, entry.started ? &*entry.started : nullptr), false};
  if ((entry.finished->flags & Record::kHasSideFile) == 0) {
    if (!entry.started || !entry.exited) return ended;
    const wire::Outcome told = outcome_of(*entry.started, &*entry.exited, entry.killed ? &*entry.killed : nullptr);
    if (told.cause == ended.outcome.cause && told.detail == ended.outcome.detail) ended.outcome.message = told.message;
    return ended;
  }
  ended.has_side_file = true;
  if (auto details = read_details(folder_.fd.get(), attempt)) {
    ended.outcome = std::move(*details);
  } else if (!is_loss(details.error())) {
    return std::unexpected(details.error());
  } else if (ended.outcome.cause == wire::ExitCause::exited && ended.outcome.detail == 0) {
    // Its outputs are gone (the host lost power before they were on disk). A success without them would be a made-up
    // one.
    ended.outcome.cause = wire::ExitCause::missing_output;
    ended.outcome.message = "its outputs were lost: " + details.error().message;
  }
  return ended;
}

// An attempt that started and whose end was not decided yet.
void Runner::adopt(AttemptId attempt, const Ledger::Entry& entry, Slot* slot, bool rebooted) {
  Running run;
  run.started = *entry.started;
  run.slot = slot;
  run.adopted = true;
  const Record::Start& start = run.started.start;
  run.grant = grant_of(run.started);
  if ((run.started.flags & Record::kHasSideFile) != 0) {
    if (auto launch = read_launch(folder_.fd.get(), *slot)) {
      run.outputs = std::move(launch->outputs);
      run.grant.needs.custom_milli = std::move(launch->needs.custom_milli);
    } else if (!is_loss(launch.error())) {
      failure_ = launch.error();
      return;
    } else {
      run.lost_files = true;
      host_.log(fmt::format("attempt {}: {}", attempt.value(), launch.error().message));
    }
  }
  if (start.timeout_us > 0) run.timeout_at = start.boot_from_ns + static_cast<std::uint64_t>(start.timeout_us) * 1000u;
  run.killed = entry.killed;
  run.exited = entry.exited;
  if (entry.spawn_failed) {  // the process that could not become the program has left with a status of no meaning
    wire::Outcome outcome = outcome_of(run.started, nullptr, nullptr);
    outcome.cause = wire::ExitCause::spawn_error;
    outcome.detail = entry.spawn_failed->end.status;
    outcome.message.clear();
    slots_.release(slot, true);
    return conclude(attempt, keep_message(attempt, std::move(outcome)), false);
  }
  run.lost = rebooted && !run.exited;
  const bool over = run.exited || run.lost;
  allocator_.adopt(run.grant);
  containment_->add(attempt, run.started, true);
  if (over) {
    containment_->main_reaped(attempt);
    draining_.insert(attempt);
  } else {
    mains_[static_cast<pid_t>(run.started.pid)] = attempt;
  }
  attempts_.insert_or_assign(attempt, std::move(run));
  logs_check_at_ = host_.boot_ns();
}

void Runner::resume(AttemptId attempt) {
  Running* run = running(attempt);
  if (run == nullptr) return;
  if (run->killed) {
    const std::uint64_t now = host_.boot_ns();
    const std::uint64_t grace = grace_ns(run->started);
    const std::uint64_t since = run->killed->kill.boot_ns;
    // Sessions that replace each other do not put it off.
    run->kill_at = since == 0 || since > now ? now + grace : since + grace;
    // The session before may have ended between the record and the signal.
    if (run->kill_at > now) to_ask_.push_back(attempt);
  }
  check(attempt);
}

wire::InventoryEntry Runner::describe(AttemptId attempt, const Attempt& state) const {
  wire::InventoryEntry entry;
  entry.attempt = attempt;
  if (const auto* run = std::get_if<Running>(&state)) {
    entry.phase = wire::AttemptPhase::running;
    entry.started_at = TimePoint(Duration(run->started.time_us));
    entry.log = open_log(run->started);
  } else if (const auto* ended = std::get_if<Ended>(&state)) {
    entry.phase = wire::AttemptPhase::exited;
    entry.outcome = ended->outcome;
  }
  return entry;
}

void Runner::welcome(const wire::Capacity& configured) {
  allocator_ = Allocator(configured, host_.resources());
  wire::Welcome welcome;
  welcome.host = host_.name();
  welcome.version = BATON_VERSION;
  welcome.boot_id = boot_id_;
  welcome.capacity = allocator_.capacity();
  welcome.gpus = allocator_.gpu_names();
  welcome.containment = containment_->name();
  std::vector<AttemptId> order;
  for (const auto& [attempt, state] : attempts_) {
    order.push_back(attempt);
    const auto* run = std::get_if<Running>(&state);
    if (run != nullptr && !mutated(Mutation::forget_grants)) allocator_.adopt(run->grant);
  }
  std::sort(order.begin(), order.end());
  for (const auto& [attempt, left] : unkillable_) allocator_.adopt(left.grant);
  std::size_t text = 0;
  std::vector<wire::Exited> late;
  for (const AttemptId attempt : order) {
    const Attempt& state = attempts_.at(attempt);
    wire::InventoryEntry entry = describe(attempt, state);
    const auto* ended = std::get_if<Ended>(&state);
    if (ended != nullptr && (text += text_size(ended->outcome)) > kInventoryText) {
      entry.phase = wire::AttemptPhase::running;
      entry.started_at = ended->outcome.started_at;
      entry.log = ended->outcome.log;
      late.push_back({attempt, std::move(entry.outcome)});
      entry.outcome = {};
    }
    welcome.inventory.push_back(std::move(entry));
  }
  welcomed_ = true;
  emit(std::move(welcome));
  for (wire::Exited& exited : late) emit(std::move(exited));
}

}  // namespace baton::worker
