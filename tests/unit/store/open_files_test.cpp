// What becomes of a database whose files are removed or replaced while it is open.
#include <chrono>
#include <filesystem>

#include "catch.hpp"
#include "fixture.hpp"

namespace baton::store::test {
namespace {

using Place = OpenFiles::Place;

class Open {
 public:
  Open() {
    commit(1);
    files_.emplace(path);
    commit(2);
  }
  void commit(std::uint64_t run) { REQUIRE(daemon_->commit(started_run(run))); }
  [[nodiscard]] Place look() const { return files_->look(); }
  void remove(const std::string& suffix) const { REQUIRE(std::filesystem::remove(path + suffix)); }
  Result<std::string> save(bool put_back = true) {
    return daemon_->ask<std::string>([&](Queries& queries) { return files_->save(queries, aside, put_back); });
  }
  void close() { daemon_.reset(); }

  const TempFolder folder;
  const std::string path = folder.path("baton.db");
  const std::string aside = folder.path("aside");

 private:
  std::optional<Daemon> daemon_{std::in_place, path};
  std::optional<OpenFiles> files_;
};

std::int64_t runs_in(const std::string& path) {
  CHECK(check_database(path) == std::vector<std::string>{});
  return number_in(path, "SELECT count(*) FROM runs");
}

TEST_CASE("the files of an open database are where they were") {
  Open open;
  CHECK(open.look() == Place::kept);
}

TEST_CASE("a database whose files were removed is put back with all that was committed") {
  using Suffixes = std::vector<std::string>;
  for (const Suffixes& removed :
       {Suffixes{""}, Suffixes{"-wal"}, Suffixes{"", "-wal", "-shm"}, Suffixes{"-wal", "-shm"}}) {
    Open open;
    for (const std::string& suffix : removed) open.remove(suffix);
    CHECK(open.look() == Place::lost);
    CHECK(open.save() == open.path);
    open.close();
    CHECK(runs_in(open.path) == 2);
    CHECK_FALSE(std::filesystem::exists(open.aside));
    Daemon next(open.path);
    CHECK(next.recovered.incarnation == 2);
    CHECK(next.recovered.runs.size() == 2);
  }
}

TEST_CASE("a database whose index alone was removed is whole where it is") {
  Open open;
  open.remove("-shm");
  CHECK(open.look() == Place::lost);
  CHECK(open.save() == open.path);
  CHECK_FALSE(std::filesystem::exists(open.aside));
  CHECK(
      std::filesystem::exists(open.path + "-wal"));  // what is in it would be lost with it, until the daemon has ended
  open.close();
  CHECK(runs_in(open.path) == 2);
}

TEST_CASE("what was moved away and is back is left as it is") {
  Open open;
  CHECK(open.save() == open.path);
  CHECK_FALSE(std::filesystem::exists(open.aside));
  CHECK(open.look() == Place::kept);
  open.close();
  CHECK(runs_in(open.path) == 2);
}

TEST_CASE("a crash before the log of a database that was put back is gone changes nothing") {
  Open open;
  const std::string log = open.folder.path("log");
  std::filesystem::copy_file(open.path + "-wal", log);
  open.remove("");
  CHECK(open.save() == open.path);
  open.close();
  std::filesystem::rename(log, open.path + "-wal");
  CHECK(Daemon(open.path).recovered.runs.size() == 2);
  CHECK(runs_in(open.path) == 2);
}

TEST_CASE("a log of before is not read into the database that is put back") {
  Open open;
  const std::string before = open.folder.path("before");
  std::filesystem::copy_file(open.path + "-wal", before);
  open.commit(3);
  open.remove("-wal");
  std::filesystem::rename(before, open.path + "-wal");
  CHECK(open.look() == Place::lost);
  CHECK(open.save() == open.path);
  open.close();
  CHECK(runs_in(open.path) == 3);
}

TEST_CASE("a database that was replaced is left alone, and what was open is saved aside") {
  Open open;
  const std::string other = open.folder.path("other.db");
  {
    REQUIRE(Daemon(other).commit(started_run(1)));
  }
  std::filesystem::rename(other, open.path);  // the log that is there is not its own
  CHECK(open.look() == Place::replaced);
  CHECK(open.save() == open.aside);
  open.close();
  CHECK(runs_in(open.path) == 1);
  CHECK(runs_in(open.aside) == 2);
}

TEST_CASE("what may be another daemon's place is not taken") {
  Open open;
  open.remove("");
  CHECK(open.save(false) == open.aside);
  CHECK_FALSE(std::filesystem::exists(open.path));
  open.close();
  CHECK(runs_in(open.aside) == 2);
}

TEST_CASE("what cannot be saved leaves the database as it is") {
  Open open;
  open.remove("-wal");
  std::filesystem::create_directory(open.aside);
  CHECK_FALSE(open.save());
  CHECK(open.look() == Place::lost);
}

}  // namespace
}  // namespace baton::store::test
