// The JSON of the API and of `-o json`.
#include <baton/views/views.hpp>

#include "catch.hpp"

namespace baton::views {
namespace {

using nlohmann::json;

TimePoint at_ms(std::int64_t ms) { return TimePoint(std::chrono::milliseconds(ms)); }

template <class View>
View round_trip(const View& view) {
  return json::parse(json(view).dump()).get<View>();
}

TaskView full_task() {
  TaskView task;
  task.name = "train[C=0.1]";
  task.task = "train";
  task.kind = "train";
  task.task_index = TaskIndex(2);
  task.instance = 1;
  task.state = "failed";
  task.reason = "exit:3";
  task.matrix = {{"C", 0.1}};
  task.outputs = {{"accuracy", "0.9"}};
  task.child_run = "child";
  task.approval_message = "ok?";
  task.ready_at = at_ms(1'000);
  task.ended_at = at_ms(3'500);
  AttemptView attempt;
  attempt.id = AttemptId(9);
  attempt.number = 1;
  attempt.state = "failed";
  attempt.failure_class = "exit:3";
  attempt.exit_code = 3;
  attempt.worker = "local";
  attempt.message = "message";
  attempt.started_at = at_ms(2'000);
  attempt.ended_at = at_ms(3'000);
  task.attempts = {attempt};
  return task;
}

TEST_CASE("a task reads as the contract says") {
  const json task = full_task();
  CHECK(task["name"] == "train[C=0.1]");
  CHECK(task["task"] == "train");
  CHECK(task["kind"] == "train");
  CHECK(task["state"] == "failed");
  CHECK(task["outputs"] == json{{"accuracy", "0.9"}});
  CHECK(task["matrix"] == json{{"C", 0.1}});
  REQUIRE(task["attempts"].size() == 1);
  const json& attempt = task["attempts"][0];
  CHECK(attempt["number"] == 1);
  CHECK(attempt["state"] == "failed");
  CHECK(attempt["class"] == "exit:3");
  CHECK(attempt["exit_code"] == 3);
  CHECK(attempt["worker"] == "local");
  CHECK(attempt["started_at"] == "1970-01-01T00:00:02.000Z");
  CHECK(attempt["ended_at"] == "1970-01-01T00:00:03.000Z");
}

TEST_CASE("what has not happened is null, and empty collections keep their kind") {
  AttemptView running;
  running.number = 1;
  running.state = "running";
  const json attempt = running;
  for (const char* name : {"class", "exit_code", "message", "started_at", "ended_at"}) CHECK(attempt[name].is_null());
  const json task = TaskView{};
  CHECK(task["outputs"] == json::object());
  CHECK(task["matrix"] == json::object());
  CHECK(task["attempts"] == json::array());
  for (const char* name : {"reason", "child_run", "approval_message", "ready_at", "ended_at"})
    CHECK(task[name].is_null());
  const json run = RunView{};
  CHECK(run["params"] == json::object());
  CHECK(run["labels"] == json::object());
  CHECK(run["created_at"] == "1970-01-01T00:00:00.000Z");
  for (const char* name : {"reason", "parent_run", "started_at", "ended_at"}) CHECK(run[name].is_null());
  CHECK_FALSE(run.contains("summary"));
}

TEST_CASE("tasks and attempts come back as they were") {
  const TaskView task = full_task();
  const TaskView back = round_trip(task);
  CHECK(back.name == task.name);
  CHECK(back.task == task.task);
  CHECK(back.kind == task.kind);
  CHECK(back.task_index == task.task_index);
  CHECK(back.instance == task.instance);
  CHECK(back.state == task.state);
  CHECK(back.reason == task.reason);
  CHECK(back.matrix == task.matrix);
  CHECK(back.outputs == task.outputs);
  CHECK(back.child_run == task.child_run);
  CHECK(back.approval_message == task.approval_message);
  CHECK(back.ready_at == task.ready_at);
  CHECK(back.ended_at == task.ended_at);
  REQUIRE(back.attempts.size() == 1);
  CHECK(back.attempts[0].id == task.attempts[0].id);
  CHECK(back.attempts[0].number == 1);
  CHECK(back.attempts[0].state == "failed");
  CHECK(back.attempts[0].failure_class == "exit:3");
  CHECK(back.attempts[0].exit_code == 3);
  CHECK(back.attempts[0].worker == "local");
  CHECK(back.attempts[0].message == "message");
  CHECK(back.attempts[0].started_at == task.attempts[0].started_at);
  CHECK(back.attempts[0].ended_at == task.attempts[0].ended_at);
  CHECK_FALSE(round_trip(TaskView{}).ready_at);
}

TEST_CASE("runs come back as they were, but for their number in the database") {
  RunView run;
  run.key = RunKey(7);
  run.id = "id";
  run.workflow = "digits";
  run.number = 3;
  run.state = "cancelled";
  run.reason = "cancelled by user";
  run.created_at = at_ms(1);
  run.started_at = at_ms(2);
  run.ended_at = at_ms(3);
  run.params = {{"min", 0.95}};
  run.labels = {{"team", "vision"}};
  run.parent_run = "parent";
  run.priority = -2;
  run.summary.push_back({"train", "train", TaskIndex(0), {"prep"}, true, true, {{"failed", 2}}});
  CHECK_FALSE(json(run).contains("key"));
  const RunView back = round_trip(run);
  CHECK(back.id == run.id);
  CHECK(back.workflow == run.workflow);
  CHECK(back.number == run.number);
  CHECK(back.state == run.state);
  CHECK(back.reason == run.reason);
  CHECK(back.created_at == run.created_at);
  CHECK(back.started_at == run.started_at);
  CHECK(back.ended_at == run.ended_at);
  CHECK(back.params == run.params);
  CHECK(back.labels == run.labels);
  CHECK(back.parent_run == run.parent_run);
  CHECK(back.priority == run.priority);
  REQUIRE(back.summary.size() == 1);
  CHECK(back.summary[0].task == "train");
  CHECK(back.summary[0].kind == "train");
  CHECK(back.summary[0].needs == std::vector<std::string>{"prep"});
  CHECK(back.summary[0].is_matrix);
  CHECK(back.summary[0].is_finally);
  CHECK(back.summary[0].states.at("failed") == 2);
}

TEST_CASE("events and workers come back as they were") {
  EventView event;
  event.seq = 12;
  event.at = at_ms(5);
  event.run = "id";
  event.workflow = "digits";
  event.type = "task";
  event.name = "train[C=1]";
  event.task = "train";
  event.state = "failed";
  event.reason = "exit:3";
  event.attempt = 2;
  event.elapsed = std::chrono::microseconds(1'234'567);
  const EventView event_back = round_trip(event);
  CHECK(event_back.seq == 12);
  CHECK(event_back.elapsed == event.elapsed);
  CHECK(json(EventView{}).at("elapsed").is_null());
  CHECK(event_back.at == event.at);
  CHECK(event_back.run == "id");
  CHECK(event_back.workflow == "digits");
  CHECK(event_back.type == "task");
  CHECK(event_back.name == "train[C=1]");
  CHECK(event_back.task == "train");
  CHECK(event_back.state == "failed");
  CHECK(event_back.reason == "exit:3");
  CHECK(event_back.attempt == 2);

  const WorkerView worker{"local",
                          "online",
                          "host",
                          "0.1.0",
                          {"x86"},
                          8000,
                          1 << 30,
                          1000,
                          500,
                          1 << 20,
                          250,
                          3,
                          {{"licences", 2000}},
                          {{"licences", 1000}}};
  const WorkerView worker_back = round_trip(worker);
  CHECK(worker_back.name == "local");
  CHECK(worker_back.state == "online");
  CHECK(worker_back.host == "host");
  CHECK(worker_back.version == "0.1.0");
  CHECK(worker_back.labels == std::vector<std::string>{"x86"});
  CHECK(worker_back.cpu_milli == 8000);
  CHECK(worker_back.memory_bytes == 1 << 30);
  CHECK(worker_back.gpu_milli == 1000);
  CHECK(worker_back.cpu_milli_used == 500);
  CHECK(worker_back.memory_bytes_used == 1 << 20);
  CHECK(worker_back.gpu_milli_used == 250);
  CHECK(worker_back.attempts == 3);
  CHECK(worker_back.custom_milli == worker.custom_milli);
  CHECK(worker_back.custom_milli_used == worker.custom_milli_used);
}

TEST_CASE("fields that are missing or new are no error, a wrong shape is one") {
  const auto run =
      json::parse(R"({"id":"i","workflow":"w","number":1,"state":"queued","created_at":"2026-01-01T00:00:00Z",
                                   "something_new":[1]})");
  CHECK(run.get<RunView>().id == "i");
  CHECK_FALSE(run.get<RunView>().started_at);
  for (const char* text : {"[]", "3", "null", R"({"id":"i"})",
                           R"({"id":3,"workflow":"w","number":1,"state":"s","created_at":"2026-01-01T00:00:00Z"})",
                           R"({"id":"i","workflow":"w","number":1,"state":"s","created_at":"yesterday"})",
                           R"({"id":"i","workflow":"w","number":1,"state":"s","created_at":5})"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(json::parse(text).get<RunView>(), json::exception);
    CHECK_THROWS_AS(json::parse(text).get<TaskView>(), json::exception);
    CHECK_THROWS_AS(json::parse(text).get<WorkerView>(), json::exception);
    CHECK_THROWS_AS(json::parse(text).get<EventView>(), json::exception);
  }
}

}  // namespace
}  // namespace baton::views
