// The Stream that is a descriptor of this process.
#pragma once
#include "worker/link_ports.hpp"

#include <baton/wire/frame.hpp>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace baton::executor {

// If more than this waits and none of it leaves for a while, the session does not read any more: the link is given up.
inline constexpr std::size_t kOutputBytes = 64u << 20;
// So much is kept of what a link's program says on stderr.
inline constexpr std::size_t kSaidBytes = 1u << 10;

class Connection final : public Stream, public std::enable_shared_from_this<Connection> {
 public:
  Connection(boost::asio::io_context& io, const LinkEnd& end, Duration stall_timeout, Handlers handlers);

  // Many messages of one turn of the loop leave in one write.
  bool send(const wire::ToWorker& message) override;
  void pause(bool paused) override;
  void close() override;
  [[nodiscard]] Traffic traffic() const override { return {received_, written_, unsent()}; }

 private:
  void read();
  void on_read(std::size_t bytes);
  void write();
  void watch_progress();
  [[nodiscard]] std::size_t unsent() const { return waiting_.size() + leaving_.size() - left_; }
  void await_words();
  bool hear();
  void end_with(Error error);
  void fail_with(Error error);

  boost::asio::io_context& io_;
  boost::asio::posix::stream_descriptor stream_;
  boost::asio::posix::stream_descriptor errors_;
  std::string said_;  // the end of what the process behind the stream has said
  Handlers handlers_;
  wire::FrameReader<wire::ToDaemon> reader_;
  std::array<char, 64u << 10> input_;
  std::string waiting_;   // frames that the write under way does not carry
  std::string leaving_;   // what is being written
  std::size_t left_ = 0;  // of it
  std::uint64_t received_ = 0, written_ = 0;
  const Duration stall_timeout_;
  boost::asio::steady_timer stall_timer_;
  bool progressed_ = false;  // since stall_timer_ was armed
  bool watching_ = false;
  bool write_planned_ = false;
  bool writing_ = false;
  bool reading_ = false;
  bool paused_ = false;
  bool hearing_ = false;
  bool closed_ = false;
};

}  // namespace baton::executor
