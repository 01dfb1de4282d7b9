// The socket: its file, who may come in, and how many at once.
#include <spdlog/sinks/ringbuffer_sink.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <baton/base/limits.hpp>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "catch.hpp"
#include "harness.hpp"

using namespace baton;
using namespace baton::api;
using namespace baton::api::test;

namespace {

int bound_socket(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

struct Listening {
  boost::asio::io_context io{1};
  FakeBackend backend{io};
  Result<std::unique_ptr<Server>> listen(const std::string& path) {
    return Server::listen(io, backend, {.socket_path = path, .allowed_uid = ::getuid(), .timeouts = {}});
  }
};

}  // namespace

TEST_CASE("the socket is the owner's alone and goes with the server") {
  RunningServer server;
  struct stat info{};
  REQUIRE(::lstat(server.socket().c_str(), &info) == 0);
  CHECK(S_ISSOCK(info.st_mode));
  CHECK((info.st_mode & 0777) == 0600);
  server.stop();
  CHECK_FALSE(std::filesystem::exists(server.socket()));
}

TEST_CASE("a socket file that took the server's place is left alone") {
  RunningServer server;
  std::filesystem::remove(server.socket());
  ::close(bound_socket(server.socket()));
  server.stop();
  CHECK(std::filesystem::exists(server.socket()));
}

TEST_CASE("a server whose socket file is gone listens anew, in its place or elsewhere, and drops nobody") {
  RunningServer server;
  Client before = server.client();
  REQUIRE(before.info());
  CHECK(server.is_reachable());
  std::filesystem::remove(server.socket());
  CHECK_FALSE(server.is_reachable());
  REQUIRE(server.move_to(server.socket()));
  CHECK(server.is_reachable());
  CHECK(server.client().info());

  const std::string elsewhere = server.socket() + ".2";
  std::filesystem::remove(server.socket());
  ::close(bound_socket(server.socket()));  // somebody else's now
  CHECK_FALSE(server.is_reachable());
  REQUIRE(server.move_to(elsewhere));
  CHECK(Client(elsewhere).info());
  CHECK(before.info());
  server.stop();
  CHECK(std::filesystem::exists(server.socket()));
  CHECK_FALSE(std::filesystem::exists(elsewhere));
}

TEST_CASE("a server that cannot listen elsewhere goes on where it is") {
  RunningServer server;
  CHECK_FALSE(server.move_to("/nonexistent/s"));
  CHECK(server.is_reachable());
  CHECK(server.client().info());
}

TEST_CASE("the socket file of a daemon that is gone is replaced") {
  TempFolder folder;
  ::close(bound_socket(folder.file("s")));
  Listening listening;
  const auto server = listening.listen(folder.file("s"));
  REQUIRE(server);
  CHECK(RawSocket(folder.file("s")).send("x"));
}

TEST_CASE("a daemon that lives is not replaced") {
  RunningServer server;
  Listening second;
  const auto refused = second.listen(server.socket());
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::conflict);
  CHECK(refused.error().message == "a daemon answers on " + server.socket() + " already");
  CHECK(server.client().info());
}

TEST_CASE("a file that is no socket is not replaced") {
  TempFolder folder;
  std::ofstream(folder.file("s")) << "precious";
  Listening listening;
  const auto refused = listening.listen(folder.file("s"));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::conflict);
  CHECK(std::filesystem::file_size(folder.file("s")) == 8);
}

TEST_CASE("a path that is no place for a socket") {
  TempFolder folder;
  Listening listening;
  const auto code_at = [&](const std::string& path) {
    const auto refused = listening.listen(path);
    return refused ? ErrorCode::internal : refused.error().code;
  };
  CHECK(code_at("") == ErrorCode::invalid_argument);
  CHECK(code_at(folder.file("missing/s")) == ErrorCode::not_found);
  const std::string longest = folder.file(std::string(107 - folder.file("").size(), 's'));
  REQUIRE(longest.size() == 107);
  CHECK(code_at(longest + 's') == ErrorCode::invalid_argument);
  const auto refused = listening.listen(longest + 's');
  CHECK(refused.error().message == "the socket's path has 108 bytes, 107 are allowed: " + longest + 's');
  CHECK(listening.listen(longest));
}

TEST_CASE("an inherited socket is served and its file is left to its owner") {
  TempFolder folder;
  const std::string path = folder.file("inherited");
  const int fd = bound_socket(path);
  REQUIRE(::listen(fd, 8) == 0);
  {
    RunningServer server([&](FakeBackend&, ServerOptions& options) { options.inherited_fd = fd; });
    CHECK(Client(path).info());
  }
  CHECK(std::filesystem::exists(path));
}

TEST_CASE("an inherited descriptor must be a listening Unix socket") {
  TempFolder folder;
  Listening listening;
  for (const int fd : {bound_socket(folder.file("a")), ::socket(AF_INET, SOCK_STREAM, 0)}) {
    const auto server =
        Server::listen(listening.io, listening.backend, {.socket_path = "", .inherited_fd = fd, .timeouts = {}});
    REQUIRE_FALSE(server);
    CHECK(server.error().code == ErrorCode::invalid_argument);
  }
}

TEST_CASE("another user is turned away") {
  RunningServer server([](FakeBackend&, ServerOptions& options) { options.allowed_uid = ::getuid() + 1; });
  const auto info = server.client().info();
  REQUIRE_FALSE(info);
  CHECK(info.error().error == Error{ErrorCode::denied, "this daemon serves another user"});
  CHECK(status_of_answer(ask(server.socket(), "POST", "/v1/shutdown")) == 403);
  CHECK(server.backend.asked.value() == 0);
}

TEST_CASE("a thousand connections at once do no harm") {
  allow_descriptors(2'300);
  RunningServer server;
  std::vector<RawSocket> clients;
  for (int i = 0; i < 1'000; ++i) {
    clients.emplace_back(server.socket());
    if (i % 4 == 0) clients.back().send("\x80garbage\r\n\r\n");
    if (i % 4 == 1) clients.back().send("GET /v1/in");  // and silence
    if (i % 4 == 2) clients.back().send("GET /v1/info HTTP/1.1\r\nHost: baton\r\n\r\n");
  }
  CHECK(server.client().info());
  for (int i = 0; i < 1'000; ++i) {
    const auto& client = clients[static_cast<std::size_t>(i)];
    if (i % 4 == 0) CHECK(status_of_answer(client.read_to_end()) == 400);
    if (i % 4 == 2) CHECK(status_of_answer(client.read_until("schema_version")) == 200);
  }
}

TEST_CASE("more connections than the limit are turned away, until others leave") {
  allow_descriptors(2'300);
  RunningServer server;
  std::vector<RawSocket> clients;
  for (std::size_t i = 0; i < limits::kHttpConnections; ++i) clients.emplace_back(server.socket());
  const auto refused = server.client().info();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().error == Error{ErrorCode::unavailable, "the daemon has too many connections; try again"});
  clients.clear();
  bool served = false;
  for (int i = 0; i < 10'000 && !served; ++i) served = server.client().info().has_value();
  CHECK(served);
}

TEST_CASE("without descriptors to spare, clients wait and those inside are served") {
  auto complaints = std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(100);
  spdlog::default_logger()->sinks().push_back(complaints);
  RunningServer server;
  Client inside = server.client();
  REQUIRE(inside.info());
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const int waiting = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  // No descriptor above this one is given out; those below are used up.
  const rlimit none{.rlim_cur = static_cast<rlim_t>(waiting) + 1, .rlim_max = before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  std::vector<int> used;
  for (int fd = ::dup(waiting); fd >= 0; fd = ::dup(waiting)) used.push_back(fd);

  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, server.socket().data(), server.socket().size());
  const int connected = ::connect(waiting, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  bool served = true;
  // Long enough for the server to look again, twice.
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(450);
  while (std::chrono::steady_clock::now() < until) served = served && inside.info().has_value();

  for (const int fd : used) ::close(fd);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(connected == 0);
  CHECK(served);
  const RawSocket raw(waiting);
  raw.send("GET /v1/info HTTP/1.1\r\nHost: baton\r\nConnection: close\r\n\r\n");
  CHECK(status_of_answer(raw.read_to_end()) == 200);
  server.stop();
  spdlog::default_logger()->sinks().pop_back();
  CHECK(complaints->last_formatted().size() == 1);
}
