// Without descriptors to spare: what cannot be looked at or sent now is looked at or sent later.
#include <cstdlib>

#include "no_descriptors.hpp"
#include "runner_fixture.hpp"
#include "skip.hpp"

namespace baton::worker {

TEST_CASE("without descriptors to spare, an output file that cannot be opened is read later") {
  TempFolder temp;
  TestHost host;
  Daemon daemon;
  Runner session = make_runner(host, temp, daemon);
  REQUIRE(session.recover());
  session.welcome({});
  wire::Launch launch = launch_of(1);
  launch.argv = {"/bin/sh", "-c", "echo x=1 > $BATON_OUTPUT"};
  launch.outputs = {"x"};
  session.launch(launch);
  session.start_queued();
  REQUIRE(daemon.find<wire::Started>(1) != nullptr);
  siginfo_t info;
  REQUIRE(::waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) == 0);
  {
    const NoDescriptors none;
    session.reap();
    for (int tries = 0; tries < 300; ++tries) {
      host.now = session.next_deadline().value_or(0);
      session.tick();
    }
    CHECK(daemon.find<wire::Exited>(1) == nullptr);
  }
  turn_until(host, session, [&] { return daemon.find<wire::Exited>(1) != nullptr; });
  const wire::Outcome& outcome = daemon.find<wire::Exited>(1)->outcome;
  CHECK(outcome.cause == wire::ExitCause::exited);
  CHECK(outcome.outputs.at("x") == "1");
}

TEST_CASE("without descriptors to spare, the one of a free slot is enough to read an output file") {
  TempFolder temp;
  TestHost host;
  Daemon daemon;
  Runner session = make_runner(host, temp, daemon);
  REQUIRE(session.recover());
  wire::Capacity room;
  room.cpu_milli = 2000;
  session.welcome(room);
  session.launch(launch_of(1));
  wire::Launch launch = launch_of(2);
  launch.argv = {"/bin/sh", "-c", "echo x=1 > $BATON_OUTPUT; echo said"};
  launch.outputs = {"x"};
  session.launch(launch);
  session.start_queued();
  for (const std::uint64_t attempt : {1u, 2u}) {
    REQUIRE(daemon.find<wire::Started>(attempt) != nullptr);
    siginfo_t info;
    const auto pid = static_cast<id_t>(daemon.find<wire::Started>(attempt)->pid);
    REQUIRE(::waitid(P_PID, pid, &info, WEXITED | WNOWAIT) == 0);
  }
  const NoDescriptors none;
  turn_until(host, session, [&] { return daemon.find<wire::Exited>(2) != nullptr; });
  CHECK(daemon.find<wire::Exited>(2)->outcome.cause == wire::ExitCause::exited);
  CHECK(daemon.find<wire::Exited>(2)->outcome.message.empty());
}

TEST_CASE("what no kill could be sent to is not given up") {
  TempFolder temp;
  TestHost host;
  host.alive = true;
  Daemon daemon;
  Runner session = make_runner(host, temp, daemon);
  REQUIRE(session.recover());
  session.welcome({});
  session.launch(launch_of(1));
  session.start_queued();
  const auto turn = [&] {
    host.now = std::max(host.now, session.next_deadline().value_or(0));
    session.tick();
  };
  siginfo_t info;
  REQUIRE(::waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) == 0);
  session.reap();
  host.reachable = false;
  for (const std::uint64_t end = host.now + 60'000'000'000u; host.now < end;) turn();
  host.reachable = true;
  turn();
  turn();
  CHECK(daemon.find<wire::Exited>(1) == nullptr);
  host.alive = false;
  turn();
  REQUIRE(daemon.find<wire::Exited>(1) != nullptr);
  CHECK(daemon.find<wire::Exited>(1)->outcome.message.empty());
}

TEST_CASE(
    "without descriptors to spare, a main process in a control group is killed, and the rest is not counted as hit") {
  ::unsetenv("BATON_CONTAINMENT");
  TempFolder temp;
  auto containment = make_containment(temp.folder(), system_host());
  const Enclosure enclosure = containment->enclose(1, 0);
  if (!containment->name().starts_with("cgroup") || enclosure.cgroup_procs_fd < 0) {
    return testing::skip("no control group can be made here");
  }
  std::vector<pid_t> children;
  for (int i = 0; i < 2; ++i) {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const Descriptor read_end(ends[0]);
    const pid_t child = children.emplace_back(::fork());
    if (child == 0) {
      ::setsid();
      const bool entered = ::write(enclosure.cgroup_procs_fd, "0", 1) == 1;
      ::alarm(60);
      if (entered && ::write(ends[1], "x", 1) == 1) ::pause();
      ::_exit(1);
    }
    ::close(ends[1]);
    char byte = 0;
    REQUIRE(::read(read_end.get(), &byte, 1) == 1);
  }
  Record started(RecordKind::started);
  started.pid = static_cast<std::uint32_t>(children[0]);
  started.start.slot = 1;
  containment->add(AttemptId(1), started, false);
  {
    const NoDescriptors none;
    CHECK(containment->signal_all(AttemptId(1), SIGKILL) == 0);
    int status = 0;
    REQUIRE(::waitpid(children[0], &status, 0) == children[0]);
    CHECK(WTERMSIG(status) == SIGKILL);
  }
  containment->main_reaped(AttemptId(1));
  containment->signal_all(AttemptId(1), SIGKILL);
  int status = 0;
  REQUIRE(::waitpid(children[1], &status, 0) == children[1]);
  CHECK(WTERMSIG(status) == SIGKILL);
  CHECK(containment->remove(AttemptId(1)));
  containment->leave();
}

TEST_CASE("without descriptors to spare, free slots give up those of their logs, and get their segments again") {
  TempFolder temp;
  Slots slots(temp.folder());
  REQUIRE(slots.open({}, {}));
  std::vector<Slot*> used;
  for (int i = 0; i < 3; ++i) used.push_back(*slots.acquire());
  spill(temp.path(segment_name(used[2]->segment)), "said");
  for (const int i : {0, 1, 2}) slots.release(used[static_cast<std::size_t>(i)], true);
  {
    const NoDescriptors none;
    const auto slot = slots.acquire();  // the last one released, which needs a new log
    REQUIRE(slot);
    CHECK((*slot)->log);
  }
  for (int i = 0; i < 2; ++i) {
    const auto slot = slots.acquire();
    REQUIRE(slot);
    CHECK(Slots::size(**slot) == 0);
  }
}

}  // namespace baton::worker
