#include <csignal>
#include <fstream>

#include "client.hpp"

namespace baton::test {
namespace {

pid_t number_in(const std::string& text) { return static_cast<pid_t>(std::stoi(text)); }

bool is_line(const std::string& text) { return !text.empty() && text.back() == '\n'; }

// A process two forks and a session away from its task, that ignores SIGTERM; its pid goes to `file`.
std::string runaway(const std::string& file) {
  return "setsid sh -c 'trap \"\" TERM; (trap \"\" TERM; sh -c \"echo \\$PPID\" > " + file + ".new; mv " + file +
         ".new " + file + "; while :; do sleep 1000; done) &' &\n";
}

}  // namespace

TEST_CASE("a task that overstays is asked to go, then ended") {
  Host host;
  Link link(host);
  link.greet();
  Launch polite = script(1, "trap 'echo asked; exit 0' TERM; echo ready; while :; do sleep 0.01; done");
  polite.timeout = std::chrono::seconds(2);  // enough for the shell to set its trap
  Launch stubborn = script(2, "trap '' TERM; while :; do sleep 1000; done");
  stubborn.timeout = std::chrono::seconds(2);
  stubborn.grace = std::chrono::milliseconds(100);
  link.send(polite);
  link.send(stubborn);
  const Outcome first = link.exited(1);
  CHECK(first.cause == ExitCause::timeout);
  CHECK(first.message.find("2s") != std::string::npos);
  CHECK(link.log(first.log).starts_with("ready\n"));
  CHECK(link.log(first.log).ends_with("asked\n"));
  const Outcome second = link.exited(2);
  CHECK(second.cause == ExitCause::timeout);
  CHECK(second.detail == 128 + SIGKILL);
}

TEST_CASE("a kill ends the whole tree, also what hid from it") {
  Host host;
  Link link(host);
  link.greet();
  const std::string file = host.root() + "/runaway";
  Launch launch = script(1, runaway(file) + "sleep 1000");
  launch.grace = std::chrono::milliseconds(50);
  link.send(launch);
  const pid_t pid = number_in(wait_for_file(file, is_line));
  CHECK(process_exists(pid));
  link.send(kill_of(1));
  CHECK(link.exited(1).cause == ExitCause::cancelled);
  CHECK_FALSE(process_exists(pid));
}

TEST_CASE("a task that ends by itself leaves nothing behind") {
  Host host;
  Link link(host);
  link.greet();
  const std::string file = host.root() + "/runaway";
  const std::string other = host.root() + "/other";
  // An attempt beside it that has a background process of its own, which must live on.
  link.send(script(1, "(sh -c 'echo $PPID' > " + other + "; sleep 1000) & mkfifo " + host.root() + "/gate; read x < " +
                          host.root() + "/gate; kill -0 $(cat " + other + ")"));
  const pid_t neighbour = number_in(wait_for_file(other, is_line));
  link.send(script(2, runaway(file) + "until test -e " + file + "; do sleep 0.01; done; sleep 1000 & exit 4"));
  const Outcome outcome = link.exited(2);
  CHECK(outcome.detail == 4);
  CHECK_FALSE(process_exists(number_in(read_file(file))));
  CHECK(process_exists(neighbour));
  // One that scrubbed its environment belongs to whoever was running; alone it is ended too.
  {
    std::ofstream(host.root() + "/gate") << "x\n";
  }
  CHECK(link.exited(1).detail == 0);
  CHECK_FALSE(process_exists(neighbour));
  const std::string scrubbed = host.root() + "/scrubbed";
  link.send(script(3, "env -i setsid sh -c '(sh -c \"echo \\$PPID\" > " + scrubbed +
                          "; while :; do sleep 1000; done) &'; until test -s " + scrubbed + "; do sleep 0.01; done"));
  CHECK(link.exited(3).detail == 0);
  CHECK_FALSE(process_exists(number_in(read_file(scrubbed))));
}

TEST_CASE("an attempt killed before it is launched never starts") {
  Host host;
  Link link(host);
  link.greet(1, 1);
  const std::string trace = host.root() + "/trace";
  link.send(kill_of(7));
  CHECK(link.exited(7).cause == ExitCause::cancelled);
  link.send(script(7, "echo ran >> " + trace));
  const Outcome outcome = link.exited(7);
  CHECK(outcome.cause == ExitCause::cancelled);
  CHECK(outcome.started_at == TimePoint{});

  // Killed while it waits for room.
  link.send(script(8, "sleep 1000"));
  link.started(8);
  link.send(script(9, "echo ran >> " + trace));
  link.send(kill_of(9));
  CHECK(link.exited(9).cause == ExitCause::cancelled);
  link.send(kill_of(8));
  CHECK(link.exited(8).cause == ExitCause::cancelled);
  link.send(command(10, {"/bin/true"}));
  CHECK(link.exited(10).detail == 0);
  CHECK(read_file(trace).empty());
}

TEST_CASE("the tombstone of a killed attempt survives its session") {
  Host host;
  {
    Link link(host);
    link.greet();
    link.send(kill_of(7));
    link.exited(7);
  }
  Link link(host);
  const Welcome welcome = link.greet(2);
  REQUIRE(welcome.inventory.size() == 1);
  CHECK(welcome.inventory[0].phase == AttemptPhase::exited);
  link.send(command(7, {"/bin/true"}));
  CHECK(link.exited(7).cause == ExitCause::cancelled);
}

TEST_CASE("the grace is the whole tree's, not only its leader's") {
  Host host;
  Link link(host);
  link.greet();
  const std::string saved = host.root() + "/saved";
  const std::string ready = host.root() + "/ready";
  // The shell dies of SIGTERM at once; what it runs needs a moment to save its work.
  link.send(script(1, "sh -c 'trap \"sleep 0.2; echo saved > " + saved + "; exit 0\" TERM; echo ready > " + ready +
                          "; while :; do sleep 0.05; done' & wait"));
  wait_for_file(ready, is_line);
  link.send(kill_of(1));
  CHECK(link.exited(1).cause == ExitCause::cancelled);
  CHECK(read_file(saved) == "saved\n");
}

}  // namespace baton::test
