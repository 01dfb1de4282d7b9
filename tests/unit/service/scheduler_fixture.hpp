// A scheduler among fakes, with one worker that the test speaks for.
#pragma once
#include <baton/service/scheduler.hpp>

#include "catch.hpp"
#include "fakes.hpp"

namespace baton::service {

inline std::shared_ptr<const workflow::WorkflowSpec> parse(std::string_view text) {
  auto parsed = workflow::parse_workflow("t.yaml", text);
  for (const auto& diagnostic : parsed.diagnostics) UNSCOPED_INFO(render(diagnostic, text));
  REQUIRE(parsed.workflow);
  return parsed.workflow;
}

struct SchedulerFixture {
  SchedulerFixture() {
    SchedulerPorts ports;
    ports.store = &store;
    ports.executor = &executor;
    ports.clock = &clock;
    ports.post = loop.poster();
    ports.wake_at = [this](std::optional<Duration> since_boot) { wake = since_boot; };
    ports.secret = [this](const std::string& name) -> Result<std::string> {
      const auto found = secrets.find(name);
      if (found == secrets.end()) return fail(ErrorCode::not_found, "secret {} is not configured", name);
      return found->second;
    };
    ports.masked_values = [this] {
      std::vector<std::string> values;
      for (const auto& [name, value] : secrets) values.push_back(value);
      return values;
    };
    ports.run_created = [this](const engine::RunCreated& run) { created.push_back(run.id); };
    ports.publish = [this](std::vector<views::EventView> events) { published += events.size(); };
    ports.fatal = [this](Error error) { fatal.push_back(std::move(error)); };
    scheduler = std::make_unique<Scheduler>(engine::Engine(), std::move(ports));
  }

  void submit(const std::string& id, std::string_view text = "tasks: {a: {run: 'true'}}\n") {
    engine::SubmitRun event;
    event.id = id;
    event.workflow = parse(text);
    event.bundle_hash = "h";
    event.working_dir = "/";
    scheduler->request(
        std::move(event),
        [this, id](RequestAnswer answer) {
          executor.calls.push_back((answer ? "accepted " : "refused ") + id);
          if (!answer) errors.push_back(answer.error());
        },
        {}, store::Batch::Bundle{"h", "{}"});
  }
  void worker_up(std::uint32_t slots = 4) {
    engine::WorkerUp up;
    up.worker = WorkerId(0);
    up.name = "w";
    up.capacity.cpu_milli = slots * 1000;
    up.capacity.memory_bytes = 1 << 30;
    std::vector<engine::Event> events;
    events.emplace_back(std::move(up));
    scheduler->enqueue(std::move(events));
  }
  // Until everything that is decided is committed.
  void settle() {
    loop.run();
    while (store.queued() > 0) {
      store.finish();
      loop.run();
    }
  }
  std::vector<std::string> take_calls() { return std::exchange(executor.calls, {}); }

  TestLoop loop;
  TestClock clock;
  FakeStore store{loop};
  FakeExecutor executor{loop};
  std::map<std::string, std::string> secrets;
  std::vector<std::string> created;
  std::vector<Error> errors, fatal;
  std::optional<Duration> wake;
  std::size_t published = 0;
  std::unique_ptr<Scheduler> scheduler;
};

using Calls = std::vector<std::string>;

}  // namespace baton::service
