// What the store costs for each task of a run of independent no-ops, and for the making of a large run. Prints wall and
// processor time. Usage: bench_store [TASKS [TASKS_PER_BATCH [DATABASE]]]; with DATABASE only that many finished tasks
// are made in it, and it is kept (restart.py).
#include <sys/resource.h>
#include <baton/store/store.hpp>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <mutex>
#include <string>

namespace {

using namespace baton;  // NOLINT: a program of one file
using engine::AttemptState;
using engine::InstancePhase;

class Loop {
 public:
  void post(std::function<void()> completion) {
    {
      const std::lock_guard lock(mutex_);
      queue_.push_back(std::move(completion));
    }
    wake_.notify_one();
  }
  void run_one() {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return !queue_.empty(); });
    auto completion = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    completion();
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
};

double processor_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

class Meter {
 public:
  void report(const char* what, std::size_t count) const {
    const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - wall_).count();
    const double cpu = processor_seconds() - cpu_;
    std::printf("%-28s %8zu  wall %8.1f ms  %6.2f us each   cpu %8.1f ms  %6.2f us each\n", what, count, wall * 1e3,
                wall * 1e6 / static_cast<double>(count), cpu * 1e3, cpu * 1e6 / static_cast<double>(count));
  }

 private:
  std::chrono::steady_clock::time_point wall_ = std::chrono::steady_clock::now();
  double cpu_ = processor_seconds();
};

TimePoint now() { return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()); }

template <class T>
T check(Result<T> result) {
  if (result) return std::move(*result);
  std::fprintf(stderr, "bench_store: %s\n", result.error().message.c_str());
  std::exit(1);
}

class Bench {
 public:
  explicit Bench(const std::string& path)
      : store_(check(store::Store::open({path, [this](std::function<void()> f) { loop_.post(std::move(f)); }}))) {
    recovered_ = check(store_->recover());
  }
  [[nodiscard]] const store::Recovered& recovered() const { return recovered_; }

  // One batch is committed while the next is made, as in the daemon.
  void commit(store::Batch batch) {
    while (under_way_ > 1) loop_.run_one();
    ++under_way_;
    batch.now = now();
    store_->commit(std::move(batch), [this](Result<store::Committed> done) {
      events_ += check(std::move(done)).events.size();
      --under_way_;
    });
  }
  void settle() {
    while (under_way_ > 0) loop_.run_one();
  }
  [[nodiscard]] std::size_t events() const { return events_; }

 private:
  Loop loop_;
  std::unique_ptr<store::Store> store_;
  store::Recovered recovered_;
  int under_way_ = 0;
  std::size_t events_ = 0;
};

engine::RunCreated run_created(std::uint64_t key, const std::string& workflow) {
  engine::RunCreated run;
  run.run = RunKey(key);
  run.id = "0190a1b2c3d4e5f6" + std::to_string(1000 + key);
  run.workflow = workflow;
  run.number = 1;
  run.working_dir = "/home/user/project";
  run.created_at = now();
  return run;
}

engine::RunChanged run_changed(std::uint64_t key, engine::RunState state) {
  engine::RunChanged run;
  run.run = RunKey(key);
  run.state = state;
  run.started_at = now();
  if (engine::is_final(state)) run.ended_at = now();
  return run;
}

void make_run(Bench& bench, std::uint32_t tasks) {
  store::Batch batch;
  engine::RunCreated run = run_created(1, "noop");
  for (std::uint32_t t = 0; t < tasks; ++t) run.tasks.push_back({"t" + std::to_string(t), "task", {}, false, false});
  batch.records.emplace_back(run);
  batch.records.emplace_back(run_changed(1, engine::RunState::running));
  for (std::uint32_t t = 0; t < tasks; ++t) {
    engine::InstanceChanged instance;
    instance.key = {RunKey(1), TaskIndex(t), 0};
    instance.name = run.tasks[t].id;
    instance.phase = InstancePhase::ready;
    instance.ready_at = now();
    batch.records.emplace_back(std::move(instance));
  }
  bench.commit(std::move(batch));
  bench.settle();
}

void add_change(store::Batch& batch, std::uint32_t task, bool ends) {
  const TimePoint time = now();
  engine::InstanceChanged instance;
  instance.key = {RunKey(1), TaskIndex(task), 0};
  instance.phase = ends ? InstancePhase::succeeded : InstancePhase::starting;
  instance.attempts = 1;
  instance.ready_at = time;
  engine::AttemptChanged attempt;
  attempt.id = AttemptId(task + 1);
  attempt.key = instance.key;
  attempt.number = 1;
  attempt.state = ends ? AttemptState::succeeded : AttemptState::starting;
  attempt.worker = "local";
  attempt.created_at = time;
  if (ends) {
    instance.ended_at = attempt.ended_at = attempt.started_at = time;
    attempt.exit_code = 0;
    attempt.log = {1, task * 10u, task * 10u + 10u};
    attempt.user_us = attempt.system_us = 300;
    attempt.max_rss_bytes = 2 << 20;
  }
  batch.records.emplace_back(std::move(instance));
  batch.records.emplace_back(std::move(attempt));
}

// Each batch holds the ends of some tasks and the starts of the next.
void run_tasks(Bench& bench, std::uint32_t tasks, std::uint32_t per_batch) {
  for (std::uint32_t first = 0; first < tasks + per_batch; first += per_batch) {
    store::Batch batch;
    for (std::uint32_t t = first; t < std::min(first + per_batch, tasks); ++t) add_change(batch, t, false);
    if (first >= per_batch) {
      for (std::uint32_t t = first - per_batch; t < std::min(first, tasks); ++t) add_change(batch, t, true);
    }
    bench.commit(std::move(batch));
  }
  bench.commit({{run_changed(1, engine::RunState::succeeded)}, {}, {}});
  bench.settle();
}

void make_matrix(Bench& bench, std::uint32_t instances) {
  store::Batch batch;
  engine::RunCreated run = run_created(2, "matrix");
  run.tasks.push_back({"train", "train", {}, true, false});
  batch.records.emplace_back(std::move(run));
  batch.records.emplace_back(run_changed(2, engine::RunState::running));
  for (std::uint32_t i = 0; i < instances; ++i) {
    engine::InstanceChanged instance;
    instance.key = {RunKey(2), TaskIndex(0), i};
    instance.name = "train[seed=" + std::to_string(i) + "]";
    instance.matrix = {{"seed", i}};
    instance.phase = InstancePhase::ready;
    instance.ready_at = now();
    batch.records.emplace_back(std::move(instance));
  }
  const Meter meter;
  bench.commit(std::move(batch));
  bench.settle();
  meter.report("make a matrix run", instances);
}

int make_history(const std::string& path, std::uint32_t tasks, std::uint32_t per_batch) {
  Bench bench(path);
  make_run(bench, tasks);
  run_tasks(bench, tasks, per_batch);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const auto tasks = static_cast<std::uint32_t>(argc > 1 ? std::atoi(argv[1]) : 10'000);
  const auto per_batch = static_cast<std::uint32_t>(argc > 2 ? std::atoi(argv[2]) : 50);
  if (argc > 3) return make_history(argv[3], std::max(tasks, 1u), std::max(per_batch, 1u));
  std::string folder = (std::filesystem::temp_directory_path() / "baton-bench-XXXXXX").string();
  if (tasks == 0 || per_batch == 0 || ::mkdtemp(folder.data()) == nullptr) return 2;
  const std::string path = folder + "/baton.db";
  {
    Bench bench(path);
    const Meter making;
    make_run(bench, tasks);
    making.report("make a run of no-ops", tasks);
    const Meter running;
    run_tasks(bench, tasks, per_batch);
    running.report("start and end each", tasks);
    make_matrix(bench, 100'000);
    std::printf("%zu events\n", bench.events());
  }
  const Meter meter;
  {
    Bench bench(path);
    meter.report("open and recover", bench.recovered().runs.at(0).instances.size());
  }
  std::filesystem::remove_all(folder);
}
