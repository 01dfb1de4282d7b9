#include "worker/link.hpp"
#include "worker/translate.hpp"

#include <baton/executor/worker_executor.hpp>

#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <set>
#include <utility>

namespace baton::executor {
namespace {

class WorkerExecutor final : public Executor {
 public:
  WorkerExecutor(boost::asio::io_context& io, WorkerExecutorOptions options, EventSink sink)
      : io_(io), children_(std::make_shared<Children>(io)) {
    std::vector<LinkOptions> links = std::move(options.links);
    for (LinkOptions& link : links) {
      links_.push_back(std::make_shared<Link>(io, options, std::move(link), sink,
                                              [children = children_](int pid) { children->add(pid); }));
    }
  }

  ~WorkerExecutor() override {
    for (const auto& link : links_) link->stop();
    children_->stop();
  }

  void start() override {
    children_->wait();
    for (const auto& link : links_) link->start();
  }

  void launch(engine::Launch launch) override {
    if (Link* link = find(launch.worker)) link->send(to_wire(std::move(launch)));
  }
  void kill(const engine::Kill& kill) override {
    if (Link* link = find(kill.worker)) link->send(to_wire(kill));
  }
  void forget(const engine::Forget& forget) override {
    if (Link* link = find(forget.worker)) link->send(wire::Forget{.attempts = {forget.attempt}});
  }

  void read_log(WorkerId worker, engine::LogPlace place, std::uint32_t max_bytes, bool from_end,
                std::function<void(Result<LogChunk>)> done) override {
    if (Link* link = find(worker)) return link->read_log(place, max_bytes, from_end, std::move(done));
    boost::asio::post(io_, [done = std::move(done)] { done(fail(ErrorCode::not_found, "no such worker")); });
  }

  void remember_boot(WorkerId worker) override {
    if (Link* link = find(worker)) link->remember_boot();
  }

  void pause(bool paused) override {
    for (const auto& link : links_) link->pause(paused);
  }

  [[nodiscard]] std::vector<WorkerStatus> workers() const override {
    std::vector<WorkerStatus> all;
    all.reserve(links_.size());
    for (const auto& link : links_) all.push_back(link->status());
    return all;
  }

 private:
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

  Link* find(WorkerId id) {
    const auto found = std::ranges::find(links_, id, [](const auto& link) { return link->status().id; });
    return found == links_.end() ? nullptr : found->get();
  }

  boost::asio::io_context& io_;
  std::shared_ptr<Children> children_;
  std::vector<std::shared_ptr<Link>> links_;
};

}  // namespace

std::string_view to_string(WorkerState state) {
  switch (state) {
    case WorkerState::connecting:
      return "connecting";
    case WorkerState::online:
      return "online";
    case WorkerState::offline:
      return "offline";
  }
  return "offline";
}

std::unique_ptr<Executor> make_worker_executor(boost::asio::io_context& io, WorkerExecutorOptions options,
                                               EventSink sink) {
  return std::make_unique<WorkerExecutor>(io, std::move(options), std::move(sink));
}

}  // namespace baton::executor
