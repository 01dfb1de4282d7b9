#include <baton/worker/journal.hpp>
#include <baton/worker/outcome.hpp>

#include <algorithm>

namespace baton::worker {
namespace {

void keep_first(std::optional<Record>& place, const Record& record) {
  if (!place) place = record;
}

}  // namespace

void Ledger::apply(const Record& record) {
  const AttemptId attempt(record.attempt);
  switch (record.kind) {
    case RecordKind::boot:
      boot_id_.assign(record.boot_id, ::strnlen(record.boot_id, sizeof record.boot_id));
      by_pid_.clear();
      return;
    case RecordKind::started:
      apply_start(record);
      return;
    case RecordKind::spawn_failed:
      keep_first(entries_[attempt].spawn_failed, record);
      return;
    case RecordKind::killed:
      keep_first(entries_[attempt].killed, record);
      return;
    case RecordKind::finished:
      keep_first(entries_[attempt].finished, record);
      return;
    case RecordKind::exited:
      if (record.attempt == 0) return apply_supervisors_exit(record);
      keep_first(entries_[attempt].exited, record);
      return decide_if_replaced(attempt);
    case RecordKind::forgotten:
      for (const std::uint64_t id : record.forgotten) {
        if (id != 0) entries_.erase(AttemptId(id));
      }
      return;
  }
}

void Ledger::apply_start(const Record& record) {
  const AttemptId attempt(record.attempt);
  Entry& entry = entries_[attempt];
  if (entry.started) return;
  entry.started = record;
  entry.order = ++starts_;
  by_pid_[record.pid] = attempt;
  const auto last = by_slot_.find(slot_of(record));
  const AttemptId before = last == by_slot_.end() ? attempt : last->second;
  by_slot_[slot_of(record)] = attempt;
  decide_if_replaced(before);
}

// A slot is given away when nothing is left of the attempt before, so the end of that one is decided. This is not in
// the journal when the exit says it all. The order of the two makes no difference, because compaction changes it.
void Ledger::decide_if_replaced(AttemptId attempt) {
  const auto found = entries_.find(attempt);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  if (!entry.started || !entry.exited || entry.finished) return;
  const auto holder = by_slot_.find(slot_of(*entry.started));
  if (holder == by_slot_.end() || holder->second == attempt) return;
  const Record* killed = entry.killed ? &*entry.killed : nullptr;
  entry.finished = finished_record(attempt, outcome_of(*entry.started, &*entry.exited, killed));
}

// The supervisor knows pids only. A pid is reaped after its exit is recorded, so that the order of records tells which
// attempt had it; the start time tells apart strangers that got the pid when nobody recorded (the supervisor was
// killed).
void Ledger::apply_supervisors_exit(const Record& record) {
  const auto at = by_pid_.find(record.pid);
  if (at == by_pid_.end()) return;
  const auto entry = entries_.find(at->second);
  if (entry == entries_.end() || !entry->second.started || entry->second.exited) return;
  if (record.end.start_ns != 0 && !same_process(*entry->second.started, record.end.start_ns)) return;
  Record named = record;
  named.attempt = entry->first.value();
  entry->second.exited = named;
  decide_if_replaced(entry->first);
}

std::vector<Record> Ledger::records() const {
  std::vector<Record> records;
  if (!boot_id_.empty()) {
    Record& boot = records.emplace_back(RecordKind::boot);
    boot_id_.copy(boot.boot_id, sizeof boot.boot_id - 1);
  }
  // In the order of the starts, because a pid belongs to the last of its users.
  std::vector<const Entry*> order;
  order.reserve(entries_.size());
  for (const auto& [attempt, entry] : entries_) order.push_back(&entry);
  std::stable_sort(order.begin(), order.end(), [](const Entry* a, const Entry* b) { return a->order < b->order; });
  for (const Entry* entry : order) {
    for (const auto* part : {&entry->started, &entry->spawn_failed, &entry->killed, &entry->exited, &entry->finished}) {
      if (*part) records.push_back(**part);
    }
  }
  return records;
}

}  // namespace baton::worker
