// A store on a real file in a folder of its own, driven as the service drives it, and records to feed it with.
#pragma once
#include <baton/store/store.hpp>

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace baton::store::test {

class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  [[nodiscard]] std::string path(const std::string& name) const { return (folder_ / name).string(); }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
};

// The caller's event loop: completions wait here until somebody runs them.
class Loop {
 public:
  void post(std::function<void()> completion);
  void run_one();  // waits for one
  template <class Condition>
  void run_until(Condition condition) {
    while (!condition()) run_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
};

// An opened store with its loop.
class Daemon {
 public:
  explicit Daemon(const std::string& path);  // fails the test if it cannot be opened
  ~Daemon() { store.reset(); }

  Result<Committed> commit(std::vector<engine::Record> records, std::int64_t now_ms = 0);
  Result<Committed> commit(Batch batch);
  template <class T>
  Result<T> ask(std::function<Result<T>(Queries&)> question) {
    std::optional<Result<T>> answer;
    store->ask<T>(std::move(question), [&](Result<T> got) { answer = std::move(got); });
    loop.run_until([&] { return answer.has_value(); });
    return std::move(*answer);
  }
  views::RunView run(std::uint64_t key);
  std::vector<views::TaskView> tasks(std::uint64_t key);
  std::vector<views::EventView> events();

  Loop loop;
  Health health = Health::good;  // as it was last heard
  std::vector<Health> healths;   // all of what was heard
  Recovered recovered;
  std::unique_ptr<Store> store;
};

using Outputs = std::map<std::string, std::string>;

TimePoint at_ms(std::int64_t ms);

// A run named by its key; its tasks are named by the letters from "a" on, each needing the one before.
engine::RunCreated run_created(std::uint64_t key, std::uint32_t tasks = 1);
engine::RunChanged run_changed(std::uint64_t key, engine::RunState state);
engine::InstanceChanged instance(std::uint64_t run, std::uint32_t task, engine::InstancePhase phase,
                                 std::uint32_t attempts = 0);
// The first record: with a name.
engine::InstanceChanged new_instance(std::uint64_t run, std::uint32_t task,
                                     engine::InstancePhase phase = engine::InstancePhase::waiting);
engine::AttemptChanged attempt(std::uint64_t id, std::uint64_t run, std::uint32_t task, engine::AttemptState state,
                               std::uint32_t number = 1);
// A run of `tasks` tasks that all wait, and runs.
std::vector<engine::Record> started_run(std::uint64_t key, std::uint32_t tasks = 1);

// Executes SQL on a database that no store has open, without any check.
void meddle(const std::string& path, const std::string& sql);
// Puts an SQL expression into every row of a column, as far as the table lets it.
void meddle_column(const std::string& path, const std::string& table, int column, const std::string& expression);
std::int64_t number_in(const std::string& path, const std::string& sql);

}  // namespace baton::store::test
