#include <map>
#include <string>

#include "scheduler_fixture.hpp"

using namespace baton;
using namespace baton::service;

TEST_CASE("Secrets are filled in on the way out and are in no record") {
  SchedulerFixture f;
  f.secrets["TOKEN"] = "hunter2";
  f.worker_up();
  f.submit("r1", "tasks: {a: {env: {T: '${{ secrets.TOKEN }}'}, run: 'true'}}\n");
  f.settle();
  REQUIRE(f.executor.launches.size() == 1);
  const auto& env = f.executor.launches[0].env;
  const auto found = std::ranges::find(env, "T", &engine::Launch::Env::name);
  REQUIRE(found != env.end());
  CHECK(found->value == "hunter2");
  CHECK_FALSE(found->is_secret);
}

TEST_CASE("A secret in what an attempt reports is masked before it is in a record") {
  SchedulerFixture f;
  f.secrets["TOKEN"] = "hunter2";
  f.secrets["KEY"] = "line 1\nline 2";
  f.worker_up();
  f.submit("r1", "tasks: {a: {outputs: [o, k], run: 'true'}, b: {run: 'true'}}\n");
  f.settle();
  REQUIRE(f.executor.launches.size() == 2);
  std::vector<engine::Event> events;
  for (const engine::Launch& launch : f.executor.launches) {
    engine::AttemptEnded ended;
    ended.worker = WorkerId(0);
    ended.attempt = launch.attempt;
    ended.ended_at = f.clock.time;
    if (launch.label.find("/a/") != std::string::npos) {
      ended.outputs = {{"o", "token=hunter2!"}, {"k", "a line 1\nline 2"}};
    } else {
      ended.failure = {.kind = workflow::FailureKind::exit, .detail = 1};
      ended.message = "`hunter2` is not a name";
    }
    events.emplace_back(std::move(ended));
  }
  f.scheduler->enqueue(std::move(events));
  f.settle();
  using Outputs = std::map<std::string, std::string>;
  Outputs outputs;
  std::string message;
  for (const store::Batch& batch : f.store.batches) {
    for (const engine::Record& record : batch.records) {
      if (const auto* instance = std::get_if<engine::InstanceChanged>(&record)) {
        if (instance->outputs) outputs = *instance->outputs;
      } else if (const auto* attempt = std::get_if<engine::AttemptChanged>(&record)) {
        message += attempt->message;
      }
    }
  }
  CHECK(outputs == Outputs{{"o", "token=***!"}, {"k", "a ***"}});
  CHECK(message == "`***` is not a name");
}

TEST_CASE("An attempt without its secret never starts and says why") {
  SchedulerFixture f;
  f.worker_up();
  f.submit("r1", "tasks: {a: {env: {T: '${{ secrets.TOKEN }}'}, run: 'true'}}\n");
  f.settle();
  CHECK(f.executor.launches.empty());
  CHECK(f.take_calls().back() == "kill 1");
  engine::AttemptEnded ended;
  ended.worker = WorkerId(0);
  ended.attempt = AttemptId(1);
  ended.failure = {.kind = workflow::FailureKind::cancelled, .detail = 0};
  ended.ended_at = f.clock.time;
  std::vector<engine::Event> events;
  events.emplace_back(ended);
  const std::size_t before = f.store.batches.size();
  f.scheduler->enqueue(std::move(events));
  f.settle();
  bool seen = false;
  for (std::size_t i = before; i < f.store.batches.size(); ++i) {
    for (const engine::Record& record : f.store.batches[i].records) {
      const auto* attempt = std::get_if<engine::AttemptChanged>(&record);
      if (attempt == nullptr || attempt->id != AttemptId(1)) continue;
      seen = true;
      CHECK(attempt->failure.kind == workflow::FailureKind::spawn_error);
      CHECK(attempt->message == "secret TOKEN is not configured");
    }
  }
  CHECK(seen);
}
