// What does not die keeps its resources; signals never reach strangers; not to see something does not mean it is gone.

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <set>

#include "no_descriptors.hpp"
#include "runner_fixture.hpp"

namespace baton::worker {

TEST_CASE("what cannot be killed is reported, and keeps its resources until it is gone, also across sessions") {
  TempFolder temp;
  TestHost host;
  host.alive = true;
  wire::Capacity one;
  one.cpu_milli = 1000;
  {
    Daemon daemon;
    Runner runner = make_runner(host, temp, daemon);
    REQUIRE(runner.recover());
    runner.welcome(one);
    runner.launch(launch_of(1));
    runner.launch(launch_of(2));
    runner.start_queued();
    turn_until(host, runner, [&] { return daemon.find<wire::Exited>(1) != nullptr; });
    CHECK(daemon.find<wire::Exited>(1)->outcome.message.find("cannot be killed") != std::string::npos);
    runner.start_queued();
    CHECK(daemon.find<wire::Started>(2) == nullptr);
    runner.forget(wire::Forget{{AttemptId(1)}});  // what the daemon knows is not what this worker may forget
  }
  Daemon daemon;
  Runner runner = make_runner(host, temp, daemon);
  REQUIRE(runner.recover());
  runner.welcome(one);
  runner.launch(launch_of(2));
  runner.start_queued();
  CHECK(daemon.find<wire::Started>(2) == nullptr);
  host.alive = false;
  turn_until(host, runner, [&] { return daemon.find<wire::Exited>(2) != nullptr; });
  CHECK(daemon.find<wire::Exited>(2)->outcome.cause == wire::ExitCause::exited);
}

TEST_CASE("a success whose declared outputs are not known any more is none") {
  TempFolder temp;
  TestHost host;
  {
    Daemon daemon;
    Runner session = make_runner(host, temp, daemon);
    REQUIRE(session.recover());
    session.welcome({});
    wire::Launch launch = launch_of(1);
    launch.outputs = {"x"};
    session.launch(launch);
    session.start_queued();
    REQUIRE(daemon.find<wire::Started>(1) != nullptr);
    // The session dies here. Its supervisor sees how the task ends.
    siginfo_t info;
    REQUIRE(::waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) == 0);
    Record exited(RecordKind::exited);
    exited.pid = static_cast<std::uint32_t>(info.si_pid);
    REQUIRE(append_to_journal(temp.folder().fd.get(), exited) == 0);
    host.reap(info.si_pid);
  }
  const bool files_are_there = GENERATE(true, false);
  const std::string file = temp.folder().path + "/slots/00000001/launch";
  REQUIRE(::access(file.c_str(), F_OK) == 0);
  if (!files_are_there) REQUIRE(::unlink(file.c_str()) == 0);
  Daemon daemon;
  Runner session = make_runner(host, temp, daemon);
  REQUIRE(session.recover());
  session.welcome({});
  session.tick();
  const auto* welcome = std::get_if<wire::Welcome>(&daemon.told.front());
  REQUIRE(welcome != nullptr);
  REQUIRE(welcome->inventory.size() == 1);
  const wire::Outcome& outcome = welcome->inventory[0].outcome;
  CHECK(outcome.cause == wire::ExitCause::missing_output);
  CHECK((outcome.message.find("files are gone") == std::string::npos) == files_are_there);
}

TEST_CASE("two attempts that a damaged journal has in one slot both end") {
  TempFolder temp;
  {
    auto journal = Journal::open(temp.folder().fd.get());
    REQUIRE(journal);
    for (const std::uint64_t attempt : {1u, 2u}) {  // the record of the first one's end is lost
      Record started(RecordKind::started);
      started.attempt = attempt;
      started.pid = 1;  // not of this time
      started.start.segment = 1;
      REQUIRE(journal->append(started));
    }
  }
  TestHost host;
  Daemon daemon;
  Runner session = make_runner(host, temp, daemon);
  REQUIRE(session.recover());
  session.welcome({});
  const auto* welcome = std::get_if<wire::Welcome>(&daemon.told.front());
  REQUIRE(welcome != nullptr);
  REQUIRE(welcome->inventory.size() == 2);
  for (const wire::InventoryEntry& entry : welcome->inventory) {
    CHECK(entry.outcome.cause == wire::ExitCause::worker_lost);
  }
  session.launch(launch_of(3));
  session.start_queued();
  REQUIRE(daemon.find<wire::Started>(3) != nullptr);
  turn_until(host, session, [&] { return daemon.find<wire::Exited>(3) != nullptr; });
  CHECK(daemon.find<wire::Exited>(3)->outcome.cause == wire::ExitCause::exited);
}

TEST_CASE("a slot whose enclosure cannot be removed is not used again") {
  TempFolder temp;
  TestHost host;
  Daemon daemon;
  Runner session = make_runner(host, temp, daemon);
  REQUIRE(session.recover());
  session.welcome({});
  const auto slots = [&] {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(temp.path("slots"))) {
      names.insert(entry.path().filename());
    }
    return names;
  };
  const auto run = [&](std::uint64_t attempt) {
    session.launch(launch_of(attempt));
    session.start_queued();
    turn_until(host, session, [&] { return daemon.find<wire::Exited>(attempt) != nullptr; });
  };
  run(1);
  CHECK(slots().size() == 1);
  const std::set<std::string> before = slots();
  run(2);
  CHECK(slots() == before);
  host.removable = false;
  run(3);
  host.removable = true;
  CHECK(slots().empty());
  run(4);
  CHECK(slots().size() == 1);
  CHECK(slots() != before);
}

TEST_CASE("a journal that cannot be compacted does not keep a session from its work") {
  TempFolder temp;
  constexpr std::uint64_t kLong = 4 * sizeof(Record);
  {
    auto journal = Journal::open(temp.folder().fd.get());
    REQUIRE(journal);
    for (std::uint64_t attempt = 1; attempt <= 8; ++attempt) {
      Record finished(RecordKind::finished);
      finished.attempt = attempt;
      REQUIRE(journal->append(finished));
    }
  }
  REQUIRE(::mkdir(temp.path("journal.lock").c_str(), 0700) == 0);
  TestHost host;
  Daemon daemon;
  Runner session(host, temp.folder(), std::move(*Journal::open(temp.folder().fd.get(), kLong)), null_fd(), "boot",
                 [&daemon](wire::ToDaemon message) { daemon.told.push_back(std::move(message)); });
  CHECK(session.recover());
  session.welcome({});
  CHECK(std::get<wire::Welcome>(daemon.told.front()).inventory.size() == 8);
}

TEST_CASE("an adopted process that cannot be looked at is not lost") {
  TempFolder temp;
  TestHost host;
  pid_t pid = 0;
  {
    Daemon daemon;
    Runner session = make_runner(host, temp, daemon);
    REQUIRE(session.recover());
    session.welcome({});
    wire::Launch launch = launch_of(1);
    launch.argv = {"/bin/sleep", "1000"};
    session.launch(launch);
    session.start_queued();
    REQUIRE(daemon.find<wire::Started>(1) != nullptr);
    pid = static_cast<pid_t>(daemon.find<wire::Started>(1)->pid);
  }
  host.blind = true;
  Daemon daemon;
  Runner session = make_runner(host, temp, daemon);
  REQUIRE(session.recover());
  session.welcome({});
  for (int looks = 0; looks < 4; ++looks) {
    host.blind = looks < 3;
    host.now = session.next_deadline().value_or(0);
    session.tick();
    CHECK(daemon.find<wire::Exited>(1) == nullptr);
  }
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  turn_until(host, session, [&] { return daemon.find<wire::Exited>(1) != nullptr; });
  CHECK(daemon.find<wire::Exited>(1)->outcome.cause == wire::ExitCause::worker_lost);
}

TEST_CASE("without descriptors to spare, an attempt is not over because it cannot be looked at") {
  REQUIRE(::prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
  auto containment = make_session_containment("/nowhere/slots");
  Record started(RecordKind::started);
  started.start.boot_from_ns = boot_ns();
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const pid_t main = ::fork();
  if (main == 0) {
    ::setsid();
    const pid_t left = ::fork();
    if (left == 0) {
      ::alarm(60);  // it outlives the test if that fails
      ::pause();
    }
    [[maybe_unused]] const ssize_t told = ::write(ends[1], &left, sizeof left);
    ::_exit(0);
  }
  pid_t left = 0;
  REQUIRE(::read(ends[0], &left, sizeof left) == sizeof left);
  started.pid = static_cast<std::uint32_t>(main);
  started.start.boot_to_ns = boot_ns();
  containment->add(AttemptId(1), started, false);
  siginfo_t info;
  REQUIRE(::waitid(P_PID, static_cast<id_t>(main), &info, WEXITED | WNOWAIT) == 0);
  {
    const NoDescriptors none;
    CHECK(containment->may_be_left(AttemptId(1)));
    CHECK(containment->may_be_left(AttemptId(1)));
  }
  CHECK(containment->may_be_left(AttemptId(1)));
  ::kill(left, SIGKILL);
  REQUIRE(::waitpid(left, nullptr, 0) == left);
  containment->orphan_reaped(left);
  CHECK_FALSE(containment->may_be_left(AttemptId(1)));
  ::waitpid(main, nullptr, 0);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_CASE("a stranger that got an attempt's pid is not signalled") {
  int up[2];
  int go[2];
  REQUIRE(::pipe2(up, O_CLOEXEC) == 0);
  REQUIRE(::pipe2(go, O_CLOEXEC) == 0);
  const pid_t stranger = ::fork();
  if (stranger == 0) {
    ::setsid();  // so that it also leads the session that the attempt led
    ::close(up[0]);
    ::close(up[1]);
    ::close(go[1]);
    char none = 0;
    ::_exit(::read(go[0], &none, 1) == 0 ? 7 : 1);
  }
  ::close(up[1]);
  ::close(go[0]);
  char none = 0;
  REQUIRE(::read(up[0], &none, 1) == 0);
  ::close(up[0]);
  auto containment = make_session_containment("/nowhere/slots");
  Record started(RecordKind::started);  // of the process that had this pid an hour ago
  started.pid = static_cast<std::uint32_t>(stranger);
  started.start.boot_from_ns = 1;
  started.start.boot_to_ns = 2;
  containment->add(AttemptId(1), started, true);
  CHECK(containment->signal_all(AttemptId(1), SIGKILL) == 0);
  // Who has been sent SIGKILL never gets as far as to end by itself.
  ::close(go[1]);
  int status = 0;
  REQUIRE(::waitpid(stranger, &status, 0) == stranger);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 7);
}

}  // namespace baton::worker
