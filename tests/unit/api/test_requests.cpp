// Every kind of request, from the client's function to the backend and back.
#include "catch.hpp"
#include "harness.hpp"

using namespace baton;
using namespace baton::api;
using namespace baton::api::test;

namespace {

template <class T>
bool same(const T& a, const T& b) {
  return nlohmann::json(a) == nlohmann::json(b);
}

}  // namespace

TEST_CASE("info") {
  RunningServer server;
  const auto info = server.client().info();
  REQUIRE(info);
  const DaemonInfo sample = sample_info();
  CHECK(info->version == sample.version);
  CHECK(info->pid == sample.pid);
  CHECK(info->uid == sample.uid);
  CHECK(info->started_at == sample.started_at);
  CHECK(info->state_dir == sample.state_dir);
  CHECK(info->socket == sample.socket);
  CHECK(info->state_id == sample.state_id);
  CHECK(info->config == sample.config);
  CHECK(info->incarnation == sample.incarnation);
  CHECK(info->active_runs == sample.active_runs);
  CHECK(info->runs == sample.runs);
  CHECK(info->instances == sample.instances);
  CHECK(info->database_bytes == sample.database_bytes);
  CHECK(info->resident_bytes == sample.resident_bytes);
  CHECK(info->schema_version == sample.schema_version);
}

TEST_CASE("submit") {
  RunningServer server;
  SubmitRequest request{.entry = "a.yaml",
                        .files = {{"a.yaml", "tasks: {}\n"}, {"sub/b.yaml", "é: \"\\\"\n"}},
                        .params = {{"C", 0.1}, {"deep", {{"list", {1, "two"}}}}},
                        .working_dir = "/home/ml/it's here",
                        .labels = {{"team", "vision"}},
                        .priority = -3,
                        .request_key = "key-1"};
  const auto run = server.client().submit(request);
  REQUIRE(run);
  CHECK(same(*run, sample_run()));
  const SubmitRequest seen = server.backend.seen().submit;
  CHECK(seen.entry == request.entry);
  CHECK(seen.files == request.files);
  CHECK(seen.params == request.params);
  CHECK(seen.working_dir == request.working_dir);
  CHECK(seen.labels == request.labels);
  CHECK(seen.priority == request.priority);
  CHECK(seen.request_key == request.request_key);
}

TEST_CASE("a submission's file that is not text is named before anything is sent") {
  Client client("/nonexistent/baton.sock");
  SubmitRequest request;
  request.entry = "a.yaml";
  request.files = {{"a.yaml", "tasks: \xff"}};
  request.working_dir = "/";
  const auto run = client.submit(request);
  REQUIRE_FALSE(run);
  CHECK(run.error().error == Error{ErrorCode::invalid_argument, "a.yaml: not UTF-8 text"});
}

TEST_CASE("runs") {
  RunningServer server;
  RunQuery query{.workflow = "digits",
                 .states = {"failed", "running"},
                 .parent = "01k2x6",
                 .include_children = true,
                 .cursor = "c/1+2",
                 .limit = 7};
  const auto page = server.client().runs(query);
  REQUIRE(page);
  CHECK(page->items.size() == 2);
  CHECK(page->items[0].id == "01k2x7");
  CHECK(page->next_cursor == "next");
  const RunQuery seen = server.backend.seen().runs;
  CHECK(seen.workflow == query.workflow);
  CHECK(seen.states == query.states);
  CHECK(seen.parent == query.parent);
  CHECK(seen.include_children);
  CHECK(seen.cursor == query.cursor);
  CHECK(seen.limit == 7);
}

TEST_CASE("a list without a query has the default page") {
  RunningServer server;
  CHECK(status_of_answer(ask(server.socket(), "GET", "/v1/runs")) == 200);
  CHECK(server.backend.seen().runs.limit == RunQuery().limit);
  CHECK_FALSE(server.backend.seen().runs.include_children);
}

TEST_CASE("run, by any reference") {
  RunningServer server;
  Client client = server.client();
  for (const char* reference : {"01k2x7", "last", "digits#3", "odd/one? yes%"}) {
    const auto run = client.run(reference);
    REQUIRE(run);
    CHECK(same(*run, sample_run()));
    CHECK(server.backend.seen().reference == reference);
  }
}

TEST_CASE("tasks") {
  RunningServer server;
  TaskQuery query{.run = "digits#3", .task = "train[C=0.1]", .state = "failed", .cursor = "5", .limit = 10};
  const auto page = server.client().tasks(query);
  REQUIRE(page);
  REQUIRE(page->items.size() == 1);
  CHECK(same(page->items[0], sample_task()));
  CHECK(page->next_cursor.empty());
  const TaskQuery seen = server.backend.seen().tasks;
  CHECK(seen.run == query.run);
  CHECK(seen.task == query.task);
  CHECK(seen.state == query.state);
  CHECK(seen.cursor == query.cursor);
  CHECK(seen.limit == query.limit);
}

TEST_CASE("workflow source") {
  RunningServer server;
  const auto source = server.client().workflow_source("last");
  REQUIRE(source);
  CHECK(source->entry == "a.yaml");
  CHECK(source->files.size() == 2);
  CHECK(source->files.at("b.yaml") == "tasks: {}\n");
}

TEST_CASE("why, of a run and of a task") {
  RunningServer server;
  Client client = server.client();
  CHECK(client.why("last", "train[C=0.1]") == "it waits for 2 of cpu");
  CHECK(server.backend.seen().task == "train[C=0.1]");
  CHECK(client.why("last", "") == "it waits for 2 of cpu");
  CHECK(server.backend.seen().task.empty());
}

TEST_CASE("cancel") {
  RunningServer server;
  const auto run = server.client().cancel("digits#3", "wrong data");
  REQUIRE(run);
  CHECK(same(*run, sample_run()));
  CHECK(server.backend.seen().reference == "digits#3");
  CHECK(server.backend.seen().reason == "wrong data");
}

TEST_CASE("retry") {
  RunningServer server;
  const auto reply = server.client().retry({.run = "last", .from = "train", .params = {{"C", 1}}, .dry_run = true});
  REQUIRE(reply);
  CHECK(same(reply->run, sample_run()));
  CHECK(reply->instances == std::vector<std::string>{"train[C=0.1]", "deploy"});
  const RetryRequest seen = server.backend.seen().retry;
  CHECK(seen.run == "last");
  CHECK(seen.from == "train");
  CHECK(seen.params == nlohmann::json{{"C", 1}});
  CHECK(seen.dry_run);
}

TEST_CASE("approve and reject, of a named task and of the only one") {
  RunningServer server;
  Client client = server.client();
  for (const bool approve : {true, false}) {
    for (const char* task : {"", "gate[env=prod/eu]"}) {
      REQUIRE(client.decide({.run = "last", .task = task, .approve = approve, .comment = "fine"}));
      const DecideRequest seen = server.backend.seen().decide;
      CHECK(seen.run == "last");
      CHECK(seen.task == task);
      CHECK(seen.approve == approve);
      CHECK(seen.comment == "fine");
    }
  }
}

TEST_CASE("logs") {
  RunningServer server;
  const auto entries = server.client().logs("last", "train", true, 2);
  REQUIRE(entries);
  REQUIRE(entries->size() == 1);
  CHECK((*entries)[0].task == "train[C=0.1]");
  CHECK((*entries)[0].attempt == 2);
  CHECK((*entries)[0].state == "running");
  CHECK_FALSE((*entries)[0].ended);
  CHECK(server.backend.seen().task == "train");
  CHECK(server.backend.seen().failed_only);
  CHECK(server.backend.seen().attempt == 2);
}

TEST_CASE("log, byte by byte") {
  RunningServer server;
  std::string text;
  const auto streamed =
      server.client().log({.run = "digits#3", .task = "train[C=0.1]", .attempt = 2, .tail = 0, .follow = true},
                          [&](std::string_view bytes) {
                            text += bytes;
                            return true;
                          });
  REQUIRE(streamed);
  CHECK(text == std::string("first\nsec\0nd\n", 13));
  const LogQuery seen = server.backend.seen().log;
  CHECK(seen.run == "digits#3");
  CHECK(seen.task == "train[C=0.1]");
  CHECK(seen.attempt == 2);
  CHECK(seen.tail == 0);
  CHECK(seen.follow);
}

TEST_CASE("events, of all runs and of one") {
  RunningServer server;
  Client client = server.client();
  for (const char* run : {"", "digits#3"}) {
    std::vector<views::EventView> events;
    const auto streamed = client.events({.run = run, .after = 40, .tail = 3}, [&](const views::EventView& event) {
      events.push_back(event);
      return true;
    });
    REQUIRE(streamed);
    REQUIRE(events.size() == 3);
    for (std::size_t i = 0; i < events.size(); ++i) CHECK(same(events[i], sample_event(41 + i)));
    const EventQuery seen = server.backend.seen().events;
    CHECK(seen.run == run);
    CHECK(seen.after == 40);
    CHECK(seen.tail == 3);
    CHECK_FALSE(seen.follow);
  }
}

TEST_CASE("workers") {
  RunningServer server;
  const auto workers = server.client().workers();
  REQUIRE(workers);
  REQUIRE(workers->size() == 1);
  CHECK(same((*workers)[0], sample_worker()));
}

TEST_CASE("doctor") {
  RunningServer server;
  const auto checks = server.client().doctor();
  REQUIRE(checks);
  REQUIRE(checks->size() == 1);
  CHECK((*checks)[0].name == "disk");
  CHECK((*checks)[0].state == "warning");
  CHECK((*checks)[0].detail == "5% free");
}

TEST_CASE("reload says what has to wait for the next start") {
  RunningServer server;
  CHECK(server.client().reload() == std::vector<std::string>{"workers changed"});
}

TEST_CASE("shutdown is answered") {
  RunningServer server;
  CHECK(server.client().shutdown() == true);
}

TEST_CASE("problems come back as they were sent") {
  using enum ErrorCode;
  const std::pair<ErrorCode, int> cases[] = {
      {invalid_argument, 400}, {invalid_workflow, 422}, {not_found, 404}, {denied, 403},
      {conflict, 409},         {unavailable, 503},      {disk_full, 507}, {io, 500},
      {corrupt, 500},          {newer_format, 500},     {limit, 413},     {internal, 500}};
  for (const auto& [code, status] : cases) {
    const Problem problem{{code, "no, because \"so\""},
                          {{Severity::error, "a.yaml", {3, 7}, "unknown key", "did you mean `needs`?"},
                           {Severity::warning, "b.yaml", {}, "odd", ""}}};
    RunningServer server([&](FakeBackend& backend, ServerOptions&) { backend.problem = problem; });
    const auto run = server.client().run("x");
    REQUIRE_FALSE(run);
    CHECK(run.error().error == problem.error);
    CHECK(run.error().diagnostics == problem.diagnostics);
    const std::string answer = ask(server.socket(), "GET", "/v1/runs/x");
    CHECK(status_of_answer(answer) == status);
    CHECK(answer.find("Content-Type: application/problem+json\r\n") != answer.npos);
    const auto log = server.client().log({.run = "x", .task = "t", .tail = {}}, [](std::string_view) { return true; });
    REQUIRE_FALSE(log);
    CHECK(log.error().error == problem.error);
  }
}

TEST_CASE("a backend that throws is answered for, and its text stays in the log") {
  RunningServer server([](FakeBackend& backend, ServerOptions&) { backend.throws = true; });
  Client client = server.client();
  for (int i = 0; i < 3; ++i) {
    const auto info = client.info();
    REQUIRE_FALSE(info);
    CHECK(info.error().error.code == ErrorCode::internal);
    CHECK(info.error().error.message.find("secret") == std::string::npos);
  }
}

TEST_CASE("a backend that forgets to answer is answered for") {
  RunningServer server([](FakeBackend& backend, ServerOptions&) { backend.forgets = true; });
  const auto info = server.client().info();
  REQUIRE_FALSE(info);
  CHECK(info.error().error.code == ErrorCode::internal);
}

TEST_CASE("a server may end while an answer is owed") {
  RunningServer server([](FakeBackend& backend, ServerOptions&) { backend.silent = true; });
  const RawSocket raw(server.socket());
  REQUIRE(raw.send("GET /v1/info HTTP/1.1\r\nHost: baton\r\n\r\n"));
  REQUIRE(server.backend.asked.wait([](int asked) { return asked == 1; }));
  server.stop();
  CHECK(raw.read_to_end().empty());
}
