// What was acknowledged survives the death of the daemon at any moment.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <set>

#include "catch.hpp"
#include "fixture.hpp"

namespace baton::store::test {
namespace {

using engine::InstancePhase;

// Commits run after run, several at a time, and writes each one's number when its commit is answered. Never returns.
[[noreturn]] void write_for_ever(const std::string& path, int acknowledgements) {
  Daemon daemon(path);
  std::size_t under_way = 0;
  for (std::uint64_t key = 1;; ++key) {
    ++under_way;
    daemon.store->commit({started_run(key, 3), {}, at_ms(1)}, [&, key](const Result<Committed>& done) {
      if (!done || ::write(acknowledgements, &key, sizeof key) != sizeof key) ::_exit(1);
      --under_way;
    });
    while (under_way >= 5) daemon.loop.run_one();
  }
}

TEST_CASE("every acknowledged commit outlives kill -9, whole") {
  const TempFolder folder;
  const std::string path = folder.path("baton.db");
  const int until = GENERATE(1, 2, 17, 300);
  std::array<int, 2> pipe{};
  REQUIRE(::pipe(pipe.data()) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) write_for_ever(path, pipe[1]);
  ::close(pipe[1]);
  std::set<std::uint64_t> acknowledged;
  std::uint64_t key = 0;
  for (int i = 0; i < until && ::read(pipe[0], &key, sizeof key) == sizeof key; ++i) acknowledged.insert(key);
  ::kill(child, SIGKILL);
  while (::read(pipe[0], &key, sizeof key) == sizeof key) acknowledged.insert(key);
  ::close(pipe[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  REQUIRE(acknowledged.size() >= static_cast<std::size_t>(until));

  {
    Daemon daemon(path);
    CHECK(daemon.recovered.quarantined.empty());
    std::set<std::uint64_t> recovered;
    for (const engine::RunSnapshot& run : daemon.recovered.runs) {
      recovered.insert(run.created.run.value());
      CHECK(run.instances.size() == 3);
    }
    CHECK(std::includes(recovered.begin(), recovered.end(), acknowledged.begin(), acknowledged.end()));
    CHECK(daemon.recovered.counters.last_run.value() == *recovered.rbegin());
    REQUIRE(daemon.commit({instance(1, 0, InstancePhase::ready)}));
  }
  CHECK(check_database(path) == std::vector<std::string>{});
}

}  // namespace
}  // namespace baton::store::test
