// What the writer needs to name a run's changes: the run's id and its tasks' ids. Bounded; what was dropped is read
// again.
#pragma once
#include <baton/engine/record.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "statement.hpp"

namespace baton::store {

struct RunInfo {
  std::string id;
  std::string workflow;
  std::optional<engine::RunState> state;  // nullopt: created, and no state said yet
  struct Task {
    std::string id;
    bool is_matrix = false;
  };
  std::vector<Task> tasks;
};

class RunCache {
 public:
  explicit RunCache(Connection& connection);

  RunInfo& add(const engine::RunCreated& run);
  RunInfo& get(RunKey run);  // throws internal if there is no such run
  void drop(RunKey run);
  void clear();

 private:
  RunInfo& insert(RunKey run, RunInfo info);

  Statement select_run_;
  Statement select_tasks_;
  std::unordered_map<RunKey, RunInfo> runs_;
  std::size_t tasks_ = 0;  // in all of runs_
  RunKey last_;
  RunInfo* last_info_ = nullptr;
};

}  // namespace baton::store
