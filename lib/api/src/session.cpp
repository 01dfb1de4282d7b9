#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>

#include "http_session.hpp"
#include "uri.hpp"

namespace baton::api {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;

// Assigning an empty string would keep the room that it takes.
void free_text(std::string& text) { std::string().swap(text); }

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

// Carries the answer back; a handler or backend that forgets to answer is a defect that the client hears of.
class HttpSession::Exchange final : public Responder {
 public:
  explicit Exchange(std::shared_ptr<HttpSession> session) : session_(std::move(session)) {}
  ~Exchange() override {
    if (!session_ || session_->closed_) return;
    try {
      session_->send(
          problem_document({{ErrorCode::internal, "the daemon dropped the request without an answer"}, {}}, 500));
    } catch (const std::exception&) {
      session_->close();
    }
  }
  void send(Document document) override {
    if (auto session = std::exchange(session_, nullptr)) session->send(std::move(document));
  }
  void send(Stream stream) override {
    if (auto session = std::exchange(session_, nullptr)) session->send(std::move(stream));
  }

 private:
  std::shared_ptr<HttpSession> session_;  // null: answered
};

// Deadlines

void HttpSession::enter(Phase phase, std::optional<Duration> limit) {
  phase_ = phase;
  if (!limit) {
    timer_.cancel();
    return;
  }
  timer_.expires_after(*limit);
  timer_.async_wait(step([this](error_code error) {
    // A wait whose timer was set anew may have been on its way already.
    if (!error && timer_.expiry() <= asio::steady_timer::clock_type::now()) on_deadline();
  }));
}

void HttpSession::on_deadline() {
  switch (phase_) {
    case Phase::header:
    case Phase::body: {
      timed_out_ = true;
      error_code ignored;
      socket_.cancel(ignored);
      // Bytes that came in this very moment let the read go on; then this is not its last deadline.
      return enter(phase_, std::chrono::seconds(1));
    }
    case Phase::idle:
    case Phase::writing:
    case Phase::lingering:
      return close();
    case Phase::answering:
    case Phase::streaming:
      return;  // has no deadline
  }
}

void HttpSession::close() {
  if (closed_) return;
  closed_ = true;
  timer_.cancel();
  error_code ignored;
  socket_.close(ignored);
  release_body();
  if (in_source_) {
    drop_source();
  } else {
    source_.reset();
  }
}

// Reading a request

void HttpSession::await_request() {
  if (buffer_.size() > 0) return read_header();  // sent ahead of our answer
  enter(Phase::idle, hub_->timeouts.idle);
  socket_.async_wait(Socket::wait_read, step([this](error_code error) {
                       if (error) return close();
                       read_header();
                     }));
}

void HttpSession::read_header() {
  enter(Phase::header, hub_->timeouts.header);
  timed_out_ = false;
  parser_.emplace();
  parser_->header_limit(limits::kHttpHeaderBytes);
  parser_->body_limit(limits::kHttpBodyBytes);
  http::async_read_header(socket_, buffer_, *parser_, step([this](error_code error, std::size_t) {
                            if (error) return on_read_error(error);
                            on_header();
                          }));
}

void HttpSession::on_read_error(error_code error) {
  if (timed_out_) {
    if (!parser_->got_some()) return close();
    return refuse(ErrorCode::invalid_argument, 408, "the request did not arrive in time");
  }
  if (error == http::error::end_of_stream || error == http::error::partial_message) return close();
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return refuse(ErrorCode::limit, 431, fmt::format("a request's header may have {} bytes", limits::kHttpHeaderBytes));
  }
  if (error == http::error::body_limit) {
    return refuse(ErrorCode::limit, 413, fmt::format("a request's body may have {} bytes", limits::kHttpBodyBytes));
  }
  if (error.category() == make_error_code(http::error::bad_method).category()) {
    return refuse(ErrorCode::invalid_argument, 400, fmt::format("not HTTP/1.1: {}", error.message()));
  }
  close();
}

void HttpSession::on_header() {
  const auto& head = parser_->get();
  const auto field = [&head](http::field name) { return std::string(head[name]); };
  const std::string method(head.method_string());
  keep_ = false;
  auto target = parse_target({head.target().data(), head.target().size()});
  if (!target) return refuse(ErrorCode::invalid_argument, 400, target.error().message);
  Match found = match(method, target->segments);
  if (!found.route && found.allow.empty()) return refuse(ErrorCode::not_found, 404, "the API has no such path");
  if (!found.route) {
    Document document = problem_document({{ErrorCode::invalid_argument, "the path has no such method"}, {}}, 405);
    document.allow = std::move(found.allow);
    return refuse(std::move(document));
  }
  if (!grants_.may(found.route->permission)) return refuse(ErrorCode::denied, 403, "this is not allowed to you");
  route_ = found.route;
  request_ = {.method = method,
              .captures = std::move(found.captures),
              .query = std::move(target->query),
              .accept = field(http::field::accept),
              .idempotency_key = std::string(head["Idempotency-Key"]),
              .last_event_id = std::string(head["Last-Event-ID"]),
              .body = {}};
  if (parser_->is_done()) return handle();
  if (!reserve_body()) {
    return refuse(ErrorCode::unavailable, 503, "too many requests are being received; try again");
  }
  if (beast::iequals(head[http::field::expect], "100-continue")) return send_continue();
  read_body();
}

bool HttpSession::reserve_body() {
  const auto length = parser_->content_length();
  const std::size_t bytes = length ? static_cast<std::size_t>(*length) : limits::kHttpBodyBytes;
  if (hub_->body_bytes + bytes > kBodiesInFlightBytes) return false;
  reserved_ = bytes;
  hub_->body_bytes += bytes;
  return true;
}

void HttpSession::send_continue() {
  enter(Phase::writing, hub_->timeouts.write);
  asio::async_write(socket_, asio::buffer(kContinue), step([this](error_code error, std::size_t) {
                      if (error) return close();
                      read_body();
                    }));
}

void HttpSession::read_body() {
  enter(Phase::body, hub_->timeouts.body);
  http::async_read(socket_, buffer_, *parser_, step([this](error_code error, std::size_t) {
                     if (error) return on_read_error(error);
                     handle();
                   }));
}

void HttpSession::handle() {
  enter(Phase::answering, std::nullopt);
  keep_ = parser_->keep_alive();
  request_.body = std::move(parser_->get().body());
  shrink_reservation(request_.body.size());
  const Reply reply(std::make_shared<Exchange>(std::static_pointer_cast<HttpSession>(shared_from_this())));
  reply.guarded([&] { route_->handle(request_, *hub_->backend, reply); });
  // What the handler wanted of it, it has taken; the reservation stays for that until the answer.
  request_.captures.clear();
  free_text(request_.body);
}

void HttpSession::shrink_reservation(std::size_t bytes) {
  if (bytes >= reserved_) return;
  hub_->body_bytes -= reserved_ - bytes;
  reserved_ = bytes;
}

// Answering

void HttpSession::refuse(Document document) {
  keep_ = false;
  send(std::move(document));
}

void HttpSession::send(Document document) {
  if (closed_) return;
  release_body();
  enter(Phase::writing, hub_->timeouts.write);
  response_ = {};
  response_.version(kHttp11);
  response_.result(document.status);
  response_.set(http::field::content_type, {document.content_type.data(), document.content_type.size()});
  if (!document.allow.empty()) response_.set(http::field::allow, document.allow);
  if (!document.location.empty()) response_.set(http::field::location, document.location);
  response_.keep_alive(keep_);
  const bool head = parser_ && parser_->get().method() == http::verb::head;
  if (!head) response_.body() = std::move(document.body);
  response_.prepare_payload();
  http::async_write(socket_, response_, step([this](error_code error, std::size_t) {
                      if (error) return close();
                      on_written();
                    }));
}

void HttpSession::on_written() {
  free_text(response_.body());
  if (keep_) {
    await_request();
  } else {
    linger();
  }
}

// Closing with unread bytes would reset the connection, and the client might lose our answer: let it close first.
void HttpSession::linger() {
  error_code ignored;
  socket_.shutdown(Socket::shutdown_send, ignored);
  enter(Phase::lingering, hub_->timeouts.linger);
  buffer_.clear();
  drain();
}

// Reads and forgets, until the client leaves: how a stream that waits for its next piece learns of that.
void HttpSession::drain() {
  if (draining_) return;
  draining_ = true;
  socket_.async_read_some(asio::buffer(discarded_), step([this](error_code error, std::size_t) {
                            draining_ = false;
                            if (error) return close();
                            drain();
                          }));
}

std::shared_ptr<Session> make_session(Socket socket, std::shared_ptr<Hub> hub, Grants grants) {
  return std::make_shared<HttpSession>(std::move(socket), std::move(hub), grants);
}

}  // namespace baton::api
