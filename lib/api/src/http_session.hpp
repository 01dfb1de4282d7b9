// HTTP/1.1 on one connection, by Beast. Included by session.cpp and session_streams.cpp alone: Beast is slow to
// compile.
#pragma once
#include <spdlog/spdlog.h>
#include <baton/base/limits.hpp>

#include <array>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <functional>
#include <optional>
#include <string>

#include "problem.hpp"
#include "session.hpp"

namespace baton::api {

inline constexpr unsigned kHttp11 = 11;

class HttpSession final : public Session {
 public:
  HttpSession(Socket socket, std::shared_ptr<Hub> hub, Grants grants)
      : socket_(std::move(socket)), timer_(socket_.get_executor()), hub_(std::move(hub)), grants_(grants) {
    hub_->sessions.insert(this);
  }
  ~HttpSession() override {
    release_body();
    hub_->sessions.erase(this);
  }

  void serve() override { read_header(); }
  void refuse(const Problem& problem, unsigned status) override { refuse(problem_document(problem, status)); }
  void close() override;
  void end_stream() override;

  // The answer to the request in hand.
  void send(Document document);
  void send(Stream stream);

 private:
  class Exchange;
  enum class Phase { idle, header, body, answering, writing, streaming, lingering };

  // Wraps a completion: keeps the session, does nothing once it is closed, lets no exception reach the event loop.
  template <class F>
  auto step(F f) {
    return [self = std::static_pointer_cast<HttpSession>(shared_from_this()), f = std::move(f)](auto&&... args) {
      if (self->closed_) return;
      try {
        f(std::forward<decltype(args)>(args)...);
      } catch (const std::exception& exception) {
        spdlog::error("api: a connection ends by an exception: {}", exception.what());
        self->close();
      }
    };
  }

  void enter(Phase phase, std::optional<Duration> limit);
  void on_deadline();

  void await_request();
  void read_header();
  void on_read_error(boost::system::error_code error);
  void on_header();
  bool reserve_body();
  void shrink_reservation(std::size_t bytes);
  void release_body() { hub_->body_bytes -= std::exchange(reserved_, 0); }
  void send_continue();
  void read_body();
  void handle();

  void refuse(Document document);
  void refuse(ErrorCode code, unsigned status, std::string message) {
    refuse(problem_document({{code, std::move(message)}, {}}, status));
  }
  void on_written();
  void begin_stream();
  void on_first_piece(Result<std::string> piece);
  void pull();
  void on_piece(Result<std::string> piece);
  template <class F>
  void write_piece(std::string piece, F then);
  void say_last_words();
  void finish_stream();
  void drop_source();
  void linger();
  void drain();

  Socket socket_;
  boost::asio::steady_timer timer_;
  std::shared_ptr<Hub> hub_;
  Grants grants_;
  Phase phase_ = Phase::idle;
  bool closed_ = false;
  bool timed_out_ = false;  // a read was cancelled by its deadline
  bool keep_ = false;       // the connection serves another request after this one
  bool draining_ = false;
  bool in_source_ = false;  // the source is calling us
  bool pulling_ = false;    // the source was asked for its next piece
  std::size_t reserved_ = 0;

  boost::beast::flat_buffer buffer_{limits::kHttpHeaderBytes + (64u << 10)};
  std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
  const Route* route_ = nullptr;
  Request request_;
  boost::beast::http::response<boost::beast::http::string_body> response_;
  std::optional<boost::beast::http::response<boost::beast::http::empty_body>> stream_head_;
  std::optional<boost::beast::http::response_serializer<boost::beast::http::empty_body>> stream_head_writer_;
  std::shared_ptr<ByteSource> source_;
  std::function<std::string(const Problem&)> last_words_;
  std::string piece_;
  std::array<char, 4096> discarded_;
};

}  // namespace baton::api
