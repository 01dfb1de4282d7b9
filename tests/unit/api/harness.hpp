// A running server, and sockets that speak to it, or to a client, byte by byte.
#pragma once
#include <baton/api/client.hpp>
#include <baton/api/server.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <thread>

#include "fake_backend.hpp"

namespace baton::api::test {

class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  [[nodiscard]] std::string file(std::string_view name) const { return path_ + '/' + std::string(name); }

 private:
  std::string path_;
};

// A server with a FakeBackend, its loop in a thread of its own.
class RunningServer {
 public:
  // `prepare` sets up backend and options before the server listens.
  using Prepare = std::function<void(FakeBackend&, ServerOptions&)>;
  explicit RunningServer(const Prepare& prepare = {});
  ~RunningServer() { stop(); }
  void stop();                               // ends loop and server
  void end_streams(const Problem& problem);  // as Server::end_streams; returns at once
  bool is_reachable();                       // as Server's, on its loop
  Result<> move_to(const std::string& path);

  [[nodiscard]] const std::string& socket() const { return options_.socket_path; }
  [[nodiscard]] Client client() const { return Client(options_.socket_path); }

 private:
  TempFolder folder_;
  boost::asio::io_context io_{1};

 public:
  FakeBackend backend{io_};

 private:
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{io_.get_executor()};
  ServerOptions options_;
  std::unique_ptr<Server> server_;
  std::thread thread_;
};

// One connection without any understanding of HTTP. Waits half a minute at most.
class RawSocket {
 public:
  explicit RawSocket(const std::string& path);  // connects
  explicit RawSocket(int fd) : fd_(fd) {}       // takes over
  RawSocket(RawSocket&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), received_(std::exchange(other.received_, {})) {}
  ~RawSocket();

  // False if the other side does not take it.
  bool send(std::string_view bytes) const;
  // Up to and with `end`, or everything if the connection ends before. What came after it is for the next read.
  [[nodiscard]] std::string read_until(std::string_view end) const;
  [[nodiscard]] std::string read_to_end() const { return read_until({}); }
  void close();
  [[nodiscard]] int fd() const { return fd_; }

 private:
  int fd_ = -1;
  mutable std::string received_;  // and not yet read
};

// Sends a request that ends the connection and returns the whole answer.
std::string ask(const std::string& socket, std::string_view method, std::string_view target, std::string_view body = {},
                std::string_view headers = {});
// "HTTP/1.1 404 Not Found…" → 404
int status_of_answer(std::string_view answer);
std::string body_of_answer(std::string_view answer);

// Listens on `path` and hands each connection to `serve` in a thread, `connections` times.
class RawListener {
 public:
  RawListener(const std::string& path, int connections, std::function<void(RawSocket)> serve);
  ~RawListener();

 private:
  int fd_;
  std::thread thread_;
};

// Room for more than a thousand connections and their other ends.
void allow_descriptors(std::size_t count);

}  // namespace baton::api::test
