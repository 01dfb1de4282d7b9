// A session takes up what the one before was at.
#include <chrono>

#include "runner_fixture.hpp"

namespace baton::worker {

TEST_CASE("kills are sent together, and sessions that replace each other do not put them off") {
  TempFolder temp;
  const Descriptor null_fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  bool alive = false;
  TestHost host(alive);
  Daemon daemon;
  constexpr std::uint64_t kAttempts = 3;
  constexpr std::uint64_t kSecond = 1'000'000'000;
  std::vector<pid_t> pids;
  {
    Runner session = make_runner(host, temp, null_fd.get(), daemon);
    REQUIRE(session.recover());
    session.welcome({});
    for (std::uint64_t attempt = 1; attempt <= kAttempts; ++attempt) {
      wire::Launch launch = launch_of(attempt);
      launch.argv = {"/bin/sleep", "1000"};
      launch.needs.cpu_milli = 1;
      launch.grace = std::chrono::seconds(10);
      session.launch(launch);
    }
    session.start_queued();
    for (std::uint64_t attempt = 1; attempt <= kAttempts; ++attempt) {
      REQUIRE(daemon.find<wire::Started>(attempt) != nullptr);
      pids.push_back(static_cast<pid_t>(daemon.find<wire::Started>(attempt)->pid));
      session.kill(wire::Kill{AttemptId(attempt), wire::ExitCause::cancelled});
    }
    session.send_signals();
    CHECK(host.batches == Batches{{kAttempts, SIGTERM}});
  }
  const std::uint64_t killed_at = host.now;
  for (int replaced = 0; replaced < 3; ++replaced) {
    host.now += 3 * kSecond;
    host.batches.clear();
    Runner session = make_runner(host, temp, null_fd.get(), daemon);
    REQUIRE(session.recover());
    CHECK(host.batches == Batches{{kAttempts, SIGTERM}});
  }
  host.batches.clear();
  Runner session = make_runner(host, temp, null_fd.get(), daemon);
  REQUIRE(session.recover());
  session.welcome({});
  while (host.now < killed_at + 10 * kSecond) {
    host.now = session.next_deadline().value();
    session.tick();
  }
  CHECK(host.now == killed_at + 10 * kSecond);
  CHECK(host.batches == Batches{{kAttempts, SIGTERM}, {kAttempts, SIGKILL}});
  for (const pid_t pid : pids) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
}

}  // namespace baton::worker
