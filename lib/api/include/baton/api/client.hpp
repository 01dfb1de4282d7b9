// The API from the other side, blocking: what the CLI uses.
#pragma once
#include <baton/api/backend.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace baton::api {

// One connection, opened on demand and again after it was lost. Errors: unavailable when nobody answers on the socket.
class Client {
 public:
  explicit Client(std::string socket_path);
  ~Client();
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;

  // How long a request may take before it is given up with `unavailable`; streams have no limit. Default 30 s.
  void set_timeout(Duration timeout);

  // Once, when an answer takes longer than `patience`; it is waited for all the same. `pid`: who listens; 0: not known.
  void on_slow(Duration patience, std::function<void(std::int64_t pid)> say);

  Answer<DaemonInfo> info();
  Answer<views::RunView> submit(const SubmitRequest& request);
  Answer<views::Page<views::RunView>> runs(const RunQuery& query);
  Answer<views::RunView> run(const std::string& reference);
  Answer<views::Page<views::TaskView>> tasks(const TaskQuery& query);
  Answer<SubmitRequest> workflow_source(const std::string& reference);
  Answer<std::string> why(const std::string& reference, const std::string& task);
  Answer<views::RunView> cancel(const std::string& reference, const std::string& reason);
  Answer<RetryReply> retry(const RetryRequest& request);
  Answer<views::RunView> decide(const DecideRequest& request);
  Answer<std::vector<LogEntry>> logs(const std::string& reference, const std::string& task, bool failed_only,
                                     std::uint32_t attempt);
  Answer<std::vector<views::WorkerView>> workers();
  Answer<std::vector<Check>> doctor();
  Answer<std::vector<std::string>> reload();
  Answer<bool> shutdown();

  // Streams. `on_…` returns false to stop. A stream that was asked to stop, or ended, is a success. `interrupt_fd`, if
  // not -1, is polled too: when it becomes readable the stream stops as if `on_…` had said so.
  Answer<void> events(const EventQuery& query, const std::function<bool(const views::EventView&)>& on_event,
                      int interrupt_fd = -1);
  Answer<void> log(const LogQuery& query, const std::function<bool(std::string_view)>& on_bytes, int interrupt_fd = -1);

 private:
  class Connection;
  std::unique_ptr<Connection> connection_;
};

}  // namespace baton::api
