// engine-1m: the engine alone, a million instances in ten layers, workers simulated.
//
// usage: bench_engine [INSTANCES=1000000]
// A transition is one change of an instance's state: ready, starting, running, succeeded make four an instance.
#include <fmt/format.h>
#include <malloc.h>
#include <baton/engine/engine.hpp>

#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

using namespace baton;
using Clock = std::chrono::steady_clock;

constexpr int kLayers = 10;

std::string layers(int instances) {
  std::string values;
  for (int i = 0; i < instances / kLayers / 100; ++i) values += fmt::format("{}{}", i == 0 ? "" : ",", i);
  std::string yaml = "tasks:\n";
  for (int layer = 0; layer < kLayers; ++layer) {
    std::string hundred;
    for (int i = 0; i < 100; ++i) hundred += fmt::format("{}{}", i == 0 ? "" : ",", i);
    yaml += fmt::format("  layer{}: {{command: [x], matrix: {{a: [{}], b: [{}]}}{}}}\n", layer, values, hundred,
                        layer == 0 ? "" : fmt::format(", needs: layer{}", layer - 1));
  }
  return yaml;
}

std::size_t heap_bytes() {
  const auto info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

// Answers every launch with a start and an end.
std::vector<engine::Event> answer(const engine::Step& step, TimePoint now) {
  std::vector<engine::Event> events;
  for (const engine::Effect& effect : step.effects) {
    const auto* launch = std::get_if<engine::Launch>(&effect);
    if (launch == nullptr) continue;
    events.emplace_back(engine::AttemptStarted{launch->worker, launch->attempt, now, {1, 0, 0}});
    engine::AttemptEnded end{.worker = launch->worker, .attempt = launch->attempt};
    end.exit_code = 0;
    end.started_at = now;
    end.ended_at = now;
    events.emplace_back(std::move(end));
  }
  return events;
}

}  // namespace

int main(int argc, char** argv) {
  const int instances = argc > 1 ? std::atoi(argv[1]) : 1'000'000;
  const auto parsed = workflow::parse_workflow("layers.yaml", layers(instances));
  if (parsed.workflow == nullptr) {
    fmt::print(stderr, "the workflow does not parse: {}\n", parsed.diagnostics.front().message);
    return 1;
  }
  engine::Engine engine;
  TimePoint now{};
  std::vector<engine::Event> events;
  engine::WorkerUp worker{.worker = WorkerId(0), .name = "sim"};
  worker.capacity = {.cpu_milli = 64'000, .memory_bytes = std::int64_t{1} << 40};
  events.emplace_back(std::move(worker));
  engine.apply(events, now);

  const std::size_t before = heap_bytes();
  const auto begin = Clock::now();
  events.clear();
  events.emplace_back(engine::SubmitRun{.token = 1, .id = "bench", .workflow = parsed.workflow});
  engine::Step step = engine.apply(events, now);
  const auto submitted = Clock::now();
  events = answer(step, now);
  step = {};
  const std::size_t after = heap_bytes();

  std::size_t steps = 0;
  while (!events.empty()) {
    now += std::chrono::microseconds(100);
    step = engine.apply(events, now);
    events = answer(step, now);
    ++steps;
  }
  const auto end = Clock::now();
  const double seconds = std::chrono::duration<double>(end - begin).count();
  fmt::print(
      "{} instances, {} steps: {:.2f} s to submit, {:.2f} s in all, {:.0f} transitions/s, {:.0f} bytes an instance\n",
      instances, steps, std::chrono::duration<double>(submitted - begin).count(), seconds, 4.0 * instances / seconds,
      static_cast<double>(after - before) / instances);
  return engine.active_runs() == 0 ? 0 : 1;
}
