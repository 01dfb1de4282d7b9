// Writes records into the open transaction of the writing connection, and tells what followers should hear of it.
#pragma once
#include <baton/store/store.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "run_cache.hpp"
#include "statement.hpp"

namespace baton::store {

// The numbers that outlive deleted rows.
struct StoredCounters {
  std::int64_t incarnation = 0, last_run = 0, last_attempt = 0, last_event = 0;
};

class RecordWriter {
 public:
  explicit RecordWriter(Connection& connection);

  // Commits the batches as one transaction and returns what each of them made visible. Of an instance or attempt that
  // changes several times only the last state is written. Throws SqlError, then nothing has changed and the same
  // batches, all of them, may be committed again. `incarnation` must still be the one in the database: else another
  // daemon has taken over (conflict).
  std::vector<Committed> commit(const std::vector<Batch*>& batches, std::uint64_t incarnation);

 private:
  // One instance's changes in the transaction.
  struct Chain {
    engine::InstanceChanged* last = nullptr;
    bool seen = false;  // and what was seen last:
    engine::InstancePhase phase = engine::InstancePhase::waiting;
    std::uint32_t attempts = 0;
    std::string name;  // as stored, if it was looked up
  };
  struct AttemptChain {
    engine::AttemptChanged* last = nullptr;
    bool is_new = false;  // it was `starting`: most likely there is no row yet
  };
  struct InstanceHash {
    std::size_t operator()(const InstanceKey& key) const noexcept {
      std::uint64_t hash = key.run.value() * 0x9e3779b97f4a7c15u;
      hash = (hash ^ key.task.value()) * 0xff51afd7ed558ccdu;
      hash = (hash ^ (hash >> 32) ^ key.index) * 0xc4ceb9fe1a85ec53u;
      return static_cast<std::size_t>(hash ^ (hash >> 29));
    }
  };

  void find_last(const std::vector<Batch*>& batches);
  void write(Batch& batch, Committed& committed);
  void write_run(const engine::RunCreated& run);
  void write_run(const engine::RunChanged& run);
  void write_instance(engine::InstanceChanged& record);
  void store_instance(const engine::InstanceChanged& record);
  void write_attempt(const engine::AttemptChanged& record);
  // Rows of instances that a new expansion of their task does not have any more.
  void remove_surplus(const Batch& batch);
  void add_event(engine::InstanceChanged& record, const Chain& chain);
  void emit(views::EventView event, RunKey run, std::optional<TaskIndex> task, std::uint32_t index, int state);

  Connection& connection_;
  RunCache cache_;
  StoredCounters counters_;
  std::unordered_map<InstanceKey, Chain, InstanceHash> instances_;
  std::unordered_map<AttemptId, AttemptChain> attempts_;
  std::unordered_map<InstanceKey, const engine::AttemptChanged*, InstanceHash> ended_attempts_;  // the last of each
  std::vector<RunKey> ended_;
  Committed* committed_ = nullptr;
  TimePoint now_;

  Statement begin_, commit_, select_meta_, update_meta_;
  Statement insert_bundle_, insert_run_, number_run_, update_run_, insert_task_, insert_expansion_, delete_expansion_;
  Statement select_instance_, insert_instance_, update_instance_, update_due_, set_outputs_, delete_outputs_;
  Statement delete_instances_, delete_instance_outputs_;
  Statement insert_attempt_, update_attempt_, insert_event_;
};

}  // namespace baton::store
