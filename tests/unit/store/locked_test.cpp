// A database that another process has locked: commits wait for as long as it takes, and are over when it is free.
#include <sqlite3.h>

#include <memory>

#include "catch.hpp"
#include "fixture.hpp"

namespace baton::store::test {
namespace {

// Somebody who changes the database with another tool.
class Stranger {
 public:
  explicit Stranger(const std::string& path) { REQUIRE(sqlite3_open(path.c_str(), &db_) == SQLITE_OK); }
  ~Stranger() { sqlite3_close(db_); }
  Stranger(const Stranger&) = delete;
  Stranger& operator=(const Stranger&) = delete;
  void run(const char* sql) { REQUIRE(sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) == SQLITE_OK); }

 private:
  sqlite3* db_ = nullptr;
};

TEST_CASE("a commit waits for a database that is locked, and nothing overtakes it") {
  const TempFolder folder;
  Daemon daemon(folder.path("baton.db"));
  REQUIRE(daemon.commit(started_run(1)));
  Stranger stranger(folder.path("baton.db"));
  stranger.run("BEGIN IMMEDIATE");
  std::vector<std::string> answers;
  const auto note = [&](std::string name) {
    return [&answers, name](const Result<Committed>& done) { answers.push_back(name + (done ? "" : " failed")); };
  };
  daemon.store->commit({started_run(2), {}, at_ms(1)}, note("first"));
  daemon.loop.run_until([&] { return daemon.health == Health::locked; });
  daemon.store->commit({started_run(3), {}, at_ms(1)}, note("second"));
  CHECK(daemon.run(1).state == "running");  // questions are answered
  CHECK(answers.empty());
  stranger.run("ROLLBACK");
  daemon.loop.run_until([&] { return answers.size() == 2 && daemon.health == Health::good; });
  CHECK(answers == std::vector<std::string>{"first", "second"});
  CHECK(daemon.healths == std::vector<Health>{Health::locked, Health::good});
  CHECK(daemon.run(3).state == "running");
  // And it can happen again.
  stranger.run("BEGIN IMMEDIATE");
  daemon.store->commit({started_run(4), {}, at_ms(1)}, note("third"));
  daemon.loop.run_until([&] { return daemon.health == Health::locked; });
  stranger.run("ROLLBACK");
  daemon.loop.run_until([&] { return answers.size() == 3; });
  CHECK(answers.back() == "third");
}

TEST_CASE("a store that is closed while its database is locked says so to what waits") {
  const TempFolder folder;
  Daemon daemon(folder.path("baton.db"));
  REQUIRE(daemon.commit(started_run(1)));
  Stranger stranger(folder.path("baton.db"));
  stranger.run("BEGIN IMMEDIATE");
  std::optional<Error> error;
  const auto note = [&](const Result<Committed>& done) { error = done ? std::nullopt : std::optional(done.error()); };
  daemon.store->commit({started_run(2), {}, at_ms(1)}, note);
  daemon.loop.run_until([&] { return daemon.health == Health::locked; });
  daemon.store.reset();
  daemon.loop.run_until([&] { return error.has_value(); });
  CHECK(error->code == ErrorCode::locked);
  stranger.run("ROLLBACK");
  CHECK(Daemon(folder.path("baton.db")).recovered.runs.size() == 1);
}

}  // namespace
}  // namespace baton::store::test
