#include "scripted_daemon.hpp"

#include <unistd.h>

#include <boost/asio/post.hpp>
#include <stdexcept>

namespace baton::test {
namespace {

template <class T>
class ScriptedSource : public api::Source<T> {
 public:
  ScriptedSource(boost::asio::io_context& io, T piece, bool ends) : io_(io), piece_(std::move(piece)), ends_(ends) {}
  void next(std::function<void(Result<T>)> done) override {
    if (given_ && !ends_) {
      waiting_ = std::move(done);  // for ever
      return;
    }
    T piece = given_ ? T{} : std::move(piece_);
    given_ = true;
    if (piece.empty() && !ends_) {
      waiting_ = std::move(done);
      return;
    }
    boost::asio::post(io_, [done = std::move(done), piece = std::move(piece)]() mutable { done(std::move(piece)); });
  }

 private:
  boost::asio::io_context& io_;
  T piece_;
  bool ends_;
  bool given_ = false;
  std::function<void(Result<T>)> waiting_;
};

// Some bytes, then an error.
class BreakingSource : public api::ByteSource {
 public:
  BreakingSource(boost::asio::io_context& io, std::string bytes) : io_(io), bytes_(std::move(bytes)) {}
  void next(std::function<void(Result<std::string>)> done) override {
    Result<std::string> piece = std::exchange(bytes_, {});
    if (piece->empty()) piece = fail(ErrorCode::io, "broken");
    boost::asio::post(io_, [done = std::move(done), piece = std::move(piece)] { done(piece); });
  }

 private:
  boost::asio::io_context& io_;
  std::string bytes_;
};

}  // namespace

class ScriptedDaemon::ScriptedBackend : public api::Backend {
 public:
  ScriptedBackend(boost::asio::io_context& io, Script script) : io_(io), script_(std::move(script)) {}

  void info(api::Done<api::DaemonInfo> done) override { answer(done, api::DaemonInfo{}); }
  void submit(api::SubmitRequest, api::Done<views::RunView> done) override { answer(done, script_.run); }
  void runs(api::RunQuery, api::Done<views::Page<views::RunView>> done) override {
    answer(done, views::Page<views::RunView>{{script_.run}, ""});
  }
  void run(std::string, api::Done<views::RunView> done) override {
    views::RunView run = script_.run;
    if (asked_++ > 0 && !script_.state_later.empty()) run.state = script_.state_later;
    answer(done, std::move(run));
  }
  void tasks(api::TaskQuery query, api::Done<views::Page<views::TaskView>> done) override {
    const std::size_t at = query.cursor.empty() ? 0 : std::stoul(query.cursor);
    views::Page<views::TaskView> page;
    if (at < script_.tasks.size()) page.items.push_back(script_.tasks[at]);
    if (at + 1 < script_.tasks.size()) page.next_cursor = std::to_string(at + 1);
    answer(done, std::move(page));
  }
  void workflow_source(std::string, api::Done<api::SubmitRequest> done) override { answer(done, script_.source); }
  void why(std::string, std::string, api::Done<std::string> done) override { answer(done, std::string()); }
  void cancel(std::string reference, std::string, api::Done<views::RunView> done) override {
    {
      const std::lock_guard lock(mutex_);
      cancelled_.push_back(reference);
    }
    answer(done, script_.run);
  }
  void retry(api::RetryRequest request, api::Done<api::RetryReply> done) override {
    {
      const std::lock_guard lock(mutex_);
      retries_.push_back(std::move(request));
    }
    answer(done, api::RetryReply{});
  }
  void decide(api::DecideRequest, api::Done<views::RunView> done) override { answer(done, script_.run); }
  void events(api::EventQuery query, api::Done<std::shared_ptr<api::EventSource>> done) override {
    {
      const std::lock_guard lock(mutex_);
      event_queries_.push_back(query);
    }
    std::vector<views::EventView> events;
    for (const views::EventView& event : script_.events) {
      if (event.seq > query.after) events.push_back(event);
    }
    answer(done, std::shared_ptr<api::EventSource>(std::make_shared<ScriptedSource<std::vector<views::EventView>>>(
                     io_, std::move(events), script_.streams_end)));
  }
  void logs(std::string, std::string, bool, std::uint32_t, api::Done<std::vector<api::LogEntry>> done) override {
    std::vector<api::LogEntry> entries;
    for (const auto& [task, bytes] : script_.logs) entries.push_back({task, 1, "succeeded", true});
    answer(done, std::move(entries));
  }
  void log(api::LogQuery query, api::Done<std::shared_ptr<api::ByteSource>> done) override {
    for (const auto& [task, bytes] : script_.logs) {
      if (task != query.task) continue;
      if (script_.logs_break) {
        return answer(done, std::shared_ptr<api::ByteSource>(std::make_shared<BreakingSource>(io_, bytes)));
      }
      answer(done, std::shared_ptr<api::ByteSource>(std::make_shared<ScriptedSource<std::string>>(io_, bytes, true)));
      return;
    }
    boost::asio::post(io_, [done] { done(std::unexpected(api::Problem{{ErrorCode::not_found, "no log"}, {}})); });
  }
  void workers(api::Done<std::vector<views::WorkerView>> done) override {
    answer(done, std::vector<views::WorkerView>{});
  }
  void doctor(api::Done<std::vector<api::Check>> done) override { answer(done, std::vector<api::Check>{}); }
  void reload(api::Done<std::vector<std::string>> done) override { answer(done, std::vector<std::string>{}); }
  void shutdown(api::Done<bool> done) override { answer(done, true); }

  std::vector<api::EventQuery> event_queries() const {
    const std::lock_guard lock(mutex_);
    return event_queries_;
  }
  std::vector<api::RetryRequest> retries() const {
    const std::lock_guard lock(mutex_);
    return retries_;
  }
  std::vector<std::string> cancelled() const {
    const std::lock_guard lock(mutex_);
    return cancelled_;
  }

 private:
  template <class T>
  void answer(const api::Done<T>& done, T value) {
    boost::asio::post(io_, [done, value = std::move(value)]() mutable { done(std::move(value)); });
  }

  boost::asio::io_context& io_;
  const Script script_;
  int asked_ = 0;
  mutable std::mutex mutex_;
  std::vector<api::EventQuery> event_queries_;
  std::vector<std::string> cancelled_;
  std::vector<api::RetryRequest> retries_;
};

ScriptedDaemon::ScriptedDaemon(const std::string& socket, Script script)
    : backend_(std::make_unique<ScriptedBackend>(io_, std::move(script))) {
  api::ServerOptions options;
  options.socket_path = socket;
  options.allowed_uid = ::geteuid();
  auto server = api::Server::listen(io_, *backend_, options);
  if (!server) throw std::runtime_error(server.error().message);
  server_ = *std::move(server);
  thread_ = std::thread([this] { io_.run(); });
}

ScriptedDaemon::~ScriptedDaemon() {
  io_.stop();
  thread_.join();
  server_.reset();
  io_.restart();
  io_.poll();  // what the server's end has cancelled
}

void ScriptedDaemon::say_stopped() {
  boost::asio::post(io_, [this] { server_->end_streams({{ErrorCode::stopped, "the daemon was stopped"}, {}}); });
}

std::vector<api::EventQuery> ScriptedDaemon::event_queries() const { return backend_->event_queries(); }
std::vector<api::RetryRequest> ScriptedDaemon::retries() const { return backend_->retries(); }
std::vector<std::string> ScriptedDaemon::cancelled() const { return backend_->cancelled(); }

}  // namespace baton::test
