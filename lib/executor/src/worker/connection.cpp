#include "worker/connection.hpp"

#include <baton/base/text.hpp>

#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <utility>

namespace baton::executor {
namespace {

// Of several lines the last says why a program gave up.
std::string last_line(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  text.remove_prefix(text.rfind('\n') + 1);
  constexpr std::string_view kName = "baton-worker: ";
  if (text.starts_with(kName)) text.remove_prefix(kName.size());
  return escape_control(text);
}

}  // namespace

Connection::Connection(boost::asio::io_context& io, const LinkEnd& end, Duration stall_timeout, Handlers handlers)
    : io_(io),
      stream_(io, end.fd),
      errors_(io),
      handlers_(std::move(handlers)),
      stall_timeout_(stall_timeout),
      stall_timer_(io) {
  if (end.errors >= 0) errors_.assign(end.errors);
}

bool Connection::send(const wire::ToWorker& message) {
  if (closed_) return true;
  if (!wire::append_frame(waiting_, message)) return false;
  if (unsent() > kOutputBytes && !watching_) watch_progress();
  if (writing_ || write_planned_) return true;
  write_planned_ = true;
  boost::asio::post(io_, [self = shared_from_this()] {
    self->write_planned_ = false;
    self->write();
  });
  return true;
}

void Connection::write() {
  if (closed_ || writing_) return;
  if (left_ == leaving_.size()) {
    leaving_ = std::exchange(waiting_, {});
    left_ = 0;
  }
  if (leaving_.empty()) return;
  writing_ = true;
  stream_.async_write_some(boost::asio::buffer(leaving_) + left_,
                           [self = shared_from_this()](const boost::system::error_code& error, std::size_t bytes) {
                             self->writing_ = false;
                             if (self->closed_) return;
                             if (error) return self->end_with({ErrorCode::unavailable, error.message()});
                             self->left_ += bytes;
                             self->written_ += bytes;
                             self->progressed_ = true;
                             self->write();
                           });
}

// How much waits says nothing alone: a turn of the loop may have a lot to say, and nothing leaves within it.
void Connection::watch_progress() {
  watching_ = true;
  progressed_ = false;
  stall_timer_.expires_after(stall_timeout_);
  stall_timer_.async_wait([self = shared_from_this()](const boost::system::error_code& cancelled) {
    self->watching_ = false;
    if (cancelled || self->closed_) return;
    if (self->unsent() <= kOutputBytes) return;
    if (self->progressed_) return self->watch_progress();
    self->fail_with({ErrorCode::limit, "the worker session does not read what it is sent"});
  });
}

void Connection::pause(bool paused) {
  paused_ = paused;
  if (paused_) return;
  read();
  if (errors_.is_open() && !hearing_) await_words();
}

// Read at all times, so that the program never has to wait.
void Connection::await_words() {
  hearing_ = true;
  errors_.async_wait(boost::asio::posix::descriptor_base::wait_read,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       if (error || self->closed_) return;
                       if (self->hear()) self->await_words();
                     });
}

// Takes what there is; false: there will be no more.
bool Connection::hear() {
  std::array<char, kSaidBytes> words;
  ssize_t got = 0;
  while ((got = ::read(errors_.native_handle(), words.data(), words.size())) > 0) {
    said_.append(words.data(), static_cast<std::size_t>(got));
    if (said_.size() > kSaidBytes) said_.erase(0, said_.size() - kSaidBytes);
  }
  return got < 0 && (errno == EAGAIN || errno == EINTR);
}

// The stream has ended by itself: the program knows why.
void Connection::end_with(Error error) {
  if (errors_.is_open()) hear();
  if (std::string why = last_line(said_); !why.empty()) error.message = std::move(why);
  fail_with(std::move(error));
}

void Connection::read() {
  if (closed_ || paused_ || reading_) return;
  reading_ = true;
  stream_.async_read_some(boost::asio::buffer(input_),
                          [self = shared_from_this()](const boost::system::error_code& error, std::size_t bytes) {
                            self->reading_ = false;
                            if (self->closed_) return;
                            if (error == boost::asio::error::eof) {
                              return self->end_with({ErrorCode::unavailable, "the worker session ended"});
                            }
                            if (error) return self->end_with({ErrorCode::unavailable, error.message()});
                            self->on_read(bytes);
                          });
}

void Connection::on_read(std::size_t bytes) {
  received_ += bytes;
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
  if (!messages.empty()) said_.clear();  // what came before is not why it ends
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
  errors_.close(ignored);
  stall_timer_.cancel();
}

}  // namespace baton::executor
