// The server's end of one connection.
#pragma once
#include <baton/api/server.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <unordered_set>

#include "route.hpp"

namespace baton::api {

class Session;

// What the sessions of one server share. Outlives them.
struct Hub {
  Backend* backend = nullptr;
  Timeouts timeouts;
  std::unordered_set<Session*> sessions;
  std::size_t body_bytes = 0;     // of the bodies whose requests are not answered yet
  std::optional<Problem> ending;  // the last words of streams that can say them
};

using Socket = boost::asio::local::stream_protocol::socket;

// Kept alive by its own pending operations; everything happens on the socket's executor.
class Session : public std::enable_shared_from_this<Session> {
 public:
  virtual ~Session() = default;
  // Answers requests until the client leaves.
  virtual void serve() = 0;
  // Answers whatever comes with this problem and leaves.
  virtual void refuse(const Problem& problem, unsigned status) = 0;
  // Ends at once: drops the stream it feeds and the answer it waits for.
  virtual void close() = 0;
  // The stream that it feeds, if it can say so, ends with hub->ending.
  virtual void end_stream() = 0;
};

std::shared_ptr<Session> make_session(Socket socket, std::shared_ptr<Hub> hub, Grants grants);

// All bodies in flight together. A client that sends slowly holds no more than it may hold alone.
inline constexpr std::size_t kBodiesInFlightBytes = 256u << 20;

}  // namespace baton::api
