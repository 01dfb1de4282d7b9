// Bytes on a connection: HTTP/1.1 as the server reads it, request after request, until the client has said all.
#include <sys/socket.h>
#include <baton/base/limits.hpp>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/write.hpp>

#include "../../../lib/api/src/session.hpp"
#include "../../unit/api/fake_backend.hpp"
#include "../target.hpp"

namespace baton::fuzz {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

// The client's end: sends everything, says that this was all, and reads what comes.
class Client {
 public:
  Client(asio::io_context& io, int fd, std::string_view bytes)
      : socket_(io, asio::local::stream_protocol(), fd), bytes_(bytes) {}

  void start() {
    asio::async_write(socket_, asio::buffer(bytes_), [this](error_code, std::size_t) {
      error_code ignored;
      socket_.shutdown(api::Socket::shutdown_send, ignored);
    });
    read();
  }
  [[nodiscard]] const std::string& answer() const { return answer_; }

 private:
  void read() {
    socket_.async_read_some(asio::buffer(piece_), [this](error_code error, std::size_t bytes) {
      answer_.append(piece_.data(), bytes);
      if (!error) return read();
      error_code ignored;
      socket_.close(ignored);
    });
  }

  api::Socket socket_;
  std::string bytes_;
  std::array<char, 16 << 10> piece_;
  std::string answer_;
};

}  // namespace

void http_connection(std::string_view input) {
  asio::io_context io;
  api::test::FakeBackend backend(io);
  auto hub = std::make_shared<api::Hub>();
  hub->backend = &backend;
  std::array<int, 2> ends{};
  holds(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0, "a socket pair");
  api::make_session(api::Socket(io, asio::local::stream_protocol(), ends[0]), hub, api::Grants::all())->serve();
  Client client(io, ends[1], input);
  client.start();
  io.run();
  holds(hub->sessions.empty(), "the connection has ended");
  holds(hub->body_bytes == 0, "and holds no memory");
  holds(client.answer().empty() || client.answer().starts_with("HTTP/1.1 "), "what it said is HTTP");
  holds(backend.streams.value() == 0, "no stream is left");
}

}  // namespace baton::fuzz
