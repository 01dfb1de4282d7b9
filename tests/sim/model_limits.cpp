// What is shared out, and what tasks hand on: cores and devices, pools, deploy targets, places; outputs and what is
// made of them.
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <set>

#include "model.hpp"

namespace baton::sim {
namespace {

constexpr std::int64_t kWholeDevice = 1000;

std::set<std::size_t> to_set(std::string_view devices) {
  std::set<std::size_t> set;
  for (const char c : devices) {
    if (c != ',') set.insert(static_cast<std::size_t>(c - '0'));
  }
  return set;
}

// The task whose output says how many instances `spec` has; nullopt: its matrix is in the file.
std::optional<TaskIndex> source_of(const workflow::TaskSpec& spec) {
  if (!spec.matrix || spec.matrix->fixed) return std::nullopt;
  return spec.needs.front();
}

}  // namespace

// A machine gives away what it has and no more, for as long as anything of an attempt lives.
void Model::check_room(AttemptId started) const {
  const std::string& machine = attempts_.at(started).worker;
  std::int64_t cpu = 0;
  std::vector<std::int64_t> devices(kMachineDevices);
  for (const auto& [id, truth] : truths_) {
    if (truth.alive == 0) continue;
    const engine::AttemptChanged& attempt = attempts_.at(id);
    if (attempt.worker != machine) continue;
    const workflow::Resources& needs = task(attempt.key).resources;
    cpu += needs.cpu_milli;
    const std::set<std::size_t> has = to_set(truth.devices);
    const std::int64_t wants = (needs.gpu_milli + kWholeDevice - 1) / kWholeDevice;
    require(std::ssize(has) == wants, "a task gets the devices it asks for", "attempt {} has \"{}\"", id.value(),
            truth.devices);
    for (const std::size_t device : has) devices.at(device) += std::min(needs.gpu_milli, kWholeDevice);
  }
  require(cpu <= kMachineCpuMilli, "a machine's cores are given once", "{} thousandths in use with attempt {}", cpu,
          started.value());
  for (const std::int64_t used : devices) {
    require(used <= kWholeDevice, "a device is given once", "{} thousandths in use with attempt {}", used,
            started.value());
  }
}

// Between two steps nothing holds more than its share.
void Model::check_shares() const {
  std::map<std::string, std::int64_t> pools;
  std::map<std::pair<RunKey, TaskIndex>, std::uint32_t> of_task;
  std::map<RunKey, std::uint32_t> of_run;
  std::map<std::string, std::uint32_t> of_workflow;
  std::uint32_t deploying = 0;
  for (const auto& [id, attempt] : attempts_) {
    if (is_over(attempt.state)) continue;
    const workflow::TaskSpec& spec = task(attempt.key);
    for (const auto& [pool, slots] : spec.pools) {
      const auto size = kPools.find(pool);
      pools[pool] += std::min(slots, size == kPools.end() ? 1 : size->second);
    }
    ++of_task[{attempt.key.run, attempt.key.task}];
    ++of_run[attempt.key.run];
    if (spec.environment) ++deploying;
  }
  for (const auto& [pool, used] : pools) {
    const auto size = kPools.find(pool);
    require(used <= (size == kPools.end() ? 1 : size->second), "a pool's slots are given once", "{} of {}", used, pool);
  }
  for (const auto& [which, count] : of_task) {
    const std::uint32_t most = specs_.at(created_.at(which.first).workflow)->task(which.second).max_parallel;
    require(most == 0 || count <= most, "max_parallel is kept", "{} of task {}", count, which.second.value());
  }
  for (const auto& [run, count] : of_run) {
    const std::uint32_t most = specs_.at(created_.at(run).workflow)->max_active_tasks;
    require(most == 0 || count <= most, "max_active_tasks is kept", "{} of run {}", count, run.value());
  }
  require(deploying <= 1, "a deploy target has one task at a time", "{}", deploying);
  for (const auto& [run, state] : runs_) {
    if (state.state == engine::RunState::running) ++of_workflow[created_.at(run).workflow];
  }
  for (const auto& [workflow, count] : of_workflow) {
    const std::uint32_t most = specs_.at(workflow)->max_active_runs;
    require(most == 0 || count <= most, "max_active_runs is kept", "{} of {}", count, workflow);
  }
}

// What is handed on is what the attempt that succeeded has written.
void Model::check_outputs(const engine::InstanceChanged& record) const {
  if (!record.outputs || !record.outputs->contains("x")) return;
  if (!std::holds_alternative<workflow::RunCommand>(task(record.key).action)) return;
  const auto last = std::ranges::find_if(attempts_, [&](const auto& entry) {
    return entry.second.key == record.key && entry.second.number == record.attempts;
  });
  require(last != attempts_.end() && truths_.at(last->first).output == record.outputs->at("x"),
          "outputs are what was written", "run {} task {} has {}", record.key.run.value(), record.key.task.value(),
          record.outputs->at("x"));
}

void Model::check_expansion(const engine::TaskExpanded& record) const {
  if (record.combos.is_null()) return;
  const workflow::TaskSpec& spec = task({record.run, record.task, 0});
  const auto source = source_of(spec);
  const auto combos = workflow::MatrixCombos::from_json(record.combos);
  require(source && combos, "a matrix is expanded once", "run {} task {}", record.run.value(), record.task.value());
  const Value list = Value::parse(outputs_.at({record.run, *source, 0}));
  require(combos->size() == list.size(), "a matrix is what its source has written", "run {} task {} has {} of {}",
          record.run.value(), record.task.value(), combos->size(), list.size());
  for (std::uint32_t i = 0; i < combos->size(); ++i) {
    require(combos->at(i).at("n") == list[i], "a matrix is what its source has written", "run {} task {}",
            record.run.value(), record.task.value());
  }
}

bool Model::is_empty(RunKey run, std::size_t index) const {
  const auto source = source_of(task({run, TaskIndex(static_cast<std::uint32_t>(index)), 0}));
  if (!source) return false;
  const auto written = outputs_.find({run, *source, 0});
  return written != outputs_.end() && written->second == "[]";
}

}  // namespace baton::sim
