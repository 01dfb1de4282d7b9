// On a full disk: an attempt that has succeeded stays that, and waits until its outputs can be kept.
#include <fmt/format.h>

#include <functional>
#include <string>

#include "runner_fixture.hpp"
#include "small_disk.hpp"

namespace baton::worker {
namespace {

constexpr int kTries = 50;

// An attempt with an output has ended on a disk that is full by then; `go_on` says what is wrong, or nothing.
struct Waiting {
  TestHost& host;
  Daemon& daemon;
  const Folder& folder;
  Runner& session;
  std::string filler;
  // Some dozens of times, or until it has ended.
  void turn(Runner& runner) const {
    for (int i = 0; i < kTries && outcome() == nullptr; ++i) {
      host.now = std::max(host.now, runner.next_deadline().value_or(0));
      runner.tick();
    }
  }
  [[nodiscard]] const wire::Outcome* outcome() const {
    const auto* exited = daemon.find<wire::Exited>(1);
    return exited == nullptr ? nullptr : &exited->outcome;
  }
};

void with_waiting_attempt(const std::function<std::string(const Waiting&)>& go_on) {
  const TempFolder outer;
  testing::check_on_small_disk(outer.root(), "size=12m", [&]() -> std::string {
    auto folder = open_folder(outer.root() + "/small");
    if (!folder) return folder.error().message;
    TestHost host;
    Daemon daemon;
    Runner session = make_runner(host, *folder, daemon);
    if (!session.recover()) return "it does not begin";
    session.welcome({});
    wire::Launch launch = launch_of(1);
    launch.argv = {"/bin/sh", "-c", "echo accuracy=0.97 > $BATON_OUTPUT"};
    launch.outputs = {"accuracy"};
    session.launch(launch);
    session.start_queued();
    siginfo_t info;
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOWAIT) != 0) return "it was not started";
    const std::string filler = outer.root() + "/filler";
    testing::fill_disk(filler);
    session.reap();
    const Waiting waiting{host, daemon, *folder, session, filler};
    waiting.turn(session);
    if (const auto* outcome = waiting.outcome()) return fmt::format("it has ended: {}", outcome->message);
    if (host.logged.size() != 1) return fmt::format("{} lines say that it waits", host.logged.size());
    return go_on(waiting);
  });
}

std::string expect_success(const Waiting& waiting) {
  const auto* outcome = waiting.outcome();
  if (outcome == nullptr) return "it has not ended";
  if (outcome->cause != wire::ExitCause::exited || outcome->detail != 0) return "it failed: " + outcome->message;
  const auto output = outcome->outputs.find("accuracy");
  return output != outcome->outputs.end() && output->second == "0.97" ? "" : "its output is another one";
}

}  // namespace

TEST_CASE("what has succeeded on a full disk waits for room to keep its outputs") {
  with_waiting_attempt([](const Waiting& waiting) {
    std::filesystem::remove(waiting.filler);
    waiting.turn(waiting.session);
    return expect_success(waiting);
  });
}

TEST_CASE("a session that comes back on a full disk waits for room, too") {
  with_waiting_attempt([](const Waiting& waiting) -> std::string {
    Runner next = make_runner(waiting.host, waiting.folder, waiting.daemon);
    if (!next.recover()) return "the next session does not begin";
    next.welcome({});
    waiting.turn(next);
    if (waiting.outcome() != nullptr) return "it has ended";
    std::filesystem::remove(waiting.filler);
    waiting.turn(next);
    return expect_success(waiting);
  });
}

TEST_CASE("what waits for room to keep its outputs is let go of when it is cancelled") {
  with_waiting_attempt([](const Waiting& waiting) -> std::string {
    waiting.session.kill({AttemptId(1), wire::ExitCause::cancelled});
    waiting.turn(waiting.session);
    const auto* outcome = waiting.outcome();
    if (outcome == nullptr) return "it has not ended";
    return outcome->cause == wire::ExitCause::missing_output ? "" : "it ended otherwise";
  });
}

}  // namespace baton::worker
