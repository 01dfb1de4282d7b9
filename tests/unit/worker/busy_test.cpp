// Many ends at once, each of which takes long to see to.
#include "runner_fixture.hpp"

namespace baton::worker {
namespace {

constexpr std::uint64_t kMany = 12;
constexpr std::uint64_t kSecond = 1'000'000'000;

std::size_t ends(const Daemon& daemon) {
  std::size_t count = 0;
  for (std::uint64_t attempt = 1; attempt <= kMany; ++attempt) count += daemon.find<wire::Exited>(attempt) != nullptr;
  return count;
}

// Attempts that have all ended, which is not known yet.
void run_many(Runner& session, const Daemon& daemon) {
  REQUIRE(session.recover());
  wire::Capacity room;
  room.cpu_milli = 1000 * kMany;
  session.welcome(room);
  for (std::uint64_t attempt = 1; attempt <= kMany; ++attempt) {
    wire::Launch launch = launch_of(attempt);
    launch.timeout = std::chrono::seconds(1);
    session.launch(launch);
  }
  session.start_queued();
  for (std::uint64_t attempt = 1; attempt <= kMany; ++attempt) {
    REQUIRE(daemon.find<wire::Started>(attempt) != nullptr);
    siginfo_t info;
    const auto pid = static_cast<id_t>(daemon.find<wire::Started>(attempt)->pid);
    REQUIRE(::waitid(P_PID, pid, &info, WEXITED | WNOWAIT) == 0);
  }
}

}  // namespace

TEST_CASE("many ends are seen to in several turns, and what has ended is neither killed nor too late") {
  TempFolder temp;
  TestHost host;
  Daemon daemon;
  Runner session = make_runner(host, temp, daemon);
  run_many(session, daemon);
  host.look_ns = kSecond / 10;
  session.reap();
  CHECK(ends(daemon) == 1);
  for (std::uint64_t attempt = 1; attempt <= kMany; ++attempt)
    session.kill({AttemptId(attempt), wire::ExitCause::cancelled});
  CHECK(ends(daemon) <= 2);
  session.send_signals();
  host.now += 10 * kSecond;  // their timeouts
  std::size_t turns = 0;
  for (; ends(daemon) < kMany; ++turns) {
    REQUIRE(turns < 2 * kMany);
    REQUIRE(session.next_deadline().value_or(host.now + 1) <= host.now);
    const std::size_t before = ends(daemon);
    session.tick();
    CHECK(ends(daemon) <= before + 2);
  }
  CHECK(turns >= kMany / 2 - 1);
  for (std::uint64_t attempt = 1; attempt <= kMany; ++attempt) {
    CHECK(daemon.find<wire::Exited>(attempt)->outcome.cause == wire::ExitCause::exited);
  }
  CHECK(host.batches.empty());
}

TEST_CASE("a session that finds many attempts ended sees to them in several turns, and passes none over") {
  TempFolder temp;
  TestHost host;
  {
    Daemon before;
    Runner session = make_runner(host, temp, before);
    run_many(session, before);
    for (std::uint64_t attempt = 1; attempt <= kMany; ++attempt) {  // the session dies here, and its supervisor sees it
      Record exited(RecordKind::exited);
      exited.pid = before.find<wire::Started>(attempt)->pid;
      REQUIRE(append_to_journal(temp.fd(), exited) == 0);
      host.reap(static_cast<pid_t>(exited.pid));
    }
  }
  Daemon daemon;
  Runner session = make_runner(host, temp, daemon);
  host.look_ns = kSecond / 10;
  const std::uint64_t began = host.now;
  REQUIRE(session.recover());
  CHECK(host.now <= began + 2 * host.look_ns);
  session.welcome({});
  std::uint64_t known = 0;
  for (const auto& entry : std::get<wire::Welcome>(daemon.told.at(0)).inventory) {
    known += entry.phase == wire::AttemptPhase::exited ? 1 : 0;
  }
  for (std::size_t turns = 0; known + ends(daemon) < kMany; ++turns) {
    REQUIRE(turns < 2 * kMany);
    const std::uint64_t turn = host.now;
    REQUIRE(session.next_deadline().value_or(turn + 1) <= turn);
    session.tick();
    CHECK(host.now <= turn + 2 * host.look_ns);
  }
}

}  // namespace baton::worker
