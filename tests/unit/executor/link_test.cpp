#include <baton/base/limits.hpp>

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker_fixture.hpp"

using namespace baton;
using namespace baton::executor;
using namespace std::chrono_literals;

TEST_CASE("A link that breaks and comes back soon is not reported as down") {
  WorkerFixture f;
  f.connect();
  f.reconnect();
  CHECK(f.got<engine::WorkerDown>().empty());
  CHECK(f.got<engine::WorkerUp>().size() == 2);
  CHECK(f.worker.dials == 2);
}

TEST_CASE("A link that stays away is reported as down once, and up when it is back") {
  WorkerFixture f;
  f.executor.reset();
  WorkerExecutorOptions options;
  options.down_after = 1ms;
  f.make(std::move(options));
  f.connect();
  f.worker.refuse = true;
  f.worker.session().hang_up();
  f.until([&] { return !f.got<engine::WorkerDown>().empty() && f.worker.dials > 5; });
  CHECK(f.got<engine::WorkerDown>().size() == 1);
  CHECK(f.executor->workers()[0].state == WorkerState::offline);
  CHECK(f.executor->workers()[0].problem == "no route to host");
  f.worker.refuse = false;
  f.until([&] { return f.worker.sessions.size() == 2 && !f.worker.session().messages.empty(); });
  f.worker.session().say({WorkerFixture::welcome()});
  f.until([&] { return f.got<engine::WorkerUp>().size() == 2; });
  CHECK(f.executor->workers()[0].state == WorkerState::online);
}

TEST_CASE("A worker that cannot be reached at first is down at once") {
  WorkerFixture f;
  f.worker.refuse = true;
  f.executor->start();
  f.until([&] { return !f.events.empty(); });
  CHECK(f.got<engine::WorkerDown>().size() == 1);
  CHECK(f.worker.dials == 1);  // and not after the time that a link which broke may take
}

TEST_CASE("What is sent while the link is down is dropped") {
  WorkerFixture f;
  f.connect();
  f.worker.refuse = true;
  f.worker.session().hang_up();
  f.until([&] { return f.worker.dials == 2; });
  f.executor->kill({.worker = WorkerId(3), .attempt = AttemptId(1), .reason = engine::KillReason::cancelled});
  f.worker.refuse = false;
  f.until([&] { return f.worker.sessions.size() == 2 && !f.worker.session().messages.empty(); });
  f.worker.session().say({WorkerFixture::welcome()});
  f.until([&] { return f.got<engine::WorkerUp>().size() == 2; });
  f.executor->kill({.worker = WorkerId(3), .attempt = AttemptId(2), .reason = engine::KillReason::cancelled});
  f.until([&] { return !f.worker.session().got<wire::Kill>().empty(); });
  CHECK(f.worker.session().got<wire::Kill>() == std::vector<wire::Kill>{{AttemptId(2), wire::ExitCause::cancelled}});
}

TEST_CASE("A changed boot is told from a session that begins anew, until it is remembered") {
  WorkerFixture f;
  f.connect("boot-a");
  f.executor->remember_boot(WorkerId(3));
  f.reconnect("boot-a");
  CHECK_FALSE(f.got<engine::WorkerUp>().back().rebooted);
  f.reconnect("boot-b");
  CHECK(f.got<engine::WorkerUp>().back().rebooted);
  // The daemon ends before the consequences were committed: the next one must hear of it again.
  f.executor.reset();
  f.worker.sessions.clear();
  f.events.clear();
  f.make();
  f.connect("boot-b");
  CHECK(f.got<engine::WorkerUp>().back().rebooted);
  f.executor->remember_boot(WorkerId(3));
  f.reconnect("boot-b");
  CHECK_FALSE(f.got<engine::WorkerUp>().back().rebooted);
}

namespace {

// More than may wait for a session that does not read. Nothing leaves meanwhile, because that takes a turn of the loop.
void launch_too_much(Executor& executor) {
  engine::Launch launch;
  launch.worker = WorkerId(3);
  launch.argv = {"sh", "-e"};
  launch.script.assign(1u << 20, '#');
  for (std::uint64_t attempt = 1; attempt <= 65; ++attempt) {
    launch.attempt = AttemptId(attempt);
    executor.launch(launch);
  }
}

}  // namespace

TEST_CASE("A session that does not read what it is sent is dropped, and not sent more and more") {
  WorkerFixture f;
  WorkerExecutorOptions options;
  options.stall_timeout = 1ms;
  f.executor.reset();
  f.make(std::move(options));
  f.connect();
  f.executor->remember_boot(WorkerId(3));
  f.worker.session().deaf = true;
  launch_too_much(*f.executor);
  f.until([&] { return f.worker.dials == 2; });
  CHECK(f.executor->workers()[0].problem.find("does not read") != std::string::npos);
}

TEST_CASE("A session that reads may be told much in one turn") {
  WorkerFixture f;
  f.connect();
  f.executor->remember_boot(WorkerId(3));
  launch_too_much(*f.executor);
  f.until([&] { return f.worker.dials == 2 || f.worker.session().messages.size() == 66; });  // Hello was the first
  CHECK(f.worker.dials == 1);
}

TEST_CASE("A launch that does not fit into a message ends its attempt and says so") {
  WorkerFixture f;
  f.connect();
  f.executor->remember_boot(WorkerId(3));
  engine::Launch launch;
  launch.worker = WorkerId(3);
  launch.argv = {"sh", "-e"};
  launch.attempt = AttemptId(1);
  launch.script.assign(limits::kFrameBytes, '#');
  f.executor->launch(launch);
  CHECK(f.got<engine::AttemptEnded>().empty());  // not from inside the call
  launch.attempt = AttemptId(2);
  launch.script = "true";
  f.executor->launch(launch);
  f.until([&] { return !f.worker.session().got<wire::Launch>().empty() && !f.got<engine::AttemptEnded>().empty(); });
  CHECK(f.worker.session().got<wire::Launch>()[0].attempt == AttemptId(2));
  const engine::AttemptEnded ended = f.got<engine::AttemptEnded>()[0];
  CHECK(ended.attempt == AttemptId(1));
  CHECK(ended.worker == WorkerId(3));
  CHECK(ended.failure.kind == workflow::FailureKind::spawn_error);
  CHECK(ended.message.find("over 16 MiB") != std::string::npos);
  CHECK(ended.ended_at > TimePoint{});
}

TEST_CASE("A session that breaks the protocol is dropped") {
  WorkerFixture f;
  SECTION("news before Welcome") {
    f.executor->start();
    f.until([&] { return !f.worker.sessions.empty() && !f.worker.session().messages.empty(); });
    f.worker.session().say({wire::Exited{AttemptId(1), outcome(wire::ExitCause::exited)}});
    f.until([&] { return f.worker.dials == 2; });
    CHECK(f.got<engine::AttemptEnded>().empty());
    CHECK(f.got<engine::WorkerUp>().empty());
  }
  SECTION("another protocol") {
    f.executor->start();
    f.until([&] { return !f.worker.sessions.empty() && !f.worker.session().messages.empty(); });
    wire::Welcome welcome = WorkerFixture::welcome();
    welcome.protocol = wire::kProtocolVersion + 1;
    f.worker.session().say({welcome});
    f.until([&] { return f.worker.dials == 2; });
    CHECK(f.got<engine::WorkerUp>().empty());
  }
  SECTION("refusal") {
    f.executor->start();
    f.until([&] { return !f.worker.sessions.empty() && !f.worker.session().messages.empty(); });
    f.worker.session().say({wire::Refused{"a newer daemon holds this worker"}});
    f.until([&] { return f.worker.dials == 2; });
    CHECK(f.executor->workers()[0].problem.find("a newer daemon") != std::string::npos);
  }
  SECTION("garbage, after what was good") {
    f.connect();
    std::string bytes;
    REQUIRE(wire::append_frame(bytes, wire::ToDaemon(wire::Exited{AttemptId(1), outcome(wire::ExitCause::exited)})));
    f.worker.session().say_bytes(bytes + std::string("\x01\x00\x00\x00\xff", 5));
    f.until([&] { return f.worker.dials == 2; });
    CHECK(f.got<engine::AttemptEnded>().size() == 1);
  }
}

TEST_CASE("A link's program gets a socket as stdin and stdout, in a session of its own") {
  const Result<LinkEnd> end = spawn_link({"cat"});
  REQUIRE(end.has_value());
  REQUIRE(::write(end->fd, "ping", 4) == 4);
  char answer[4] = {};
  REQUIRE(::recv(end->fd, answer, 4, MSG_WAITALL) == 4);
  CHECK(std::string_view(answer, 4) == "ping");
  CHECK(::getsid(end->pid) == end->pid);
  ::close(end->fd);
  ::close(end->errors);
  int status = -1;
  REQUIRE(::waitpid(end->pid, &status, 0) == end->pid);
  CHECK(status == 0);

  const Result<LinkEnd> missing = spawn_link({"/nonexistent/program"});
  REQUIRE_FALSE(missing.has_value());
  CHECK(missing.error().code == ErrorCode::not_found);
}

TEST_CASE("A daemon that stood still itself gives no worker up for it") {
  WorkerFixture f;
  WorkerExecutorOptions options;
  options.look_every = 1ms;
  options.silent_looks = 6;
  f.executor.reset();
  f.make(std::move(options));
  f.connect();
  for (std::size_t asked = 1; asked <= 3; ++asked) {
    f.until([&] { return f.worker.dials > 1 || f.worker.session().got<wire::Ping>().size() == asked; });
    for (const auto start = std::chrono::steady_clock::now(); std::chrono::steady_clock::now() - start < 20ms;) {
    }
    f.worker.session().say({wire::Pong{}});
  }
  f.until([&] { return f.worker.dials > 1 || f.worker.session().got<wire::Ping>().size() == 4; });
  CHECK(f.worker.dials == 1);
}

TEST_CASE("A session that is deaf and dumb is dialled anew") {
  WorkerFixture f;
  WorkerExecutorOptions options;
  options.look_every = 1ms;
  f.executor.reset();
  f.make(std::move(options));
  f.connect();
  f.until([&] { return f.worker.dials == 2; });
  CHECK(f.executor->workers()[0].problem.find("has not answered") != std::string::npos);
}
