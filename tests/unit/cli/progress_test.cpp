#include "progress.hpp"

#include <stdlib.h>
#include <time.h>

#include "catch.hpp"
#include "progress_text.hpp"
#include "run_text.hpp"

namespace baton::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const TimePoint kStart = *parse_rfc3339("2026-03-29T12:00:00Z");

// Clock times of the output are local; the tests' place is Greenwich.
const bool kUtc = [] {
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  return true;
}();

views::TaskSummary task(const std::string& name, std::uint64_t instances, std::vector<std::string> needs = {}) {
  views::TaskSummary summary;
  summary.task = name;
  summary.needs = std::move(needs);
  summary.is_matrix = instances != 1;
  summary.states = {{"waiting", instances}};
  return summary;
}

views::RunView run_of(std::vector<views::TaskSummary> summary) {
  views::RunView run;
  run.id = "r1";
  run.workflow = "digits";
  run.number = 3;
  run.state = "queued";
  run.created_at = kStart;
  run.summary = std::move(summary);
  return run;
}

// A run that is told by events, one second after the other.
class Story {
 public:
  explicit Story(views::RunView run) : progress(run), plain(false) {}

  std::string run(const std::string& state) {
    return tell({next(), now(), "r1", "digits", "run", "", "", state, "", 0});
  }
  std::string is(const std::string& name, const std::string& state, const std::string& reason = "",
                 std::uint32_t attempt = 1) {
    return tell({next(), now(), "r1", "digits", "task", name, name.substr(0, name.find('[')), state, reason, attempt});
  }
  std::string tell(const views::EventView& event) {
    const auto change = progress.apply(event);
    if (!change) return "-";
    const auto line = lasting_line(progress, *change, 60, false);
    lasting += line ? *line + "\n" : "";
    return plain.lines(progress, *change);
  }
  [[nodiscard]] TimePoint now() const { return kStart + seconds(seq); }
  std::uint64_t next() { return ++seq; }

  RunProgress progress;
  PlainProgress plain;
  std::string lasting;
  std::uint64_t seq = 0;
};

TEST_CASE("a small run is told in one line for each change that matters") {
  REQUIRE(kUtc);
  Story story(run_of({task("prep", 1), task("train", 2, {"prep"}), task("deploy", 1, {"train"})}));
  CHECK(story.run("running").empty());
  CHECK(story.is("prep", "ready", "", 0).empty());
  CHECK(story.is("prep", "starting").empty());
  CHECK(story.is("prep", "running") == "12:00:04  prep           running\n");
  CHECK(story.is("prep", "succeeded") == "12:00:05  prep           succeeded  1.0s\n");
  story.is("train[C=1]", "running");
  CHECK(story.is("train[C=1]", "backoff", "exit:75") == "12:00:07  train[C=1]     backoff    exit:75, 1.0s\n");
  CHECK(story.is("train[C=1]", "running", "", 2) == "12:00:08  train[C=1]     running    attempt 2\n");
  CHECK(story.is("train[C=1]", "failed", "exit:75", 2) ==
        "12:00:09  train[C=1]     failed     exit:75, attempt 2, 1.0s\n");
  CHECK(story.is("train[C=2]", "succeeded") == "12:00:10  train[C=2]     succeeded\n");
  CHECK(story.is("deploy", "upstream_failed", "upstream train failed", 0) ==
        "12:00:11  deploy         upstream_failed  upstream train failed\n");
  CHECK(story.run("failed").empty());
  CHECK(story.progress.run().state == "failed");
  CHECK(describe_counts(story.progress.counts()) == "2 succeeded, 1 failed, 1 upstream_failed");
  CHECK(story.progress.ended() == story.progress.total());
  CHECK(story.lasting ==
        "✓ prep           1.0s\n"
        "✗ train[C=1]     failed  exit:75, attempt 2, 1.0s\n"
        "✓ train[C=2]     \n"
        "✗ deploy         upstream_failed  upstream train failed\n");
}

TEST_CASE("how long a task took is what its worker says, whenever the daemon has heard of it") {
  Story story(run_of({task("prep", 1)}));
  story.is("prep", "starting");
  story.is("prep", "running");
  const views::EventView late{
      story.next(), story.now() + seconds(60), "r1", "digits", "task", "prep", "prep", "succeeded", "", 1, seconds(2)};
  CHECK(story.tell(late) == "12:01:03  prep  succeeded  2.0s\n");
}

TEST_CASE("events that come twice are told once") {
  Story story(run_of({task("a", 1)}));
  story.run("running");
  CHECK(story.run("running") == "-");
  CHECK_FALSE(story.is("a", "running").empty());
  CHECK(story.is("a", "running") == "-");
  CHECK(count_of(story.progress.counts(), "running") == 1);
}

TEST_CASE("a task that runs again is not counted twice") {
  Story story(run_of({task("a", 1)}));
  story.is("a", "running");
  story.is("a", "failed");
  story.is("a", "running", "", 2);
  CHECK(describe_counts(story.progress.counts()) == "1 running");
  story.is("a", "succeeded", "", 2);
  CHECK(describe_counts(story.progress.counts()) == "1 succeeded");
}

TEST_CASE("a crowded matrix is told by its failures and by tenths") {
  Story story(run_of({task("work", 1000)}));
  std::string text;
  for (int i = 0; i < 1000; ++i) {
    const std::string name = "work[i=" + std::to_string(i) + "]";
    text += story.is(name, "running");
    text += story.is(name, i == 250 ? "failed" : "succeeded", i == 250 ? "exit:1" : "");
  }
  CHECK(std::count(text.begin(), text.end(), '\n') == 11);
  CHECK(text.starts_with("12:03:20  work          10% (100/1000)\n"));
  CHECK(text.find("12:08:22  work[i=250]   failed     exit:1, 1.0s\n") != std::string::npos);
  CHECK(text.ends_with("12:33:20  work          100% (1000/1000), 1 failed\n"));
  CHECK(std::count(story.lasting.begin(), story.lasting.end(), '\n') == 1);
}

TEST_CASE("a crowd of small tasks is counted together") {
  std::vector<views::TaskSummary> tasks;
  for (int i = 0; i < 2000; ++i) tasks.push_back(task("t" + std::to_string(i), 1));
  Story story(run_of(tasks));
  std::string text;
  for (int i = 0; i < 2000; ++i) text += story.is("t" + std::to_string(i), "succeeded");
  CHECK(std::count(text.begin(), text.end(), '\n') == 10);
  CHECK(text.find("all tasks  50% (1000/2000)\n") != std::string::npos);
  CHECK(story.lasting.empty());
}

TEST_CASE("100,000 instances cost a redraw no more than the terminal's lines") {
  Story story(run_of({task("big", 100'000)}));
  for (int i = 0; i < 100'000; ++i) story.is("big[i=" + std::to_string(i) + "]", i % 10 == 0 ? "running" : "succeeded");
  const auto block = live_block(story.progress, story.now(), {80, 24}, false);
  CHECK(block.size() == 22);
  CHECK(block[1] == "  big           [██████████████████░░] 90000/100000  10000 running");
  CHECK(block.back() == "  … and 9981 more");
}

TEST_CASE("the live block has a header, bars for what is going on, and a line for each running task") {
  Story story(run_of({task("prep", 1), task("train", 4, {"prep"}), task("deploy", 1, {"train"})}));
  story.run("running");
  story.is("prep", "running");
  CHECK(live_block(story.progress, story.now() + milliseconds(500), {80, 24}, false) ==
        std::vector<std::string>{"● digits #3  running  1.5s  0/6 tasks", "  ● prep           running    0.5s"});
  story.is("prep", "succeeded");
  story.is("train[C=1]", "running");
  story.is("train[C=2]", "failed", "exit:1");
  story.is("train[C=3]", "backoff", "exit:1");
  CHECK(live_block(story.progress, story.now(), {80, 24}, false) ==
        std::vector<std::string>{"● digits #3  running  5.0s  2/6 tasks  1 failed",
                                 "  train          [█████░░░░░░░░░░░░░░░] 1/4  1 running  1 failed  1 backoff",
                                 "  ● train[C=1]     running    2.0s", "  ↻ train[C=3]     backoff    0.0s"});
}

TEST_CASE("the live block fits terminals of any size") {
  Story story(run_of({task("train", 50)}));
  for (int i = 0; i < 40; ++i) story.is("train[C=" + std::to_string(i) + "]", "running");
  for (const unsigned rows : {1u, 4u, 10u, 24u}) {
    for (const unsigned columns : {1u, 2u, 20u, 200u}) {
      const auto block = live_block(story.progress, story.now(), {columns, rows}, false);
      CHECK(block.size() <= std::max(2u, rows));
      for (const std::string& line : block) {
        const auto width = std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xc0) != 0x80; });
        CHECK(width <= std::max(1u, columns - 1));
      }
    }
  }
}

TEST_CASE("names with control characters do not reach the terminal") {
  Story story(run_of({task("t", 2)}));
  CHECK(story.is("t[x=\x1b[2J]", "running").find('\x1b') == std::string::npos);
  const auto block = live_block(story.progress, story.now(), {80, 24}, false);
  CHECK(block.back().find("t[x=\\x1b[2J]") != std::string::npos);
}

TEST_CASE("instances beyond the known total ask for new totals") {
  Story story(run_of({task("dyn", 0)}));
  CHECK_FALSE(story.progress.needs_refresh());
  story.is("dyn[i=1]", "running");
  CHECK(story.progress.needs_refresh());
  CHECK(story.progress.total() == 1);
  story.progress.refresh(run_of({task("dyn", 10)}));
  CHECK_FALSE(story.progress.needs_refresh());
  CHECK(story.progress.total() == 10);
  CHECK(story.progress.groups().front().total == 10);
  CHECK(count_of(story.progress.groups().front().counts, "running") == 1);
}

TEST_CASE("a sub-workflow's tasks are shown under its name and not counted") {
  Story story(run_of({task("sub", 1)}));
  story.is("sub", "running");
  CHECK(story.tell({story.next(), story.now(), "r2", "child", "run", "", "", "running", "", 0}) == "-");
  CHECK(story.tell({story.next(), story.now(), "r2", "child", "task", "a", "a", "running", "", 1}) ==
        "12:00:03  child/a  running\n");
  CHECK(story.progress.active_size() == 2);
  CHECK(describe_counts(story.progress.counts()) == "1 running");
}

TEST_CASE("the summary counts what became of the run") {
  views::RunView run = run_of({task("a", 1), task("b", 3)});
  run.summary[0].states = {{"succeeded", 1}};
  run.summary[1].states = {{"failed", 1}, {"succeeded", 2}};
  run.state = "failed";
  run.started_at = kStart;
  run.ended_at = kStart + milliseconds(5200);
  CHECK(summary_line(run, false) == "✗ digits #3 failed in 5.2s: 3 succeeded, 1 failed");
  run.reason = "approval_rejected";
  CHECK(summary_line(run, false) == "✗ digits #3 failed in 5.2s (approval_rejected): 3 succeeded, 1 failed");
}

TEST_CASE("runs and tasks as tables") {
  views::RunView run = run_of({});
  run.state = "running";
  run.started_at = kStart;
  CHECK(run_table({run}, false, kStart + seconds(90), false) ==
        "ID  WORKFLOW  #  STATE    STARTED              ELAPSED  REASON\n"
        "r1  digits    3  running  2026-03-29 12:00:00  1m30s\n");
  views::TaskView failed;
  failed.name = "train[C=1]";
  failed.kind = "train";
  failed.state = "failed";
  failed.reason = "exit:3";
  views::AttemptView attempt;
  attempt.number = 1;
  attempt.started_at = kStart;
  attempt.ended_at = kStart + seconds(2);
  failed.attempts = {attempt};
  CHECK(task_table({failed}, false, kStart, false) ==
        "TASK        KIND   STATE   TRIES  STARTED              ELAPSED  REASON\n"
        "train[C=1]  train  failed  1      2026-03-29 12:00:00  2.0s     exit:3\n");
  failed.attempts[0].message = "nobody saw how it ended";
  const auto reason = [&] {
    const std::string table = task_table({failed}, false, kStart, false);
    return table.substr(table.find("2.0s") + 9);
  };
  failed.reason = "worker_lost";
  CHECK(reason() == "worker_lost: nobody saw how it ended\n");
  failed.reason = "worker_lost: nobody saw how it ended";
  CHECK(reason() == "worker_lost: nobody saw how it ended\n");
}

}  // namespace
}  // namespace baton::cli
