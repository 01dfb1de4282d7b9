// The other end of a link, in the test's own hands: takes what the daemon sends, says what the test wants.
#pragma once
#include <baton/executor/worker_executor.hpp>
#include <baton/wire/frame.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/write.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "catch.hpp"

namespace baton::executor {

// One accepted dial. A read under way keeps it, so that it may be let go of at any time.
class FakeSession : public std::enable_shared_from_this<FakeSession> {
 public:
  FakeSession(boost::asio::io_context& io, int fd) : stream_(io, fd) {}

  void read() {
    stream_.async_read_some(boost::asio::buffer(input_),
                            [self = shared_from_this()](const boost::system::error_code& error, std::size_t n) {
                              if (!error) return self->take(n);
                              self->closed = error != boost::asio::error::operation_aborted;
                            });
  }

  template <class T>
  [[nodiscard]] std::vector<T> got() const {
    std::vector<T> found;
    for (const wire::ToWorker& message : messages) {
      if (const auto* match = std::get_if<T>(&message)) found.push_back(*match);
    }
    return found;
  }

  void say(const std::vector<wire::ToDaemon>& all) {
    std::string bytes;
    for (const wire::ToDaemon& message : all) REQUIRE(wire::append_frame(bytes, message));
    say_bytes(bytes);
  }
  void say_bytes(const std::string& bytes) { boost::asio::write(stream_, boost::asio::buffer(bytes)); }
  void hang_up() { stream_.close(); }

  std::vector<wire::ToWorker> messages;
  bool closed = false;  // by the daemon
  bool deaf = false;    // reads no more, but for what it waits for already

 private:
  void take(std::size_t size) {
    reader_.feed({input_.data(), size});
    while (true) {
      auto message = reader_.next();
      if (!message || !*message) break;
      messages.push_back(std::move(**message));
    }
    if (!deaf) read();
  }

  boost::asio::posix::stream_descriptor stream_;
  std::array<char, 64u << 10> input_;
  wire::FrameReader<wire::ToWorker> reader_;
};

class FakeWorker {
 public:
  explicit FakeWorker(boost::asio::io_context& io) : io_(io) {}

  Dial dial() {
    return [this]() -> Result<LinkEnd> {
      ++dials;
      if (refuse) return fail(ErrorCode::unavailable, "no route to host");
      int ends[2];
      if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return fail_errno(errno, "socketpair");
      sessions.push_back(std::make_shared<FakeSession>(io_, ends[1]));
      session().read();
      return LinkEnd{.fd = ends[0], .pid = -1};
    };
  }
  FakeSession& session() { return *sessions.back(); }

  int dials = 0;
  bool refuse = false;
  std::vector<std::shared_ptr<FakeSession>> sessions;

 private:
  boost::asio::io_context& io_;
};

}  // namespace baton::executor
