// The client's connection: one request at a time over the Unix socket, each with a deadline.
#pragma once
#include <baton/api/client.hpp>
#include <nlohmann/json.hpp>

#include <boost/system/error_code.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "uri.hpp"

namespace baton::api {

struct Call {
  std::string_view method;
  Target target;
  std::string body;             // JSON
  std::string idempotency_key;  // empty: no such header
};

class Client::Connection {
 public:
  explicit Connection(std::string socket_path);
  ~Connection();

  void set_timeout(Duration timeout) { timeout_ = timeout; }

  void on_slow(Duration patience, std::function<void(std::int64_t)> say) {
    patience_ = patience;
    say_slow_ = std::move(say);
  }

  // Asks and takes the whole answer.
  Answer<nlohmann::json> call(const Call& call);
  // Asks and hands the answer's bytes on as they come, until it ends, `on_bytes` returns false or `interrupt_fd`
  // becomes readable.
  Answer<void> stream(const Call& call, const std::function<bool(std::string_view)>& on_bytes, int interrupt_fd);

  // `call` and then `decode(json)`; an answer of another shape is a problem too.
  template <class F>
  auto ask(const Call& request, F decode) -> Answer<decltype(decode(std::declval<const nlohmann::json&>()))> {
    auto json = call(request);
    if (!json) return std::unexpected(std::move(json.error()));
    try {
      return decode(std::as_const(*json));
    } catch (const std::exception& exception) {
      return std::unexpected(not_understood(exception));
    }
  }
  [[nodiscard]] Problem not_understood(const std::exception& exception) const;

 private:
  class Http;  // the open socket and what was read of it beyond the last answer

  // Sends the request and reads the answer's header into http_; false: interrupted, http_ is null then.
  Answer<bool> begin(const Call& call, int interrupt_fd);
  Answer<nlohmann::json> finish();
  [[nodiscard]] Problem lost(boost::system::error_code error) const;

  std::string path_;
  Duration timeout_ = std::chrono::seconds(30);
  Duration patience_{};
  std::function<void(std::int64_t)> say_slow_;  // null: nobody wants to know, or it was said
  std::unique_ptr<Http> http_;                  // null: not connected
};

}  // namespace baton::api
