#include "connection.hpp"

#include <baton/base/limits.hpp>

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <optional>
#include <span>

#include "poll_stream.hpp"
#include "problem.hpp"

namespace baton::api {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
namespace errc = boost::system::errc;

constexpr std::uint64_t kAnswerBytes = 1u << 30;  // of an answer that is kept in memory
// What we sent comes back a little deeper inside the daemon's own objects.
constexpr std::size_t kAnswerDepth = limits::kJsonDepth + 16;

std::unexpected<Problem> problem(ErrorCode code, std::string message) {
  return std::unexpected(Problem{{code, std::move(message)}, {}});
}

http::request<http::string_body> make_request(const Call& call) {
  http::request<http::string_body> request(call.method == "GET" ? http::verb::get : http::verb::post,
                                           call.target.text(), 11);
  request.set(http::field::host, "baton");
  request.set(http::field::accept, "application/json, application/x-ndjson, application/octet-stream");
  if (!call.idempotency_key.empty()) request.set("Idempotency-Key", call.idempotency_key);
  if (!call.body.empty()) {
    request.set(http::field::content_type, "application/json");
    request.body() = call.body;
  }
  request.prepare_payload();
  return request;
}

// A header value cannot hold line breaks; the server says more about the rest.
bool fits_header(std::string_view text) { return text.find_first_of("\r\n") == text.npos; }

}  // namespace

class Client::Connection::Http {
 public:
  explicit Http(PollStream stream) : stream_(std::move(stream)) {}

  [[nodiscard]] bool is_stale() const { return stream_.is_stale(); }
  void set_deadline(std::optional<PollStream::Clock::time_point> deadline) { stream_.set_deadline(deadline); }
  void set_interrupt(int fd) { stream_.set_interrupt(fd); }
  void on_slow(PollStream::Clock::time_point at, std::function<void(std::int64_t)> say) {
    stream_.on_slow(at, std::move(say));
  }

  // Sends the request and reads the answer's header.
  error_code begin(const Call& call);
  // Reads some bytes of the body; 0 without an error: it has ended.
  std::size_t read_some(std::span<char> into, error_code& error);
  error_code read_all(std::string& text);
  // The body is a stream: it is handed on as it comes and may be of any length.
  void allow_any_length() { parser_->body_limit(boost::none); }

  [[nodiscard]] unsigned status() const { return parser_->get().result_int(); }
  [[nodiscard]] bool answered() const { return parser_->got_some(); }  // with one byte at least
  [[nodiscard]] bool reusable() const { return parser_->is_done() && parser_->keep_alive(); }

 private:
  PollStream stream_;
  beast::flat_buffer buffer_;
  std::optional<http::response_parser<http::buffer_body>> parser_;
};

error_code Client::Connection::Http::begin(const Call& call) {
  parser_.emplace();
  parser_->body_limit(kAnswerBytes);
  const auto request = make_request(call);
  error_code error;
  http::write(stream_, request, error);
  // Who turns a request away need not read all of it: then the answer is there although the writing failed.
  if (error && error != errc::broken_pipe && error != errc::connection_reset) return error;
  http::read_header(stream_, buffer_, *parser_, error);
  return error;
}

std::size_t Client::Connection::Http::read_some(std::span<char> into, error_code& error) {
  while (!parser_->is_done()) {
    auto& body = parser_->get().body();
    body.data = into.data();
    body.size = into.size();
    http::read_some(stream_, buffer_, *parser_, error);
    if (error == http::error::need_buffer) error = {};
    const std::size_t bytes = into.size() - body.size;
    if (error || bytes > 0) return bytes;
  }
  error = {};
  return 0;
}

error_code Client::Connection::Http::read_all(std::string& text) {
  std::array<char, 32 << 10> piece;
  for (;;) {
    error_code error;
    const std::size_t bytes = read_some(piece, error);
    text.append(piece.data(), bytes);
    if (error || bytes == 0) return error;
  }
}

Client::Connection::Connection(std::string socket_path) : path_(std::move(socket_path)) {}
Client::Connection::~Connection() = default;

Problem Client::Connection::lost(error_code error) const {
  std::string message;
  if (error == errc::timed_out) {
    message = fmt::format("the daemon on {} did not answer within {}", path_, format_duration(timeout_));
  } else if (error == http::error::end_of_stream || error == http::error::partial_message ||
             error == errc::connection_reset || error == errc::broken_pipe) {
    message = fmt::format("the daemon on {} ended the connection before its answer was complete", path_);
  } else {
    message = fmt::format("no daemon answers on {}: {}", path_, error.message());
  }
  return {{ErrorCode::unavailable, std::move(message)}, {}};
}

Problem Client::Connection::not_understood(const std::exception& exception) const {
  constexpr std::string_view kWhat = "answered in a way this program does not understand; is it of another version?";
  return {{ErrorCode::internal, fmt::format("the daemon on {} {} ({})", path_, kWhat, exception.what())}, {}};
}

Answer<bool> Client::Connection::begin(const Call& call, int interrupt_fd) {
  if (call.body.size() > limits::kHttpBodyBytes) {
    return problem(ErrorCode::limit, fmt::format("the request has {} bytes, at most {} are allowed", call.body.size(),
                                                 limits::kHttpBodyBytes));
  }
  if (!fits_header(call.idempotency_key))
    return problem(ErrorCode::invalid_argument, "the request key has line breaks");
  for (;;) {
    const auto deadline = PollStream::Clock::now() + timeout_;
    if (http_ && http_->is_stale()) http_.reset();
    const bool reused = http_ != nullptr;
    if (!reused) {
      auto stream = PollStream::connect(path_, deadline);
      if (!stream) return std::unexpected(Problem{stream.error(), {}});
      http_ = std::make_unique<Http>(std::move(*stream));
    }
    http_->set_deadline(deadline);
    http_->set_interrupt(interrupt_fd);
    if (say_slow_) {
      http_->on_slow(PollStream::Clock::now() + patience_, [this](std::int64_t pid) {
        if (const auto say = std::exchange(say_slow_, nullptr)) say(pid);
      });
    }
    const error_code error = http_->begin(call);
    if (!error) return true;
    // An idle connection may end just as it is used again. Only what changes nothing may be asked twice.
    const bool again = reused && !http_->answered() && call.method == "GET" && error != errc::timed_out;
    http_.reset();
    if (error == errc::operation_canceled) return false;
    if (!again) return std::unexpected(lost(error));
  }
}

Answer<nlohmann::json> Client::Connection::finish() {
  const unsigned status = http_->status();
  std::string body;
  const error_code error = http_->read_all(body);
  if (error || !http_->reusable()) http_.reset();
  if (error) return std::unexpected(lost(error));
  if (status < 200 || status > 299) return std::unexpected(parse_problem(body, status));
  auto json = parse_json(body, kAnswerDepth);
  if (!json) return problem(ErrorCode::internal, fmt::format("the daemon on {}: {}", path_, json.error().message));
  return std::move(*json);
}

Answer<nlohmann::json> Client::Connection::call(const Call& call) try {
  if (auto begun = begin(call, -1); !begun) return std::unexpected(std::move(begun.error()));
  return finish();
} catch (const std::exception& exception) {
  http_.reset();
  return std::unexpected(not_understood(exception));
}

Answer<void> Client::Connection::stream(const Call& call, const std::function<bool(std::string_view)>& on_bytes,
                                        int interrupt_fd) {
  auto begun = begin(call, interrupt_fd);
  if (!begun) return std::unexpected(std::move(begun.error()));
  if (!*begun) return {};
  if (http_->status() != 200) {
    auto answer = finish();
    if (!answer) return std::unexpected(std::move(answer.error()));
    return problem(ErrorCode::internal, fmt::format("the daemon on {} did not answer with a stream", path_));
  }
  // Whoever consumes may ask this client for something else meanwhile, or throw: the connection is this stream's own.
  const std::unique_ptr<Http> http = std::move(http_);
  http->allow_any_length();
  http->set_deadline(std::nullopt);
  http->on_slow({}, nullptr);
  std::array<char, 32 << 10> piece;
  for (;;) {
    error_code error;
    const std::size_t bytes = http->read_some(piece, error);
    if (bytes > 0 && !on_bytes({piece.data(), bytes})) return {};
    if (error == errc::operation_canceled) return {};
    if (error) return std::unexpected(lost(error));
    if (bytes == 0) break;
  }
  return {};
}

}  // namespace baton::api
