// Without descriptors to spare: what cannot be looked at or sent now is looked at or sent later.
#include "no_descriptors.hpp"
#include "runner_fixture.hpp"

namespace baton::worker {

TEST_CASE("an output file that cannot be opened for want of descriptors is read later") {
  TempFolder temp;
  const Descriptor null_fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  bool alive = false;
  TestHost host(alive);
  Daemon daemon;
  Runner session = make_runner(host, temp, null_fd.get(), daemon);
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

TEST_CASE("free slots give their logs' descriptors to one that has none, and get their segments again") {
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
