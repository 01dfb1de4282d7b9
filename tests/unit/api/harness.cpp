#include "harness.hpp"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <boost/asio/post.hpp>
#include <future>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>

#include "catch.hpp"

namespace baton::api::test {
namespace {

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  REQUIRE(path.size() < sizeof address.sun_path);
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

}  // namespace

TempFolder::TempFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "baton-api-XXXXXX").string();
  REQUIRE(::mkdtemp(pattern.data()) != nullptr);
  path_ = pattern;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

RunningServer::RunningServer(const Prepare& prepare) {
  options_.socket_path = folder_.file("baton.sock");
  options_.allowed_uid = ::getuid();
  if (prepare) prepare(backend, options_);
  auto server = Server::listen(io_, backend, options_);
  REQUIRE(server);
  server_ = std::move(*server);
  thread_ = std::thread([this] { io_.run(); });
}

void RunningServer::end_streams(const Problem& problem) {
  boost::asio::post(io_, [this, problem] { server_->end_streams(problem); });
}

bool RunningServer::is_reachable() {
  std::promise<bool> answer;
  boost::asio::post(io_, [&] { answer.set_value(server_->is_reachable()); });
  return answer.get_future().get();
}

Result<> RunningServer::move_to(const std::string& path) {
  std::promise<Result<>> answer;
  boost::asio::post(io_, [&] { answer.set_value(server_->move_to(path)); });
  return answer.get_future().get();
}

void RunningServer::stop() {
  if (!thread_.joinable()) return;
  io_.stop();
  thread_.join();
  server_.reset();
  io_.restart();
  io_.poll();  // what the server's end has cancelled
}

RawSocket::RawSocket(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  REQUIRE(fd_ >= 0);
  const sockaddr_un address = address_of(path);
  REQUIRE(::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  const timeval limit{.tv_sec = 30, .tv_usec = 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

RawSocket::~RawSocket() { close(); }

void RawSocket::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

bool RawSocket::send(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

std::string RawSocket::read_until(std::string_view end) const {
  std::array<char, 16384> piece;
  while (end.empty() || received_.find(end) == received_.npos) {
    const ssize_t bytes = ::recv(fd_, piece.data(), piece.size(), 0);
    if (bytes < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return "TIMED OUT after: " + received_;
    if (bytes <= 0) return std::exchange(received_, {});
    received_.append(piece.data(), static_cast<std::size_t>(bytes));
  }
  const std::size_t length = received_.find(end) + end.size();
  std::string text = received_.substr(0, length);
  received_.erase(0, length);
  return text;
}

std::string ask(const std::string& socket, std::string_view method, std::string_view target, std::string_view body,
                std::string_view headers) {
  const RawSocket raw(socket);
  raw.send(fmt::format("{} {} HTTP/1.1\r\nHost: baton\r\nConnection: close\r\n{}", method, target, headers));
  if (!body.empty()) raw.send(fmt::format("Content-Length: {}\r\n", body.size()));
  raw.send("\r\n");
  raw.send(body);
  return raw.read_to_end();
}

int status_of_answer(std::string_view answer) {
  if (!answer.starts_with("HTTP/1.1 ") || answer.size() < 12) return -1;
  return std::atoi(std::string(answer.substr(9, 3)).c_str());
}

std::string body_of_answer(std::string_view answer) {
  const std::size_t end = answer.find("\r\n\r\n");
  return end == answer.npos ? std::string() : std::string(answer.substr(end + 4));
}

RawListener::RawListener(const std::string& path, int connections, std::function<void(RawSocket)> serve)
    : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const sockaddr_un address = address_of(path);
  REQUIRE(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(fd_, 16) == 0);
  thread_ = std::thread([this, connections, serve = std::move(serve)] {
    for (int i = 0; i < connections; ++i) {
      const int fd = ::accept(fd_, nullptr, nullptr);
      if (fd < 0) return;
      serve(RawSocket(fd));
    }
  });
}

RawListener::~RawListener() {
  ::shutdown(fd_, SHUT_RDWR);  // wakes accept()
  thread_.join();
  ::close(fd_);
}

void allow_descriptors(std::size_t count) {
  rlimit limit{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, std::max<rlim_t>(limit.rlim_cur, count));
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
  REQUIRE(limit.rlim_cur >= count);
}

}  // namespace baton::api::test
