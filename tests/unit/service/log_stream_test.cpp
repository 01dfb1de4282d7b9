#include <baton/service/log_stream.hpp>

#include "catch.hpp"
#include "fakes.hpp"

using namespace baton;
using namespace baton::service;

namespace {

constexpr std::uint64_t kOpen = ~std::uint64_t{0};

struct LogStreamFixture {
  LogStreamPorts ports() {
    return {.store = &store,
            .executor = &executor,
            .feed = &feed,
            .post = loop.poster(),
            .after = [this](Duration, std::function<void()> then) -> std::shared_ptr<void> {
              auto token = std::make_shared<std::function<void()>>(std::move(then));
              timer = token;
              return token;
            }};
  }
  void open(bool follow, std::optional<std::uint64_t> tail = std::nullopt, std::vector<std::string> secrets = {},
            std::uint32_t attempt = 0) {
    stream = open_log_stream(
        ports(), {.run = RunKey(1), .run_id = "r1", .task = "t", .attempt = attempt, .tail = tail, .follow = follow},
        Masker(std::move(secrets)));
    ask();
  }
  void ask() {
    waiting = true;
    stream->next([this](Result<std::string> piece) {
      waiting = false;
      if (!piece) {
        error = piece.error();
        ended = true;
      } else if (piece->empty()) {
        ended = true;
      } else {
        text += *piece;
      }
    });
  }
  void pump() {
    loop.run();
    while (!waiting && !ended) {
      ask();
      loop.run();
    }
  }
  // The pause that the stream waits for is over.
  void tick() {
    const auto then = timer.lock();
    REQUIRE(then);
    (*then)();
    pump();
  }
  void news() {
    views::EventView event;
    event.seq = feed.last_seq() + 1;
    event.run = "r1";
    feed.publish({event});
    pump();
  }
  void source(std::uint64_t from, std::uint64_t to, bool ended_now, std::uint32_t attempt = 1) {
    store::LogSource log;
    log.worker = "w";
    log.place = {.segment = 1, .from = from, .to = to};
    log.ended = ended_now;
    log.task_name = "t";
    log.attempt = attempt;
    store.queries.log_sources = {log};
  }

  TestLoop loop;
  FakeStore store{loop};
  FakeExecutor executor{loop};
  EventFeed feed{0};
  std::weak_ptr<std::function<void()>> timer;
  std::shared_ptr<api::ByteSource> stream;
  std::string text;
  bool waiting = false, ended = false;
  std::optional<Error> error;
};

}  // namespace

TEST_CASE("A log is its attempt's part of the segment, in pieces") {
  LogStreamFixture f;
  f.executor.segment = "before|one\ntwo\nthree\n|behind";
  f.executor.most_bytes = 4;
  f.source(7, 21, true);
  f.open(false);
  f.pump();
  CHECK(f.ended);
  CHECK_FALSE(f.error);
  CHECK(f.text == "one\ntwo\nthree\n");
}

TEST_CASE("A tail is counted in lines, however the log is cut") {
  const std::string log = "a\nbb\n\nccc\nlast";
  const std::vector<std::pair<std::uint64_t, std::string>> cases{
      {0, ""}, {1, "last"}, {2, "ccc\nlast"}, {3, "\nccc\nlast"}, {4, "bb\n\nccc\nlast"}, {5, log}, {9, log}};
  for (const bool newline : {false, true}) {
    for (const auto& [lines, expected] : cases) {
      for (std::uint64_t most = 1; most <= 20; ++most) {
        LogStreamFixture f;
        const std::string end = newline ? "\n" : "";
        f.executor.segment = "xx\n" + log + end + "yy";
        f.executor.most_bytes = most;
        f.source(3, 3 + log.size() + end.size(), true);
        f.open(false, lines);
        f.pump();
        INFO("lines " << lines << ", pieces of " << most << ", newline " << newline);
        CHECK(f.text == (lines == 0 ? "" : expected + end));
        CHECK(f.ended);
      }
    }
  }
}

TEST_CASE("A tail of a log without any newline is all of it") {
  LogStreamFixture f;
  f.executor.segment = std::string(100, 'x');
  f.executor.most_bytes = 7;
  f.source(0, 100, true);
  f.open(false, 3);
  f.pump();
  CHECK(f.text.size() == 100);
}

TEST_CASE("Following reads on while the attempt runs and ends with it") {
  LogStreamFixture f;
  f.executor.segment = "one\n";
  f.source(0, kOpen, false);
  f.open(true);
  f.pump();
  CHECK(f.text == "one\n");
  f.executor.segment += "two\n";
  f.tick();
  CHECK(f.text == "one\ntwo\n");
  f.executor.segment += "three\nof the next attempt";
  f.source(0, 14, true);
  f.news();
  CHECK(f.text == "one\ntwo\nthree\n");
  CHECK(f.ended);
}

TEST_CASE("Following goes on with what is written after the task has emptied its log") {
  LogStreamFixture f;
  f.executor.segment = "a long line\n";
  f.source(0, kOpen, false);
  f.open(true);
  f.pump();
  SECTION("and is seen empty") {
    f.executor.segment = "";
    f.tick();
    CHECK_FALSE(f.ended);
    f.executor.segment = "two\n";
    f.tick();
  }
  SECTION("and is seen with what is new") {
    f.executor.segment = "two\n";
    f.tick();
  }
  SECTION("and ends before it is seen") { f.executor.segment = "two\n"; }
  f.source(0, 4, true);
  f.news();
  CHECK(f.text == "a long line\ntwo\n");
  CHECK(f.ended);
}

TEST_CASE("Following a log that its task has emptied for good ends with the attempt") {
  LogStreamFixture f;
  f.executor.segment = "one\n";
  f.source(0, kOpen, false);
  f.open(true);
  f.pump();
  f.executor.segment = "";
  f.source(0, 0, true);
  f.news();
  CHECK(f.text == "one\n");
  CHECK(f.ended);
}

TEST_CASE("Without following a running attempt's log is what is there") {
  LogStreamFixture f;
  f.executor.segment = "one\n";
  f.source(0, kOpen, false);
  f.open(false);
  f.pump();
  CHECK(f.text == "one\n");
  CHECK(f.ended);
}

TEST_CASE("An attempt that there is not is not found, unless it may still come to who follows") {
  const auto [state, follow, may_come] = GENERATE(table<const char*, bool, bool>(
      {{"running", true, true}, {"running", false, false}, {"failed", true, false}, {"failed", false, false}}));
  LogStreamFixture f;
  views::TaskView task;
  task.name = "t";
  task.state = state;
  f.store.queries.task_views = {task};
  f.open(follow, std::nullopt, {}, 5);
  f.pump();
  CHECK(f.ended != may_come);
  REQUIRE(f.error.has_value() != may_come);
  if (f.error) CHECK(f.error->message == "t has no attempt 5");
}

TEST_CASE("Following waits for an attempt to start") {
  LogStreamFixture f;
  views::TaskView task;
  task.name = "t";
  task.state = "ready";
  f.store.queries.task_views = {task};
  f.open(true);
  f.pump();
  CHECK_FALSE(f.ended);
  f.executor.segment = "hi\n";
  f.source(0, 3, true);
  f.news();
  CHECK(f.text == "hi\n");
  CHECK(f.ended);
}

TEST_CASE("Following a task that will never start ends") {
  LogStreamFixture f;
  views::TaskView task;
  task.name = "t";
  task.state = "waiting";
  f.store.queries.task_views = {task};
  f.open(true);
  f.pump();
  CHECK_FALSE(f.ended);
  f.store.queries.task_views[0].state = "skipped";
  f.news();
  CHECK(f.ended);
  CHECK_FALSE(f.error);
}

TEST_CASE("Following a matrix of which nothing has started ends with the last instance, not with the first ones") {
  LogStreamFixture f;
  views::TaskView task;
  task.name = "t";
  task.state = "skipped";
  f.store.queries.task_views = {task, task, task};
  f.store.queries.task_views[2].state = "waiting";
  f.store.queries.run_state = "running";
  f.open(true);
  f.pump();
  CHECK_FALSE(f.ended);
  f.store.queries.task_views[2].state = "skipped";
  f.store.queries.run_state = "succeeded";
  f.news();
  CHECK(f.ended);
  CHECK_FALSE(f.error);
}

TEST_CASE("Following stays with its attempt when the task is tried again") {
  LogStreamFixture f;
  f.executor.segment = "first\nsecond\n";
  f.source(0, kOpen, false, 1);
  f.executor.segment = "first\n";
  f.open(true);
  f.pump();
  f.executor.segment = "first\nsecond\n";
  f.source(0, 6, true, 1);
  store::LogSource again = f.store.queries.log_sources[0];
  again.attempt = 2;
  again.place = {.segment = 1, .from = 6, .to = kOpen};
  again.ended = false;
  f.store.queries.log_sources.push_back(again);
  f.news();
  CHECK(f.text == "first\n");
  CHECK(f.ended);
}

TEST_CASE("A worker out of touch is an error, or waited for when following or when it is just connecting") {
  LogStreamFixture f;
  f.executor.segment = "one\n";
  f.executor.online = false;
  f.source(0, 4, true);
  SECTION("at once") {
    f.open(false);
    f.pump();
    REQUIRE(f.error);
    CHECK(f.error->code == ErrorCode::unavailable);
  }
  SECTION("connecting") {
    f.executor.offline = executor::WorkerState::connecting;
    f.open(false);
    f.pump();
    CHECK_FALSE(f.error);
    CHECK_FALSE(f.ended);
    f.executor.online = true;
    f.tick();
    CHECK(f.text == "one\n");
    CHECK(f.ended);
  }
  SECTION("following what has ended") {
    f.open(true);
    f.pump();
    REQUIRE(f.error);
    CHECK(f.error->code == ErrorCode::unavailable);
  }
  SECTION("following") {
    f.source(0, 4, false);
    f.open(true);
    f.pump();
    CHECK_FALSE(f.ended);
    f.executor.online = true;
    f.tick();
    CHECK(f.text == "one\n");
    CHECK(f.ended);
  }
}

TEST_CASE("An unknown task and a worker that is gone are errors") {
  LogStreamFixture f;
  SECTION("task") {
    f.open(true);
    f.pump();
    REQUIRE(f.error);
    CHECK(f.error->code == ErrorCode::not_found);
  }
  SECTION("worker") {
    f.source(0, 4, true);
    f.store.queries.log_sources[0].worker = "gone";
    f.open(true);
    f.pump();
    REQUIRE(f.error);
    CHECK(f.error->message.find("gone") != std::string::npos);
  }
}

TEST_CASE("Secrets are masked in logs") {
  LogStreamFixture f;
  f.executor.segment = "token hunter2 end\n";
  f.executor.most_bytes = 3;
  f.source(0, 18, true);
  f.open(false, std::nullopt, {"hunter2"});
  f.pump();
  CHECK(f.text == "token *** end\n");
  CHECK(f.ended);
}
