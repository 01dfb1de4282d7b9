// HTTP/1.1 over a Unix socket, as schemas/openapi.yaml describes it.
#pragma once
#include <baton/api/backend.hpp>
#include <baton/base/result.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace boost::asio {
class io_context;
}

namespace baton::api {

// How long a client may take; then its connection ends. A stream that nobody reads has no limit: it holds one piece.
struct Timeouts {
  Duration header = std::chrono::seconds(10);  // from the first byte, or from the connection, to the end of the header
  Duration body = std::chrono::seconds(30);
  Duration idle = std::chrono::seconds(60);   // between two requests
  Duration write = std::chrono::seconds(30);  // to take an answer that is no stream
  Duration linger = std::chrono::seconds(2);  // to take the last answer and close
};

struct ServerOptions {
  std::string socket_path;
  std::uint32_t allowed_uid = 0;  // peers with another uid (SO_PEERCRED) are turned away with 403
  int inherited_fd = -1;          // an already listening socket (systemd's socket activation), owned from here on;
                                  // -1: bind socket_path
  Timeouts timeouts;
};

class Server {
 public:
  // Binds with 0600 and begins to accept on `io`. A stale socket file of a daemon that is gone is replaced; one that
  // answers is a conflict. The folder must exist. `backend` and `io` (run by one thread) must outlive the server.
  static Result<std::unique_ptr<Server>> listen(boost::asio::io_context& io, Backend& backend, ServerOptions options);
  virtual ~Server() = default;  // stops accepting, ends every connection, removes the socket file it made
  // Ends streams of events, those under way and those to come, with this problem, so that nobody takes the end that is
  // near for a crash. What is being written goes out first.
  virtual void end_streams(const Problem& problem) = 0;
  // Can clients still find it? Not if its socket file was removed or replaced. An inherited socket is its owner's care.
  [[nodiscard]] virtual bool is_reachable() const = 0;
  // Listens on this path from here on, as listen() does; connections that there are go on.
  virtual Result<> move_to(const std::string& path) = 0;
};

// What the server answers to; schemas/openapi.yaml describes each of them.
struct RouteName {
  std::string_view method;
  std::string_view path;  // "/v1/runs/{ref}"
  auto operator<=>(const RouteName&) const = default;
};
std::vector<RouteName> route_names();

}  // namespace baton::api
