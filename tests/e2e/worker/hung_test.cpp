// The daemon's links and the real baton-worker, one of whose processes is stopped.
#include <baton/executor/worker_executor.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <csignal>
#include <fstream>
#include <map>

#include "client.hpp"

namespace baton::test {
namespace {

using namespace std::chrono_literals;

// An executor with one worker, and as much of the engine as tells a worker that comes back again what it wants.
struct Daemon {
  explicit Daemon(const Host& host) {
    executor::WorkerExecutorOptions options;
    options.daemon_id = "daemon-1";
    options.incarnation = 1;
    options.first_retry = 1ms;
    options.look_every = 100ms;  // less, and a healthy session on a busy machine would be given up, too
    executor::LinkOptions link;
    link.name = "box";
    link.capacity.cpu_milli = 8000;
    link.dial = [folder = host.folder()] {
      return executor::spawn_link({BATON_WORKER_PROGRAM, "attach", "--dir", folder});
    };
    link.boot_file = host.root() + "/boot-id";
    options.links = {link};
    worker = executor::make_worker_executor(io, std::move(options), [this](std::vector<engine::Event> events) {
      for (const engine::Event& event : events) hear(event);
    });
    worker->start();
    until([&] { return ups == 1; });
  }

  void hear(const engine::Event& event) {
    if (std::holds_alternative<engine::WorkerUp>(event)) {
      ++ups;
      worker->remember_boot(WorkerId());
      for (const engine::Launch& launch : launches) worker->launch(launch);
      for (const engine::Kill& kill : kills) worker->kill(kill);
    } else if (const auto* start = std::get_if<engine::AttemptStarted>(&event)) {
      ++started[start->attempt];
    } else if (const auto* end = std::get_if<engine::AttemptEnded>(&event)) {
      ended[end->attempt] = *end;
    }
  }
  void until(const std::function<bool()>& condition) {
    while (!condition()) {
      io.restart();
      REQUIRE(io.run_one() == 1);
    }
  }
  void launch(std::uint64_t attempt, std::string script, Duration timeout = {}) {
    engine::Launch launch;
    launch.worker = WorkerId();
    launch.attempt = AttemptId(attempt);
    launch.label = "run/task/1";
    launch.argv = {"sh", "-e"};
    launch.script = std::move(script);
    launch.timeout = timeout;
    launch.grace = 10s;
    launch.needs.cpu_milli = 1000;
    launches.push_back(launch);
    worker->launch(std::move(launch));
    until([&] { return started.contains(AttemptId(attempt)); });
  }
  void kill(std::uint64_t attempt) {
    kills.push_back({.worker = WorkerId(), .attempt = AttemptId(attempt), .reason = engine::KillReason::cancelled});
    worker->kill(kills.back());
  }
  const engine::AttemptEnded& end_of(std::uint64_t attempt) {
    until([&] { return ended.contains(AttemptId(attempt)); });
    return ended[AttemptId(attempt)];
  }

  boost::asio::io_context io;
  std::unique_ptr<executor::Executor> worker;
  std::vector<engine::Launch> launches;
  std::vector<engine::Kill> kills;
  std::map<AttemptId, int> started;
  std::map<AttemptId, engine::AttemptEnded> ended;
  int ups = 0;
};

}  // namespace

TEST_CASE("a session that is stopped is replaced, and cancels, timeouts and ends are seen to") {
  Host host;
  Daemon daemon(host);
  const std::string gate = host.root() + "/gate", count = host.root() + "/count";
  daemon.launch(1, "sleep 1000");
  daemon.launch(2, "sleep 1000", 2s);
  REQUIRE(::mkfifo(gate.c_str(), 0600) == 0);
  daemon.launch(3, "echo started >> " + count + "; read x < " + gate + "; exit 7");
  const auto found = host.session();
  REQUIRE(found);
  const pid_t session = *found;
  REQUIRE(::kill(session, SIGSTOP) == 0);
  daemon.kill(1);
  CHECK(daemon.end_of(1).failure.kind == workflow::FailureKind::cancelled);
  CHECK(daemon.ups > 1);
  CHECK_FALSE(process_exists(session));
  CHECK(daemon.end_of(2).failure.kind == workflow::FailureKind::timeout);
  std::ofstream(gate) << "x\n";
  CHECK(daemon.end_of(3).exit_code == 7);
  CHECK(read_file(count) == "started\n");
  daemon.launch(4, "exit 5");
  CHECK(daemon.end_of(4).exit_code == 5);
}

}  // namespace baton::test
