// Logs and events: pulled, followed, resumed, interrupted, broken off.
#include <unistd.h>

#include "catch.hpp"
#include "harness.hpp"

using namespace baton;
using namespace baton::api;
using namespace baton::api::test;

namespace {

constexpr std::string_view kFollowLog = "GET /v1/runs/x/tasks/t/log?follow=true HTTP/1.1\r\nHost: baton\r\n\r\n";

void then_wait(FakeBackend& backend, ServerOptions&) { backend.then = Then::wait; }

}  // namespace

TEST_CASE("a stream is pulled no faster than it is read") {
  constexpr std::size_t kPiece = 64 << 10, kPieces = 400;
  RunningServer server(
      [](FakeBackend& backend, ServerOptions&) { backend.log_pieces.assign(kPieces, std::string(kPiece, 'x')); });
  const RawSocket raw(server.socket());
  raw.send("GET /v1/runs/x/tasks/t/log HTTP/1.1\r\nHost: baton\r\nConnection: close\r\n\r\n");
  REQUIRE(server.backend.pulled.wait([](int pulled) { return pulled >= 1; }));
  // The loop has many turns in which it could pull further.
  Client client = server.client();
  for (int i = 0; i < 1'000; ++i) REQUIRE(client.info());
  CHECK(server.backend.pulled.value() < 100);
  CHECK(raw.read_to_end().size() > kPiece * kPieces);
  CHECK(server.backend.pulled.value() == kPieces + 1);
}

TEST_CASE("a client that leaves ends the stream it followed, also an idle one") {
  RunningServer server(then_wait);
  RawSocket raw(server.socket());
  raw.send(kFollowLog);
  REQUIRE(raw.read_until("nd\n").find("first") != std::string::npos);
  REQUIRE(server.backend.pulled.wait([](int pulled) { return pulled == 3; }));
  CHECK(server.backend.streams.value() == 1);
  raw.close();
  CHECK(server.backend.streams.wait([](int alive) { return alive == 0; }));
}

TEST_CASE("a client that leaves ends the stream it did not read") {
  RunningServer server(
      [](FakeBackend& backend, ServerOptions&) { backend.log_pieces.assign(100, std::string(1 << 20, 'x')); });
  RawSocket raw(server.socket());
  raw.send("GET /v1/runs/x/tasks/t/log HTTP/1.1\r\nHost: baton\r\n\r\n");
  REQUIRE(server.backend.pulled.wait([](int pulled) { return pulled >= 1; }));
  raw.close();
  CHECK(server.backend.streams.wait([](int alive) { return alive == 0; }));
  CHECK(server.backend.pulled.value() < 100);
}

TEST_CASE("a stream that cannot begin is refused with its reason, and the connection goes on") {
  RunningServer server([](FakeBackend& backend, ServerOptions&) {
    backend.log_pieces.clear();
    backend.then = Then::fail;
  });
  const RawSocket raw(server.socket());
  const std::string request = "GET /v1/runs/x/tasks/t/log HTTP/1.1\r\nHost: baton\r\n\r\n";
  raw.send(request + request);
  for (int i = 0; i < 2; ++i) {
    const std::string answer = raw.read_until("}");
    CHECK(answer.find("HTTP/1.1 5") != std::string::npos);
    CHECK(answer.find("urn:baton:problem:") != std::string::npos);
  }
}

TEST_CASE("the server's end ends its streams") {
  RunningServer server(then_wait);
  const RawSocket raw(server.socket());
  raw.send(kFollowLog);
  REQUIRE(server.backend.pulled.wait([](int pulled) { return pulled == 3; }));
  server.stop();
  CHECK(server.backend.streams.value() == 0);
  const std::string answer = raw.read_to_end();
  CHECK_FALSE(answer.ends_with("0\r\n\r\n"));  // broken off, not complete
}

TEST_CASE("an end that was asked for is the last word of streams of events, and only of these") {
  const Problem problem{{ErrorCode::stopped, "the daemon was stopped"}, {}};
  RunningServer server(then_wait);
  Client client = server.client();
  int events = 0;
  const auto streamed = client.events({.follow = true}, [&](const views::EventView&) {
    if (++events == 3) server.end_streams(problem);
    return true;
  });
  REQUIRE_FALSE(streamed);
  CHECK(events == 3);
  CHECK(streamed.error().error == problem.error);
  CHECK(server.backend.streams.wait([](int alive) { return alive == 0; }));
  // Those that begin afterwards hear it at once.
  const std::string sent = ask(server.socket(), "GET", "/v1/events?follow=true", {}, "Accept: text/event-stream\r\n");
  CHECK(sent.find("event: problem\ndata: {") != sent.npos);
  CHECK(sent.find(R"("code":"stopped")") != sent.npos);
  CHECK(sent.find("id: ") == sent.npos);
  const RawSocket log(server.socket());
  log.send(kFollowLog);
  REQUIRE(log.read_until("nd\n").find("first") != std::string::npos);
}

TEST_CASE("a stream may be longer than any answer") {
  constexpr std::size_t kPiece = 4u << 20, kPieces = 257;
  RunningServer server([](FakeBackend& backend, ServerOptions&) {
    backend.log_pieces = {std::string(kPiece, 'x')};  // one at a time: all of them are a gigabyte
    backend.log_rounds = kPieces;
  });
  std::size_t bytes = 0;
  const auto streamed = server.client().log({.run = "x", .task = "t", .tail = {}}, [&](std::string_view piece) {
    bytes += piece.size();
    return true;
  });
  CHECK(streamed);
  CHECK(bytes == kPiece * kPieces);
}

TEST_CASE("a stream ends when the client's function says so") {
  RunningServer server(then_wait);
  Client client = server.client();
  int events = 0;
  CHECK(client.events({.follow = true}, [&](const views::EventView&) { return ++events < 2; }));
  CHECK(events == 2);
  CHECK(client.log({.run = "x", .task = "t", .tail = {}, .follow = true}, [](std::string_view) { return false; }));
  CHECK(server.backend.streams.wait([](int alive) { return alive == 0; }));
  CHECK(client.info());
}

TEST_CASE("a stream that waits ends when the descriptor becomes readable") {
  RunningServer server(then_wait);
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  std::thread interrupter([&] {
    server.backend.pulled.wait([](int pulled) { return pulled == 3; });
    (void)!::write(ends[1], "x", 1);
  });
  std::string text;
  CHECK(server.client().log(
      {.run = "x", .task = "t", .tail = {}, .follow = true},
      [&](std::string_view bytes) {
        text += bytes;
        return true;
      },
      ends[0]));
  interrupter.join();
  ::close(ends[0]);
  ::close(ends[1]);
  CHECK(server.backend.streams.wait([](int alive) { return alive == 0; }));
}

TEST_CASE("a client may ask something else while it follows") {
  RunningServer server(then_wait);
  Client client = server.client();
  bool answered = false;
  CHECK(client.events({.follow = true}, [&](const views::EventView&) {
    answered = client.info().has_value();
    return false;
  }));
  CHECK(answered);
}

TEST_CASE("a stream has no limit of time once it has begun") {
  RunningServer server(then_wait);
  Client client = server.client();
  client.set_timeout(std::chrono::milliseconds(1'000));
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  std::thread interrupter([&] {
    // Another client's request runs into the same limit meanwhile.
    RunningServer other([](FakeBackend& backend, ServerOptions&) { backend.silent = true; });
    server.backend.pulled.wait([](int pulled) { return pulled == 3; });
    Client slow = other.client();
    slow.set_timeout(std::chrono::milliseconds(1'100));
    (void)slow.info();
    (void)!::write(ends[1], "x", 1);
  });
  CHECK(client.events({.follow = true}, [](const views::EventView&) { return true; }, ends[0]));
  interrupter.join();
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_CASE("events are server-sent to those who accept them") {
  RunningServer server;
  const std::string answer = ask(server.socket(), "GET", "/v1/events?after=7", {}, "Accept: text/event-stream\r\n");
  CHECK(answer.find("\r\nContent-Type: text/event-stream\r\n") != answer.npos);
  CHECK(answer.find("id: 8\nevent: run\ndata: {") != answer.npos);
  CHECK(answer.find("}\n\nid: 9\nevent: task\ndata: {") != answer.npos);
}

TEST_CASE("what the client saw last counts more than its query") {
  RunningServer server;
  CHECK(status_of_answer(ask(server.socket(), "GET", "/v1/events?after=7", {}, "Last-Event-ID: 20\r\n")) == 200);
  CHECK(server.backend.seen().events.after == 20);
  CHECK(status_of_answer(ask(server.socket(), "GET", "/v1/events", {}, "Last-Event-ID: x\r\n")) == 400);
}

TEST_CASE("an error in the middle of events is their last line") {
  RunningServer server([](FakeBackend& backend, ServerOptions&) { backend.then = Then::fail; });
  int events = 0;
  const auto streamed = server.client().events({}, [&](const views::EventView&) { return ++events > 0; });
  REQUIRE_FALSE(streamed);
  CHECK(events == 3);
  CHECK(streamed.error().error == Error{ErrorCode::corrupt, "the log is damaged"});
  const std::string sent = ask(server.socket(), "GET", "/v1/events", {}, "Accept: text/event-stream\r\n");
  CHECK(sent.find("event: problem\ndata: {") != sent.npos);
}

TEST_CASE("a log that cannot be read to its end does not look complete") {
  RunningServer server([](FakeBackend& backend, ServerOptions&) { backend.then = Then::fail; });
  std::string text;
  const auto streamed = server.client().log({.run = "x", .task = "t", .tail = {}}, [&](std::string_view bytes) {
    text += bytes;
    return true;
  });
  REQUIRE_FALSE(streamed);
  CHECK(streamed.error().error.code == ErrorCode::unavailable);
  CHECK(text.starts_with("first\n"));
}

TEST_CASE("an empty stream is complete") {
  RunningServer server([](FakeBackend& backend, ServerOptions&) {
    backend.log_pieces.clear();
    backend.event_batches.clear();
  });
  Client client = server.client();
  CHECK(client.log({.run = "x", .task = "t", .tail = {}}, [](std::string_view) { return true; }));
  CHECK(client.events({}, [](const views::EventView&) { return true; }));
}
