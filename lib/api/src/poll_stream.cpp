#include "poll_stream.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <cerrno>
#include <climits>

namespace baton::api {
namespace {

namespace errc = boost::system::errc;
using boost::system::error_code;

error_code last_error() { return {errno, boost::system::system_category()}; }

}  // namespace

Result<PollStream> PollStream::connect(const std::string& path, Clock::time_point deadline) {
  sockaddr_un address{};
  if (auto filled = fill_address(path, address); !filled) return std::unexpected(filled.error());
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) return fail_errno(errno, "socket");
  // On a Unix socket the time to send is also the time that connect() waits for a place in the listener's queue.
  const auto left = std::chrono::duration_cast<std::chrono::microseconds>(deadline - Clock::now());
  const auto wait = std::max(left, std::chrono::microseconds(1000)).count();
  const timeval limit{.tv_sec = wait / 1'000'000, .tv_usec = wait % 1'000'000};
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0)
    return fail_errno(errno, "socket");
  int connected = 0;
  do {
    connected = ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  } while (connected != 0 && errno == EINTR && Clock::now() < deadline);
  if (connected == 0) return PollStream(std::move(socket));
  switch (errno) {
    case ENOENT:
    case ENOTDIR:
      return fail(ErrorCode::unavailable, "no daemon answers on {}: there is no such socket", path);
    case ECONNREFUSED:
      return fail(ErrorCode::unavailable, "no daemon answers on {}: nobody listens there", path);
    case EINTR:
    case EAGAIN:
      return fail(ErrorCode::unavailable, "no daemon answers on {}: it does not accept connections", path);
    case EACCES:
    case EPERM:
      return fail(ErrorCode::denied, "the daemon on {} belongs to another user", path);
    default:
      return fail_errno(errno, path);
  }
}

bool PollStream::is_stale() const {
  pollfd entry{.fd = socket_.get(), .events = POLLIN, .revents = 0};
  return ::poll(&entry, 1, 0) != 0;
}

bool PollStream::tell_slow() {
  if (!say_slow_ || Clock::now() < slow_at_ || (deadline_ && *deadline_ <= slow_at_)) return false;
  ucred peer{};
  socklen_t size = sizeof peer;
  const bool known = ::getsockopt(socket_.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
  std::exchange(say_slow_, nullptr)(known ? peer.pid : 0);
  return true;
}

// True when the socket is ready; false with an error when it is not going to be.
bool PollStream::wait(short events, error_code& error) {
  for (;;) {
    int milliseconds = -1;
    std::optional<Clock::time_point> until = deadline_;
    if (say_slow_) until = std::min(until.value_or(slow_at_), slow_at_);
    if (until) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(*until - Clock::now()).count();
      milliseconds = static_cast<int>(std::clamp<decltype(left)>(left, 0, INT_MAX));
    }
    pollfd entries[2] = {{.fd = socket_.get(), .events = events, .revents = 0},
                         {.fd = interrupt_fd_, .events = POLLIN, .revents = 0}};  // poll() passes over -1
    const int ready = ::poll(entries, 2, milliseconds);
    if ((ready < 0 && errno == EINTR) || (ready == 0 && tell_slow())) continue;
    if (ready < 0) {
      error = last_error();
    } else if (entries[1].revents != 0) {
      error = make_error_code(errc::operation_canceled);
    } else if (ready == 0) {
      error = make_error_code(errc::timed_out);
    } else {
      return true;
    }
    return false;
  }
}

std::size_t PollStream::read(void* data, std::size_t size, error_code& error) {
  for (;;) {
    if (!wait(POLLIN, error)) return 0;
    const ssize_t bytes = ::recv(socket_.get(), data, size, MSG_DONTWAIT);
    if (bytes < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    error = bytes > 0 ? error_code() : bytes == 0 ? error_code(boost::asio::error::eof) : last_error();
    return bytes > 0 ? static_cast<std::size_t>(bytes) : 0;
  }
}

std::size_t PollStream::write(iovec* parts, int count, error_code& error) {
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = static_cast<std::size_t>(count);
  for (;;) {
    if (!wait(POLLOUT, error)) return 0;
    const ssize_t bytes = ::sendmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (bytes < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    error = bytes >= 0 ? error_code() : last_error();
    return bytes >= 0 ? static_cast<std::size_t>(bytes) : 0;
  }
}

}  // namespace baton::api
