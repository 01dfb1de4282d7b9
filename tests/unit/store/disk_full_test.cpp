// A full disk loses nothing, reorders nothing, and is over when there is room again.
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <fstream>

#include "catch.hpp"
#include "fixture.hpp"

namespace baton::store::test {
namespace {

using engine::InstancePhase;

std::vector<engine::Record> big_run(std::uint64_t key) {
  auto records = started_run(key);
  std::get<engine::RunChanged>(records[1]).params = {{"filler", std::string(60'000, 'x')}};
  return records;
}

// What is true of any full disk. `make_room` ends it. Returns what went wrong.
std::string survive_full_disk(const std::string& path, const std::function<bool()>& make_room) {
  std::uint64_t stored = 0;
  {
    Daemon daemon(path);
    Result<Committed> last;
    while (stored < 1000 && (last = daemon.commit(big_run(stored + 1)))) ++stored;
    if (last) return "the disk was never full";
    if (last.error().code != ErrorCode::disk_full) return "not disk_full: " + last.error().message;
    if (stored == 0) return "nothing fitted";

    // What was queued behind the refused batch is refused too, though it would fit: it must not overtake.
    std::vector<std::string> answers;
    const auto note = [&](const char* name) {
      return [&answers, name](const Result<Committed>& done) {
        answers.push_back(fmt::format("{}: {}", name, done ? "done" : to_string(done.error().code)));
      };
    };
    daemon.store->commit({big_run(stored + 1), {}, at_ms(1)}, note("big"));
    daemon.store->commit({{instance(1, 0, InstancePhase::ready)}, {}, at_ms(1)}, note("small"));
    daemon.loop.run_until([&] { return answers.size() == 2; });
    if (answers != std::vector<std::string>{"big: disk_full", "small: disk_full"}) {
      return fmt::format("answers: {}", fmt::join(answers, ", "));
    }
    if (daemon.run(stored).state != "running") return "cannot read while the disk is full";

    if (!make_room()) return "cannot make room";
    const auto again = daemon.commit(big_run(stored + 1));
    if (!again) return "after making room: " + again.error().message;
    const auto next = daemon.commit({instance(1, 0, InstancePhase::ready)});
    if (!next) return "the commit after it: " + next.error().message;
    // Rolled back events left no gap.
    if (daemon.events().size() != stored + 2) return "wrong number of events";
    if (daemon.events().back().seq != stored + 2) return "a gap in the events";
  }
  const auto findings = check_database(path);
  if (!findings) return findings.error().message;
  if (!findings->empty()) return fmt::format("{}", fmt::join(*findings, "\n"));
  const Daemon daemon(path);
  return daemon.recovered.runs.size() == stored + 1 ? "" : "runs are missing";
}

TEST_CASE("a file that may not grow is a full disk, and recovers") {
  const TempFolder folder;
  const auto problem = in_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    rlimit limit{};
    if (::getrlimit(RLIMIT_FSIZE, &limit) != 0) return std::string("no limits here");
    const rlim_t before = limit.rlim_cur;
    limit.rlim_cur = 1 << 20;
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return std::string("cannot limit");
    return survive_full_disk(folder.path("baton.db"), [&] {
      limit.rlim_cur = before;
      return ::setrlimit(RLIMIT_FSIZE, &limit) == 0;
    });
  });
  CHECK(problem == "");
}

TEST_CASE("a full file system is a full disk, and recovers") {
  const TempFolder folder;
  const auto problem = in_child([&] {
    // In a mount namespace of its own; without the right to that, the case above has to do.
    const bool mounted = ::unshare(CLONE_NEWNS) == 0 &&
                         ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                         ::mount("none", folder.folder().c_str(), "tmpfs", 0, "size=2m") == 0;
    if (!mounted) return std::string();
    std::ofstream(folder.path("filler")) << std::string(1 << 20, 'x');
    return survive_full_disk(folder.path("baton.db"), [&] { return std::filesystem::remove(folder.path("filler")); });
  });
  CHECK(problem == "");
}

TEST_CASE("a disk that is full from the start is said to be") {
  const TempFolder folder;
  const auto answer = in_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    rlimit limit{};
    ::getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = 100;
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return std::string("cannot limit");
    const auto opened = Store::open({folder.path("baton.db"), [](const std::function<void()>&) {}});
    return opened ? std::string("opened") : std::string(to_string(opened.error().code));
  });
  CHECK(answer == "disk_full");
}

}  // namespace
}  // namespace baton::store::test
