#include "fixture.hpp"

#include <sqlite3.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "catch.hpp"

namespace baton::store::test {

TempFolder::TempFolder() {
  // In memory where that is possible: the tests sync a great deal.
  const std::filesystem::path memory = "/dev/shm";
  const auto base = ::access(memory.c_str(), W_OK | X_OK) == 0 ? memory : std::filesystem::temp_directory_path();
  std::string name = (base / "baton-store-XXXXXX").string();
  REQUIRE(::mkdtemp(name.data()) != nullptr);
  folder_ = name;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void Loop::post(std::function<void()> completion) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(completion));
  }
  wake_.notify_one();
}

void Loop::run_one() {
  std::function<void()> completion;
  {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return !queue_.empty(); });
    completion = std::move(queue_.front());
    queue_.pop_front();
  }
  completion();
}

Daemon::Daemon(const std::string& path) {
  auto opened = Store::open({path, [this](std::function<void()> completion) { loop.post(std::move(completion)); },
                             [this](Health now) {
                               health = now;
                               healths.push_back(now);
                             }});
  if (!opened) FAIL(opened.error().message);
  store = std::move(*opened);
  auto found = store->recover();
  if (!found) FAIL(found.error().message);
  recovered = std::move(*found);
}

Result<Committed> Daemon::commit(std::vector<engine::Record> records, std::int64_t now_ms) {
  return commit(Batch{std::move(records), {}, at_ms(now_ms)});
}

Result<Committed> Daemon::commit(Batch batch) {
  std::optional<Result<Committed>> answer;
  store->commit(std::move(batch), [&](Result<Committed> got) { answer = std::move(got); });
  loop.run_until([&] { return answer.has_value(); });
  return std::move(*answer);
}

views::RunView Daemon::run(std::uint64_t key) {
  auto view = ask<views::RunView>([key](Queries& queries) { return queries.run(RunKey(key)); });
  if (!view) FAIL(view.error().message);
  return std::move(*view);
}

std::vector<views::TaskView> Daemon::tasks(std::uint64_t key) {
  auto page =
      ask<views::Page<views::TaskView>>([key](Queries& queries) { return queries.tasks(RunKey(key), "", "", "", 0); });
  if (!page) FAIL(page.error().message);
  return std::move(page->items);
}

std::vector<views::EventView> Daemon::events() {
  auto events =
      ask<std::vector<views::EventView>>([](Queries& queries) { return queries.events(std::nullopt, 0, 1000, 0); });
  if (!events) FAIL(events.error().message);
  return std::move(*events);
}

TimePoint at_ms(std::int64_t ms) { return TimePoint(std::chrono::milliseconds(ms)); }

engine::RunCreated run_created(std::uint64_t key, std::uint32_t tasks) {
  engine::RunCreated run;
  run.run = RunKey(key);
  run.id = fmt::format("run-{:04}", key);
  run.workflow = "digits";
  run.number = key;
  run.working_dir = "/work";
  run.created_at = at_ms(static_cast<std::int64_t>(key));
  for (std::uint32_t t = 0; t < tasks; ++t) {
    engine::RunCreated::Task task{std::string(1, static_cast<char>('a' + t)), "train", {}, false, false};
    if (t > 0) task.needs.emplace_back(t - 1);
    run.tasks.push_back(std::move(task));
  }
  return run;
}

engine::RunChanged run_changed(std::uint64_t key, engine::RunState state) {
  engine::RunChanged run;
  run.run = RunKey(key);
  run.state = state;
  if (state != engine::RunState::queued) run.started_at = at_ms(10);
  if (engine::is_final(state)) run.ended_at = at_ms(20);
  return run;
}

engine::InstanceChanged instance(std::uint64_t run, std::uint32_t task, engine::InstancePhase phase,
                                 std::uint32_t attempts) {
  engine::InstanceChanged record;
  record.key = {RunKey(run), TaskIndex(task), 0};
  record.phase = phase;
  record.attempts = attempts;
  return record;
}

engine::InstanceChanged new_instance(std::uint64_t run, std::uint32_t task, engine::InstancePhase phase) {
  engine::InstanceChanged record = instance(run, task, phase);
  record.name = std::string(1, static_cast<char>('a' + task));
  return record;
}

engine::AttemptChanged attempt(std::uint64_t id, std::uint64_t run, std::uint32_t task, engine::AttemptState state,
                               std::uint32_t number) {
  engine::AttemptChanged record;
  record.id = AttemptId(id);
  record.key = {RunKey(run), TaskIndex(task), 0};
  record.number = number;
  record.state = state;
  record.worker = "local";
  record.created_at = at_ms(11);
  if (state != engine::AttemptState::starting) record.started_at = at_ms(12);
  if (state >= engine::AttemptState::succeeded) record.ended_at = at_ms(13);
  return record;
}

std::vector<engine::Record> started_run(std::uint64_t key, std::uint32_t tasks) {
  std::vector<engine::Record> records{run_created(key, tasks), run_changed(key, engine::RunState::running)};
  for (std::uint32_t t = 0; t < tasks; ++t) records.emplace_back(new_instance(key, t));
  return records;
}

namespace {

struct Database {
  explicit Database(const std::string& path) { REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK); }
  ~Database() { sqlite3_close(db); }
  sqlite3* db = nullptr;
};

}  // namespace

void meddle(const std::string& path, const std::string& sql) {
  const Database database(path);
  char* error = nullptr;
  sqlite3_exec(database.db, "PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF", nullptr, nullptr,
               nullptr);
  const int code = sqlite3_exec(database.db, sql.c_str(), nullptr, nullptr, &error);
  INFO(sql << ": " << (error != nullptr ? error : ""));
  CHECK(code == SQLITE_OK);
  sqlite3_free(error);
}

void meddle_column(const std::string& path, const std::string& table, int column, const std::string& expression) {
  const Database database(path);
  std::string name;
  const auto take = [](void* to, int, char** texts, char**) {
    *static_cast<std::string*>(to) = texts[0];
    return 0;
  };
  const std::string find = fmt::format("SELECT name FROM pragma_table_info('{}') WHERE cid = {}", table, column);
  CHECK(sqlite3_exec(database.db, find.c_str(), take, &name, nullptr) == SQLITE_OK);
  sqlite3_exec(database.db, "PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF", nullptr, nullptr,
               nullptr);
  const std::string update = fmt::format("UPDATE OR IGNORE {} SET \"{}\" = {}", table, name, expression);
  sqlite3_exec(database.db, update.c_str(), nullptr, nullptr, nullptr);  // a refusal is fine
}

std::int64_t number_in(const std::string& path, const std::string& sql) {
  const Database database(path);
  std::int64_t number = 0;
  const auto take = [](void* to, int, char** texts, char**) {
    if (texts[0] != nullptr) *static_cast<std::int64_t*>(to) = std::stoll(texts[0]);
    return 0;
  };
  CHECK(sqlite3_exec(database.db, sql.c_str(), take, &number, nullptr) == SQLITE_OK);
  return number;
}

}  // namespace baton::store::test
