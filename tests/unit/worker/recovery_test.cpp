// A session takes up what the one before was at.
#include <baton/worker/outcome.hpp>

#include <chrono>
#include <filesystem>

#include "runner_fixture.hpp"

namespace baton::worker {

TEST_CASE("kills are sent together, and sessions that replace each other do not put them off") {
  TempFolder temp;
  TestHost host;
  Daemon daemon;
  constexpr std::uint64_t kAttempts = 3;
  constexpr std::uint64_t kSecond = 1'000'000'000;
  std::vector<pid_t> pids;
  {
    Runner session = make_runner(host, temp, daemon);
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
    Runner session = make_runner(host, temp, daemon);
    REQUIRE(session.recover());
    CHECK(host.batches == Batches{{kAttempts, SIGTERM}});
  }
  host.batches.clear();
  Runner session = make_runner(host, temp, daemon);
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

TEST_CASE("a task that gets an adopted one's pid loses neither end") {
  const bool recorded = GENERATE(true, false);  // the adopted one's end, by its supervisor
  TempFolder temp;
  TestHost host;
  wire::Capacity room;
  room.cpu_milli = 2000;
  {
    Daemon daemon;
    Runner session = make_runner(host, temp, daemon);
    REQUIRE(session.recover());
    session.welcome(room);
    wire::Launch launch = launch_of(1);
    launch.argv = {"/bin/sleep", "1000"};
    launch.needs.cpu_milli = 1;
    session.launch(launch);
    session.start_queued();
    REQUIRE(daemon.find<wire::Started>(1) != nullptr);
    host.given_pid = static_cast<pid_t>(daemon.find<wire::Started>(1)->pid);
  }
  const pid_t pid = std::exchange(host.given_pid, 0);
  Daemon daemon;
  Runner session = make_runner(host, temp, daemon);
  REQUIRE(session.recover());
  session.welcome(room);
  if (recorded) {
    Record exited(RecordKind::exited);
    exited.pid = static_cast<std::uint32_t>(pid);
    exited.end.status = wait_status(CLD_EXITED, 3);
    REQUIRE(append_to_journal(temp.fd(), exited) == 0);
  }
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  host.given_pid = pid;
  wire::Launch launch = launch_of(2);
  launch.argv = {"/bin/sleep", "1000"};
  launch.needs.cpu_milli = 1;
  session.launch(launch);
  session.start_queued();
  while (daemon.find<wire::Exited>(1) == nullptr) {
    host.now = session.next_deadline().value();
    session.tick();
  }
  ::kill(host.real_pid, SIGTERM);
  siginfo_t info;
  REQUIRE(::waitid(P_PID, static_cast<id_t>(host.real_pid), &info, WEXITED | WNOWAIT) == 0);
  session.reap();
  REQUIRE(daemon.find<wire::Exited>(2) != nullptr);
  const wire::Outcome& first = daemon.find<wire::Exited>(1)->outcome;
  CHECK(first.cause == (recorded ? wire::ExitCause::exited : wire::ExitCause::worker_lost));
  CHECK(first.detail == (recorded ? 3 : 0));
  CHECK(daemon.find<wire::Exited>(2)->outcome.detail == SIGTERM);
}

TEST_CASE("a file that cannot be read now makes no failure of a success") {
  const std::string part = GENERATE("details/1", "slots/00000001/launch");
  TempFolder temp;
  TestHost host;
  wire::Launch launch = launch_of(1);
  launch.argv = {"/bin/sh", "-c", "echo x=1 > $BATON_OUTPUT"};
  launch.outputs = {"x"};
  {
    Daemon daemon;
    Runner session = make_runner(host, temp, daemon);
    REQUIRE(session.recover());
    session.welcome({});
    session.launch(launch);
    session.start_queued();
    siginfo_t info;
    REQUIRE(::waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) == 0);
    if (part.starts_with("slots")) {  // the session dies here, and its supervisor sees the end
      Record exited(RecordKind::exited);
      exited.pid = static_cast<std::uint32_t>(info.si_pid);
      REQUIRE(append_to_journal(temp.fd(), exited) == 0);
      host.reap(info.si_pid);
    } else {
      turn_until(host, session, [&] { return daemon.find<wire::Exited>(1) != nullptr; });
    }
  }
  const auto recover = [&](Daemon& daemon) {
    Runner session = make_runner(host, temp, daemon);
    auto recovered = session.recover();
    if (recovered) session.welcome({});
    return recovered;
  };
  const auto outcome = [](const Daemon& daemon) {
    const auto* welcome = std::get_if<wire::Welcome>(&daemon.told.at(0));
    REQUIRE(welcome != nullptr);
    REQUIRE(welcome->inventory.size() == 1);
    return welcome->inventory[0].outcome;
  };
  const std::string file = temp.path(part);
  std::filesystem::rename(file, file + "~");
  SECTION("it comes back") {
    std::filesystem::create_symlink("nowhere", file);  // cannot be opened, as when there are no descriptors
    Daemon daemon;
    const auto recovered = recover(daemon);
    REQUIRE_FALSE(recovered);
    CHECK(recovered.error().message.starts_with(part));
    std::filesystem::rename(file + "~", file);
    REQUIRE(recover(daemon));
    CHECK(outcome(daemon).cause == wire::ExitCause::exited);
    CHECK(outcome(daemon).outputs.at("x") == "1");
  }
  SECTION("something else is in its place") {
    std::filesystem::create_directory(file);
    Daemon daemon;
    REQUIRE(recover(daemon));
    CHECK(outcome(daemon).cause == wire::ExitCause::missing_output);
  }
}

}  // namespace baton::worker
