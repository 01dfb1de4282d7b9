#include "occupancy.hpp"

#include <algorithm>

namespace baton::engine {
namespace {

std::int64_t amount(const std::map<std::string, std::int64_t>& amounts, const std::string& name) {
  const auto found = amounts.find(name);
  return found == amounts.end() ? 0 : found->second;
}

void add(workflow::Resources& total, const workflow::Resources& more) {
  total.cpu_milli += more.cpu_milli;
  total.memory_bytes += more.memory_bytes;
  total.gpu_milli += more.gpu_milli;
  for (const auto& [name, milli] : more.custom_milli) total.custom_milli[name] += milli;
}

bool within(const workflow::Resources& used, const workflow::Resources& needs, const workflow::Resources& capacity) {
  if (used.cpu_milli + needs.cpu_milli > capacity.cpu_milli) return false;
  if (used.memory_bytes + needs.memory_bytes > capacity.memory_bytes) return false;
  if (used.gpu_milli + needs.gpu_milli > capacity.gpu_milli) return false;
  return std::all_of(needs.custom_milli.begin(), needs.custom_milli.end(), [&](const auto& need) {
    return amount(used.custom_milli, need.first) + need.second <= amount(capacity.custom_milli, need.first);
  });
}

}  // namespace

Occupancy::Occupancy(const Runs& runs, const ActiveAttempts& attempts, const Workers& workers) {
  for (const auto& [id, attempt] : attempts) {
    const workflow::TaskSpec& task = runs.at(attempt.key.run).task(attempt.key.task);
    const auto worker = workers.find(attempt.worker);
    if (worker != workers.end() && !fits(attempt.worker, worker->second, task.resources)) take_ahead(attempt.worker);
    take(task, attempt.worker, attempt.environment);
    if (attempt.started_at) add(slots_[attempt.worker].running, task.resources);
  }
}

void Occupancy::take(const workflow::TaskSpec& task, WorkerId worker, const std::string& environment) {
  Slots& slots = slots_[worker];
  add(slots.used, task.resources);
  ++slots.attempts;
  for (const auto& [pool, amount] : task.pools) pools_[pool] += amount;
  if (!environment.empty()) environments_.insert(environment);
}

bool Occupancy::could_run(const WorkerState& worker, const workflow::Resources& needs,
                          const workflow::RunsOn& runs_on) {
  if (!runs_on.worker.empty() && runs_on.worker != worker.name) return false;
  if (!std::includes(worker.labels.begin(), worker.labels.end(), runs_on.labels.begin(), runs_on.labels.end())) {
    return false;
  }
  return within(workflow::Resources{.cpu_milli = 0, .custom_milli = {}}, needs, worker.capacity);
}

bool Occupancy::fits(WorkerId worker, const WorkerState& state, const workflow::Resources& needs) const {
  const auto found = slots_.find(worker);
  static const workflow::Resources kNothing{.cpu_milli = 0, .custom_milli = {}};
  return within(found == slots_.end() ? kNothing : found->second.used, needs, state.capacity);
}

std::uint32_t Occupancy::ahead(WorkerId worker) const {
  const auto found = slots_.find(worker);
  return found == slots_.end() ? 0 : found->second.ahead;
}

std::int64_t Occupancy::pool_used(const std::string& pool) const {
  const auto found = pools_.find(pool);
  return found == pools_.end() ? 0 : found->second;
}

std::int64_t Occupancy::cpu_milli_given(WorkerId worker) const {
  const auto found = slots_.find(worker);
  return found == slots_.end() ? 0 : found->second.used.cpu_milli;
}

Engine::Usage Occupancy::usage(WorkerId worker) const {
  const auto found = slots_.find(worker);
  if (found == slots_.end()) return {.used = {.cpu_milli = 0, .custom_milli = {}}};
  return {.used = found->second.running, .attempts = found->second.attempts};
}

}  // namespace baton::engine
