#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <baton/api/server.hpp>
#include <baton/base/limits.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>

#include "session.hpp"
#include "socket_file.hpp"

namespace baton::api {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr int kAcceptsPerTurn = 64;                                       // then the loop may do something else
constexpr std::size_t kTurnedAwayAtOnce = 64;                             // beyond the limit; more are just closed
constexpr auto kRestWithoutDescriptors = std::chrono::milliseconds(200);  // before trying again after EMFILE

Result<Descriptor> take_inherited(int fd) {
  Descriptor socket(fd);
  int domain = 0, listening = 0;
  socklen_t size = sizeof domain;
  if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0) return fail_errno(errno, "the inherited socket");
  size = sizeof listening;
  if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0) {
    return fail_errno(errno, "the inherited socket");
  }
  if (domain != AF_UNIX || listening == 0) {
    return fail(ErrorCode::invalid_argument, "the inherited descriptor {} is not a listening Unix socket", fd);
  }
  return socket;
}

struct Bound {
  Descriptor listener;
  SocketFile file;
};

Result<Bound> listen_on(const std::string& path) {
  Bound bound;
  bound.listener.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!bound.listener) return fail_errno(errno, "socket");
  auto file = SocketFile::bind(bound.listener.get(), path);
  if (!file) return std::unexpected(file.error());
  bound.file = std::move(*file);
  if (::listen(bound.listener.get(), SOMAXCONN) != 0) return fail_errno(errno, path);
  return bound;
}

class UnixServer final : public Server {
 public:
  UnixServer(asio::io_context& io, Backend& backend, const ServerOptions& options, Bound bound)
      : io_(io), allowed_(options.allowed_uid), hub_(std::make_shared<Hub>()) {
    hub_->backend = &backend;
    hub_->timeouts = options.timeouts;
    take(std::move(bound));
  }

  ~UnixServer() override {
    listener_->stop();
    for (const auto& session : sessions()) session->close();
  }

  [[nodiscard]] bool is_reachable() const override { return file_.in_place(); }

  Result<> move_to(const std::string& path) override try {
    auto bound = listen_on(path);
    if (!bound) return std::unexpected(bound.error());
    listener_->stop();
    take(std::move(*bound));
    return {};
  } catch (const std::exception& exception) {
    return fail(ErrorCode::internal, "cannot listen on {}: {}", path, exception.what());
  }

  void end_streams(const Problem& problem) override {
    hub_->ending = problem;
    for (const auto& session : sessions()) session->end_stream();
  }

 private:
  // Owned: a session may end while we walk, and then leaves the hub's set.
  [[nodiscard]] std::vector<std::shared_ptr<Session>> sessions() const {
    std::vector<std::shared_ptr<Session>> out;
    for (Session* session : hub_->sessions) {
      if (auto alive = session->weak_from_this().lock()) out.push_back(std::move(alive));
    }
    return out;
  }

  // Lives as long as its pending waits, which may be longer than the server.
  struct Listener : std::enable_shared_from_this<Listener> {
    Listener(asio::io_context& loop, int fd, std::uint32_t uid, std::shared_ptr<Hub> sessions)
        : io(loop), socket(loop, fd), rest(loop), allowed(uid), hub(std::move(sessions)) {}

    void stop() {
      stopped = true;
      error_code ignored;
      socket.close(ignored);
      rest.cancel();
    }
    void accept();
    void accept_some();
    void admit(Descriptor connection);

    asio::io_context& io;
    asio::posix::stream_descriptor socket;
    asio::steady_timer rest;
    std::uint32_t allowed;
    bool stopped = false;
    bool short_of_descriptors = false;  // and that was said
    std::shared_ptr<Hub> hub;
  };

  void take(Bound bound) {
    auto next = std::make_shared<Listener>(io_, bound.listener.get(), allowed_, hub_);
    bound.listener.release();
    listener_ = std::move(next);
    file_ = std::move(bound.file);
    listener_->accept();
  }

  asio::io_context& io_;
  std::uint32_t allowed_;
  std::shared_ptr<Hub> hub_;
  SocketFile file_;
  std::shared_ptr<Listener> listener_;
};

void UnixServer::Listener::accept() {
  socket.async_wait(asio::posix::stream_descriptor::wait_read, [self = shared_from_this()](error_code error) {
    if (error || self->stopped) return;
    self->accept_some();
  });
}

void UnixServer::Listener::accept_some() try {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    // accept4 by hand: Asio's accept leaves the descriptor open in the programs that the daemon starts.
    Descriptor connection(::accept4(socket.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (connection.get() >= 0) {
      admit(std::move(connection));
      continue;
    }
    if (errno == EAGAIN) {
      short_of_descriptors = false;
      break;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    // Out of descriptors or memory: the connection stays in the queue, and asking again at once would only spin.
    if (!std::exchange(short_of_descriptors, true)) {
      spdlog::warn("api: accept: {}; new connections wait", std::generic_category().message(errno));
    }
    rest.expires_after(kRestWithoutDescriptors);
    rest.async_wait([self = shared_from_this()](error_code error) {
      if (!error && !self->stopped) self->accept();
    });
    return;
  }
  accept();
} catch (const std::exception& exception) {
  spdlog::error("api: a connection could not be served: {}", exception.what());
  accept();
}

void UnixServer::Listener::admit(Descriptor connection) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return;
  const std::size_t open = hub->sessions.size();
  if (open >= limits::kHttpConnections + kTurnedAwayAtOnce) return;
  Socket accepted(io, asio::local::stream_protocol(), connection.get());
  connection.release();
  const bool welcome = peer.uid == allowed;
  const auto session = make_session(std::move(accepted), hub, welcome ? Grants::all() : Grants::none());
  if (!welcome) {
    spdlog::warn("api: user {} (process {}) was turned away", peer.uid, peer.pid);
    session->refuse({{ErrorCode::denied, "this daemon serves another user"}, {}}, 403);
  } else if (open >= limits::kHttpConnections) {
    session->refuse({{ErrorCode::unavailable, "the daemon has too many connections; try again"}, {}}, 503);
  } else {
    session->serve();
  }
}

}  // namespace

Result<std::unique_ptr<Server>> Server::listen(asio::io_context& io, Backend& backend, ServerOptions options) try {
  Bound bound;
  if (options.inherited_fd >= 0) {
    auto inherited = take_inherited(options.inherited_fd);
    if (!inherited) return std::unexpected(inherited.error());
    bound.listener = std::move(*inherited);
  } else {
    auto listening = listen_on(options.socket_path);
    if (!listening) return std::unexpected(listening.error());
    bound = std::move(*listening);
  }
  return std::make_unique<UnixServer>(io, backend, options, std::move(bound));
} catch (const std::exception& exception) {
  return fail(ErrorCode::internal, "cannot listen on {}: {}", options.socket_path, exception.what());
}

}  // namespace baton::api
