#include "follow.hpp"

#include <fcntl.h>
#include <signal.h>

#include <functional>

#include "attach.hpp"
#include "catch.hpp"
#include "json_output.hpp"
#include "scripted_daemon.hpp"
#include "temp_folder.hpp"
#include "verbs.hpp"
#include "workflow_files.hpp"

namespace baton::cli {
namespace {

using std::chrono::milliseconds;
using test::Script;
using test::ScriptedDaemon;
using test::TempFolder;

views::EventView event(std::uint64_t seq, const std::string& name, const std::string& state) {
  views::EventView view;
  view.seq = seq;
  view.at = *parse_rfc3339("2026-03-29T12:00:00Z") + std::chrono::seconds(seq);
  view.run = "r1";
  view.workflow = "digits";
  view.type = name.empty() ? "run" : "task";
  view.name = name;
  view.task = name;
  view.state = state;
  view.attempt = 1;
  return view;
}

Script script(const std::string& run_state, std::vector<views::EventView> events, bool streams_end = false) {
  Script result;
  result.run.id = "r1";
  result.run.workflow = "digits";
  result.run.number = 3;
  result.run.state = run_state;
  views::TaskSummary summary;
  summary.task = "a";
  summary.states = {{run_state == "succeeded" ? "succeeded" : "waiting", 1}};
  result.run.summary = {summary};
  result.events = std::move(events);
  result.streams_end = streams_end;
  return result;
}

// A session with its output in files.
class Console {
 public:
  explicit Console(bool quiet = false)
      : out_fd_(::open((folder / "out").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)),
        err_fd_(::open((folder / "err").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)),
        out_(out_fd_.get(), false),
        err_(err_fd_.get(), false),
        session(options(quiet), locations(folder), out_, err_) {}

  std::string out() {
    out_.flush();
    return *read_file(folder / "out", 1 << 20);
  }
  std::string err() {
    err_.flush();
    return *read_file(folder / "err", 1 << 20);
  }
  [[nodiscard]] std::string socket() const { return folder / "s"; }

  TempFolder folder;

 private:
  static GlobalOptions options(bool quiet) {
    GlobalOptions result;
    result.quiet = quiet;
    result.no_start = true;
    return result;
  }
  static Locations locations(const TempFolder& folder) {
    Locations result;
    result.socket = folder / "s";
    result.state_dir = folder / "state";
    return result;
  }
  Descriptor out_fd_, err_fd_;
  Output out_, err_;

 public:
  Session session;
};

class Recorder : public RunListener {
 public:
  void on_events(std::span<const views::EventView> events) override {
    for (const views::EventView& view : events) seqs.push_back(view.seq);
    if (then) then();
  }
  void on_break() override { ++breaks; }
  [[nodiscard]] bool is_satisfied() override {
    return satisfied_at != 0 && !seqs.empty() && seqs.back() >= satisfied_at;
  }

  std::vector<std::uint64_t> seqs;
  std::uint64_t satisfied_at = 0;
  int breaks = 0;
  std::function<void()> then;
};

api::Answer<FollowEnd> followed(Console& console, Recorder& recorder, std::uint64_t after = 0) {
  Interrupts interrupts;
  FollowQuery query;
  query.run = "r1";
  query.after = after;
  return follow(console.session, query, recorder, interrupts);
}

TEST_CASE("following ends with the run's final event, though the stream stays open") {
  Console console;
  const ScriptedDaemon daemon(
      console.socket(),
      script("succeeded", {event(1, "", "running"), event(2, "a", "succeeded"), event(3, "", "succeeded")}));
  Recorder recorder;
  CHECK(followed(console, recorder) == FollowEnd::run_ended);
  CHECK(recorder.seqs == std::vector<std::uint64_t>{1, 2, 3});
  CHECK(recorder.breaks == 0);
}

TEST_CASE("a run that ended before is followed to its end at once") {
  Console console;
  const ScriptedDaemon daemon(console.socket(), script("failed", {}, true));
  Recorder recorder;
  CHECK(followed(console, recorder) == FollowEnd::run_ended);
}

TEST_CASE("an earlier end of a run that was retried is not its end") {
  Console console;
  auto first = std::make_unique<ScriptedDaemon>(console.socket(), script("running", {event(1, "", "failed")}));
  Recorder recorder;
  recorder.then = [&] {
    if (recorder.seqs.back() != 1) return;
    first.reset();
    first = std::make_unique<ScriptedDaemon>(console.socket(),
                                             script("running", {event(1, "", "failed"), event(2, "a", "running")}));
    recorder.satisfied_at = 2;
  };
  CHECK(followed(console, recorder) == FollowEnd::satisfied);
  CHECK(recorder.seqs == std::vector<std::uint64_t>{1, 2});
}

TEST_CASE("when the daemon dies and is there again, following goes on behind the last event") {
  Console console;
  auto daemon = std::make_unique<ScriptedDaemon>(
      console.socket(), script("running", {event(1, "", "running"), event(2, "a", "running")}));
  const Script after = script("succeeded", {event(1, "", "running"), event(2, "a", "running"),
                                            event(3, "a", "succeeded"), event(4, "", "succeeded")});
  Recorder recorder;
  bool died = false;
  recorder.then = [&] {
    if (std::exchange(died, true)) return;
    daemon.reset();
    daemon = std::make_unique<ScriptedDaemon>(console.socket(), after);
  };
  CHECK(followed(console, recorder) == FollowEnd::run_ended);
  CHECK(recorder.seqs == std::vector<std::uint64_t>{1, 2, 3, 4});
  CHECK(daemon->event_queries().front().after == 2);
}

TEST_CASE("when the daemon dies and must not be started, that is said and is the end") {
  Console console;
  auto daemon = std::make_unique<ScriptedDaemon>(console.socket(), script("running", {event(1, "a", "running")}));
  Recorder recorder;
  recorder.then = [&] { daemon.reset(); };
  const auto end = followed(console, recorder);
  REQUIRE_FALSE(end);
  CHECK(end.error().error.code == ErrorCode::unavailable);
  CHECK(recorder.breaks == 1);
  CHECK(console.err() == "baton: the daemon is gone; the run's tasks go on without it\n");
}

TEST_CASE("streams that end again and again without an event are given up") {
  Console console;
  const ScriptedDaemon daemon(console.socket(), script("running", {}, true));
  Recorder recorder;
  const auto end = followed(console, recorder);
  REQUIRE_FALSE(end);
  CHECK(end.error().error.code == ErrorCode::unavailable);
}

TEST_CASE("a deadline ends the waiting, not the run") {
  Console console;
  const ScriptedDaemon daemon(console.socket(), script("running", {event(1, "a", "running")}));
  Recorder recorder;
  Interrupts interrupts;
  FollowQuery query;
  query.run = "r1";
  query.deadline = std::chrono::steady_clock::now() + milliseconds(20);
  CHECK(follow(console.session, query, recorder, interrupts) == FollowEnd::timed_out);
}

TEST_CASE("Ctrl-C ends the following and kills nobody") {
  Console console;
  const ScriptedDaemon daemon(console.socket(), script("running", {event(1, "a", "running")}));
  Recorder recorder;
  Interrupts interrupts;
  recorder.then = [] { ::raise(SIGINT); };
  FollowQuery query;
  query.run = "r1";
  CHECK(follow(console.session, query, recorder, interrupts) == FollowEnd::interrupted);
  CHECK_FALSE(interrupts.take(milliseconds(0)));
}

TEST_CASE("an attached run is told and summed up, and its result is the exit code") {
  Console console;
  Script told = script("succeeded", {event(1, "", "running"), event(2, "a", "running"), event(3, "a", "succeeded"),
                                     event(4, "", "succeeded")});
  const ScriptedDaemon daemon(console.socket(), told);
  CHECK(attach(console.session, told.run) == kExitSucceeded);
  const std::string text = console.out();
  CHECK(text.starts_with("run r1 (digits #3)\n"));
  CHECK(text.find("  a  succeeded  1.0s\n") != std::string::npos);
  CHECK(text.find("✓ digits #3 succeeded: 1 succeeded\n") != std::string::npos);
}

TEST_CASE("a failed run ends with the end of what failed") {
  Console console;
  Script told = script("failed", {event(1, "a", "failed"), event(2, "", "failed")});
  told.logs = {{"a", "line one\nboom\x1b[2J\n"}};
  const ScriptedDaemon daemon(console.socket(), told);
  CHECK(attach(console.session, told.run) == kExitFailed);
  CHECK(console.out().find("   │ line one\n   │ boom") != std::string::npos);
}

TEST_CASE("quietly attached, the id is all that is printed") {
  Console console(true);
  Script told = script("failed", {event(1, "", "failed")});
  const ScriptedDaemon daemon(console.socket(), told);
  CHECK(attach(console.session, told.run) == kExitFailed);
  CHECK(console.out() == "r1\n");
  CHECK(console.err().empty());
}

// Reads a pipe until it has said `words`, then presses Ctrl-C.
class Typist {
 public:
  Typist(int fd, std::vector<std::string> words)
      : thread_([fd, words] {
          std::string heard;
          char buffer[256];
          for (const std::string& word : words) {
            while (heard.find(word) == std::string::npos) {
              const ssize_t got = ::read(fd, buffer, sizeof buffer);
              if (got <= 0) return;
              heard.append(buffer, static_cast<std::size_t>(got));
            }
            ::kill(::getpid(), SIGINT);
          }
        }) {}
  ~Typist() { thread_.join(); }

 private:
  std::thread thread_;
};

TEST_CASE("Ctrl-C detaches, a second one cancels the run, a third one does not wait for its end") {
  const Interrupts blocked;  // before any thread is made, so that none of them takes the signal
  Console console;
  const Script told = script("running", {event(1, "a", "running")});
  const ScriptedDaemon daemon(console.socket(), told);
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const Descriptor read_end(ends[0]);
  Descriptor write_end(ends[1]);
  {
    const Typist typist(read_end.get(), {"press Ctrl-C again", "cancelling run r1"});
    {
      Output err(write_end.get(), false);
      Session session(console.session.options, console.session.found_locations, console.session.out, err);
      ::kill(::getpid(), SIGINT);  // waits until somebody follows
      CHECK(attach(session, told.run) == kExitInterrupted);
    }
    write_end.reset();
  }
  CHECK(daemon.cancelled() == std::vector<std::string>{"r1"});
}

Outcome performed(Console& console, const std::vector<std::string>& arguments) {
  auto parsed = CommandLine(verbs()).parse(arguments);
  REQUIRE(parsed);
  return parsed->action(console.session);
}

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
