// A database of maps: applies records as the real store does, and gives back what a restart would read.
#pragma once
#include <baton/engine/engine.hpp>

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace baton::engine::test {

class MemoryStore {
 public:
  void apply(const std::vector<Record>& records) {
    for (const Record& record : records) {
      std::visit([this](const auto& r) { put(r); }, record);
    }
  }

  [[nodiscard]] RunSnapshot snapshot(RunKey run) const {
    RunSnapshot snapshot;
    snapshot.created = created_.at(run);
    snapshot.state = runs_.at(run);
    for (const auto& [key, expanded] : expansions_) {
      if (key.first == run) snapshot.expansions.push_back(expanded);
    }
    for (const auto& [key, instance] : instances_) {
      if (key.run == run) snapshot.instances.push_back(instance);
    }
    for (const auto& [id, attempt] : attempts_) {
      const bool active = attempt.state == AttemptState::starting || attempt.state == AttemptState::running;
      if (attempt.key.run == run && active) snapshot.attempts.push_back(attempt);
    }
    return snapshot;
  }
  [[nodiscard]] std::vector<RunKey> unfinished() const {
    std::vector<RunKey> keys;
    for (const auto& [key, run] : runs_) {
      if (!is_final(run.state)) keys.push_back(key);
    }
    return keys;
  }
  [[nodiscard]] Counters counters() const {
    Counters counters;
    for (const auto& [key, run] : created_) {
      counters.last_run = std::max(counters.last_run, key);
      auto& number = counters.run_numbers[run.workflow];
      number = std::max(number, run.number);
    }
    if (!attempts_.empty()) counters.last_attempt = attempts_.rbegin()->first;
    return counters;
  }
  [[nodiscard]] const RunCreated& created(RunKey run) const { return created_.at(run); }
  [[nodiscard]] const RunChanged& run(RunKey run) const { return runs_.at(run); }
  [[nodiscard]] const std::map<InstanceKey, InstanceChanged>& instances() const { return instances_; }
  [[nodiscard]] const std::map<AttemptId, AttemptChanged>& attempts() const { return attempts_; }
  [[nodiscard]] const std::map<RunKey, RunCreated>& runs() const { return created_; }
  // As if it had been stored so; the engine sees it after a restart.
  void store_output(InstanceKey key, const std::string& name, std::string value) {
    instances_.at(key).outputs.value()[name] = std::move(value);
  }

 private:
  void put(const RunCreated& record) { created_[record.run] = record; }
  void put(const RunChanged& record) { runs_[record.run] = record; }
  void put(const TaskExpanded& record) {
    if (!record.combos.is_null()) {
      expansions_[{record.run, record.task}] = record;
      return;
    }
    expansions_.erase({record.run, record.task});
    std::erase_if(instances_, [&](const auto& entry) {
      return entry.first.run == record.run && entry.first.task == record.task && entry.first.index > 0;
    });
  }
  void put(const DueChanged& record) { instances_.at(record.key).due = record.due; }
  void put(const InstanceChanged& record) {
    const auto [found, added] = instances_.try_emplace(record.key, record);
    if (added) return;
    InstanceChanged& row = found->second;
    InstanceChanged next = record;
    if (next.name.empty()) next.name = row.name;
    if (next.matrix.is_null()) next.matrix = row.matrix;
    if (!next.outputs) next.outputs = row.outputs;
    if (next.child.value() == 0) next.child = row.child;
    row = std::move(next);
  }
  void put(const AttemptChanged& record) { attempts_[record.id] = record; }

  std::map<RunKey, RunCreated> created_;
  std::map<RunKey, RunChanged> runs_;
  std::map<std::pair<RunKey, TaskIndex>, TaskExpanded> expansions_;
  std::map<InstanceKey, InstanceChanged> instances_;
  std::map<AttemptId, AttemptChanged> attempts_;
};

}  // namespace baton::engine::test
