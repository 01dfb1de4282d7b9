// A full disk loses nothing, reorders nothing, and is over when there is room again.
#include <signal.h>
#include <sys/resource.h>

#include <fstream>

#include "catch.hpp"
#include "fixture.hpp"
#include "small_disk.hpp"

namespace baton::store::test {
namespace {

using engine::InstancePhase;
using testing::check_on_small_disk;
using testing::fill_disk;
using testing::in_child;

std::vector<engine::Record> big_run(std::uint64_t key) {
  auto records = started_run(key);
  std::get<engine::RunChanged>(records[1]).params = {{"filler", std::string(60'000, 'x')}};
  return records;
}

// What is true of any full disk. `make_room` ends it. Returns what went wrong.
std::string survive_full_disk(const std::string& path, const std::function<bool()>& make_room) {
  std::uint64_t asked = 0;
  {
    Daemon daemon(path);
    std::vector<std::string> answers;
    const auto note = [&](std::string name) {
      return [&answers, name](const Result<Committed>& done) {
        answers.push_back(fmt::format("{}: {}", name, done ? "done" : to_string(done.error().code)));
      };
    };
    while (asked < 1000 && daemon.health != Health::out_of_space) {
      // An instance that changes twice, so that what is written twice is what is tried again.
      auto records = big_run(++asked);
      auto ready = instance(asked, 0, InstancePhase::ready);
      ready.outputs = Outputs{{"x", "y"}};
      records.emplace_back(ready);
      records.emplace_back(instance(asked, 0, InstancePhase::succeeded));
      const std::size_t before = answers.size();
      daemon.store->commit({std::move(records), {}, at_ms(1)}, note("big"));
      daemon.loop.run_until([&] { return answers.size() > before || daemon.health == Health::out_of_space; });
    }
    if (daemon.health != Health::out_of_space) return "the disk was never full";
    if (daemon.healths.front() != Health::low_on_space) return "nothing was said before it was full";
    if (answers.size() != asked - 1) return "answered without being on disk";
    answers.clear();
    // What is queued behind it would fit, and must not overtake.
    daemon.store->commit({{instance(1, 0, InstancePhase::awaiting_approval)}, {}, at_ms(1)}, note("small"));
    if (daemon.run(asked - 1).state != "running") return "cannot read while the disk is full";
    if (!answers.empty()) return "answered while the disk is full";

    if (!make_room()) return "cannot make room";
    daemon.loop.run_until([&] { return answers.size() == 2 && daemon.health == Health::good; });
    if (answers != std::vector<std::string>{"big: done", "small: done"}) {
      return fmt::format("answers: {}", fmt::join(answers, ", "));
    }
    // What was rolled back left no gap and nothing twice.
    if (daemon.events().size() != 3 * asked + 1)
      return fmt::format("{} events of {} runs", daemon.events().size(), asked);
    if (daemon.events().back().seq != 3 * asked + 1) return "a gap in the events";
    const auto tasks = daemon.tasks(asked);
    if (tasks.size() != 1) return fmt::format("{} rows", tasks.size());
    if (tasks[0].name != "a" || tasks[0].outputs != Outputs{{"x", "y"}}) {
      return fmt::format("the row differs: {} with {} outputs", tasks[0].name, tasks[0].outputs.size());
    }
  }
  const auto findings = check_database(path);
  if (!findings) return findings.error().message;
  if (!findings->empty()) return fmt::format("{}", fmt::join(*findings, "\n"));
  const Daemon daemon(path);
  return daemon.recovered.runs.size() == asked ? "" : "runs are missing";
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
  check_on_small_disk(folder.folder(), "size=14m", [&] {
    std::ofstream(folder.path("filler")) << std::string(8 << 20, 'x');
    return survive_full_disk(folder.path("baton.db"), [&] { return std::filesystem::remove(folder.path("filler")); });
  });
}

TEST_CASE("a database whose log was removed is saved once there is room, and kept meanwhile") {
  const TempFolder folder;
  check_on_small_disk(folder.folder(), "size=32m", [&]() -> std::string {
    constexpr std::uint64_t kRuns = 100;  // more bytes than the reserve has
    const std::string path = folder.path("baton.db");
    {
      Daemon daemon(path);
      const OpenFiles files(path);
      for (std::uint64_t key = 1; key <= kRuns; ++key) {
        if (!daemon.commit(big_run(key))) return "cannot begin";
      }
      std::filesystem::remove(path + "-wal");
      const auto save = [&] {
        return daemon.ask<std::string>(
            [&](Queries& queries) { return files.save(queries, folder.path("aside"), true); });
      };
      fill_disk(folder.path("filler"));
      for (int i = 0; i < 2; ++i) {
        const auto full = save();
        if (full || full.error().code != ErrorCode::disk_full) return full ? "saved" : full.error().message;
      }
      std::filesystem::remove(folder.path("filler"));
      if (const auto saved = save(); saved != path) return saved ? *saved : saved.error().message;
    }
    const auto findings = check_database(path);
    if (!findings || !findings->empty()) return "it is not whole";
    return Daemon(path).recovered.runs.size() == kRuns ? "" : "runs are missing";
  });
}

TEST_CASE("on a full disk ends of attempts find room, and a start too") {
  const TempFolder folder;
  check_on_small_disk(folder.folder(), "size=14m", [&]() -> std::string {
    const std::string path = folder.path("baton.db");
    constexpr int kEnds = 300;
    {
      Daemon daemon(path);
      if (!daemon.commit(started_run(1))) return "cannot begin";
      // The reserve is taken by now, and what is left is gone.
      fill_disk(folder.path("filler"));
      for (int i = 0; i < kEnds; ++i) {
        const auto phase = i % 2 == 0 ? InstancePhase::ready : InstancePhase::waiting;
        bool done = false;
        daemon.store->commit({{instance(1, 0, phase)}, {}, at_ms(1)},
                             [&done](const Result<Committed>& result) { done = result.has_value(); });
        daemon.loop.run_until([&] { return done || daemon.health == Health::out_of_space; });
        if (!done) return fmt::format("full after {} commits", i);
      }
      if (daemon.healths != std::vector<Health>{Health::low_on_space}) return "the reserve was not used";
      // Until nothing fits any more; the daemon is closed while a batch waits for room.
      fill_disk(folder.path("filler"));
      for (std::uint64_t run = 2; daemon.health != Health::out_of_space; ++run) {
        const auto done = std::make_shared<bool>(false);  // the last one is never answered here
        daemon.store->commit({big_run(run), {}, at_ms(1)}, [done](const Result<Committed>&) { *done = true; });
        daemon.loop.run_until([&] { return *done || daemon.health == Health::out_of_space; });
        fill_disk(folder.path("filler"));
      }
      daemon.store->commit({{instance(1, 0, InstancePhase::awaiting_approval)}, {}, at_ms(1)}, [](const auto&) {});
    }
    fill_disk(folder.path("filler"));
    const Daemon again(path);
    return again.recovered.incarnation == 2 && !again.recovered.runs.empty() ? "" : "what was committed is missing";
  });
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
