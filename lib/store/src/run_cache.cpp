#include "run_cache.hpp"

#include "codec.hpp"

namespace baton::store {
namespace {

constexpr std::size_t kCachedTasks = 500'000;
constexpr std::size_t kCachedRuns = 10'000;

}  // namespace

RunCache::RunCache(Connection& connection)
    : select_run_(connection, "SELECT id, workflow, state FROM runs WHERE key = ?1"),
      select_tasks_(connection, "SELECT id, flags FROM tasks WHERE run = ?1 ORDER BY task") {}

RunInfo& RunCache::add(const engine::RunCreated& run) {
  RunInfo info{.id = run.id, .workflow = run.workflow, .state = std::nullopt, .tasks = {}};
  info.tasks.reserve(run.tasks.size());
  for (const auto& task : run.tasks) info.tasks.push_back({task.id, task.is_matrix});
  return insert(run.run, std::move(info));
}

RunInfo& RunCache::get(RunKey run) {
  if (last_info_ != nullptr && last_ == run) return *last_info_;
  if (const auto found = runs_.find(run); found != runs_.end()) {
    last_ = run;
    last_info_ = &found->second;
    return found->second;
  }
  RunInfo info;
  {
    Rows rows = select_run_.query(run);
    if (!rows.next()) raise(ErrorCode::internal, "a record of run {}, which does not exist", run.value());
    info.id = rows.text(0);
    info.workflow = rows.text(1);
    info.state = run_state(rows.integer(2));
  }
  Rows rows = select_tasks_.query(run);
  while (rows.next()) info.tasks.push_back({rows.text(0), (rows.integer(1) & kMatrixFlag) != 0});
  return insert(run, std::move(info));
}

RunInfo& RunCache::insert(RunKey run, RunInfo info) {
  drop(run);
  if (runs_.size() >= kCachedRuns || tasks_ + info.tasks.size() > kCachedTasks) clear();
  tasks_ += info.tasks.size();
  RunInfo& kept = runs_.emplace(run, std::move(info)).first->second;
  last_ = run;
  last_info_ = &kept;
  return kept;
}

void RunCache::drop(RunKey run) {
  const auto found = runs_.find(run);
  if (found == runs_.end()) return;
  tasks_ -= found->second.tasks.size();
  runs_.erase(found);
  last_info_ = nullptr;
}

void RunCache::clear() {
  runs_.clear();
  tasks_ = 0;
  last_info_ = nullptr;
}

}  // namespace baton::store
