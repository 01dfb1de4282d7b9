#include <baton/base/limits.hpp>
#include <baton/service/event_stream.hpp>

#include "catch.hpp"
#include "fakes.hpp"

using namespace baton;
using namespace baton::service;

namespace {

views::EventView event(std::uint64_t seq, std::string run = "r1", std::string type = "task",
                       std::string state = "running") {
  views::EventView view;
  view.seq = seq;
  view.run = std::move(run);
  view.type = std::move(type);
  view.state = std::move(state);
  return view;
}

// A store, a feed behind it and one stream.
struct Fixture {
  explicit Fixture(std::uint64_t stored = 0, std::string run = "r1") {
    for (std::uint64_t seq = 1; seq <= stored; ++seq) store.queries.committed.push_back(event(seq, run));
    feed = std::make_unique<EventFeed>(stored);
  }
  void open(EventStreamOptions options) {
    options.is_active = [this](RunKey) { return active; };
    if (options.run) options.run_id = "r1";
    stream = open_event_stream(store, *feed, loop.poster(), std::move(options));
    ask();
  }
  void ask() {
    waiting = true;
    stream->next([this](Result<std::vector<views::EventView>> events) {
      waiting = false;
      REQUIRE(events.has_value());
      if (events->empty()) ended = true;
      for (const auto& each : *events) seen.push_back(each.seq);
    });
  }
  // Takes everything there is.
  void pump() {
    loop.run();
    while (!waiting && !ended) {
      ask();
      loop.run();
    }
  }
  void commit(std::vector<views::EventView> events) {
    for (const auto& each : events) store.queries.committed.push_back(each);
    feed->publish(std::move(events));
  }

  TestLoop loop;
  FakeStore store{loop};
  std::unique_ptr<EventFeed> feed;
  std::shared_ptr<api::EventSource> stream;
  std::vector<std::uint64_t> seen;
  bool waiting = false, ended = false, active = true;
};

std::vector<std::uint64_t> range(std::uint64_t from, std::uint64_t to) {
  std::vector<std::uint64_t> all;
  for (; from <= to; ++from) all.push_back(from);
  return all;
}

EventStreamOptions everything(bool follow) {
  return {.run = std::nullopt, .run_id = "", .after = 0, .tail = 0, .follow = follow, .is_active = {}};
}
EventStreamOptions one_run(bool follow) {
  return {.run = RunKey(1), .run_id = "", .after = 0, .tail = 0, .follow = follow, .is_active = {}};
}

}  // namespace

TEST_CASE("A tail is as long as was asked for, also if that is more than a piece") {
  Fixture f(3'348);
  EventStreamOptions options = everything(false);
  options.tail = 2'500;
  f.open(std::move(options));
  f.pump();
  CHECK(f.seen == range(849, 3'348));
}

TEST_CASE("A stream gives what the store has and ends") {
  Fixture f(2500);
  f.open(everything(false));
  f.pump();
  CHECK(f.ended);
  CHECK(f.seen == range(1, 2500));
}

TEST_CASE("A follower passes from the store to what is committed without a gap or a duplicate") {
  Fixture f(10);
  f.open(everything(true));
  // Between the question to the store and its answer.
  f.commit({event(11), event(12)});
  f.pump();
  CHECK(f.seen == range(1, 12));
  CHECK(f.waiting);
  f.commit({event(13)});
  f.pump();
  f.commit({event(14), event(17)});
  f.pump();
  std::vector<std::uint64_t> expected = range(1, 14);
  expected.push_back(17);
  CHECK(f.seen == expected);
}

TEST_CASE("A follower that keeps up asks the store no more") {
  Fixture f(3);
  f.open(everything(true));
  f.pump();
  const int questions = f.store.queries.event_questions;
  for (std::uint64_t seq = 4; seq < 1000; ++seq) {
    f.commit({event(seq)});
    f.pump();
  }
  CHECK(f.seen == range(1, 999));
  CHECK(f.store.queries.event_questions == questions);
}

TEST_CASE("A follower that is slow falls back to the store and loses nothing") {
  Fixture f(0);
  f.open(everything(true));
  f.commit({event(1)});
  f.loop.run();
  REQUIRE(f.seen == range(1, 1));
  // It does not ask while more is committed than memory holds.
  const std::uint64_t last = limits::kRecentEvents + 2;
  for (std::uint64_t seq = 2; seq < last; ++seq) f.commit({event(seq)});
  CHECK(f.feed->reaches(1));
  f.commit({event(last)});
  CHECK_FALSE(f.feed->reaches(1));
  f.pump();
  CHECK(f.seen == range(1, last));
}

TEST_CASE("A follower of one run sees its children and nobody else, and ends with it") {
  Fixture f(0);
  f.feed->add_child("c1", "r1");
  f.feed->add_child("c2", "c1");
  f.open(one_run(true));
  f.commit({event(1), event(2, "other"), event(3, "c1"), event(4, "c2"), event(5, "c1", "run", "succeeded")});
  f.pump();
  CHECK(f.seen == std::vector<std::uint64_t>{1, 3, 4, 5});
  CHECK_FALSE(f.ended);
  f.active = false;
  f.commit({event(6, "r1", "run", "failed")});
  f.pump();
  CHECK(f.seen.back() == 6);
  CHECK(f.ended);
}

TEST_CASE("A run that was retried is followed past its first end") {
  Fixture f(0);
  f.store.queries.committed = {event(1, "r1", "run", "failed"), event(2, "r1", "run", "running")};
  f.feed = std::make_unique<EventFeed>(2);
  f.open(one_run(true));
  f.pump();
  CHECK(f.seen == range(1, 2));
  CHECK_FALSE(f.ended);
}

TEST_CASE("Nothing is kept of followers that left, also of runs that have ended") {
  EventFeed feed(0);
  const EventFeed::Watch stays = feed.watch("stays", [] {});
  for (int i = 0; i < 10'000; ++i) feed.watch("r" + std::to_string(i), [] {});
  CHECK(feed.watched_runs() <= 64);
  int woken = 0;
  const EventFeed::Watch watch = feed.watch("r1", [&] { ++woken; });
  feed.publish({event(1, "r1", "run", "running")});
  CHECK(woken == 1);
}

TEST_CASE("A tail is the last events, and following goes on behind it") {
  Fixture f(50);
  EventStreamOptions options = everything(true);
  options.tail = 5;
  f.open(std::move(options));
  f.pump();
  CHECK(f.seen == range(46, 50));
  f.commit({event(51)});
  f.pump();
  CHECK(f.seen == range(46, 51));
}

TEST_CASE("A stream can begin anywhere") {
  Fixture f(50);
  EventStreamOptions options = everything(false);
  options.after = 48;
  f.open(std::move(options));
  f.pump();
  CHECK(f.seen == range(49, 50));
}

TEST_CASE("A stream that is dropped while it waits is not called again") {
  Fixture f(1);
  f.open(everything(true));
  f.pump();
  REQUIRE(f.waiting);
  f.stream.reset();
  f.commit({event(2)});
  f.loop.run();
  CHECK(f.seen == range(1, 1));
}
