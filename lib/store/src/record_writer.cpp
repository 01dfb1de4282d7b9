#include "record_writer.hpp"

#include <baton/base/mutation.hpp>

#include <algorithm>
#include <limits>
#include <utility>

#include "codec.hpp"

namespace baton::store {
namespace {

using engine::AttemptChanged;
using engine::InstanceChanged;
using engine::InstancePhase;
using engine::RunChanged;
using engine::RunCreated;
using engine::TaskExpanded;

// A record is the whole state of its row, so writing it again changes nothing (ON CONFLICT).
constexpr const char* kInsertRun =
    "INSERT INTO runs(key, id, workflow, number, bundle, used_path, working_dir, request_key, labels, priority,"
    " created_at, scheduled_for, parent_run, parent_task, parent_idx, state, cancel_requested, params)"
    " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, 0, 0, '{}') ON CONFLICT(key) DO NOTHING";
constexpr const char* kNumberRun =
    "INSERT INTO workflows VALUES(?1, ?2)"
    " ON CONFLICT(name) DO UPDATE SET last_number = max(last_number, excluded.last_number)";
constexpr const char* kUpdateRun =
    "UPDATE runs SET state = ?2, reason = ?3, cancel_requested = ?4, params = ?5, started_at = ?6, ended_at = ?7"
    " WHERE key = ?1";
constexpr const char* kInsertInstance =
    "INSERT INTO instances(run, task, idx, phase, attempts, retries_from, child, due, ready_at, ended_at, reason,"
    " message, name, matrix) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)"
    " ON CONFLICT(run, task, idx) DO UPDATE SET phase = ?4, attempts = ?5, retries_from = ?6, child = "
    "coalesce(nullif(?7, 0), child), due = ?8,"
    " ready_at = ?9, ended_at = ?10, reason = ?11, message = ?12, name = ?13, matrix = ?14";
constexpr const char* kUpdateInstance =
    "UPDATE instances SET phase = ?4, attempts = ?5, retries_from = ?6, child = coalesce(nullif(?7, 0), child), due = "
    "?8, ready_at = ?9,"
    " ended_at = ?10, reason = ?11, message = ?12 WHERE run = ?1 AND task = ?2 AND idx = ?3";
constexpr const char* kInsertAttempt =
    "INSERT INTO attempts(id, state, failure, detail, exit_code, worker, message, started_at, ended_at, segment,"
    " log_from, log_to, user_us, system_us, max_rss, run, task, idx, number, created_at)"
    " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)"
    " ON CONFLICT(id) DO UPDATE SET state = ?2, failure = ?3, detail = ?4, exit_code = ?5, worker = ?6, message = ?7,"
    " started_at = ?8, ended_at = ?9, segment = ?10, log_from = ?11, log_to = ?12, user_us = ?13, system_us = ?14,"
    " max_rss = ?15";
constexpr const char* kUpdateAttempt =
    "UPDATE attempts SET state = ?2, failure = ?3, detail = ?4, exit_code = ?5, worker = ?6, message = ?7,"
    " started_at = ?8, ended_at = ?9, segment = ?10, log_from = ?11, log_to = ?12, user_us = ?13, system_us = ?14,"
    " max_rss = ?15 WHERE id = ?1";

// Clearing takes time by the number of buckets, which a large transaction leaves behind.
template <class Map>
void empty(Map& map) {
  constexpr std::size_t kBuckets = 8'192;
  if (map.bucket_count() > kBuckets) {
    map = Map{};
  } else {
    map.clear();
  }
}

}  // namespace

RecordWriter::RecordWriter(Connection& connection)
    : connection_(connection),
      cache_(connection),
      begin_(connection, "BEGIN IMMEDIATE"),
      commit_(connection, "COMMIT"),
      select_meta_(connection, "SELECT incarnation, last_run, last_attempt, last_event FROM meta"),
      update_meta_(connection, "UPDATE meta SET last_run = ?1, last_attempt = ?2, last_event = ?3"),
      insert_bundle_(connection, "INSERT OR IGNORE INTO bundles VALUES(?1, ?2)"),
      insert_run_(connection, kInsertRun),
      number_run_(connection, kNumberRun),
      update_run_(connection, kUpdateRun),
      insert_task_(connection, "INSERT OR IGNORE INTO tasks VALUES(?1, ?2, ?3, ?4, ?5, ?6)"),
      insert_expansion_(connection, "INSERT OR REPLACE INTO expansions VALUES(?1, ?2, ?3)"),
      delete_expansion_(connection, "DELETE FROM expansions WHERE run = ?1 AND task = ?2"),
      select_instance_(connection,
                       "SELECT phase, attempts, name FROM instances WHERE run = ?1 AND task = ?2 AND idx = ?3"),
      insert_instance_(connection, kInsertInstance),
      update_instance_(connection, kUpdateInstance),
      update_due_(connection, "UPDATE instances SET due = ?4 WHERE run = ?1 AND task = ?2 AND idx = ?3"),
      set_outputs_(connection, "INSERT OR REPLACE INTO outputs VALUES(?1, ?2, ?3, ?4)"),
      delete_outputs_(connection, "DELETE FROM outputs WHERE run = ?1 AND task = ?2 AND idx = ?3"),
      delete_instances_(connection, "DELETE FROM instances WHERE run = ?1 AND task = ?2 AND idx >= ?3"),
      delete_instance_outputs_(connection, "DELETE FROM outputs WHERE run = ?1 AND task = ?2 AND idx >= ?3"),
      insert_attempt_(connection, kInsertAttempt),
      update_attempt_(connection, kUpdateAttempt),
      insert_event_(connection, "INSERT INTO events VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)") {}

std::vector<Committed> RecordWriter::commit(const std::vector<Batch*>& batches, std::uint64_t incarnation) {
  std::vector<Committed> committed(batches.size());
  try {
    begin_.run();
    {
      Rows rows = select_meta_.query();
      if (!rows.next()) raise(ErrorCode::corrupt, "the database {} has lost its counters", connection_.path());
      counters_ = {rows.integer(0), rows.integer(1), rows.integer(2), rows.integer(3)};
    }
    if (counters_.incarnation != static_cast<std::int64_t>(incarnation) && !mutated(Mutation::skip_commit_fence)) {
      raise(ErrorCode::conflict, "another daemon has taken over the database {}", connection_.path());
    }
    find_last(batches);
    for (std::size_t i = 0; i < batches.size(); ++i) write(*batches[i], committed[i]);
    update_meta_.run(counters_.last_run, counters_.last_attempt, counters_.last_event);
    commit_.run();
    for (const RunKey run : ended_) cache_.drop(run);
  } catch (...) {
    connection_.rollback();
    cache_.clear();  // it may know runs that were rolled back
    throw;
  }
  return committed;
}

void RecordWriter::find_last(const std::vector<Batch*>& batches) {
  empty(instances_);
  empty(attempts_);
  empty(ended_attempts_);
  ended_.clear();
  for (Batch* batch : batches) {
    for (engine::Record& record : batch->records) {
      if (auto* instance = std::get_if<InstanceChanged>(&record)) {
        instances_[instance->key].last = instance;
      } else if (auto* attempt = std::get_if<AttemptChanged>(&record)) {
        AttemptChain& chain = attempts_[attempt->id];
        chain.last = attempt;
        chain.is_new = chain.is_new || attempt->state == engine::AttemptState::starting;
        if (attempt->ended_at) ended_attempts_[attempt->key] = attempt;
      }
    }
  }
}

void RecordWriter::write(Batch& batch, Committed& committed) {
  committed_ = &committed;
  now_ = batch.now;
  for (const Batch::Bundle& bundle : batch.bundles) insert_bundle_.run(bundle.hash, bundle.contents);
  bool expands = false;
  for (engine::Record& record : batch.records) {
    if (auto* instance = std::get_if<InstanceChanged>(&record)) {
      write_instance(*instance);
    } else if (auto* attempt = std::get_if<AttemptChanged>(&record)) {
      const AttemptChain& chain = attempts_.at(attempt->id);
      if (chain.last == attempt) write_attempt(*attempt);
    } else if (const auto* moved = std::get_if<engine::DueChanged>(&record)) {
      update_due_.run(moved->key.run, moved->key.task, moved->key.index, moved->due);
    } else if (auto* created = std::get_if<RunCreated>(&record)) {
      write_run(*created);
    } else if (auto* changed = std::get_if<RunChanged>(&record)) {
      write_run(*changed);
    } else if (auto* expanded = std::get_if<TaskExpanded>(&record)) {
      expands = true;
      if (expanded->combos.is_null()) {
        delete_expansion_.run(expanded->run, expanded->task);
      } else {
        insert_expansion_.run(expanded->run, expanded->task, dump(expanded->combos));
      }
    }
  }
  if (expands) remove_surplus(batch);
}

void RecordWriter::write_run(const RunCreated& run) {
  using Id = std::optional<std::int64_t>;
  const auto& parent = run.parent;
  insert_run_.run(run.run, run.id, run.workflow, run.number, TextOrNull{run.bundle_hash}, TextOrNull{run.used_path},
                  run.working_dir, TextOrNull{run.request_key}, dump(run.labels), run.priority, run.created_at,
                  run.scheduled_for, parent ? Id(parent->run.value()) : Id(), parent ? Id(parent->task.value()) : Id(),
                  parent ? Id(parent->index) : Id());
  number_run_.run(run.workflow, run.number);
  for (std::size_t i = 0; i < run.tasks.size(); ++i) {
    const RunCreated::Task& task = run.tasks[i];
    const int flags = (task.is_matrix ? kMatrixFlag : 0) | (task.is_finally ? kFinallyFlag : 0);
    insert_task_.run(run.run, i, task.id, task.kind, TextOrNull{dump(task.needs)}, flags);
  }
  counters_.last_run = std::max(counters_.last_run, static_cast<std::int64_t>(run.run.value()));
  cache_.add(run);
}

void RecordWriter::write_run(const RunChanged& run) {
  RunInfo& info = cache_.get(run.run);  // the state before: it may be read from the row that is written next
  update_run_.run(run.run, static_cast<int>(run.state), TextOrNull{run.reason}, run.cancel_requested, dump(run.params),
                  run.started_at, run.ended_at);
  if (connection_.changes() == 0)
    raise(ErrorCode::internal, "a record of run {}, which does not exist", run.run.value());
  if (info.state != run.state) {
    info.state = run.state;
    views::EventView event;
    event.run = info.id;
    event.workflow = info.workflow;
    event.type = "run";
    event.state = to_string(run.state);
    event.reason = run.reason;
    emit(std::move(event), run.run, std::nullopt, 0, static_cast<int>(run.state));
  }
  if (engine::is_final(run.state)) ended_.push_back(run.run);
}

void RecordWriter::write_instance(InstanceChanged& record) {
  Chain& chain = instances_.find(record.key)->second;
  const bool is_first = !record.name.empty() && !chain.seen;
  if (record.name.empty() && !chain.seen) {
    Rows rows = select_instance_.query(record.key.run, record.key.task, record.key.index);
    if (!rows.next()) {
      raise(ErrorCode::internal, "a record of run {}, task {}, instance {}, which does not exist",
            record.key.run.value(), record.key.task.value(), record.key.index);
    }
    chain.phase = static_cast<InstancePhase>(rows.integer(0));
    chain.attempts = rows.number<std::uint32_t>(1);
    chain.name = rows.view(2);
  }
  // A new instance that waits or is ready says nothing.
  const bool says_something =
      is_first ? record.phase > InstancePhase::ready : record.phase != chain.phase || record.attempts != chain.attempts;
  if (says_something) add_event(record, chain);
  chain.seen = true;
  chain.phase = record.phase;
  chain.attempts = record.attempts;
  if (chain.last == &record) {
    store_instance(record);
    return;
  }
  // Hand on what later records say nothing about. It is copied: the same batches may be committed again.
  InstanceChanged& last = *chain.last;
  if (last.name.empty() && !record.name.empty()) {
    last.name = record.name;
    last.matrix = record.matrix;
  }
  if (!last.outputs) last.outputs = record.outputs;
}

void RecordWriter::store_instance(const InstanceChanged& record) {
  const InstanceKey& key = record.key;
  if (record.name.empty()) {
    update_instance_.run(key.run, key.task, key.index, static_cast<int>(record.phase), record.attempts,
                         record.retries_from, record.child, record.due, record.ready_at, record.ended_at,
                         TextOrNull{record.reason}, TextOrNull{record.message});
  } else {
    const RunInfo& run = cache_.get(key.run);
    const bool is_task_id = key.task.value() < run.tasks.size() && run.tasks[key.task.value()].id == record.name;
    const bool has_matrix = record.matrix.is_object() && !record.matrix.empty();
    insert_instance_.run(key.run, key.task, key.index, static_cast<int>(record.phase), record.attempts,
                         record.retries_from, record.child, record.due, record.ready_at, record.ended_at,
                         TextOrNull{record.reason}, TextOrNull{record.message},
                         TextOrNull{is_task_id ? std::string_view{} : record.name},
                         TextOrNull{has_matrix ? dump(record.matrix) : std::string{}});
  }
  if (!record.outputs) return;
  if (record.outputs->empty()) {
    delete_outputs_.run(key.run, key.task, key.index);
  } else {
    set_outputs_.run(key.run, key.task, key.index, dump(*record.outputs));
  }
}

void RecordWriter::write_attempt(const AttemptChanged& record) {
  const auto log_to = record.log.to == kOpenLog ? std::nullopt : std::optional(record.log.to);
  const auto run = [&](Statement& statement, const auto&... fixed) {
    statement.run(record.id, static_cast<int>(record.state), static_cast<int>(record.failure.kind),
                  record.failure.detail, record.exit_code, record.worker, TextOrNull{record.message}, record.started_at,
                  record.ended_at, record.log.segment, record.log.from, log_to, record.user_us, record.system_us,
                  record.max_rss_bytes, fixed...);
  };
  if (!attempts_.at(record.id).is_new) {
    run(update_attempt_);
    if (connection_.changes() != 0) return;
  }
  run(insert_attempt_, record.key.run, record.key.task, record.key.index, record.number, record.created_at);
  counters_.last_attempt = std::max(counters_.last_attempt, static_cast<std::int64_t>(record.id.value()));
}

void RecordWriter::remove_surplus(const Batch& batch) {
  // How many instances each expanded task has now: all of them are in the batch. Without an expansion it is one.
  struct Extent {
    bool is_known = false;
    std::int64_t size = 0;
  };
  std::map<std::pair<RunKey, TaskIndex>, Extent> sizes;
  for (const engine::Record& record : batch.records) {
    if (const auto* expanded = std::get_if<TaskExpanded>(&record)) {
      const bool is_known = !expanded->combos.is_null();
      sizes[{expanded->run, expanded->task}] = {is_known, is_known ? 0 : 1};
    }
  }
  for (const engine::Record& record : batch.records) {
    const auto* instance = std::get_if<InstanceChanged>(&record);
    if (instance == nullptr) continue;
    const auto found = sizes.find({instance->key.run, instance->key.task});
    if (found == sizes.end() || !found->second.is_known) continue;
    found->second.size = std::max(found->second.size, std::int64_t{instance->key.index} + 1);
  }
  for (const auto& [task, extent] : sizes) {
    delete_instances_.run(task.first, task.second, extent.size);
    delete_instance_outputs_.run(task.first, task.second, extent.size);
  }
}

void RecordWriter::add_event(InstanceChanged& record, const Chain& chain) {
  const RunInfo& run = cache_.get(record.key.run);
  views::EventView event;
  event.run = run.id;
  event.workflow = run.workflow;
  event.type = "task";
  bool is_matrix = true;
  if (record.key.task.value() < run.tasks.size()) {
    event.task = run.tasks[record.key.task.value()].id;
    is_matrix = run.tasks[record.key.task.value()].is_matrix;
  }
  event.state = to_string(record.phase);
  event.reason = record.reason;
  event.attempt = record.attempts;
  if (const auto found = ended_attempts_.find(record.key); found != ended_attempts_.end()) {
    const AttemptChanged& attempt = *found->second;
    const bool is_it = attempt.number == record.attempts &&
                       ends_attempt(static_cast<int>(record.phase), static_cast<int>(attempt.state));
    if (is_it) event.elapsed = time_taken(attempt.started_at, attempt.ended_at);
  }
  if (!record.name.empty()) {
    event.name = record.name;
  } else if (!is_matrix) {
    event.name = event.task;
  } else if (!chain.last->name.empty()) {
    event.name = chain.last->name;
  } else {
    event.name = chain.name.empty() ? event.task : chain.name;
  }
  emit(std::move(event), record.key.run, record.key.task, record.key.index, static_cast<int>(record.phase));
}

void RecordWriter::emit(views::EventView event, RunKey run, std::optional<TaskIndex> task, std::uint32_t index,
                        int state) {
  event.seq = static_cast<std::uint64_t>(++counters_.last_event);
  event.at = now_;
  insert_event_.run(event.seq, now_, run, task, index, state, event.attempt, TextOrNull{event.reason});
  committed_->events.push_back(std::move(event));
}

}  // namespace baton::store
