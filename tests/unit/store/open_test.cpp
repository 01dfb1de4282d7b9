// What stands where the database should be.
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "catch.hpp"
#include "fixture.hpp"

namespace baton::store::test {
namespace {

Result<std::unique_ptr<Store>> open_at(const std::string& path) {
  return Store::open({path, [](const std::function<void()>&) {}});
}

TEST_CASE("a new database belongs to its owner alone and is ready for use") {
  const TempFolder folder;
  const std::string path = folder.path("baton.db");
  {
    Daemon daemon(path);
    REQUIRE(daemon.commit(started_run(1)));
    struct stat status{};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    const auto statistics = daemon.ask<Queries::Statistics>([](Queries& queries) { return queries.statistics(); });
    REQUIRE(statistics);
    CHECK(statistics->schema_version == 1);
    CHECK(statistics->runs == 1);
    CHECK(statistics->active_runs == 1);
    CHECK(statistics->instances == 1);
    CHECK(statistics->attempts == 0);
    CHECK(statistics->events == 1);
    CHECK(statistics->bytes > 4096);
  }
  CHECK(number_in(path, "PRAGMA application_id") == 0x4241544e);
  CHECK(number_in(path, "PRAGMA user_version") == 1);
}

TEST_CASE("an empty file becomes a database") {
  const TempFolder folder;
  const std::string path = folder.path("baton.db");
  std::ofstream(path).close();
  CHECK(open_at(path));
}

TEST_CASE("a database of a newer version is refused and left alone") {
  const TempFolder folder;
  const std::string path = folder.path("baton.db");
  {
    const Daemon daemon(path);
  }
  meddle(path, "PRAGMA user_version = 99");
  const auto opened = open_at(path);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == ErrorCode::newer_format);
  CHECK(opened.error().message.find("99") != std::string::npos);
  CHECK(check_database(path).error().code == ErrorCode::newer_format);
  CHECK(number_in(path, "PRAGMA user_version") == 99);
}

TEST_CASE("what is no database of ours is corrupt, not overwritten") {
  const TempFolder folder;
  const std::string path = folder.path("baton.db");
  SECTION("garbage") { std::ofstream(path) << std::string(10'000, 'x'); }
  SECTION("a text") { std::ofstream(path) << "hello"; }
  SECTION("a database of another program") { meddle(path, "CREATE TABLE t(x)"); }
  SECTION("a database with another application's id") { meddle(path, "PRAGMA application_id = 7; CREATE TABLE t(x)"); }
  SECTION("a folder") { std::filesystem::create_directory(path); }
  SECTION("a database cut in half") {
    {
      Daemon daemon(path);
    }
    std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  }
  const auto opened = open_at(path);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == ErrorCode::corrupt);
}

TEST_CASE("a folder that does not exist is named") {
  const TempFolder folder;
  const auto opened = open_at(folder.path("none/baton.db"));
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == ErrorCode::not_found);
  CHECK(opened.error().message.find("none/baton.db") != std::string::npos);
}

// Opens as a user whom permissions bind: in a child, which reports by its exit status.
int open_unprivileged(const std::string& path) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (::geteuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0)) ::_exit(100);
    const auto opened = open_at(path);
    ::_exit(opened ? 101 : static_cast<int>(opened.error().code));
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

TEST_CASE("what may not be written is denied") {
  const TempFolder folder;
  const std::string path = folder.path("state/baton.db");
  std::filesystem::create_directory(folder.path("state"));
  SECTION("a folder") {}
  SECTION("a file") {
    {
      const Daemon daemon(path);
    }
    REQUIRE(::chmod(path.c_str(), 0444) == 0);
  }
  REQUIRE(::chmod(folder.folder().c_str(), 0755) == 0);
  REQUIRE(::chmod(folder.path("state").c_str(), 0555) == 0);
  CHECK(open_unprivileged(path) == static_cast<int>(ErrorCode::denied));
}

TEST_CASE("a database that another process holds is locked") {
  const TempFolder folder;
  const std::string path = folder.path("baton.db");
  {
    const Daemon daemon(path);
  }
  sqlite3* other = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &other) == SQLITE_OK);
  REQUIRE(sqlite3_exec(other, "BEGIN IMMEDIATE; UPDATE meta SET last_run = 1", nullptr, nullptr, nullptr) == SQLITE_OK);
  const auto opened = open_at(path);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == ErrorCode::locked);
  CHECK(opened.error().message.find("locked by another process") != std::string::npos);
  CHECK(check_database(path).error().code == ErrorCode::locked);
  sqlite3_close(other);
  CHECK(open_at(path));
}

}  // namespace
}  // namespace baton::store::test
