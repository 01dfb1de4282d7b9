#include "worker/connection.hpp"
#include "worker/link_set.hpp"

#include <baton/executor/worker_executor.hpp>

#include <signal.h>
#include <sys/wait.h>

#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <set>
#include <utility>

namespace baton::executor {
namespace {

// Reaps the processes behind the links, and no others.
class Children : public std::enable_shared_from_this<Children> {
 public:
  explicit Children(boost::asio::io_context& io) : signals_(io) {}
  void add(int pid) { pids_.insert(pid); }
  void wait() {
    boost::system::error_code ignored;
    signals_.add(SIGCHLD, ignored);
    arm();
  }
  void stop() {
    boost::system::error_code ignored;
    signals_.cancel(ignored);
    signals_.clear(ignored);
  }

 private:
  void arm() {
    signals_.async_wait([weak = weak_from_this()](const boost::system::error_code& error, int) {
      auto self = weak.lock();
      if (error || !self) return;
      std::erase_if(self->pids_, [](int pid) { return ::waitpid(pid, nullptr, WNOHANG) != 0; });
      self->arm();
    });
  }
  boost::asio::signal_set signals_;
  std::set<int> pids_;
};

class AsioTimer final : public Timer {
 public:
  explicit AsioTimer(boost::asio::io_context& io) : timer_(io) {}
  void start(Duration after, std::function<void()> fire) override {
    timer_.expires_after(after);
    timer_.async_wait([fire = std::move(fire)](const boost::system::error_code& cancelled) {
      if (!cancelled) fire();
    });
  }
  void cancel() override { timer_.cancel(); }

 private:
  boost::asio::steady_timer timer_;
};

class AsioPorts final : public LinkPorts {
 public:
  AsioPorts(boost::asio::io_context& io, Duration stall_timeout)
      : io_(io), stall_timeout_(stall_timeout), children_(std::make_shared<Children>(io)) {
    children_->wait();
  }
  ~AsioPorts() override { children_->stop(); }

  Result<std::shared_ptr<Stream>> dial(const LinkOptions& link, Stream::Handlers handlers) override {
    const Result<LinkEnd> end = link.dial();
    if (!end) return std::unexpected(end.error());
    if (end->pid > 0) children_->add(end->pid);
    return std::make_shared<Connection>(io_, *end, stall_timeout_, std::move(handlers));
  }
  std::unique_ptr<Timer> make_timer() override { return std::make_unique<AsioTimer>(io_); }
  void post(std::function<void()> completion) override { boost::asio::post(io_, std::move(completion)); }

 private:
  boost::asio::io_context& io_;
  const Duration stall_timeout_;
  std::shared_ptr<Children> children_;
};

}  // namespace

std::unique_ptr<Executor> make_worker_executor(boost::asio::io_context& io, WorkerExecutorOptions options,
                                               EventSink sink) {
  auto ports = std::make_unique<AsioPorts>(io, options.stall_timeout);
  return std::make_unique<LinkSet>(std::move(ports), std::move(options), sink);
}

}  // namespace baton::executor
