// A backend that answers from memory and remembers what it was asked; and the streams it gives.
#pragma once
#include <baton/api/backend.hpp>

#include <boost/asio/io_context.hpp>
#include <condition_variable>
#include <functional>
#include <mutex>

namespace baton::api::test {

// A number that one thread changes and another waits for.
class Counter {
 public:
  void add(int by) {
    const std::lock_guard lock(mutex_);
    value_ += by;
    changed_.notify_all();
  }
  int value() const {
    const std::lock_guard lock(mutex_);
    return value_;
  }
  // False if `holds(value)` does not come true for half a minute.
  bool wait(const std::function<bool(int)>& holds) const {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(30), [&] { return holds(value_); });
  }

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  int value_ = 0;
};

enum class Then { end, wait, fail };

struct Seen {
  SubmitRequest submit;
  RunQuery runs;
  TaskQuery tasks;
  std::string reference, task, reason;
  RetryRequest retry;
  DecideRequest decide;
  EventQuery events;
  LogQuery log;
  bool failed_only = false;
  std::uint32_t attempt = 0;
};

class FakeBackend final : public Backend {
 public:
  explicit FakeBackend(boost::asio::io_context& io) : io_(io) {}

  // How it behaves; set before the server runs.
  std::optional<Problem> problem;  // the answer to everything
  bool throws = false;             // from within every call
  bool forgets = false;            // drops every completion
  bool silent = false;             // keeps every completion without calling it
  std::vector<std::string> log_pieces{"first\n", std::string("sec\0nd\n", 7)};
  std::size_t log_rounds = 1;  // how often the pieces of a log are gone through
  std::vector<std::size_t> event_batches{2, 1};
  Then then = Then::end;  // what a stream does behind its last piece

  Counter pulled;   // pieces that streams were asked for
  Counter streams;  // that are alive
  Counter asked;    // calls
  Seen seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }

  void info(Done<DaemonInfo> done) override;
  void submit(SubmitRequest request, Done<views::RunView> done) override;
  void runs(RunQuery query, Done<views::Page<views::RunView>> done) override;
  void run(std::string reference, Done<views::RunView> done) override;
  void tasks(TaskQuery query, Done<views::Page<views::TaskView>> done) override;
  void workflow_source(std::string reference, Done<SubmitRequest> done) override;
  void why(std::string reference, std::string task, Done<std::string> done) override;
  void cancel(std::string reference, std::string reason, Done<views::RunView> done) override;
  void retry(RetryRequest request, Done<RetryReply> done) override;
  void decide(DecideRequest request, Done<views::RunView> done) override;
  void events(EventQuery query, Done<std::shared_ptr<EventSource>> done) override;
  void logs(std::string reference, std::string task, bool failed_only, std::uint32_t attempt,
            Done<std::vector<LogEntry>> done) override;
  void log(LogQuery query, Done<std::shared_ptr<ByteSource>> done) override;
  void workers(Done<std::vector<views::WorkerView>> done) override;
  void doctor(Done<std::vector<Check>> done) override;
  void reload(Done<std::vector<std::string>> done) override;
  void shutdown(Done<bool> done) override;

 private:
  template <class T>
  void answer(Done<T> done, T value);
  template <class F>
  void note(F f) {
    const std::lock_guard lock(mutex_);
    f(seen_);
  }

  boost::asio::io_context& io_;
  mutable std::mutex mutex_;
  Seen seen_;
  std::vector<std::shared_ptr<void>> kept_;
};

views::RunView sample_run();
views::TaskView sample_task();
views::EventView sample_event(std::uint64_t seq);
views::WorkerView sample_worker();
DaemonInfo sample_info();

}  // namespace baton::api::test
