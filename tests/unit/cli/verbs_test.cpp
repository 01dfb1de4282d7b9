// What single commands print and exit with.
#include "attach.hpp"
#include "console.hpp"
#include "json_output.hpp"

namespace baton::cli {
namespace {

TEST_CASE("a single log is passed on byte by byte, several get headers") {
  const std::string bytes("raw\0\xff\r\x1b[2J no newline", 19);
  {
    Console console;
    Script told = script("succeeded", {});
    told.logs = {{"a", bytes}};
    const ScriptedDaemon daemon(console.socket(), told);
    CHECK(performed(console, {"logs", "r1", "a"}) == kExitSucceeded);
    CHECK(console.out() == bytes);
  }
  Console console;
  Script told = script("succeeded", {});
  told.logs = {{"a", "one"}, {"b", "two\n"}};
  const ScriptedDaemon daemon(console.socket(), told);
  CHECK(performed(console, {"logs", "r1"}) == kExitSucceeded);
  CHECK(console.out() == "==> a (attempt 1, succeeded) <==\none\n==> b (attempt 1, succeeded) <==\ntwo\n");
}

TEST_CASE("a log that breaks off again and again is not taken for the whole") {
  Console console;
  Script told = script("succeeded", {event(1, "", "succeeded")});
  told.logs = {{"a", "one\n"}};
  told.logs_break = true;
  const ScriptedDaemon daemon(console.socket(), told);
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"logs", "-f", "r1"}, {"logs", "r1"}, {"logs", "-f", "r1", "a"}}) {
    const auto shown = performed(console, arguments);
    REQUIRE_FALSE(shown);
    CHECK(exit_code_of(shown.error().error.code) == kExitUnreachable);
  }
}

TEST_CASE("where there is no log it is said why, and which run has one") {
  const auto said = [](const Script& script, const std::vector<std::string>& arguments) {
    Console console;
    const ScriptedDaemon daemon(console.socket(), script);
    CHECK(performed(console, arguments) == kExitSucceeded);
    CHECK(console.out().empty());
    return console.err();
  };
  CHECK(said(script("running", {}), {"logs", "r1"}).find("nothing has started yet") != std::string::npos);
  CHECK(said(script("failed", {}), {"logs", "r1"}) == "baton: nothing was started, so there is no log\n");
  CHECK(said(script("failed", {}), {"logs", "r1", "--failed"}) == "baton: no attempt has failed\n");
  Script sub = script("failed", {event(1, "", "failed")});
  views::TaskView task;
  task.name = "greet";
  task.state = "failed";
  task.child_run = "r2";
  sub.tasks = {task};
  CHECK(said(sub, {"logs", "r1"}) == "baton: greet is a run of its own: baton logs r2\n");
  CHECK(said(sub, {"logs", "r1", "--failed"}) == "baton: greet is a run of its own: baton logs r2\n");
  Console console;
  const ScriptedDaemon daemon(console.socket(), sub);
  CHECK(attach(console.session, sub.run) == kExitFailed);
  CHECK(console.out().find("── greet failed, a run of its own: baton logs r2 --failed") != std::string::npos);
}

TEST_CASE("describe names the runs of tasks that are workflows") {
  Console console;
  Script told = script("failed", {});
  views::TaskView task;
  task.name = "greet";
  task.child_run = "r2";
  told.tasks = {task};
  const ScriptedDaemon daemon(console.socket(), told);
  CHECK(performed(console, {"describe", "r1"}) == kExitSucceeded);
  CHECK(console.out().find("r2") != std::string::npos);
}

TEST_CASE("retry --from takes a task") {
  Console console;
  const auto refused = performed(console, {"retry", "r1", "--from", "train[rate=1]"});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().error ==
        Error{ErrorCode::invalid_argument, "--from takes a task, with all of its instances: --from train"});
}

TEST_CASE("retry gives the values of -p the types that the run's workflow declares") {
  Console console;
  Script told = script("failed", {});
  told.source.entry = "w.yaml";
  told.source.files = {{"w.yaml", "params: {n: 1, name: x}\ntasks: {a: {run: x}}\n"}};
  const ScriptedDaemon daemon(console.socket(), told);
  CHECK(performed(console, {"retry", "last", "-p", "n=5", "-p", "name=7"}) == kExitSucceeded);
  REQUIRE(daemon.retries().size() == 1);
  CHECK(daemon.retries()[0].run == "r1");
  CHECK(daemon.retries()[0].params == nlohmann::json{{"n", 5}, {"name", "7"}});
}

TEST_CASE("what has no effect yet is warned of, but for -q, and is no failure") {
  const std::string text = "schedule: [{every: 1h}]\ntasks: {a: {run: x}}\n";
  Console console;
  const std::string file = console.folder.write("w.yaml", text);
  CHECK(performed(console, {"validate", file}) == kExitSucceeded);
  CHECK(console.err().starts_with(file + ":1:1: warning: `schedule` is checked"));
  CHECK(console.out() == file + ": ok (1 task, 1 instance)\n");
  Console planning;
  CHECK(performed(planning, {"plan", planning.folder.write("w.yaml", text)}) == kExitSucceeded);
  CHECK(planning.err().find("warning: `schedule`") != std::string::npos);
  Console quiet(true);
  CHECK(performed(quiet, {"plan", quiet.folder.write("w.yaml", text)}) == kExitSucceeded);
  CHECK(quiet.err().empty());
}

TEST_CASE("validate as JSON has the diagnostics") {
  Console console;
  const std::string file = console.folder.write("bad.yaml", "tasks: {a: {need: b, run: x}}\n");
  auto parsed = CommandLine(verbs()).parse({"validate", file, "-o", "json"});
  REQUIRE(parsed);
  {
    Session session(parsed->options, console.session.found_locations, console.session.out, console.session.err);
    CHECK(parsed->action(session) == kExitInvalidWorkflow);
  }
  const nlohmann::json json = nlohmann::json::parse(console.out());
  REQUIRE(json[0]["diagnostics"].size() == 1);
  CHECK(json[0]["diagnostics"][0] == nlohmann::json{{"severity", "error"},
                                                    {"file", file},
                                                    {"line", 1},
                                                    {"column", 13},
                                                    {"message", "unknown key `need`"},
                                                    {"hint", "did you mean `needs`?"}});
}

TEST_CASE("logs that are followed start with what runs, and end with the run") {
  Console console;
  Script told = script("running", {event(1, "a", "running"), event(2, "b", "running"), event(3, "a", "succeeded")});
  told.logs = {{"a", "one\n"}, {"b", "two"}};
  told.events.push_back(event(4, "", "succeeded"));
  told.state_later = "succeeded";
  const ScriptedDaemon daemon(console.socket(), told);
  CHECK(performed(console, {"logs", "-f", "r1"}) == kExitSucceeded);
  const std::string text = console.out();
  CHECK(text.find("a | one\n") != std::string::npos);
  CHECK(text.find("b | two\n") != std::string::npos);
}

TEST_CASE("wait prints how runs ended and exits with the worst") {
  Console console;
  const ScriptedDaemon daemon(console.socket(), script("failed", {}));
  CHECK(performed(console, {"wait", "r1", "r1"}) == kExitFailed);
  CHECK(console.out() == "r1 failed\nr1 failed\n");
}

TEST_CASE("wait gives up after its time with 124") {
  Console console;
  const ScriptedDaemon daemon(console.socket(), script("running", {event(1, "a", "running")}));
  CHECK(performed(console, {"wait", "r1", "--timeout", "10ms"}) == kExitTimedOut);
  CHECK(performed(console, {"wait", "r1", "--timeout", "soon"}).error().error.code == ErrorCode::invalid_argument);
}

TEST_CASE("describe as JSON is the run with all its tasks, gathered from their pages") {
  Console console;
  Script told = script("running", {});
  for (const char* name : {"a", "b", "c"}) {
    views::TaskView task;
    task.name = name;
    task.state = "running";
    told.tasks.push_back(task);
  }
  const ScriptedDaemon daemon(console.socket(), told);
  console.session.out.flush();
  auto parsed = CommandLine(verbs()).parse({"describe", "r1", "-o", "json"});
  REQUIRE(parsed);
  {
    Session session(parsed->options, console.session.found_locations, console.session.out, console.session.err);
    CHECK(parsed->action(session) == kExitSucceeded);
  }
  const nlohmann::json json = nlohmann::json::parse(console.out());
  CHECK(json["id"] == "r1");
  CHECK(json["number"] == 3);
  REQUIRE(json["tasks"].size() == 3);
  CHECK(json["tasks"][2]["name"] == "c");
}

TEST_CASE("describe as JSON of a run without tasks is JSON too") {
  Console console;
  const ScriptedDaemon daemon(console.socket(), script("running", {}));
  api::Client client(console.socket());
  REQUIRE(write_run_json(console.session.out, client, *client.run("r1")));
  CHECK(nlohmann::json::parse(console.out())["tasks"] == nlohmann::json::array());
}

}  // namespace
}  // namespace baton::cli
