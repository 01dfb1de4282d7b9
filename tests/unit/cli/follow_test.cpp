#include "follow.hpp"

#include <signal.h>
#include <sys/wait.h>

#include <functional>

#include "attach.hpp"
#include "console.hpp"

namespace baton::cli {
namespace {

using std::chrono::milliseconds;

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

TEST_CASE("a daemon that was stopped is not waited for, and not started") {
  Console console;
  ScriptedDaemon daemon(console.socket(), script("running", {event(1, "a", "running")}));
  Recorder recorder;
  recorder.then = [&] { daemon.say_stopped(); };
  const auto end = followed(console, recorder);
  REQUIRE_FALSE(end);
  CHECK(end.error().error.code == ErrorCode::stopped);
  CHECK(end.error().error.message.find("baton wait r1") != std::string::npos);
  CHECK(exit_code_of(end.error().error.code) == kExitUnreachable);
  CHECK(console.err().empty());
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

TEST_CASE("an interrupt that was ignored at the start stays ignored") {
  const auto before = ::signal(SIGINT, SIG_IGN);
  {
    Interrupts interrupts;
    ::raise(SIGINT);
    CHECK_FALSE(interrupts.take(milliseconds(0)));
    const Interrupts::Suspended suspended(interrupts);
    ::raise(SIGINT);
  }
  ::signal(SIGINT, before);
}

TEST_CASE("while interrupts are suspended, Ctrl-C kills") {
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGINT, SIG_DFL);  // not the test framework's
    const Interrupts interrupts;
    const Interrupts::Suspended suspended(interrupts);
    ::raise(SIGINT);
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGINT);
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

}  // namespace
}  // namespace baton::cli
