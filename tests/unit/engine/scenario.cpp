#include "scenario.hpp"

#include <baton/engine/snapshot_check.hpp>

#include <algorithm>

#include "catch.hpp"

namespace baton::engine::test {
namespace {

void collect_specs(const std::shared_ptr<const workflow::WorkflowSpec>& spec, const std::string& path,
                   std::map<std::string, std::shared_ptr<const workflow::WorkflowSpec>>& specs) {
  specs[path] = spec;
  for (const workflow::TaskSpec& task : spec->tasks) {
    if (const auto* uses = std::get_if<workflow::UsesWorkflow>(&task.action)) {
      collect_specs(uses->workflow, uses->file, specs);
    }
  }
}

std::shared_ptr<const workflow::WorkflowSpec> parse(const std::string& yaml,
                                                    const std::map<std::string, std::string>& used) {
  workflow::Bundle bundle{.entry = "test.yaml", .files = used};
  bundle.files["test.yaml"] = yaml;
  const auto parsed = workflow::parse_bundle(bundle);
  for (const Diagnostic& d : parsed.diagnostics) UNSCOPED_INFO(render(d, yaml));
  REQUIRE(parsed.workflow != nullptr);
  return parsed.workflow;
}

}  // namespace

Scenario::Scenario(const std::string& yaml, const std::map<std::string, std::string>& used)
    : engine_(std::make_unique<Engine>()), now_(std::chrono::sys_days(std::chrono::year(2026) / 3 / 1)) {
  collect_specs(parse(yaml, used), "", specs_);
}

void Scenario::apply(std::vector<Event> events) {
  Step step = engine_->apply(events, now_);
  store_.apply(step.records);
  take_effects(step);
  engine_->check();
}

void Scenario::take_effects(Step& step) {
  for (Effect& effect : step.effects) {
    if (auto* launch = std::get_if<Launch>(&effect)) {
      ++launch_counts_[launch->label];
      const InstanceKey key = store_.attempts().at(launch->attempt).key;
      last_launch_.insert_or_assign(launch->label, *launch);
      placed_.try_emplace(launch->attempt, Placed{std::move(*launch), key});
    } else if (const auto* kill = std::get_if<Kill>(&effect)) {
      const auto found = placed_.find(kill->attempt);
      kills_.push_back(found == placed_.end() ? "unknown" : found->second.launch.label);
    } else if (std::holds_alternative<Forget>(effect)) {
      ++forgotten_;
    } else if (auto* reply = std::get_if<Reply>(&effect)) {
      REQUIRE_FALSE(replies_.contains(reply->token));
      replies_.emplace(reply->token, std::move(*reply));
    }
  }
  for (const Record& record : step.records) {
    const auto* created = std::get_if<RunCreated>(&record);
    if (created != nullptr && created->parent) by_run_[created->run] = specs_.at(created->used_path);
  }
}

void Scenario::worker(WorkerOptions options) {
  const std::string name = options.name;
  worker_ids_.try_emplace(name, WorkerId(static_cast<std::uint32_t>(worker_ids_.size())));
  workers_[name] = std::move(options);
  apply({up(name, false, false)});
}

Event Scenario::up(const std::string& name, bool rebooted, bool forgot_everything) {
  const WorkerOptions& options = workers_.at(name);
  WorkerUp event{.worker = worker_ids_.at(name), .name = name, .labels = options.labels, .rebooted = rebooted};
  event.capacity = {.cpu_milli = options.cpus * 1000, .memory_bytes = options.memory, .gpu_milli = options.gpus * 1000};
  if (forgot_everything) {
    std::erase_if(placed_, [&](const auto& entry) { return entry.second.launch.worker == event.worker; });
  }
  for (const auto& [id, attempt] : placed_) {
    if (attempt.launch.worker == event.worker) event.inventory.push_back({id, attempt.started});
  }
  return event;
}

void Scenario::worker_down(const std::string& name) { apply({WorkerDown{worker_ids_.at(name)}}); }

void Scenario::worker_back(const std::string& name, bool rebooted, bool forgot_everything) {
  apply({up(name, rebooted, forgot_everything)});
}

void Scenario::pools(std::map<std::string, std::int64_t> sizes) {
  pools_ = sizes;
  apply({PoolsChanged{std::move(sizes)}});
}

void Scenario::advance(Duration by) {
  now_ += by;
  apply({});
}

void Scenario::set_clock(Duration by) {
  now_ += by;
  engine_->clock_stepped(by);
  apply({});
}

// What the engine itself has written is always good enough to go on from.
RunRestored Scenario::restored(RunKey run) const {
  RunRestored event{store_.snapshot(run), by_run_.at(run)};
  const auto fits = check_snapshot(event.snapshot, *event.workflow);
  if (!fits) FAIL(fits.error().message);
  return event;
}

void Scenario::unconfigure(const std::string& worker) { workers_.erase(worker); }

void Scenario::restart() {
  engine_ = std::make_unique<Engine>(store_.counters());
  WorkersConfigured configured;
  for (const auto& [name, options] : workers_) configured.names.emplace(worker_ids_.at(name), name);
  std::vector<Event> events{std::move(configured), PoolsChanged{pools_}};
  for (const RunKey run : store_.unfinished()) events.push_back(restored(run));
  apply(std::move(events));
  for (const auto& [name, options] : workers_) worker_back(name);
}

RunKey Scenario::submit(Value params, SubmitOptions options) {
  const auto bound = workflow::bind_params(*specs_.at(""), params);
  REQUIRE(bound.has_value());
  const std::uint64_t token = next_token_++;
  apply({SubmitRun{.token = token,
                   .id = "run" + std::to_string(token),
                   .workflow = specs_.at(""),
                   .bundle_hash = "hash",
                   .working_dir = "/work",
                   .params = *bound,
                   .labels = std::move(options.labels),
                   .priority = options.priority}});
  const Reply& reply = replies_.at(token);
  REQUIRE(reply.result.has_value());
  last_run_ = std::get<Reply::RunAccepted>(*reply.result).run;
  by_run_[last_run_] = specs_.at("");
  return last_run_;
}

RunKey Scenario::submit_yaml(const std::string& yaml) {
  const auto before = specs_.at("");
  specs_[""] = parse(yaml, {});
  const RunKey run = submit();
  specs_[""] = before;
  return run;
}

Result<> Scenario::cancel(RunKey run) {
  const std::uint64_t token = next_token_++;
  apply({CancelRun{token, or_last(run), "cancelled"}});
  const auto& result = replies_.at(token).result;
  if (!result) return std::unexpected(result.error());
  return {};
}

Result<std::vector<std::string>> Scenario::retry(std::string from, bool dry_run, Value params, RunKey run) {
  const RunKey key = or_last(run);
  RetryRun event{.token = next_token_++, .run = key, .dry_run = dry_run};
  if (!from.empty()) event.from = by_run_.at(key)->find(from);
  if (!params.is_null()) event.params = std::move(params);
  const std::uint64_t token = event.token;
  std::vector<Event> events;
  if (!engine_->is_active(key)) events.push_back(restored(key));
  events.push_back(std::move(event));
  apply(std::move(events));
  const auto& result = replies_.at(token).result;
  if (!result) return std::unexpected(result.error());
  return std::get<Reply::Done>(*result).instances;
}

Result<> Scenario::decide(const std::string& name, bool approve) {
  const std::uint64_t token = next_token_++;
  apply({DecideApproval{token, find(name, last_run_), approve, ""}});
  const auto& result = replies_.at(token).result;
  if (!result) return std::unexpected(result.error());
  return {};
}

InstanceKey Scenario::find(const std::string& name, RunKey run) const {
  for (const auto& [key, instance] : store_.instances()) {
    if (key.run == or_last(run) && instance.name == name) return key;
  }
  FAIL("there is no instance " << name);
  return {};
}

Scenario::Placed& Scenario::placed(const std::string& name, RunKey run) {
  const InstanceKey key = find(name, run);
  for (auto& [id, attempt] : placed_) {
    if (attempt.key == key) return attempt;
  }
  FAIL(name << " is not launched");
  return placed_.begin()->second;
}

void Scenario::started(const std::string& name, RunKey run) {
  Placed& attempt = placed(name, run);
  attempt.started = true;
  apply({AttemptStarted{attempt.launch.worker, attempt.launch.attempt, now_, {1, 0, 0}}});
}

void Scenario::end(Placed& attempt, AttemptEnded event) {
  event.worker = attempt.launch.worker;
  event.attempt = attempt.launch.attempt;
  event.started_at = now_;
  event.ended_at = now_;
  placed_.erase(event.attempt);
  apply({std::move(event)});
}

void Scenario::succeeded(const std::string& name, std::map<std::string, std::string> outputs, RunKey run) {
  AttemptEnded event;
  event.exit_code = 0;
  event.outputs = std::move(outputs);
  end(placed(name, run), std::move(event));
}

void Scenario::failed(const std::string& name, const std::string& failure_class, RunKey run) {
  AttemptEnded event;
  event.failure = workflow::parse_failure_class(failure_class).value();
  end(placed(name, run), std::move(event));
}

void Scenario::all_succeed() {
  while (!placed_.empty()) {
    AttemptEnded event;
    event.exit_code = 0;
    end(placed_.begin()->second, std::move(event));
  }
}

std::string Scenario::state(const std::string& name, RunKey run) const {
  for (const auto& [key, instance] : store_.instances()) {
    if (key.run == or_last(run) && instance.name == name) return std::string(to_string(instance.phase));
  }
  return "";
}

std::string Scenario::reason(const std::string& name, RunKey run) const {
  return store_.instances().at(find(name, run)).reason;
}

std::string Scenario::run_state(RunKey run) const { return std::string(to_string(store_.run(or_last(run)).state)); }
std::string Scenario::run_reason(RunKey run) const { return store_.run(or_last(run)).reason; }

std::vector<std::string> Scenario::names(const std::string& in_state, RunKey run) const {
  std::vector<std::string> names;
  for (const auto& [key, instance] : store_.instances()) {
    if (key.run == or_last(run) && to_string(instance.phase) == in_state) names.push_back(instance.name);
  }
  return names;
}

std::vector<std::string> Scenario::launched(RunKey run) const {
  std::vector<std::string> names;
  for (const auto& [id, attempt] : placed_) {
    if (attempt.key.run == or_last(run)) names.push_back(store_.instances().at(attempt.key).name);
  }
  return names;
}

const Launch& Scenario::launch_of(const std::string& name, RunKey run) const {
  const InstanceKey key = find(name, run);
  const std::string label =
      store_.created(key.run).id + "/" + name + "/" + std::to_string(store_.instances().at(key).attempts);
  return last_launch_.at(label);
}

std::string Scenario::env(const std::string& name, const std::string& variable, RunKey run) const {
  const auto& env = launch_of(name, run).env;
  // The last one wins, as it does for the task.
  for (auto entry = env.rbegin(); entry != env.rend(); ++entry) {
    if (entry->name == variable) return entry->value;
  }
  return "(unset)";
}

std::string Scenario::why(const std::string& name) const { return engine_->why(find(name, last_run_)); }

void Scenario::store_output(const std::string& name, const std::string& output, std::string value) {
  store_.store_output(find(name, or_last({})), output, std::move(value));
  restart();
}

std::string Scenario::output(const std::string& name, const std::string& output) const {
  return store_.instances().at(find(name, last_run_)).outputs.value_or(std::map<std::string, std::string>{})[output];
}

RunKey Scenario::child(const std::string& name, RunKey run) const {
  return store_.instances().at(find(name, run)).child;
}

}  // namespace baton::engine::test
