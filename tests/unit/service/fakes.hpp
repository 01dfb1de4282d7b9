// The daemon's neighbours in the test's own hands: a loop that runs when it is told to, a store that commits when it is
// told to, an executor that remembers.
#pragma once
#include <baton/executor/executor.hpp>
#include <baton/service/clock.hpp>
#include <baton/service/event_feed.hpp>
#include <baton/service/scheduler.hpp>
#include <baton/store/store.hpp>

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace baton::service {

class TestLoop {
 public:
  auto poster() {
    return [this](std::function<void()> task) { tasks_.push_back(std::move(task)); };
  }
  // Until there is nothing left to do.
  void run() {
    while (!tasks_.empty()) {
      const auto task = std::move(tasks_.front());
      tasks_.pop_front();
      task();
    }
  }

 private:
  std::deque<std::function<void()>> tasks_;
};

class TestClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override { return time; }
  [[nodiscard]] Duration since_boot() const override { return boot; }
  void pass(Duration by) {
    time += by;
    boot += by;
  }
  TimePoint time{std::chrono::hours(24 * 365 * 56)};
  Duration boot = std::chrono::hours(10);
};

// Answers from what the test put in.
class FakeQueries final : public store::Queries {
 public:
  Result<RunKey> resolve(const std::string&) override { return RunKey(1); }
  Result<std::optional<Requested>> by_request_key(const std::string&) override { return std::nullopt; }
  Result<views::RunView> run(RunKey) override {
    views::RunView view;
    view.state = run_state;
    return view;
  }
  Result<views::Page<views::RunView>> runs(const store::RunFilter&, const std::string&, std::size_t) override {
    return views::Page<views::RunView>{};
  }
  Result<views::Page<views::TaskView>> tasks(RunKey, const std::string& task, const std::string&, const std::string&,
                                             std::size_t limit) override {
    views::Page<views::TaskView> page;
    for (const views::TaskView& view : task_views) {
      if (view.name != task) continue;
      if (page.items.size() == limit) {
        page.next_cursor = "more";
        break;
      }
      page.items.push_back(view);
    }
    return page;
  }
  Result<std::vector<views::EventView>> events(std::optional<RunKey> run, std::uint64_t after, std::size_t limit,
                                               std::size_t tail) override {
    ++event_questions;
    std::vector<views::EventView> found;
    for (const views::EventView& event : committed) {
      if (event.seq > after && (!run || event.run == run_id)) found.push_back(event);
    }
    if (tail != 0 && found.size() > tail) found.erase(found.begin(), found.end() - static_cast<std::ptrdiff_t>(tail));
    if (found.size() > limit) found.resize(limit);
    return found;
  }
  Result<std::vector<store::LogSource>> logs(RunKey, const std::string& task, std::uint32_t attempt, bool,
                                             std::size_t) override {
    std::vector<store::LogSource> found;
    for (const store::LogSource& source : log_sources) {
      if (source.task_name == task && (attempt == 0 || source.attempt == attempt)) found.push_back(source);
    }
    if (attempt == 0 && found.size() > 1) found.erase(found.begin(), found.end() - 1);
    return found;
  }
  Result<std::string> bundle(const std::string&) override { return fail(ErrorCode::not_found, "no bundle"); }
  Result<Source> source(RunKey) override { return fail(ErrorCode::not_found, "no bundle"); }
  Result<engine::RunSnapshot> snapshot(RunKey) override { return fail(ErrorCode::not_found, "no run"); }
  Result<Statistics> statistics() override { return Statistics{}; }
  Result<> copy_to(const std::string&) override { return {}; }

  std::string run_id = "r1";  // which run the filter of events() means
  std::vector<views::EventView> committed;
  int event_questions = 0;
  std::vector<store::LogSource> log_sources;
  std::vector<views::TaskView> task_views;
  std::string run_state;
};

class FakeStore final : public store::Store {
 public:
  explicit FakeStore(TestLoop& loop) : post_(loop.poster()) {}
  Result<store::Recovered> recover() override { return store::Recovered{}; }
  void commit(store::Batch batch, std::function<void(Result<store::Committed>)> done) override {
    batches.push_back(std::move(batch));
    waiting_.push_back(std::move(done));
  }
  [[nodiscard]] std::size_t queued() const override { return waiting_.size(); }
  void read(std::function<void(store::Queries&)> question) override { question(queries); }

  // The oldest batch that waits is on disk now, or cannot be.
  void finish(Result<store::Committed> result = store::Committed{}) {
    auto done = std::move(waiting_.front());
    waiting_.pop_front();
    post_([done = std::move(done), result = std::move(result)] { done(result); });
  }

  FakeQueries queries;
  std::vector<store::Batch> batches;  // all, in order

 protected:
  void post(std::function<void()> completion) override { post_(std::move(completion)); }

 private:
  std::function<void(std::function<void()>)> post_;
  std::deque<std::function<void(Result<store::Committed>)>> waiting_;
};

class FakeExecutor final : public executor::Executor {
 public:
  explicit FakeExecutor(TestLoop& loop) : post_(loop.poster()) {}
  void start() override {}
  void launch(engine::Launch launch) override {
    calls.push_back("launch " + launch.label);
    launches.push_back(std::move(launch));
  }
  void kill(const engine::Kill& kill) override { calls.push_back("kill " + std::to_string(kill.attempt.value())); }
  void forget(const engine::Forget& forget) override {
    calls.push_back("forget " + std::to_string(forget.attempt.value()));
  }
  void read_log(WorkerId, engine::LogPlace place, std::uint32_t max_bytes, bool from_end,
                std::function<void(Result<executor::LogChunk>)> done) override {
    post_([=, this, done = std::move(done)] {
      if (!online) return done(fail(ErrorCode::unavailable, "worker w is not online"));
      const std::uint64_t end = std::min<std::uint64_t>(place.to, segment.size());
      std::uint64_t from = std::min(place.from, end);
      const std::uint64_t size = std::min<std::uint64_t>({max_bytes, most_bytes, end - from});
      if (from_end) from = end - size;
      done(executor::LogChunk{.offset = from, .bytes = segment.substr(from, size), .end = from + size == end});
    });
  }
  void remember_boot(WorkerId worker) override { calls.push_back("boot " + std::to_string(worker.value())); }
  void pause(bool paused) override { calls.push_back(paused ? "pause" : "resume"); }
  [[nodiscard]] std::vector<executor::WorkerStatus> workers() const override {
    executor::WorkerStatus status;
    status.name = "w";
    status.state = online ? executor::WorkerState::online : offline;
    return {status};
  }

  std::vector<std::string> calls;
  std::vector<engine::Launch> launches;
  std::string segment;             // the bytes of every log segment
  std::uint64_t most_bytes = ~0u;  // of one answer
  bool online = true;
  executor::WorkerState offline = executor::WorkerState::offline;  // what it is when it is not online

 private:
  std::function<void(std::function<void()>)> post_;
};

}  // namespace baton::service
