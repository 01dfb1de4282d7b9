// The client before daemons that are absent, mute, broken or strange.
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "catch.hpp"
#include "harness.hpp"
#include "skip.hpp"

using namespace baton;
using namespace baton::api;
using namespace baton::api::test;

namespace {

Error error_of(Client client) {
  const auto info = client.info();
  REQUIRE_FALSE(info);
  return info.error().error;
}

// What the client says when `bytes` is all that comes back.
Error error_after(std::string_view bytes) {
  TempFolder folder;
  RawListener listener(folder.file("s"), 1, [&](const RawSocket& peer) {
    (void)peer.read_until("\r\n\r\n");
    peer.send(bytes);
  });
  return error_of(Client(folder.file("s")));
}

constexpr std::string_view kRequestEnd = "\r\n\r\n";

std::string answer_with(std::string_view body, std::string_view status = "200 OK") {
  return fmt::format("HTTP/1.1 {}\r\nContent-Length: {}\r\n\r\n{}", status, body.size(), body);
}

}  // namespace

TEST_CASE("nobody is there") {
  TempFolder folder;
  const std::string path = folder.file("s");
  CHECK(error_of(Client(path)) ==
        Error{ErrorCode::unavailable, "no daemon answers on " + path + ": there is no such socket"});
  CHECK(error_of(Client(path + "/x/y")).code == ErrorCode::unavailable);
  {
    RawListener gone(path, 0, [](const RawSocket&) {});
  }
  CHECK(error_of(Client(path)) ==
        Error{ErrorCode::unavailable, "no daemon answers on " + path + ": nobody listens there"});
}

TEST_CASE("a path that cannot be a socket's") {
  CHECK(error_of(Client("/tmp/" + std::string(200, 'x'))).code == ErrorCode::invalid_argument);
  CHECK(error_of(Client("")).code == ErrorCode::invalid_argument);
}

TEST_CASE("a daemon that does not answer in time") {
  RunningServer server([](FakeBackend& backend, ServerOptions&) { backend.silent = true; });
  Client client = server.client();
  client.set_timeout(std::chrono::milliseconds(30));
  const auto info = client.info();
  REQUIRE_FALSE(info);
  CHECK(info.error().error ==
        Error{ErrorCode::unavailable, "the daemon on " + server.socket() + " did not answer within 30ms"});
}

TEST_CASE("that an answer is slow to come is said once, with the daemon's pid, and it is waited for") {
  RunningServer server([](FakeBackend& backend, ServerOptions&) { backend.silent = true; });
  Client client = server.client();
  client.set_timeout(std::chrono::milliseconds(30));
  std::vector<std::int64_t> said;
  client.on_slow(std::chrono::milliseconds(1), [&](std::int64_t pid) { said.push_back(pid); });
  CHECK(client.info().error().error.message.ends_with("within 30ms"));
  CHECK_FALSE(client.info());
  CHECK(said == std::vector<std::int64_t>{::getpid()});
}

TEST_CASE("that an answer is slow to come is not said after it was given up") {
  RunningServer server([](FakeBackend& backend, ServerOptions&) { backend.silent = true; });
  Client client = server.client();
  client.set_timeout(std::chrono::milliseconds(1));
  bool said = false;
  client.on_slow(std::chrono::milliseconds(30), [&](std::int64_t) { said = true; });
  CHECK_FALSE(client.info());
  CHECK_FALSE(said);
}

TEST_CASE("a daemon that does not accept in time") {
  TempFolder folder;
  RawListener listener(folder.file("s"), 0, [](const RawSocket&) {});
  std::vector<std::unique_ptr<RawSocket>> queue;
  for (int i = 0; i < 17; ++i) queue.push_back(std::make_unique<RawSocket>(folder.file("s")));  // its backlog of 16
  Client client(folder.file("s"));
  client.set_timeout(std::chrono::milliseconds(30));
  const auto info = client.info();
  REQUIRE_FALSE(info);
  CHECK(info.error().error.code == ErrorCode::unavailable);
}

TEST_CASE("a daemon that ends in the middle of its answer") {
  CHECK(error_after("").code == ErrorCode::unavailable);
  CHECK(error_after("HTTP/1.1 200 OK\r\nContent-Le").code == ErrorCode::unavailable);
  CHECK(error_after("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"version\":").code == ErrorCode::unavailable);
  CHECK(error_after("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"ver").code == ErrorCode::unavailable);
}

TEST_CASE("somebody who speaks something else") {
  CHECK(error_after("220 smtp.example.org ESMTP\r\n\r\n").code == ErrorCode::unavailable);
  for (const char* body : {"", "hello", "[]", "{}", R"({"version": 7})", "null"}) {
    INFO(body);
    CHECK(error_after(answer_with(body)).code == ErrorCode::internal);
  }
  CHECK(error_after(answer_with(std::string(100'000, '['))).code == ErrorCode::internal);
}

TEST_CASE("errors without a problem document are told by their status") {
  CHECK(error_after(answer_with("<html>", "404 Not Found")).code == ErrorCode::not_found);
  CHECK(error_after(answer_with("[1]", "502 Bad Gateway")).code == ErrorCode::internal);
  CHECK(error_after(answer_with(R"({"code":"from_the_future","detail":"d"})", "409 Conflict")) ==
        Error{ErrorCode::conflict, "d"});
}

TEST_CASE("a lost connection is opened again") {
  TempFolder folder;
  const std::string answer = answer_with(R"({"why":"because"})");
  RawListener listener(folder.file("s"), 3, [&](const RawSocket& peer) {
    (void)peer.read_until(kRequestEnd);
    peer.send(answer);
  });
  Client client(folder.file("s"));
  for (int i = 0; i < 3; ++i) CHECK(client.why("last", "") == "because");
}

TEST_CASE("a connection is kept for the next request") {
  TempFolder folder;
  const std::string answer = answer_with(R"({"why":"because"})");
  RawListener listener(folder.file("s"), 1, [&](const RawSocket& peer) {
    for (int i = 0; i < 3; ++i) {
      (void)peer.read_until(kRequestEnd);
      peer.send(answer);
    }
  });
  Client client(folder.file("s"));
  for (int i = 0; i < 3; ++i) CHECK(client.why("last", "") == "because");
}

TEST_CASE("when a kept connection ends under a request, only a question is asked again") {
  TempFolder folder;
  Counter requests;
  RawListener listener(folder.file("s"), 3, [&](const RawSocket& peer) {
    (void)peer.read_until(kRequestEnd);
    requests.add(1);
    peer.send(answer_with(R"({"why":"because"})"));
    if (!peer.read_until(kRequestEnd).empty()) requests.add(1);  // and no answer
  });
  Client client(folder.file("s"));
  REQUIRE(client.why("last", ""));
  const auto cancelled = client.cancel("last", "");
  REQUIRE_FALSE(cancelled);
  CHECK(cancelled.error().error.code == ErrorCode::unavailable);
  CHECK(requests.value() == 2);
  REQUIRE(client.why("last", ""));
  REQUIRE(client.why("last", ""));
  CHECK(requests.value() == 5);
}

TEST_CASE("a request beyond the limit is not sent") {
  Client client("/nonexistent");
  SubmitRequest request;
  request.entry = "a";
  request.working_dir = "/";
  request.files = {{"a", std::string(33 << 20, 'x')}};
  const auto run = client.submit(request);
  REQUIRE_FALSE(run);
  CHECK(run.error().error.code == ErrorCode::limit);
}

TEST_CASE("an answer to half a request is read") {
  TempFolder folder;
  RawListener listener(folder.file("s"), 1, [&](const RawSocket& peer) {
    char byte = 0;
    (void)!::recv(peer.fd(), &byte, 1, 0);
    peer.send(answer_with(R"({"code":"limit","detail":"too much"})", "413 Payload Too Large"));
  });
  SubmitRequest request;
  request.entry = "a";
  request.working_dir = "/";
  request.files = {{"a", std::string(8 << 20, 'x')}};
  const auto run = Client(folder.file("s")).submit(request);
  REQUIRE_FALSE(run);
  CHECK(run.error().error == Error{ErrorCode::limit, "too much"});
}

TEST_CASE("a socket of somebody else is denied") {
  if (::getuid() == 0) return testing::skip("root opens every door");
  TempFolder folder;
  RawListener listener(folder.file("s"), 0, [](const RawSocket&) {});
  REQUIRE(::chmod(folder.file("s").c_str(), 0) == 0);
  CHECK(error_of(Client(folder.file("s"))).code == ErrorCode::denied);
}
