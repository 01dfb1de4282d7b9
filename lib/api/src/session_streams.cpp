// An answer that is pulled piece by piece: no faster than the client reads it.
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>

#include "http_session.hpp"
#include "problem.hpp"

namespace baton::api {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

// HTTP/1.0 knows no chunks: such a stream ends with its connection, as does every stream that was watched.
void HttpSession::send(Stream stream) {
  if (closed_) return;
  release_body();
  enter(Phase::streaming, std::nullopt);
  source_ = std::move(stream.source);
  last_words_ = std::move(stream.last_words);
  const bool chunked = parser_->get().version() >= kHttp11;
  keep_ = keep_ && chunked && !stream.follow;
  stream_head_.emplace(http::status::ok, kHttp11);
  stream_head_->set(http::field::content_type, {stream.content_type.data(), stream.content_type.size()});
  stream_head_->set(http::field::cache_control, "no-store");
  stream_head_->keep_alive(keep_);
  stream_head_->chunked(chunked);
  stream_head_writer_.emplace(*stream_head_);
  if (stream.follow) {
    begin_stream();
    return drain();
  }
  // What cannot even begin is refused as any other request.
  source_->next(step([this](Result<std::string> piece) {
    in_source_ = true;
    on_first_piece(std::move(piece));
    in_source_ = false;
  }));
}

void HttpSession::begin_stream() {
  http::async_write_header(socket_, *stream_head_writer_, step([this](error_code error, std::size_t) {
                             if (error) return close();
                             if (!source_) return finish_stream();
                             if (piece_.empty()) return pull();
                             write_piece(std::move(piece_), [this] { pull(); });
                           }));
}

void HttpSession::on_first_piece(Result<std::string> piece) {
  if (!piece) {
    drop_source();
    last_words_ = nullptr;
    return send(problem_document({piece.error(), {}}, status_of(piece.error().code)));
  }
  piece_ = std::move(*piece);
  if (piece_.empty()) drop_source();
  begin_stream();
}

void HttpSession::pull() {
  if (hub_->ending && last_words_) return say_last_words();
  pulling_ = true;
  source_->next(step([this](Result<std::string> piece) {
    if (!std::exchange(pulling_, false)) return;  // the last words came in between
    in_source_ = true;
    on_piece(std::move(piece));
    in_source_ = false;
  }));
}

void HttpSession::on_piece(Result<std::string> piece) {
  if (!piece) {
    spdlog::warn("api: a stream breaks off: {}", piece.error().message);
    drop_source();
    return close();
  }
  if (piece->empty()) {
    drop_source();
    return finish_stream();
  }
  write_piece(std::move(*piece), [this] { pull(); });
}

template <class F>
void HttpSession::write_piece(std::string piece, F then) {
  piece_ = std::move(piece);
  const auto written = step([this, then](error_code error, std::size_t) {
    if (error) return close();
    then();
  });
  if (stream_head_->chunked()) {
    asio::async_write(socket_, http::make_chunk(asio::buffer(piece_)), written);
  } else {
    asio::async_write(socket_, asio::buffer(piece_), written);
  }
}

// Who is writing a piece sees it before the next one.
void HttpSession::end_stream() {
  if (closed_ || phase_ != Phase::streaming || !last_words_ || !std::exchange(pulling_, false)) return;
  say_last_words();
}

void HttpSession::say_last_words() {
  drop_source();
  write_piece(last_words_(*hub_->ending), [this] { finish_stream(); });
}

void HttpSession::finish_stream() {
  free_text(piece_);
  last_words_ = nullptr;
  if (!stream_head_->chunked()) return linger();
  enter(Phase::writing, hub_->timeouts.write);
  asio::async_write(socket_, http::make_chunk_last(), step([this](error_code error, std::size_t) {
                      if (error) return close();
                      on_written();
                    }));
}

// Within the source's own completion it must not be destroyed under its feet.
void HttpSession::drop_source() {
  asio::post(socket_.get_executor(), [source = std::exchange(source_, nullptr)] {});
}

}  // namespace baton::api
