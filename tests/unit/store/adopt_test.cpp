// Copies of a state, and going on from one: what was given out since the copy was made is never given out again.
#include <sys/stat.h>

#include <chrono>
#include <fstream>

#include "catch.hpp"
#include "fixture.hpp"

namespace baton::store::test {
namespace {

using engine::AttemptState;
using engine::InstancePhase;

constexpr auto kNow = TimePoint(std::chrono::seconds(1'800'000'000));

// Task a is on a worker, b was about to be, c waits, and d has been tried twice, once before a user's retry.
void make_busy_state(const std::string& path) {
  Daemon daemon(path);
  auto records = started_run(1, 4);
  records.emplace_back(instance(1, 0, InstancePhase::running, 1));
  records.emplace_back(attempt(1, 1, 0, AttemptState::running));
  records.emplace_back(instance(1, 1, InstancePhase::starting, 1));
  records.emplace_back(attempt(2, 1, 1, AttemptState::starting));
  engine::InstanceChanged again = instance(1, 3, InstancePhase::waiting, 2);
  again.retries_from = 1;
  records.emplace_back(again);
  records.emplace_back(attempt(3, 1, 3, AttemptState::failed, 1));
  records.emplace_back(attempt(4, 1, 3, AttemptState::failed, 2));
  REQUIRE(daemon.commit(std::move(records)));
}

Result<Recovered> go_on(const std::string& path, const Seen& seen) {
  auto store = Store::open({.path = path, .post = [](const std::function<void()>&) {}, .seen = seen});
  REQUIRE(store);
  return (*store)->recover();
}

Result<Recovered> go_on(const std::string& path, std::uint64_t seen) { return go_on(path, Seen{"", seen}); }

const engine::InstanceChanged& task(const Recovered& recovered, std::size_t index) {
  REQUIRE(recovered.quarantined.empty());
  REQUIRE(recovered.runs.size() == 1);
  REQUIRE(recovered.runs[0].instances.size() == 4);
  return recovered.runs[0].instances[index];
}

TEST_CASE("a database that is behind its workers is refused, however often") {
  const TempFolder folder;
  const std::string path = folder.path("baton.db");
  make_busy_state(path);
  for (int i = 0; i < 5; ++i) {
    const auto refused = go_on(path, 3);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::denied);
    CHECK_THAT(refused.error().message, Catch::Contains("baton daemon adopt"));
  }
  CHECK(go_on(path, 1));  // what the worker has seen last is the state itself
}

TEST_CASE("a backup is whole, belongs to its owner alone, and is no state before it is adopted") {
  const TempFolder folder;
  const std::string path = folder.path("baton.db");
  const std::string copy = folder.path("copy.db");
  make_busy_state(path);
  REQUIRE(backup_database(path, copy));
  struct stat status{};
  REQUIRE(::stat(copy.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  CHECK(check_database(copy)->empty());
  CHECK(go_on(path, 0));  // the state itself is as it was
  const auto refused = go_on(copy, 0);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::denied);
  CHECK_THAT(refused.error().message, Catch::Contains("is a backup"));
  REQUIRE(adopt_database(copy, kNow, {}));
  CHECK(go_on(copy, 0));
}

TEST_CASE("a backup never takes the place of what is there, and leaves nothing when it fails") {
  const TempFolder folder;
  const std::string path = folder.path("baton.db");
  make_busy_state(path);
  std::ofstream(folder.path("there")) << "mine";
  CHECK(backup_database(path, folder.path("there")).error().code == ErrorCode::conflict);
  CHECK(std::filesystem::file_size(folder.path("there")) == 4);
  std::filesystem::create_symlink(folder.path("nothing"), folder.path("link"));
  CHECK(backup_database(path, folder.path("link")).error().code == ErrorCode::conflict);
  CHECK_FALSE(std::filesystem::exists(folder.path("nothing")));
  CHECK_FALSE(backup_database(path, folder.path("no/such/folder")));
  meddle(folder.path("other.db"), "CREATE TABLE t(x)");
  CHECK(backup_database(folder.path("other.db"), folder.path("copy")).error().code == ErrorCode::corrupt);
  for (const auto& entry : std::filesystem::directory_iterator(folder.folder())) {
    CHECK(entry.path().string().find("partial") == std::string::npos);
    CHECK(entry.path().filename().string().find("copy") == std::string::npos);
  }
}

TEST_CASE("each adoption of one copy gives out numbers that none before it gave") {
  const TempFolder folder;
  const std::string copy = folder.path("copy.db");
  make_busy_state(folder.path("baton.db"));
  REQUIRE(backup_database(folder.path("baton.db"), copy));
  std::uint64_t seen = 1;
  std::uint64_t last_run = 1;
  std::uint64_t last_attempt = 4;
  std::uint64_t last_event = number_in(copy, "SELECT last_event FROM meta");
  std::uint32_t attempts = 2;
  // Within one second; then the clock is set back.
  for (const TimePoint now : {kNow, kNow, TimePoint{}}) {
    const std::string path = folder.path("state.db");
    std::filesystem::remove(path);
    std::filesystem::copy_file(copy, path);
    const auto adopted = adopt_database(path, now, {"", seen});
    REQUIRE(adopted);
    CHECK(adopted->runs == 1);
    CHECK(adopted->active_runs == 1);
    CHECK(check_database(path)->empty());
    const auto recovered = go_on(path, seen);
    REQUIRE(recovered);
    CHECK(recovered->incarnation > seen);
    CHECK(recovered->counters.last_run.value() > last_run);
    for (std::size_t i = 0; i < 4; ++i) CHECK(task(*recovered, i).attempts > attempts);
    CHECK(task(*recovered, 3).attempts - task(*recovered, 3).retries_from == 1);  // of its retries it has as many left
    REQUIRE(recovered->runs[0].attempts.size() == 2);
    const auto& running = recovered->runs[0].attempts[0];
    const auto& starting = recovered->runs[0].attempts[1];
    CHECK(running.id == AttemptId(1));  // its worker knows it by this
    CHECK(running.number == task(*recovered, 0).attempts);
    CHECK(starting.id.value() > last_attempt);
    CHECK(starting.number == task(*recovered, 1).attempts);
    CHECK(recovered->counters.last_attempt >= starting.id);
    CHECK(number_in(path, "SELECT last_event FROM meta") > static_cast<std::int64_t>(last_event));
    seen = recovered->incarnation;
    // As far as a daemon gets in a second.
    last_run = recovered->counters.last_run.value() + 500'000;
    last_attempt = recovered->counters.last_attempt.value() + 500'000;
    last_event = static_cast<std::uint64_t>(number_in(path, "SELECT last_event FROM meta")) + 500'000;
    attempts = task(*recovered, 0).attempts;
  }
}

TEST_CASE("a state can be adopted time and again") {
  const TempFolder folder;
  const std::string path = folder.path("baton.db");
  make_busy_state(path);
  std::uint64_t seen = 0;
  for (int i = 0; i < 40; ++i) {
    const std::string copy = folder.path("copy.db");
    REQUIRE(backup_database(path, copy));
    std::filesystem::rename(copy, path);
    const auto adopted = adopt_database(path, kNow, {"", seen});
    REQUIRE(adopted);
    CHECK(adopted->was_copy);
    const auto recovered = go_on(path, seen);
    REQUIRE(recovered);
    CHECK(recovered->quarantined.empty());
    CHECK(recovered->incarnation < std::uint64_t{1} << 52);
    CHECK(recovered->counters.last_attempt < AttemptId(std::uint64_t{1} << 52));
    seen = recovered->incarnation;
  }
}

TEST_CASE("adopting makes a database the workers' own, and takes no attempt or log of theirs for one of its own") {
  const TempFolder folder;
  const std::string path = folder.path("baton.db");
  make_busy_state(path);
  meddle(path, "UPDATE attempts SET segment = id, log_to = 100");
  const Seen seen{"0123456789abcdef0123456789abcdef", 7};
  const auto findings = check_database(path, {}, seen);
  REQUIRE(findings);
  REQUIRE(findings->size() == 1);
  CHECK_THAT(findings->front(), Catch::Contains("baton daemon adopt"));
  const auto adopted = adopt_database(path, kNow, seen);
  REQUIRE(adopted);
  CHECK(adopted->foreign);
  CHECK(check_database(path, {}, seen) == std::vector<std::string>{});
  const auto recovered = go_on(path, seen);
  REQUIRE(recovered);
  CHECK(recovered->state_id == seen.state_id);
  CHECK(recovered->incarnation > seen.incarnation);
  REQUIRE(recovered->runs.size() == 1);
  REQUIRE(recovered->runs[0].attempts.size() == 2);
  for (const auto& attempt : recovered->runs[0].attempts) CHECK(attempt.id.value() > 4);
  CHECK(number_in(path, "SELECT count(*) FROM attempts WHERE segment <> 0 OR log_from <> 0") == 0);
  CHECK_FALSE(adopt_database(path, kNow, seen)->foreign);
}

TEST_CASE("a new database for a lost one is refused, and says what can be done") {
  const TempFolder folder;
  const std::string path = folder.path("baton.db");
  const auto refused = go_on(path, 3);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::denied);
  CHECK_THAT(refused.error().message, Catch::Contains("is lost"));
  CHECK_THAT(refused.error().message, Catch::Contains("baton daemon adopt"));
}

TEST_CASE("a state whose id cannot be read has the one that its workers know") {
  const TempFolder folder;
  const std::string path = folder.path("baton.db");
  make_busy_state(path);
  meddle(path, "UPDATE meta SET state_id = 'x'");
  const Seen seen{"0123456789abcdef0123456789abcdef", 1};
  CHECK_FALSE(adopt_database(path, kNow, seen)->foreign);  // its attempts are still known to them
  CHECK(go_on(path, seen)->state_id == seen.state_id);
}

TEST_CASE("what is no copy is not adopted, and its counters stay") {
  const TempFolder folder;
  const std::string path = folder.path("baton.db");
  make_busy_state(path);
  const auto counters = [&] {
    return std::pair(number_in(path, "SELECT incarnation FROM meta"), number_in(path, "SELECT last_attempt FROM meta"));
  };
  const auto before = counters();
  const auto adopted = adopt_database(path, kNow, {"", 1});  // its workers have seen its last start
  REQUIRE(adopted);
  CHECK_FALSE(adopted->was_copy);
  CHECK(counters() == before);
  CHECK(check_origin(path, {"", 1}));
  CHECK(check_origin(path, {"", 2}).error().code == ErrorCode::denied);
  CHECK(adopt_database(path, kNow, {"", 2})->was_copy);
  CHECK(check_origin(path, {"", 2}));
  REQUIRE(backup_database(path, folder.path("copy.db")));
  CHECK(check_origin(folder.path("copy.db"), {}).error().code == ErrorCode::denied);
}

TEST_CASE("a start that no daemon can have reached is not gone beyond") {
  const TempFolder folder;
  const std::string path = folder.path("baton.db");
  make_busy_state(path);
  CHECK(adopt_database(path, kNow, {"", ~std::uint64_t{0}}).error().code == ErrorCode::corrupt);
}

TEST_CASE("a lost count of starts goes on beyond what the workers have seen") {
  const TempFolder folder;
  const std::string path = folder.path("baton.db");
  make_busy_state(path);
  meddle(path, "UPDATE meta SET incarnation = 9223372036854775807");
  const std::uint64_t seen = std::uint64_t{1} << 50;
  const auto recovered = go_on(path, seen);
  REQUIRE(recovered);
  CHECK(recovered->incarnation == seen + 1);
}

}  // namespace
}  // namespace baton::store::test
