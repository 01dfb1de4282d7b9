// A worker is not trusted: what it says of attempts is made safe before the engine hears of it.
#include <baton/base/limits.hpp>
#include <baton/base/text.hpp>

#include <limits>

#include "worker_fixture.hpp"

namespace baton::executor {
namespace {

constexpr auto kLeast = TimePoint::min();
constexpr auto kMost = TimePoint::max();
constexpr std::size_t kMessages = 4u << 10;  // kMessageBytes and kWorkerResources of translate.hpp
constexpr std::size_t kResources = 256;
constexpr std::size_t kPiece = 32u << 10;
constexpr auto kMostNumber = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());

TEST_CASE("times and numbers that a worker makes up fit the database") {
  WorkerFixture fixture;
  fixture.connect();
  wire::Outcome end = outcome(wire::ExitCause::exited, 1);
  end.started_at = kLeast;
  end.ended_at = kMost;
  end.user_us = end.system_us = end.max_rss_bytes = ~std::uint64_t{0};
  end.log = {.segment = 1, .from = ~std::uint64_t{1}, .to = ~std::uint64_t{1}};
  fixture.worker.session().say({wire::Started{.attempt = AttemptId(1), .at = kMost, .pid = 1, .log = {}},
                                wire::Exited{.attempt = AttemptId(1), .outcome = end}});
  fixture.until([&] { return !fixture.got<engine::AttemptEnded>().empty(); });
  const auto started = fixture.got<engine::AttemptStarted>().at(0);
  const auto ended = fixture.got<engine::AttemptEnded>().at(0);
  CHECK(format_rfc3339(started.at) == "9999-01-01T00:00:00.000Z");
  CHECK(ended.started_at == TimePoint{});
  CHECK(format_rfc3339(ended.ended_at) == "9999-01-01T00:00:00.000Z");
  CHECK(ended.user_us == kMostNumber);
  CHECK(ended.max_rss_bytes == kMostNumber);
  CHECK(ended.log.from == kMostNumber);
}

TEST_CASE("a worker's capacity is one that can be reckoned with") {
  WorkerFixture fixture;
  fixture.executor->start();
  fixture.until([&] { return !fixture.worker.sessions.empty() && !fixture.worker.session().messages.empty(); });
  wire::Welcome welcome = WorkerFixture::welcome();
  welcome.capacity.cpu_milli = std::numeric_limits<std::int64_t>::max();
  welcome.capacity.memory_bytes = -1;
  for (std::size_t i = 0; i < kResources + 1; ++i) welcome.capacity.custom_milli[fmt::format("r{}", i)] = 1;
  welcome.capacity.custom_milli["not a name"] = 1;
  fixture.worker.session().say({welcome});
  fixture.until([&] { return !fixture.got<engine::WorkerUp>().empty(); });
  const auto capacity = fixture.got<engine::WorkerUp>().at(0).capacity;
  CHECK(capacity.cpu_milli == std::int64_t{1} << 42);
  CHECK(capacity.memory_bytes == 0);
  CHECK(capacity.custom_milli.size() == kResources);
  CHECK_FALSE(capacity.custom_milli.contains("not a name"));
}

TEST_CASE("what a worker says of itself is short and of one line") {
  WorkerFixture fixture;
  fixture.executor->start();
  const auto answer = [&](std::size_t dials, const wire::ToDaemon& message) {
    fixture.until(
        [&] { return fixture.worker.sessions.size() == dials && !fixture.worker.session().messages.empty(); });
    fixture.worker.session().say({message});
  };
  answer(1, wire::Refused{std::string(2 * kMessages, 'x')});
  fixture.until([&] { return fixture.worker.dials == 2; });
  CHECK(fixture.executor->workers()[0].problem.size() < kMessages + 20);
  wire::Welcome welcome = WorkerFixture::welcome(std::string(5'000, 'b'));
  welcome.host = "two\nlines";
  welcome.version = "\xff";
  welcome.containment = std::string(5'000, 'c');
  welcome.gpus.assign(100, std::string(300, 'g'));
  answer(2, welcome);
  fixture.until([&] { return !fixture.got<engine::WorkerUp>().empty(); });
  const WorkerStatus status = fixture.executor->workers()[0];
  CHECK(status.host == "two\\nlines");
  CHECK(status.version == "\\xff");
  CHECK(status.containment.size() == 256);
  CHECK(status.gpus.size() == 64);
  CHECK(status.gpus[0].size() == 256);
  // The boot id goes into a file, and comes back out of it.
  fixture.executor->remember_boot(WorkerId(3));
  fixture.reconnect(welcome.boot_id);
  CHECK_FALSE(fixture.got<engine::WorkerUp>().back().rebooted);
}

TEST_CASE("a success with outputs that no task can write is a failure") {
  WorkerFixture fixture;
  fixture.connect();
  const auto& [name, value] = GENERATE(table<std::string, std::string>(
      {{"../x", "1"}, {"not_text", "\xff"}, {"too_long", std::string(limits::kOutputFileBytes, 'a')}}));
  CAPTURE(name);
  wire::Outcome end = outcome(wire::ExitCause::exited);
  end.outputs = {{name, value}};
  std::string bytes;
  REQUIRE(wire::append_frame(bytes, wire::ToDaemon(wire::Exited{.attempt = AttemptId(1), .outcome = end})));
  for (std::size_t at = 0; at < bytes.size(); at += kPiece) {  // more than a socket holds would wait for its reader
    fixture.worker.session().say_bytes(bytes.substr(at, kPiece));
    fixture.io.poll();
  }
  fixture.until([&] { return !fixture.got<engine::AttemptEnded>().empty(); });
  const auto ended = fixture.got<engine::AttemptEnded>().at(0);
  CHECK(ended.failure.kind == workflow::FailureKind::missing_output);
  CHECK(ended.outputs.empty());
}

TEST_CASE("what a worker says for people is bounded text") {
  WorkerFixture fixture;
  fixture.connect();
  wire::Outcome end = outcome(wire::ExitCause::spawn_error, 2);
  end.message = std::string(kMessages + 1, 'x');
  wire::Outcome junk = end;
  junk.message = "\xff\x01";
  fixture.worker.session().say(
      {wire::Exited{.attempt = AttemptId(1), .outcome = end}, wire::Exited{.attempt = AttemptId(2), .outcome = junk}});
  fixture.until([&] { return fixture.got<engine::AttemptEnded>().size() == 2; });
  CHECK(fixture.got<engine::AttemptEnded>()[0].message.size() == kMessages);
  CHECK(is_valid_utf8(fixture.got<engine::AttemptEnded>()[1].message));
}

}  // namespace
}  // namespace baton::executor
