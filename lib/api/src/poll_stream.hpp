// A connected Unix socket that blocks until a deadline at most. Beast reads and writes through it.
#pragma once
#include <sys/uio.h>
#include <baton/base/result.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "socket_file.hpp"

namespace baton::api {

class PollStream {
 public:
  using Clock = std::chrono::steady_clock;

  // unavailable if nobody listens at `path` or nobody accepts until the deadline; denied if the file is somebody
  // else's.
  static Result<PollStream> connect(const std::string& path, Clock::time_point deadline);

  // nullopt: wait for ever. Beyond it operations end with timed_out.
  void set_deadline(std::optional<Clock::time_point> deadline) { deadline_ = deadline; }
  // `say` is called once, with the listener's pid, if an operation still waits at that time; null: never.
  void on_slow(Clock::time_point at, std::function<void(std::int64_t pid)> say) {
    slow_at_ = at;
    say_slow_ = std::move(say);
  }
  // Operations end with operation_canceled once this descriptor is readable; -1: none.
  void set_interrupt(int fd) { interrupt_fd_ = fd; }
  // Has the other side closed, or sent something nobody asked for?
  [[nodiscard]] bool is_stale() const;

  template <class Buffers>
  std::size_t read_some(const Buffers& buffers, boost::system::error_code& error) {
    for (auto it = boost::asio::buffer_sequence_begin(buffers); it != boost::asio::buffer_sequence_end(buffers); ++it) {
      const boost::asio::mutable_buffer buffer(*it);
      if (buffer.size() > 0) return read(buffer.data(), buffer.size(), error);
    }
    error = {};
    return 0;
  }
  template <class Buffers>
  std::size_t write_some(const Buffers& buffers, boost::system::error_code& error) {
    constexpr int kParts = 16;
    iovec parts[kParts];
    int count = 0;
    for (auto it = boost::asio::buffer_sequence_begin(buffers);
         it != boost::asio::buffer_sequence_end(buffers) && count < kParts; ++it) {
      const boost::asio::const_buffer buffer(*it);
      if (buffer.size() > 0) parts[count++] = {const_cast<void*>(buffer.data()), buffer.size()};
    }
    return write(parts, count, error);
  }
  // What Beast's concepts ask for besides.
  template <class Buffers>
  std::size_t read_some(const Buffers& buffers) {
    boost::system::error_code error;
    const std::size_t bytes = read_some(buffers, error);
    if (error) throw boost::system::system_error(error);
    return bytes;
  }
  template <class Buffers>
  std::size_t write_some(const Buffers& buffers) {
    boost::system::error_code error;
    const std::size_t bytes = write_some(buffers, error);
    if (error) throw boost::system::system_error(error);
    return bytes;
  }

 private:
  explicit PollStream(Descriptor socket) : socket_(std::move(socket)) {}
  std::size_t read(void* data, std::size_t size, boost::system::error_code& error);
  std::size_t write(iovec* parts, int count, boost::system::error_code& error);
  bool wait(short events, boost::system::error_code& error);
  bool tell_slow();  // true: it was told now

  Descriptor socket_;
  std::optional<Clock::time_point> deadline_;
  int interrupt_fd_ = -1;
  Clock::time_point slow_at_;
  std::function<void(std::int64_t)> say_slow_;
};

}  // namespace baton::api
