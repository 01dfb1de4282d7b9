#include "model.hpp"

#include <algorithm>
#include <array>

namespace baton::sim {

using engine::AttemptState;
using engine::InstancePhase;
using engine::RunState;

void Model::began(std::uint64_t incarnation, const store::Recovered& recovered) {
  require(incarnation > incarnation_, "P6 incarnations grow", "{} after {}", incarnation, incarnation_);
  incarnation_ = incarnation;
  require(recovered.quarantined.empty(), "P9 recovery", "a run is set apart: {}",
          recovered.quarantined.empty() ? "" : recovered.quarantined.front().why);
  std::size_t active = 0;
  for (const auto& [key, run] : runs_) active += engine::is_final(run.state) ? 0 : 1;
  require(active == recovered.runs.size(), "P1 recovery", "{} runs came back, {} were on disk", recovered.runs.size(),
          active);
  for (const engine::RunSnapshot& run : recovered.runs) {
    const RunKey key = run.created.run;
    require(runs_.contains(key) && runs_.at(key).state == run.state.state &&
                runs_.at(key).cancel_requested == run.state.cancel_requested,
            "P1 recovery", "run {} came back otherwise", key.value());
    for (const engine::InstanceChanged& row : run.instances) {
      const auto known = instances_.find(row.key);
      require(known != instances_.end() && known->second.phase == row.phase && known->second.attempts == row.attempts,
              "P1 recovery", "an instance of run {} came back otherwise", key.value());
    }
    for (const engine::AttemptChanged& row : run.attempts) {
      require(attempts_.contains(row.id) && !is_over(attempts_.at(row.id).state), "P1 recovery",
              "attempt {} came back otherwise", row.id.value());
    }
  }
}

void Model::committed(const std::vector<Decision>& decisions, std::uint64_t incarnation) {
  require(incarnation == incarnation_, "P6 one writer", "daemon {} committed after {} began", incarnation,
          incarnation_);
  std::set<RunKey> ended;
  for (const Decision& decision : decisions) {
    for (const engine::Record& record : decision.records) {
      if (const auto* instance = std::get_if<engine::InstanceChanged>(&record)) check_wait(*instance, decision);
      std::visit([this](const auto& r) { put(r); }, record);
      if (const auto* run = std::get_if<engine::RunChanged>(&record); run != nullptr && engine::is_final(run->state)) {
        ended.insert(run->run);
      }
    }
    for (const engine::Record& record : decision.records) {
      if (const auto* instance = std::get_if<engine::InstanceChanged>(&record)) check_outputs(*instance);
      if (const auto* expanded = std::get_if<engine::TaskExpanded>(&record)) check_expansion(*expanded);
    }
    check_shares();
  }
  for (const RunKey run : ended) check_final(run);
}

void Model::put(const engine::RunCreated& record) {
  require(!created_.contains(record.run), "P1 numbers", "run {} was made twice", record.run.value());
  require(!refused_.contains(record.id), "P1 refused leaves no trace", "run {}", record.id);
  created_[record.run] = record;
}

void Model::put(const engine::RunChanged& record) {
  if (const auto before = runs_.find(record.run); before != runs_.end() && !record.cancel_requested) {
    if (before->second.cancel_requested) {
      require(engine::is_final(before->second.state), "P4 cancel", "run {} forgot its cancel", record.run.value());
      cancel_answered_.erase(record.run);  // retried
    }
  }
  if (const auto before = runs_.find(record.run); before != runs_.end() && engine::is_final(before->second.state)) {
    if (!engine::is_final(record.state)) retried_.insert(record.run);
  }
  runs_[record.run] = record;
}

void Model::put(const engine::TaskExpanded& record) {
  if (!record.combos.is_null()) return;
  std::erase_if(instances_, [&](const auto& entry) {
    return entry.first.run == record.run && entry.first.task == record.task && entry.first.index > 0;
  });
}

void Model::put(const engine::InstanceChanged& record) {
  instances_[record.key] = record;
  if (record.outputs && record.outputs->contains("x")) outputs_[record.key] = record.outputs->at("x");
}

// However the clock is set, nothing is due before its time. Less than a second is not taken for setting it.
void Model::check_wait(const engine::InstanceChanged& record, const Decision& decision) {
  const auto wait = waits_.find(record.key);
  if (wait != waits_.end()) {
    const InstancePhase before = instances_.at(record.key).phase;
    const bool backed_off = before == InstancePhase::backoff && record.phase != InstancePhase::cancelled;
    const bool undecided = before == InstancePhase::awaiting_approval && record.message == "nobody decided in time";
    require(!(backed_off || undecided) || wait->second.incarnation != incarnation_ ||
                decision.at + kSecond >= wait->second.until,
            "waits are kept", "task {} of run {} was due {} us too early", record.key.task.value(),
            record.key.run.value(), wait->second.until - decision.at);
    waits_.erase(wait);
  }
  if (!record.due) return;
  const auto left = static_cast<Time>((*record.due - decision.wall).count());
  waits_[record.key] = {.incarnation = incarnation_, .until = decision.at + left};
}

void Model::put(const engine::AttemptChanged& record) {
  world_.say("committed: attempt {} is {} {}", record.id.value(), engine::to_string(record.state),
             workflow::to_string(record.failure));
  const auto before = attempts_.find(record.id);
  if (before == attempts_.end()) {
    require(!is_cancel_answered(record.key.run), "P4 no attempt after an answered cancel", "attempt {} of run {}",
            record.id.value(), record.key.run.value());
    for (const auto& [id, other] : attempts_) {
      require(id < record.id, "P2 ids grow", "attempt {} after {}", record.id.value(), id.value());
      require(!(other.key == record.key) || (is_over(other.state) && other.number < record.number), "P2 numbers",
              "attempt {} has the number or the time of {}", record.id.value(), id.value());
    }
    attempts_[record.id] = record;
    truths_[record.id].may_be_lost = world_.now() < unsettled_until_[record.worker];
    truths_[record.id].lacks_room = full_disks_.contains(record.worker);
    if (const Value& params = runs_.at(record.key.run).params; params.contains("p")) {
      truths_[record.id].param = params.at("p");
    }
  } else {
    if (is_over(before->second.state)) {
      require(record.state == before->second.state && record.failure == before->second.failure, "P3 an end is final",
              "attempt {} ended again", record.id.value());
    }
    before->second = record;
  }
  if (is_over(record.state)) check_end(record);
}

void Model::check_final(RunKey key) {
  const engine::RunChanged& run = runs_.at(key);
  if (!engine::is_final(run.state)) return;
  bool bad = false;
  for (auto at = instances_.lower_bound({key, TaskIndex(0), 0}); at != instances_.end() && at->first.run == key; ++at) {
    const auto& [instance, row] = *at;
    require(engine::is_final(row.phase), "runs end when their tasks have", "run {}, {}", key.value(), row.name);
    bad = bad || row.phase == InstancePhase::failed || row.phase == InstancePhase::upstream_failed ||
          row.phase == InstancePhase::cancelled;
    const workflow::TaskSpec& spec = task(instance);
    if (row.phase == InstancePhase::succeeded && std::holds_alternative<workflow::RunCommand>(spec.action)) {
      const auto last = std::ranges::find_if(attempts_, [&](const auto& entry) {
        return entry.second.key == instance && entry.second.number == row.attempts;
      });
      require(last != attempts_.end() && last->second.state == AttemptState::succeeded, "success needs an attempt",
              "run {} task {}", key.value(), instance.task.value());
    }
    require(row.attempts - row.retries_from <= spec.retry.max_retries + 1, "retries are counted", "run {} task {}",
            key.value(), instance.task.value());
  }
  const RunState expected = run.cancel_requested ? RunState::cancelled : bad ? RunState::failed : RunState::succeeded;
  require(run.state == expected, "the run's state follows from its tasks", "run {} is {}", key.value(),
          engine::to_string(run.state));
  check_alive(key);
  check_rules(key);
}

// Every task became what the ends of its needs make of it.
void Model::check_rules(RunKey key) const {
  const engine::RunCreated& created = created_.at(key);
  const auto& rules = rules_.at(created.workflow);
  if (!rules) return;
  std::vector<std::optional<InstancePhase>> ends(rules->size());
  const auto of_run = [&](const auto& visit) {
    for (auto at = instances_.lower_bound({key, TaskIndex(0), 0}); at != instances_.end() && at->first.run == key; ++at)
      visit(at->first.task.value(), at->second.phase);
  };
  // Of several instances the worst one speaks for the task, and a skipped one for none but itself.
  constexpr std::array kWorstLast{InstancePhase::skipped, InstancePhase::succeeded, InstancePhase::cancelled,
                                  InstancePhase::upstream_failed, InstancePhase::failed};
  of_run([&](std::size_t task, InstancePhase phase) {
    if (!ends[task] || std::ranges::find(kWorstLast, phase) > std::ranges::find(kWorstLast, *ends[task]))
      ends[task] = phase;
  });
  const bool cancelled = runs_.at(key).cancel_requested;
  of_run([&](std::size_t task, InstancePhase phase) {
    const Condition condition = (*rules)[task].condition;
    // A retry runs what did not succeed, and leaves alone what had its turn when other things were true.
    if (retried_.contains(key) && condition != Condition::none && condition != Condition::always) return;
    if (phase == InstancePhase::cancelled) {
      const TaskIndex index(static_cast<std::uint32_t>(task));
      const bool fail_fast = specs_.at(created.workflow)->task(index).fail_fast && ends[task] == InstancePhase::failed;
      require(cancelled || fail_fast, "a task's state follows from the rules", "run {} t{} is cancelled", key.value(),
              task);
      return;
    }
    const Turn turn = turn_of(*rules, task, ends);
    const Turn was = phase == InstancePhase::skipped           ? Turn::skipped
                     : phase == InstancePhase::upstream_failed ? Turn::upstream_failed
                                                               : Turn::starts;
    const bool no_instances = phase == InstancePhase::skipped && turn == Turn::starts && is_empty(key, task);
    require(turn == was || no_instances, "a task's state follows from the rules", "run {} t{} is {}", key.value(), task,
            engine::to_string(phase));
  });
}

const workflow::TaskSpec& Model::task(InstanceKey key) const {
  return specs_.at(created_.at(key.run).workflow)->task(key.task);
}

bool Model::is_cancel_answered(RunKey run) const {
  if (cancel_answered_.contains(run)) return true;
  const auto& parent = created_.at(run).parent;
  return parent && is_cancel_answered(parent->run) && !engine::is_final(runs_.at(parent->run).state);
}

void Model::accepted(RunKey run) {
  require(created_.contains(run) && runs_.contains(run), "P1 answered when durable", "run {}", run.value());
  accepted_.insert(run);
}

void Model::refused(const std::string& id) {
  for (const auto& [run, created] : created_) require(created.id != id, "P1 refused leaves no trace", "run {}", id);
  refused_.insert(id);
}

void Model::cancel_answered(RunKey run) {
  require(runs_.contains(run) && (runs_.at(run).cancel_requested || engine::is_final(runs_.at(run).state)),
          "P4 answered when durable", "run {}", run.value());
  if (runs_.at(run).cancel_requested) cancel_answered_.insert(run);
}

bool Model::succeeded(RunKey run, TaskIndex need) const {
  for (auto at = instances_.lower_bound({run, need, 0});
       at != instances_.end() && at->first.run == run && at->first.task == need; ++at) {
    if (at->second.phase != InstancePhase::succeeded && at->second.phase != InstancePhase::skipped) return false;
  }
  return true;
}

bool Model::ended(RunKey run, TaskIndex need) const {
  for (auto at = instances_.lower_bound({run, need, 0});
       at != instances_.end() && at->first.run == run && at->first.task == need; ++at) {
    if (!engine::is_final(at->second.phase)) return false;
  }
  return true;
}

bool Model::all_ended() const {
  return std::ranges::all_of(runs_, [](const auto& run) { return engine::is_final(run.second.state); });
}

std::string Model::unfinished() const {
  std::string text;
  for (const auto& [key, row] : instances_) {
    if (!engine::is_final(row.phase)) {
      text += fmt::format(" {}/{}[{}]:{}", key.run.value(), key.task.value(), key.index, engine::to_string(row.phase));
    }
  }
  return text;
}

void Model::finish() const {
  for (const RunKey run : accepted_) require(runs_.contains(run), "P1 acknowledged is kept", "run {}", run.value());
  for (const auto& [run, state] : runs_) check_alive(run);
  for (const auto& [id, truth] : truths_) {
    require(truth.alive == 0, "P8 nothing is left", "attempt {}", id.value());
    require(truth.starts <= 1, "P2 at most once", "attempt {}", id.value());
  }
}

}  // namespace baton::sim
