// Questions about runs and tasks.
#include <sqlite3.h>

#include <baton/base/limits.hpp>

#include "catch.hpp"
#include "fixture.hpp"

namespace baton::store::test {
namespace {

using engine::AttemptState;
using engine::InstancePhase;
using engine::RunState;

engine::RunCreated named_run(std::uint64_t key, const std::string& id) {
  engine::RunCreated run = run_created(key);
  run.id = id;
  return run;
}

template <class... Args>
std::vector<engine::Record> records(Args... args) {
  return {args...};
}

std::vector<engine::Record> child_run(std::uint64_t key, std::uint64_t parent) {
  auto child = started_run(key);
  auto& created = std::get<engine::RunCreated>(child[0]);
  created.parent = InstanceKey{RunKey(parent), TaskIndex(0), 0};
  created.parent_id = fmt::format("run-{:04}", parent);
  return child;
}

TEST_CASE("a run is found by its id, a prefix, its number or as the last one") {
  const TempFolder folder;
  Daemon daemon(folder.path("baton.db"));
  const auto resolve = [&](const std::string& reference) {
    return daemon.ask<RunKey>([reference](Queries& queries) { return queries.resolve(reference); });
  };
  CHECK(resolve("last").error().code == ErrorCode::not_found);
  engine::RunCreated child = named_run(4, "bcd-child");
  child.parent = InstanceKey{RunKey(1), TaskIndex(0), 0};
  REQUIRE(daemon.commit(records(named_run(1, "abc-1"), named_run(2, "abc-2"), named_run(3, "bcd-3"), child)));
  CHECK(resolve("abc-1") == RunKey(1));
  CHECK(resolve("abc-2") == RunKey(2));
  CHECK(resolve("last") == RunKey(3));
  CHECK(resolve("digits#2") == RunKey(2));
  CHECK(resolve("digits#4") == RunKey(4));
  // A run without a parent goes first.
  CHECK(resolve("bcd") == RunKey(3));
  CHECK(resolve("bcd-c") == RunKey(4));
  const auto ambiguous = resolve("ab");
  REQUIRE_FALSE(ambiguous);
  CHECK(ambiguous.error().code == ErrorCode::conflict);
  CHECK_THAT(ambiguous.error().message, Catch::Contains("abc-1, abc-2"));
  for (const std::string nothing : {"", "zzz", "abc-11", "digits#9", "digits#", "digits#x", "#1", "other#1", "%", "ab*",
                                    "' OR 1=1 --", "\xff\xfe"}) {
    CAPTURE(nothing);
    CHECK(resolve(nothing).error().code == ErrorCode::not_found);
  }
}

TEST_CASE("runs come newest first, in pages, by workflow, state and parent") {
  const TempFolder folder;
  Daemon daemon(folder.path("baton.db"));
  for (std::uint64_t key = 1; key <= 10; ++key) {
    auto run = started_run(key);
    auto& created = std::get<engine::RunCreated>(run[0]);
    created.workflow = key % 2 == 0 ? "even" : "odd";
    created.labels = {{"n", std::to_string(key)}};
    if (key <= 6) run.emplace_back(run_changed(key, key <= 3 ? RunState::failed : RunState::succeeded));
    REQUIRE(daemon.commit(std::move(run)));
  }
  REQUIRE(daemon.commit(child_run(11, 10)));
  const auto list = [&](const RunFilter& filter, const std::string& cursor = "", std::size_t limit = 0) {
    return daemon.ask<views::Page<views::RunView>>(
        [=](Queries& queries) { return queries.runs(filter, cursor, limit); });
  };
  const auto keys = [](const Result<views::Page<views::RunView>>& page) {
    std::vector<std::uint64_t> found;
    for (const auto& run : page.value().items) found.push_back(run.key.value());
    return found;
  };
  using Keys = std::vector<std::uint64_t>;
  CHECK(keys(list({})) == Keys{10, 9, 8, 7, 6, 5, 4, 3, 2, 1});
  CHECK(keys(list({.include_children = true})).front() == 11);
  CHECK(keys(list({.parent = "run-0010"})) == Keys{11});
  CHECK(list({.parent = "none"}).error().code == ErrorCode::not_found);
  CHECK(keys(list({.workflow = "even"})) == Keys{10, 8, 6, 4, 2});
  CHECK(keys(list({.states = {"failed"}})) == Keys{3, 2, 1});
  CHECK(keys(list({.states = {"running", "queued"}})) == Keys{10, 9, 8, 7});
  CHECK(keys(list({.workflow = "odd", .states = {"failed", "succeeded"}})) == Keys{5, 3, 1});
  CHECK(list({.states = {"tired"}}).error().code == ErrorCode::invalid_argument);
  CHECK(list({}).value().items[0].labels.at("n") == "10");
  CHECK(list({}).value().items[0].summary.empty());

  Keys all;
  std::string cursor;
  do {
    const auto page = list({.workflow = "even"}, cursor, 2);
    REQUIRE(page);
    CHECK(page->items.size() <= 2);
    for (const auto key : keys(page)) all.push_back(key);
    cursor = page->next_cursor;
  } while (!cursor.empty());
  CHECK(all == Keys{10, 8, 6, 4, 2});
  for (const std::string garbage : {"x", "1x", "99999999999999999999", " ", "\xff"}) {
    CHECK(list({}, garbage).error().code == ErrorCode::invalid_argument);
  }
}

TEST_CASE("a page has a greatest length, whatever is asked for") {
  const TempFolder folder;
  Daemon daemon(folder.path("baton.db"));
  constexpr std::uint64_t kRuns = limits::kPageSize + 1;
  for (std::uint64_t key = 1; key <= kRuns;) {
    std::vector<engine::Record> records;
    for (int i = 0; i < 100 && key <= kRuns; ++i, ++key) {
      for (engine::Record& record : started_run(key)) records.push_back(std::move(record));
    }
    REQUIRE(daemon.commit(std::move(records)));
  }
  for (const std::size_t asked : {std::size_t{0}, limits::kPageSize + 1, std::numeric_limits<std::size_t>::max()}) {
    const auto page =
        daemon.ask<views::Page<views::RunView>>([=](Queries& queries) { return queries.runs({}, "", asked); });
    REQUIRE(page);
    CHECK(page->items.size() == limits::kPageSize);
    CHECK_FALSE(page->next_cursor.empty());
  }
}

TEST_CASE("a page takes a bounded amount of memory, and nothing is missing from the pages") {
  const TempFolder folder;
  Daemon daemon(folder.path("baton.db"));
  constexpr std::size_t kBytes = 1u << 20;
  constexpr std::uint64_t kItems = 40;
  auto records = started_run(1, kItems);
  for (std::uint32_t task = 0; task < kItems; ++task) {
    auto done = instance(1, task, InstancePhase::succeeded);
    done.outputs = std::map<std::string, std::string>{{"x", std::string(kBytes, 'x')}};
    records.emplace_back(std::move(done));
  }
  REQUIRE(daemon.commit(std::move(records)));
  for (std::uint64_t key = 2; key <= kItems; ++key) {
    auto run = child_run(key, 1);
    run.emplace_back(run_changed(key, RunState::running));
    std::get<engine::RunChanged>(run.back()).params = {{"x", std::string(kBytes, 'x')}};
    REQUIRE(daemon.commit(std::move(run)));
  }
  const sqlite3_int64 before = sqlite3_memory_used();
  sqlite3_memory_highwater(1);
  std::string cursor;
  std::size_t tasks = 0;
  do {
    const auto page = daemon.ask<views::Page<views::TaskView>>(
        [cursor](Queries& queries) { return queries.tasks(RunKey(1), "", "", cursor, 0); });
    REQUIRE(page);
    REQUIRE(page->items.size() <= limits::kPageBytes / kBytes);
    for (const auto& task : page->items) CHECK(task.task_index.value() == tasks++);
    cursor = page->next_cursor;
  } while (!cursor.empty());
  CHECK(tasks == kItems);
  std::uint64_t runs = kItems;
  do {
    const auto page = daemon.ask<views::Page<views::RunView>>(
        [cursor](Queries& queries) { return queries.runs({.parent = "run-0001"}, cursor, 0); });
    REQUIRE(page);
    REQUIRE(page->items.size() <= limits::kPageBytes / kBytes);
    for (const auto& run : page->items) CHECK(run.key.value() == runs--);
    cursor = page->next_cursor;
  } while (!cursor.empty());
  CHECK(runs == 1);
  CHECK(sqlite3_memory_highwater(0) - before < static_cast<sqlite3_int64>(kItems * kBytes / 2));
}

TEST_CASE("a run shows its tasks counted by state") {
  const TempFolder folder;
  Daemon daemon(folder.path("baton.db"));
  auto run = started_run(1, 2);
  std::get<engine::RunCreated>(run[0]).tasks[1].is_matrix = true;
  std::get<engine::RunCreated>(run[0]).tasks[1].is_finally = true;
  for (std::uint32_t i = 1; i < 5; ++i) {
    engine::InstanceChanged more = new_instance(1, 1, i < 4 ? InstancePhase::succeeded : InstancePhase::failed);
    more.key.index = i;
    more.name = fmt::format("b[i={}]", i);
    run.emplace_back(more);
  }
  REQUIRE(daemon.commit(std::move(run)));
  const auto view = daemon.run(1);
  CHECK(view.state == "running");
  CHECK(view.started_at == at_ms(10));
  REQUIRE(view.summary.size() == 2);
  CHECK(view.summary[0].states == std::map<std::string, std::uint64_t>{{"waiting", 1}});
  CHECK(view.summary[1].task == "b");
  CHECK(view.summary[1].needs == std::vector<std::string>{"a"});
  CHECK(view.summary[1].is_matrix);
  CHECK(view.summary[1].is_finally);
  CHECK(view.summary[1].task_index == TaskIndex(1));
  CHECK(view.summary[1].states ==
        std::map<std::string, std::uint64_t>{{"waiting", 1}, {"succeeded", 3}, {"failed", 1}});
}

struct Matrix {
  TempFolder folder;
  Daemon daemon{folder.path("baton.db")};

  // Tasks a and b; b has 20 instances of which every fifth failed twice, the others run.
  Matrix() {
    auto run = started_run(1, 1);
    auto& created = std::get<engine::RunCreated>(run[0]);
    created.tasks.push_back({"b", "train", {TaskIndex(0)}, true, false});
    std::uint64_t next_attempt = 1;
    for (std::uint32_t i = 0; i < 20; ++i) {
      const bool failed = i % 5 == 0;
      engine::InstanceChanged record = new_instance(1, 1, failed ? InstancePhase::failed : InstancePhase::running);
      record.key.index = i;
      record.name = fmt::format("b[i={}]", i);
      record.attempts = failed ? 2 : 1;
      record.reason = failed ? "exit:1" : "";
      record.message = failed ? "detail" : "";
      run.emplace_back(record);
      for (std::uint32_t number = 1; number <= record.attempts; ++number) {
        engine::AttemptChanged tried =
            attempt(next_attempt++, 1, 1, failed ? AttemptState::failed : AttemptState::running, number);
        tried.key.index = i;
        if (failed) tried.failure = {workflow::FailureKind::exit, 1};
        if (failed) tried.exit_code = 1;
        tried.log = {7, i * 10u, failed ? i * 10u + 5 : ~std::uint64_t{0}};
        run.emplace_back(tried);
      }
    }
    REQUIRE(daemon.commit(std::move(run)));
  }

  Result<views::Page<views::TaskView>> tasks(const std::string& task, const std::string& state,
                                             const std::string& cursor = "", std::size_t limit = 0) {
    return daemon.ask<views::Page<views::TaskView>>(
        [=](Queries& queries) { return queries.tasks(RunKey(1), task, state, cursor, limit); });
  }
  Result<std::vector<LogSource>> logs(const std::string& task, std::uint32_t number, bool failed_only,
                                      std::size_t limit = 100) {
    return daemon.ask<std::vector<LogSource>>(
        [=](Queries& queries) { return queries.logs(RunKey(1), task, number, failed_only, limit); });
  }
};

TEST_CASE("tasks come in order with their attempts, in pages, by task and state") {
  Matrix matrix;
  const auto all = matrix.tasks("", "");
  REQUIRE(all);
  REQUIRE(all->items.size() == 21);
  CHECK(all->next_cursor.empty());
  CHECK(all->items[0].name == "a");
  CHECK(all->items[0].attempts.empty());
  CHECK(all->items[6].name == "b[i=5]");
  CHECK(all->items[6].task == "b");
  CHECK(all->items[6].kind == "train");
  CHECK(all->items[6].instance == 5);
  CHECK(all->items[6].reason == "exit:1: detail");
  REQUIRE(all->items[6].attempts.size() == 2);
  CHECK(all->items[6].attempts[1].number == 2);
  CHECK(all->items[6].attempts[1].failure_class == "exit:1");
  CHECK(all->items[6].attempts[1].exit_code == 1);
  CHECK(all->items[6].attempts[1].worker == "local");
  CHECK(all->items[6].attempts[1].started_at == at_ms(12));
  CHECK(all->items[7].attempts.at(0).failure_class.empty());
  CHECK_FALSE(all->items[7].attempts.at(0).exit_code);

  CHECK(matrix.tasks("b", "").value().items.size() == 20);
  CHECK(matrix.tasks("b", "failed").value().items.size() == 4);
  REQUIRE(matrix.tasks("b[i=5]", "").value().items.size() == 1);
  CHECK(matrix.tasks("b[i=5]", "").value().items[0].attempts.size() == 2);
  CHECK(matrix.tasks("a", "failed").value().items.empty());
  CHECK(matrix.tasks("c", "").error().code == ErrorCode::not_found);
  CHECK(matrix.tasks("b[i=99]", "").error().code == ErrorCode::not_found);
  CHECK(matrix.tasks("", "tired").error().code == ErrorCode::invalid_argument);

  std::vector<std::string> names;
  std::string cursor;
  do {
    const auto page = matrix.tasks("", "failed", cursor, 3);
    REQUIRE(page);
    for (const auto& task : page->items) {
      names.push_back(task.name);
      CHECK(task.attempts.size() == 2);
    }
    cursor = page->next_cursor;
  } while (!cursor.empty());
  CHECK(names == std::vector<std::string>{"b[i=0]", "b[i=5]", "b[i=10]", "b[i=15]"});
  for (const std::string garbage : {"x", "1", "1.", ".1", "1.x", "1.2.3", "99999999999999999999.1"}) {
    CHECK(matrix.tasks("", "", garbage).error().code == ErrorCode::invalid_argument);
  }
}

TEST_CASE("an attempt is unreachable while its instance is") {
  Matrix matrix;
  engine::InstanceChanged lost = instance(1, 1, InstancePhase::unreachable, 1);
  lost.key.index = 1;
  REQUIRE(matrix.daemon.commit({lost}));
  const auto view = matrix.tasks("b[i=1]", "").value().items.at(0);
  CHECK(view.state == "unreachable");
  CHECK(view.attempts.at(0).state == "unreachable");
}

TEST_CASE("an approval shows what it asks") {
  const TempFolder folder;
  Daemon daemon(folder.path("baton.db"));
  REQUIRE(daemon.commit(started_run(1)));
  engine::InstanceChanged asks = instance(1, 0, InstancePhase::awaiting_approval);
  asks.message = "Deploy?";
  REQUIRE(daemon.commit({asks}));
  CHECK(daemon.tasks(1).at(0).state == "awaiting_approval");
  CHECK(daemon.tasks(1).at(0).approval_message == "Deploy?");
  CHECK(daemon.tasks(1).at(0).reason.empty());
}

TEST_CASE("logs are of the last attempts, of one attempt, or of failures") {
  Matrix matrix;
  const auto last = matrix.logs("", 0, false);
  REQUIRE(last);
  REQUIRE(last->size() == 20);
  CHECK((*last)[0].task_name == "b[i=0]");
  CHECK((*last)[0].attempt == 2);
  CHECK((*last)[0].ended);
  CHECK((*last)[0].state == "failed");
  CHECK((*last)[0].worker == "local");
  CHECK((*last)[0].place == engine::LogPlace{7, 0, 5});
  CHECK_FALSE((*last)[1].ended);
  CHECK((*last)[1].place.to == ~std::uint64_t{0});
  CHECK(matrix.logs("", 0, true).value().size() == 4);
  CHECK(matrix.logs("b", 1, false).value().size() == 20);
  CHECK(matrix.logs("b", 2, false).value().size() == 4);
  CHECK(matrix.logs("b[i=5]", 0, false).value().size() == 1);
  CHECK(matrix.logs("b[i=5]", 3, false).value().empty());
  CHECK(matrix.logs("a", 0, false).value().empty());
  CHECK(matrix.logs("", 0, false, 7).value().size() == 7);
  CHECK(matrix.logs("none", 0, false).error().code == ErrorCode::not_found);
}

TEST_CASE("events are of all runs, or of one with its children, from a place on or the last few") {
  const TempFolder folder;
  Daemon daemon(folder.path("baton.db"));
  for (std::uint64_t key = 1; key <= 2; ++key) REQUIRE(daemon.commit(started_run(key)));
  REQUIRE(daemon.commit(child_run(3, 1)));
  REQUIRE(daemon.commit(child_run(4, 3)));
  for (std::uint64_t key = 1; key <= 4; ++key) REQUIRE(daemon.commit({instance(key, 0, InstancePhase::ready)}));
  const auto ask = [&](std::optional<RunKey> run, std::uint64_t after, std::size_t limit, std::size_t tail) {
    const auto events = daemon.ask<std::vector<views::EventView>>(
        [=](Queries& queries) { return queries.events(run, after, limit, tail); });
    std::vector<std::uint64_t> numbers;
    for (const auto& event : events.value()) numbers.push_back(event.seq);
    return numbers;
  };
  using Numbers = std::vector<std::uint64_t>;
  CHECK(ask(std::nullopt, 0, 100, 0) == Numbers{1, 2, 3, 4, 5, 6, 7, 8});
  CHECK(ask(std::nullopt, 3, 2, 0) == Numbers{4, 5});
  CHECK(ask(std::nullopt, 0, 100, 3) == Numbers{6, 7, 8});
  CHECK(ask(std::nullopt, 7, 100, 3) == Numbers{8});
  CHECK(ask(std::nullopt, ~std::uint64_t{0}, 100, 0).empty());
  CHECK(ask(RunKey(1), 0, 100, 0) == Numbers{1, 3, 4, 5, 7, 8});
  CHECK(ask(RunKey(1), 1, 3, 0) == Numbers{3, 4, 5});
  CHECK(ask(RunKey(1), 0, 100, 2) == Numbers{7, 8});
  CHECK(ask(RunKey(3), 0, 100, 0) == Numbers{3, 4, 7, 8});
  CHECK(ask(RunKey(2), 0, 100, 0) == Numbers{2, 6});
  CHECK(daemon.ask<std::vector<views::EventView>>([](Queries& queries) { return queries.events(RunKey(9), 0, 1, 0); })
            .error()
            .code == ErrorCode::not_found);
}

TEST_CASE("a run that has ended can be read back whole, to be retried") {
  const TempFolder folder;
  Daemon daemon(folder.path("baton.db"));
  auto run = started_run(1);
  run.emplace_back(instance(1, 0, InstancePhase::failed, 1));
  run.emplace_back(attempt(1, 1, 0, AttemptState::failed));
  run.emplace_back(run_changed(1, RunState::failed));
  REQUIRE(daemon.commit(std::move(run)));
  const auto snapshot = daemon.ask<engine::RunSnapshot>([](Queries& queries) { return queries.snapshot(RunKey(1)); });
  REQUIRE(snapshot);
  CHECK(snapshot->state.state == RunState::failed);
  CHECK(snapshot->instances.at(0).phase == InstancePhase::failed);
  CHECK(snapshot->instances.at(0).attempts == 1);
  CHECK(snapshot->attempts.empty());
  CHECK(daemon.ask<engine::RunSnapshot>([](Queries& queries) { return queries.snapshot(RunKey(2)); }).error().code ==
        ErrorCode::not_found);
}

}  // namespace
}  // namespace baton::store::test
