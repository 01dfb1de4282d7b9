#include "worker/connection.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <utility>

namespace baton::executor {

Connection::Connection(boost::asio::io_context& io, int fd, Handlers handlers)
    : io_(io), stream_(io, fd), handlers_(std::move(handlers)) {}

void Connection::send(const wire::ToWorker& message) {
  if (closed_) return;
  wire::append_frame(waiting_, message);
  if (waiting_.size() > kOutputBytes) {
    // Not from inside the caller's call.
    boost::asio::post(io_, [self = shared_from_this()] {
      self->fail_with({ErrorCode::limit, "the worker session does not read what it is sent"});
    });
    return;
  }
  if (writing_ || write_planned_) return;
  write_planned_ = true;
  boost::asio::post(io_, [self = shared_from_this()] {
    self->write_planned_ = false;
    self->write();
  });
}

void Connection::write() {
  if (closed_ || writing_ || waiting_.empty()) return;
  leaving_.clear();
  leaving_.swap(waiting_);
  writing_ = true;
  boost::asio::async_write(stream_, boost::asio::buffer(leaving_),
                           [self = shared_from_this()](const boost::system::error_code& error, std::size_t) {
                             self->writing_ = false;
                             if (self->closed_) return;
                             if (error) return self->fail_with({ErrorCode::unavailable, error.message()});
                             self->write();
                           });
}

void Connection::pause(bool paused) {
  paused_ = paused;
  if (!paused_) read();
}

void Connection::read() {
  if (closed_ || paused_ || reading_) return;
  reading_ = true;
  stream_.async_read_some(boost::asio::buffer(input_),
                          [self = shared_from_this()](const boost::system::error_code& error, std::size_t bytes) {
                            self->reading_ = false;
                            if (self->closed_) return;
                            if (error == boost::asio::error::eof) {
                              return self->fail_with({ErrorCode::unavailable, "the worker session ended"});
                            }
                            if (error) return self->fail_with({ErrorCode::unavailable, error.message()});
                            self->on_read(bytes);
                          });
}

void Connection::on_read(std::size_t bytes) {
  reader_.feed({input_.data(), bytes});
  std::vector<wire::ToDaemon> messages;
  std::optional<Error> error;
  while (true) {
    Result<std::optional<wire::ToDaemon>> message = reader_.next();
    if (!message) {
      error = std::move(message.error());
      break;
    }
    if (!*message) break;
    messages.push_back(std::move(**message));
  }
  if (!messages.empty()) handlers_.messages(std::move(messages));
  if (closed_) return;
  if (error) return fail_with(std::move(*error));
  read();
}

void Connection::fail_with(Error error) {
  if (closed_) return;
  close();
  if (handlers_.closed) handlers_.closed(std::move(error));
}

void Connection::close() {
  if (closed_) return;
  closed_ = true;
  boost::system::error_code ignored;
  stream_.close(ignored);
}

}  // namespace baton::executor
