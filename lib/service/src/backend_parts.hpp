// The backend's parts, one for each kind of request. They live as long as the event loop runs, so their handlers keep
// plain references.
#pragma once
#include <baton/service/backend.hpp>

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace baton::service {

template <class T>
api::Answer<T> to_answer(Result<T> result) {
  if (result) return std::move(*result);
  return std::unexpected(api::Problem{.error = std::move(result.error()), .diagnostics = {}});
}

// Asks the store and answers with what it says.
template <class T>
void answer_from_store(store::Store& store, std::function<Result<T>(store::Queries&)> question, api::Done<T> done) {
  store.ask<T>(std::move(question),
               [done = std::move(done)](Result<T> result) { done(to_answer<T>(std::move(result))); });
}

// Fails with disk_full while less than the reserve is left, or commits have met a full disk.
Result<> check_space(const std::string& state_dir, store::Health health);

// New runs.
class Submissions {
 public:
  explicit Submissions(BackendPorts& ports) : ports_(ports) {}
  void submit(api::SubmitRequest request, api::Done<views::RunView> done);

 private:
  struct Job;
  void look_up_key(std::shared_ptr<Job> job);
  void encode(std::shared_ptr<Job> job);
  void on_encoded(std::shared_ptr<Job> job);
  void in_background(std::shared_ptr<Job> job, void (*work)(Job&), void (Submissions::*next)(std::shared_ptr<Job>));
  void decide(std::shared_ptr<Job> job);
  void finish(const std::shared_ptr<Job>& job, api::Answer<views::RunView> answer);

  BackendPorts& ports_;
  // Request keys of which a submission is under way, and those that wait until it is known what became of it.
  std::map<std::string, std::deque<std::shared_ptr<Job>>> keys_;
};

// Changes to runs that exist.
class Changes {
 public:
  explicit Changes(BackendPorts& ports) : ports_(ports) {}
  void cancel(std::string reference, std::string reason, api::Done<views::RunView> done);
  void retry(api::RetryRequest request, api::Done<api::RetryReply> done);
  void decide(api::DecideRequest request, api::Done<views::RunView> done);

 private:
  struct Retry;
  void load_retry(std::shared_ptr<Retry> retry);
  void prepare_retry(std::shared_ptr<Retry> retry);
  static Result<> prepare(Retry& retry);
  void apply_retry(const std::shared_ptr<Retry>& retry);
  void finish_retry(const std::shared_ptr<Retry>& retry, api::Answer<api::RetryReply> answer);
  void answer_with_run(RunKey run, api::Done<views::RunView> done);

  BackendPorts& ports_;
  std::set<RunKey> retrying_;
};

// Questions about runs.
class Questions {
 public:
  explicit Questions(BackendPorts& ports) : ports_(ports) {}
  void runs(api::RunQuery query, api::Done<views::Page<views::RunView>> done);
  void run(std::string reference, api::Done<views::RunView> done);
  void tasks(api::TaskQuery query, api::Done<views::Page<views::TaskView>> done);
  void workflow_source(std::string reference, api::Done<api::SubmitRequest> done);
  void why(std::string reference, std::string task, api::Done<std::string> done);
  void logs(std::string reference, std::string task, bool failed_only, std::uint32_t attempt,
            api::Done<std::vector<api::LogEntry>> done);
  void events(api::EventQuery query, api::Done<std::shared_ptr<api::EventSource>> done);
  void log(api::LogQuery query, api::Done<std::shared_ptr<api::ByteSource>> done);

 private:
  BackendPorts& ports_;
};

// Questions about the daemon itself.
class Condition {
 public:
  explicit Condition(BackendPorts& ports) : ports_(ports) {}
  void info(api::Done<api::DaemonInfo> done);
  void workers(api::Done<std::vector<views::WorkerView>> done);
  void doctor(api::Done<std::vector<api::Check>> done);

 private:
  BackendPorts& ports_;
};

}  // namespace baton::service
