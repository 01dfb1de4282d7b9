#include <baton/engine/engine.hpp>

#include <algorithm>
#include <variant>

#include "engine_state.hpp"

namespace baton::engine {

Engine::Engine(Counters counters, Options options) : state_(std::make_unique<State>(std::move(counters), options)) {}
Engine::~Engine() = default;
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;

Step Engine::apply(std::span<Event> events, TimePoint now) { return state_->apply(events, now); }
void Engine::clock_stepped(Duration by) { state_->clock_stepped(by); }
std::optional<TimePoint> Engine::next_wakeup() const { return state_->next_wakeup(); }
void Engine::check() const { state_->check(); }
bool Engine::is_active(RunKey run) const { return state_->find_run(run) != nullptr; }
std::size_t Engine::active_runs() const { return state_->active_runs(); }
std::string Engine::why(InstanceKey key) const { return state_->why(key); }
Engine::Usage Engine::usage(WorkerId worker) const { return state_->usage(worker); }

std::optional<InstancePhase> Engine::phase(InstanceKey key) const {
  const Run* run = state_->find_run(key.run);
  if (run == nullptr || key.task.value() >= run->groups.size()) return std::nullopt;
  const Group& group = run->group(key.task);
  if (key.index >= group.instances.size()) return std::nullopt;
  return phase_of(group.instances[key.index].state);
}

Step Engine::State::apply(std::span<Event> events, TimePoint now) {
  now_ = std::max(now_, now);
  for (Event& event : events) {
    std::visit([this](auto& e) { on(e); }, event);
    settle();
  }
  for (const RunKey key : std::exchange(restored_, {})) settle_restored(key);
  fire_timers();
  settle();
  schedule();
  return finish_step();
}

const Run* Engine::State::find_run(RunKey key) const {
  const auto found = runs_.find(key);
  return found == runs_.end() ? nullptr : &found->second;
}

Engine::Usage Engine::State::usage(WorkerId worker) const {
  return Occupancy(runs_, attempts_, workers_).usage(worker);
}

Step Engine::State::finish_step() {
  for (const Record& record : step_.peek().records) {
    if (const auto* run = std::get_if<RunChanged>(&record)) {
      if (const auto found = runs_.find(run->run); found != runs_.end()) found->second.record = 0;
    } else if (const auto* instance = std::get_if<InstanceChanged>(&record)) {
      const auto found = runs_.find(instance->key.run);
      if (found == runs_.end()) continue;
      auto& instances = found->second.group(instance->key.task).instances;
      if (instance->key.index < instances.size()) instances[instance->key.index].record = 0;
    } else if (const auto* attempt = std::get_if<AttemptChanged>(&record)) {
      if (const auto found = attempts_.find(attempt->id); found != attempts_.end()) found->second.record = 0;
    }
  }
  Step step = step_.take();
  // A worker that comes back is told again of what it has not heard, and may come back once more, booted anew, before
  // that step is over: what is lost by then must not start.
  std::erase_if(step.effects, [this](const Effect& effect) {
    const auto* launch = std::get_if<Launch>(&effect);
    return launch != nullptr && !attempts_.contains(launch->attempt);
  });
  return step;
}

}  // namespace baton::engine
