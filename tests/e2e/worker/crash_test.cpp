#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <map>
#include <sstream>

#include "client.hpp"

namespace baton::test {
namespace {

void kill_session(const Host& host, Link& link) {
  const auto session = host.session();
  REQUIRE(session);
  REQUIRE(::kill(*session, SIGKILL) == 0);
  link.wait_for_end();
}

// Runs until somebody writes to the gate, then exits with `code`.
Launch gated(const Host& host, std::uint64_t attempt, int code) {
  const std::string gate = host.root() + "/gate" + std::to_string(attempt);
  return script(attempt, "echo started >> " + host.root() + "/count" + std::to_string(attempt) + "; mkfifo " + gate +
                             "; echo before; read x < " + gate + "; echo after; exit " + std::to_string(code));
}

void open_gate(const Host& host, std::uint64_t attempt) {
  const std::string gate = host.root() + "/gate" + std::to_string(attempt);
  wait_for_file(gate + ".", [&](const std::string&) { return ::access(gate.c_str(), F_OK) == 0; });
  std::ofstream(gate) << "x\n";
}

AttemptPhase phase_of(const Welcome& welcome, std::uint64_t attempt) {
  for (const InventoryEntry& entry : welcome.inventory) {
    if (entry.attempt == AttemptId(attempt)) return entry.phase;
  }
  return AttemptPhase::queued;
}

}  // namespace

TEST_CASE("a task outlives its session, and the next one reports its exit code") {
  Host host;
  Started started;
  {
    Link link(host);
    link.greet(1);
    link.send(gated(host, 1, 7));
    started = link.started(1);
    kill_session(host, link);
    CHECK(link.exit_code() == 0);
  }
  SECTION("that ends before the next session") {
    open_gate(host, 1);
    wait_for_process_end(static_cast<pid_t>(started.pid));
    Link link(host);
    const Welcome welcome = link.greet(1);
    const Outcome outcome =
        phase_of(welcome, 1) == AttemptPhase::exited ? welcome.inventory[0].outcome : link.exited(1);
    CHECK(outcome.cause == ExitCause::exited);
    CHECK(outcome.detail == 7);
    CHECK(outcome.started_at == started.at);
    CHECK(link.log(outcome.log) == "before\nafter\n");
  }
  SECTION("that ends under the next session") {
    Link link(host);
    const Welcome welcome = link.greet(1);
    REQUIRE(phase_of(welcome, 1) == AttemptPhase::running);
    CHECK(welcome.inventory[0].log == started.log);
    link.send(gated(host, 1, 7));  // as a daemon does that is not sure
    CHECK(link.started(1).pid == started.pid);
    open_gate(host, 1);
    const Outcome outcome = link.exited(1);
    CHECK(outcome.detail == 7);
    CHECK(link.log(outcome.log) == "before\nafter\n");
  }
  CHECK(read_file(host.root() + "/count1") == "started\n");
}

TEST_CASE("several tasks outlive several sessions, each runs once") {
  Host host;
  {
    Link link(host);
    link.greet(1, 8);
    for (std::uint64_t attempt = 1; attempt <= 4; ++attempt) link.send(gated(host, attempt, static_cast<int>(attempt)));
    for (std::uint64_t attempt = 1; attempt <= 4; ++attempt) link.started(attempt);
    kill_session(host, link);
  }
  {
    Link link(host);
    link.greet(2, 8);
    link.send(gated(host, 5, 5));
    link.started(5);
    open_gate(host, 1);
    CHECK(link.exited(1).detail == 1);
    kill_session(host, link);
  }
  Link link(host);
  const Welcome welcome = link.greet(3, 8);
  CHECK(welcome.inventory.size() == 5);
  CHECK(phase_of(welcome, 1) == AttemptPhase::exited);
  for (std::uint64_t attempt = 2; attempt <= 5; ++attempt) {
    link.send(gated(host, attempt, 99));
    open_gate(host, attempt);
    CHECK(link.exited(attempt).detail == static_cast<int>(attempt));
    CHECK(read_file(host.root() + "/count" + std::to_string(attempt)) == "started\n");
  }
}

TEST_CASE("an end that cannot be recorded yet is not lost, and hides no other") {
  Host host;
  Started started;
  {
    Link link(host);
    link.greet(1);
    link.send(gated(host, 1, 7));
    started = link.started(1);
    kill_session(host, link);
  }
  const int lock = ::open((host.folder() + "/journal.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  REQUIRE(::flock(lock, LOCK_EX) == 0);  // as a session has it while it compacts
  {
    Link link(host);
    CHECK(phase_of(link.greet(1), 1) == AttemptPhase::running);
    open_gate(host, 1);
    wait_for_process_end(static_cast<pid_t>(started.pid));
    kill_session(host, link);
    CHECK(link.exit_code() == 0);  // the supervisor has seen both ends
  }
  Link link(host);
  CHECK(phase_of(link.greet(1), 1) == AttemptPhase::running);
  REQUIRE(::flock(lock, LOCK_UN) == 0);
  ::close(lock);
  const Outcome outcome = link.exited(1);
  CHECK(outcome.cause == ExitCause::exited);
  CHECK(outcome.detail == 7);
}

TEST_CASE("a closed link ends the session and not its tasks") {
  Host host;
  {
    Link link(host);
    link.greet(1);
    link.send(gated(host, 1, 3));
    link.started(1);
    link.close_input();
    CHECK(link.exit_code() == 0);
  }
  Link link(host);
  link.greet(2);
  open_gate(host, 1);
  CHECK(link.exited(1).detail == 3);
}

TEST_CASE("outputs and timeouts are seen to by the next session") {
  Host host;
  {
    Link link(host);
    link.greet(1);
    Launch outputs = gated(host, 1, 0);
    outputs.script = "echo a=1 >> $BATON_OUTPUT\n" + outputs.script;
    outputs.outputs = {"a", "b"};
    link.send(outputs);
    Launch slow = script(2, "sleep 1000");
    slow.timeout = std::chrono::seconds(3);  // not before the session is killed
    link.send(slow);
    link.started(1);
    link.started(2);
    kill_session(host, link);
  }
  Link link(host);
  link.greet(1);
  CHECK(link.exited(2).cause == ExitCause::timeout);
  open_gate(host, 1);
  const Outcome outcome = link.exited(1);
  CHECK(outcome.cause == ExitCause::missing_output);
  CHECK(outcome.message.find(": b") != std::string::npos);
}

TEST_CASE("an adopted attempt is killed with all it has") {
  Host host;
  const std::string file = host.root() + "/child";
  {
    Link link(host);
    link.greet(1);
    Launch launch =
        script(1, "setsid sh -c 'echo $$ > " + file + "; trap \"\" TERM; while :; do sleep 1000; done' & sleep 1000");
    launch.grace = std::chrono::milliseconds(50);
    link.send(launch);
    wait_for_file(file, [](const std::string& text) { return !text.empty(); });
    kill_session(host, link);
  }
  Link link(host);
  link.greet(1);
  link.send(kill_of(1));
  CHECK(link.exited(1).cause == ExitCause::cancelled);
  CHECK_FALSE(process_exists(static_cast<pid_t>(std::stoi(read_file(file)))));
}

TEST_CASE("a session that loses its supervisor takes its place") {
  Host host;
  pid_t session = 0;
  {
    Link link(host);
    link.greet(1);
    link.send(gated(host, 1, 5));
    link.started(1);
    session = *host.session();
    REQUIRE(::kill(*host.supervisor(), SIGKILL) == 0);
    link.wait_for_end();
    CHECK(link.exit_code() != 0);
    // It stays, to see its task's end; whether it or a new one serves the next link, nothing is lost.
    CHECK(process_exists(session));
  }
  Link link(host);
  const Welcome welcome = link.greet(1);
  CHECK(phase_of(welcome, 1) == AttemptPhase::running);
  // What the kernel ends first are sessions and tasks, not what it has become.
  const std::string score = read_file("/proc/" + std::to_string(session) + "/oom_score_adj");
  CHECK(score == read_file("/proc/self/oom_score_adj"));
  open_gate(host, 1);
  CHECK(link.exited(1).detail == 5);
}

TEST_CASE("a session that takes its supervisor's place keeps the umask that tasks are to have") {
  Host host;
  host.environment = {{"BATON_UMASK", "277"}};
  const std::string socket = host.folder() + "/supervisor.sock";
  pid_t session = 0;
  {
    Link link(host);
    link.greet(1);
    session = host.session().value_or(0);
    const pid_t supervisor = host.supervisor().value_or(0);
    REQUIRE((session > 0 && supervisor > 0));
    REQUIRE(::kill(session, SIGSTOP) == 0);
    REQUIRE(::kill(supervisor, SIGKILL) == 0);
    wait_for_process_end(supervisor);
    REQUIRE(::unlink(socket.c_str()) == 0);
    REQUIRE(::kill(session, SIGCONT) == 0);
    link.wait_for_end();
    wait_for_file(socket, [&](const std::string&) { return ::access(socket.c_str(), F_OK) == 0; });
  }
  Link link(host);
  link.greet(1);
  CHECK(host.supervisor() == session);
  link.send(script(1, "umask; echo ${BATON_UMASK-none}"));
  CHECK(link.log(link.exited(1).log) == "0277\nnone\n");
}

TEST_CASE("a session that takes its supervisor's place and cannot listen there still sees to its tasks") {
  Host host;
  const std::string socket = host.folder() + "/supervisor.sock";
  pid_t session = 0;
  {
    Link link(host);
    link.greet(1);
    link.send(gated(host, 1, 5));
    link.started(1);
    session = *host.session();
    REQUIRE(::unlink(socket.c_str()) == 0);
    REQUIRE(::mkdir(socket.c_str(), 0700) == 0);
    // It goes on when the supervisor's lock is free, so that it tries to listen.
    const pid_t supervisor = *host.supervisor();
    REQUIRE(::kill(session, SIGSTOP) == 0);
    REQUIRE(::kill(supervisor, SIGKILL) == 0);
    wait_for_process_end(supervisor);
    REQUIRE(::kill(session, SIGCONT) == 0);
    link.wait_for_end();
  }
  wait_for_file(host.folder() + "/supervisor.log",
                [](const std::string& text) { return text.find("supervisor.sock: ") != std::string::npos; });
  CHECK(read_file(host.folder() + "/session.lock").empty());  // no later session takes it for one
  REQUIRE(::rmdir(socket.c_str()) == 0);
  Link link(host);
  const Welcome welcome = link.greet(1);
  CHECK(process_exists(session));
  REQUIRE(phase_of(welcome, 1) == AttemptPhase::running);
  open_gate(host, 1);
  CHECK(link.exited(1).detail == 5);
}

TEST_CASE("a task whose supervisor and session are both gone is lost, not guessed") {
  Host host;
  Started started;
  {
    Link link(host);
    link.greet(1);
    link.send(gated(host, 1, 0));
    started = link.started(1);
    const pid_t supervisor = *host.supervisor();
    const pid_t session = *host.session();
    // Stopped first, so that it cannot take the supervisor's place.
    ::kill(session, SIGSTOP);
    ::kill(supervisor, SIGKILL);
    ::kill(session, SIGKILL);
    link.wait_for_end();
  }
  Link link(host);
  const Welcome welcome = link.greet(1);
  REQUIRE(phase_of(welcome, 1) == AttemptPhase::running);
  open_gate(host, 1);
  const Outcome outcome = link.exited(1);
  CHECK(outcome.cause == ExitCause::worker_lost);
  CHECK(link.log(outcome.log) == "before\nafter\n");
}

TEST_CASE("sessions killed at random moments start every attempt at most once and end every one") {
  Host host;
  const std::string trace = host.root() + "/trace";
  constexpr std::uint64_t kAttempts = 60;
  std::vector<bool> done(kAttempts + 1);
  std::uint64_t left = kAttempts;
  for (std::uint64_t round = 1; left > 0; ++round) {
    REQUIRE(round < 200);
    Link link(host);
    const Welcome welcome = link.greet(round);
    const auto note = [&](AttemptId attempt, const Outcome& outcome) {
      if (done[attempt.value()]) return;
      CHECK(outcome.cause == ExitCause::exited);
      CHECK(outcome.detail == static_cast<int>(attempt.value() % 5));
      done[attempt.value()] = true;
      --left;
    };
    for (const InventoryEntry& entry : welcome.inventory) {
      if (entry.phase == AttemptPhase::exited) note(entry.attempt, entry.outcome);
    }
    for (std::uint64_t attempt = 1; attempt <= kAttempts; ++attempt) {
      if (done[attempt]) continue;
      Launch launch =
          script(attempt, "echo " + std::to_string(attempt) + " >> " + trace + "; exit " + std::to_string(attempt % 5));
      launch.timeout = std::chrono::hours(1);
      link.send(launch);
    }
    for (std::uint64_t seen = 0; seen <= round % 7 && left > 0; ++seen) {
      const Exited exited = link.wait<Exited>();
      note(exited.attempt, exited.outcome);
    }
    if (left > 0) kill_session(host, link);
  }
  std::map<std::string, int> starts;
  std::istringstream lines(read_file(trace));
  for (std::string line; std::getline(lines, line);) ++starts[line];
  CHECK(starts.size() == kAttempts);
  for (const auto& [attempt, count] : starts) CHECK(count == 1);
}

}  // namespace baton::test
