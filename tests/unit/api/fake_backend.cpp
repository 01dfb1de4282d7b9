#include "fake_backend.hpp"

#include <boost/asio/post.hpp>

namespace baton::api::test {
namespace {

TimePoint at(std::int64_t second) { return TimePoint(std::chrono::seconds(1'774'746'000 + second)); }

// Gives its pieces one by one, then ends, waits for ever or fails. Completes from the loop, never at once.
template <class T>
class Scripted final : public Source<T> {
 public:
  Scripted(boost::asio::io_context& io, FakeBackend& backend, std::vector<T> pieces, std::size_t rounds = 1)
      : io_(io),
        pieces_(std::move(pieces)),
        count_(pieces_.size() * rounds),
        then_(backend.then),
        pulled_(backend.pulled),
        alive_(backend.streams) {
    alive_.add(1);
  }
  ~Scripted() override { alive_.add(-1); }

  void next(std::function<void(Result<T>)> done) override {
    pulled_.add(1);
    if (index_ < count_) {
      boost::asio::post(io_, [done = std::move(done), piece = pieces_[index_++ % pieces_.size()]] { done(piece); });
    } else if (then_ == Then::end) {
      boost::asio::post(io_, [done = std::move(done)] { done(T()); });
    } else if (then_ == Then::fail) {
      boost::asio::post(io_, [done = std::move(done)] { done(fail(ErrorCode::corrupt, "the log is damaged")); });
    } else {
      waiting_ = std::move(done);
    }
  }

 private:
  boost::asio::io_context& io_;
  std::vector<T> pieces_;
  std::size_t count_, index_ = 0;
  Then then_;
  std::function<void(Result<T>)> waiting_;
  Counter& pulled_;
  Counter& alive_;
};

}  // namespace

views::RunView sample_run() {
  views::RunView run;
  run.id = "01k2x7";
  run.workflow = "digits";
  run.number = 3;
  run.state = "running";
  run.reason = "cancelled by user";
  run.created_at = at(0);
  run.started_at = at(1);
  run.ended_at = at(9);
  run.params = {{"min_accuracy", 0.95}};
  run.labels = {{"team", "vision"}};
  run.parent_run = "01k2x6";
  run.priority = 5;
  views::TaskSummary summary;
  summary.task = "train";
  summary.kind = "train";
  summary.task_index = TaskIndex(1);
  summary.needs = {"prep"};
  summary.is_matrix = true;
  summary.states = {{"running", 2}, {"succeeded", 2}};
  run.summary = {summary};
  return run;
}

views::TaskView sample_task() {
  views::TaskView task;
  task.name = "train[C=0.1]";
  task.task = "train";
  task.kind = "train";
  task.task_index = TaskIndex(1);
  task.instance = 1;
  task.state = "failed";
  task.reason = "exit:3";
  task.matrix = {{"C", 0.1}};
  task.outputs = {{"accuracy", "0.967"}};
  task.child_run = "01k2x8";
  task.approval_message = "ship it?";
  task.ready_at = at(2);
  task.ended_at = at(4);
  views::AttemptView attempt;
  attempt.id = AttemptId(17);
  attempt.number = 1;
  attempt.state = "failed";
  attempt.failure_class = "exit:3";
  attempt.exit_code = 3;
  attempt.worker = "local";
  attempt.message = "no such file";
  attempt.started_at = at(3);
  attempt.ended_at = at(4);
  task.attempts = {attempt};
  return task;
}

views::EventView sample_event(std::uint64_t seq) {
  views::EventView event;
  event.seq = seq;
  event.at = at(static_cast<std::int64_t>(seq % 1'000'000));
  event.run = "01k2x7";
  event.workflow = "digits";
  event.type = seq % 2 == 0 ? "run" : "task";
  event.name = "train[C=0.1]";
  event.task = "train";
  event.state = "failed";
  event.reason = "exit:3";
  event.attempt = 1;
  return event;
}

views::WorkerView sample_worker() {
  views::WorkerView worker;
  worker.name = "local";
  worker.state = "online";
  worker.host = "lab1";
  worker.version = "0.1.0";
  worker.labels = {"x86"};
  worker.cpu_milli = 8000;
  worker.memory_bytes = 1 << 30;
  worker.cpu_milli_used = 500;
  worker.attempts = 1;
  return worker;
}

DaemonInfo sample_info() {
  DaemonInfo info;
  info.version = "0.1.0";
  info.pid = 4711;
  info.uid = 1000;
  info.started_at = at(0);
  info.state_dir = "/var/lib/baton";
  info.socket = "/run/baton/baton.sock";
  info.state_id = "6f1c";
  info.config = "/etc/baton/config.yaml";
  info.incarnation = 12;
  info.active_runs = 1;
  info.runs = 3;
  info.instances = 21;
  info.database_bytes = 4096;
  info.resident_bytes = 8192;
  info.schema_version = 1;
  return info;
}

template <class T>
void FakeBackend::answer(Done<T> done, T value) {
  asked.add(1);
  if (throws) throw std::runtime_error("secret detail");
  if (forgets) return;
  if (silent) return kept_.push_back(std::make_shared<Done<T>>(std::move(done)));
  Answer<T> result = std::move(value);
  if (problem) result = std::unexpected(*problem);
  boost::asio::post(io_, [done = std::move(done), result = std::move(result)] { done(result); });
}

void FakeBackend::info(Done<DaemonInfo> done) { answer(std::move(done), sample_info()); }

void FakeBackend::submit(SubmitRequest request, Done<views::RunView> done) {
  note([&](Seen& seen) { seen.submit = std::move(request); });
  answer(std::move(done), sample_run());
}

void FakeBackend::runs(RunQuery query, Done<views::Page<views::RunView>> done) {
  note([&](Seen& seen) { seen.runs = std::move(query); });
  views::Page<views::RunView> page{{sample_run(), sample_run()}, "next"};
  page.items[0].summary.clear();
  page.items[1].summary.clear();
  answer(std::move(done), std::move(page));
}

void FakeBackend::run(std::string reference, Done<views::RunView> done) {
  note([&](Seen& seen) { seen.reference = std::move(reference); });
  answer(std::move(done), sample_run());
}

void FakeBackend::tasks(TaskQuery query, Done<views::Page<views::TaskView>> done) {
  note([&](Seen& seen) { seen.tasks = std::move(query); });
  answer(std::move(done), views::Page<views::TaskView>{{sample_task()}, ""});
}

void FakeBackend::workflow_source(std::string reference, Done<SubmitRequest> done) {
  note([&](Seen& seen) { seen.reference = std::move(reference); });
  SubmitRequest source;
  source.entry = "a.yaml";
  source.files = {{"a.yaml", "tasks: {t: {run: true}}\n"}, {"b.yaml", "tasks: {}\n"}};
  answer(std::move(done), std::move(source));
}

void FakeBackend::why(std::string reference, std::string task, Done<std::string> done) {
  note([&](Seen& seen) { seen.reference = std::move(reference), seen.task = std::move(task); });
  answer(std::move(done), std::string("it waits for 2 of cpu"));
}

void FakeBackend::cancel(std::string reference, std::string reason, Done<views::RunView> done) {
  note([&](Seen& seen) { seen.reference = std::move(reference), seen.reason = std::move(reason); });
  answer(std::move(done), sample_run());
}

void FakeBackend::retry(RetryRequest request, Done<RetryReply> done) {
  note([&](Seen& seen) { seen.retry = std::move(request); });
  answer(std::move(done), RetryReply{sample_run(), {"train[C=0.1]", "deploy"}});
}

void FakeBackend::decide(DecideRequest request, Done<views::RunView> done) {
  note([&](Seen& seen) { seen.decide = std::move(request); });
  answer(std::move(done), sample_run());
}

void FakeBackend::events(EventQuery query, Done<std::shared_ptr<EventSource>> done) {
  std::vector<std::vector<views::EventView>> batches;
  std::uint64_t seq = query.after;
  for (const std::size_t size : event_batches) {
    batches.emplace_back();
    for (std::size_t i = 0; i < size; ++i) batches.back().push_back(sample_event(++seq));
  }
  note([&](Seen& seen) { seen.events = std::move(query); });
  std::shared_ptr<EventSource> source =
      std::make_shared<Scripted<std::vector<views::EventView>>>(io_, *this, std::move(batches));
  answer(std::move(done), std::move(source));
}

void FakeBackend::logs(std::string reference, std::string task, bool failed_only, std::uint32_t attempt,
                       Done<std::vector<LogEntry>> done) {
  note([&](Seen& seen) {
    seen.reference = std::move(reference);
    seen.task = std::move(task);
    seen.failed_only = failed_only;
    seen.attempt = attempt;
  });
  answer(std::move(done), std::vector<LogEntry>{{"train[C=0.1]", 2, "running", false}});
}

void FakeBackend::log(LogQuery query, Done<std::shared_ptr<ByteSource>> done) {
  note([&](Seen& seen) { seen.log = std::move(query); });
  std::shared_ptr<ByteSource> source = std::make_shared<Scripted<std::string>>(io_, *this, log_pieces, log_rounds);
  answer(std::move(done), std::move(source));
}

void FakeBackend::workers(Done<std::vector<views::WorkerView>> done) {
  answer(std::move(done), std::vector<views::WorkerView>{sample_worker()});
}

void FakeBackend::doctor(Done<std::vector<Check>> done) {
  answer(std::move(done), std::vector<Check>{{"disk", "warning", "5% free"}});
}

void FakeBackend::reload(Done<std::vector<std::string>> done) {
  answer(std::move(done), std::vector<std::string>{"workers changed"});
}

void FakeBackend::shutdown(Done<bool> done) { answer(std::move(done), true); }

}  // namespace baton::api::test
