// What the parser makes of good files.
#include <baton/base/limits.hpp>

#include "catch.hpp"
#include "parse_support.hpp"

namespace {

using namespace baton;
using namespace baton::workflow;
using namespace std::chrono_literals;

std::vector<std::string> argv(const TaskSpec& task) {
  std::vector<std::string> words;
  for (const Template& word : std::get<RunCommand>(task.action).argv) words.push_back(word.source());
  return words;
}

}  // namespace

TEST_CASE("a workflow is called after its file unless it says otherwise") {
  constexpr std::string_view kText = "tasks: {a: {run: x}}\n";
  CHECK(parse_workflow("flows/digits.yaml", kText).workflow->name == "digits");
  CHECK(parse_workflow("digits.v2.yml", kText).workflow->name == "digits.v2");
  CHECK(parse_workflow("digits.yaml", "name: other\ntasks: {a: {run: x}}\n").workflow->name == "other");
  CHECK(problems_of(parse_workflow("my flow.yaml", kText)) ==
        "1:1: the file's name, `my flow`, cannot be the workflow's\n");
}

TEST_CASE("tasks keep the file's order, the finally tasks come last") {
  const auto workflow =
      parsed("finally: {z: {run: x}}\ntasks:\n  b: {needs: c, run: x}\n  a: {run: x}\n  c: {run: x}\n");
  REQUIRE(workflow->tasks.size() == 4);
  CHECK(workflow->tasks[0].id == "b");
  CHECK(workflow->tasks[1].id == "a");
  CHECK(workflow->tasks[2].id == "c");
  CHECK(workflow->tasks[3].id == "z");
  CHECK(workflow->finally_begin == 3);
  CHECK(workflow->tasks[3].is_finally);
  CHECK_FALSE(workflow->tasks[2].is_finally);
  CHECK(workflow->dag.size() == 4);
  CHECK(workflow->dag.needs(0).size() == 1);
  CHECK(workflow->dag.needs(0)[0] == 2);
  CHECK(workflow->tasks[0].needs == std::vector{TaskIndex(2)});
  CHECK(workflow->tasks[0].pos == SourcePos{3, 3});
}

TEST_CASE("tasks are found by their ids") {
  const auto workflow = parsed("tasks: {b: {run: x}, a-1: {run: x}, c: {run: x}}\nfinally: {aa: {run: x}}\n");
  for (std::uint32_t i = 0; i < workflow->tasks.size(); ++i) {
    CHECK(workflow->find(workflow->tasks[i].id) == TaskIndex(i));
  }
  CHECK_FALSE(workflow->find("nope"));
  CHECK_FALSE(workflow->find(""));
}

TEST_CASE("what a task has when nothing is said") {
  const auto workflow = parsed("tasks: {a: {run: x}}\n");
  const TaskSpec& task = workflow->tasks[0];
  CHECK(task.kind == TaskKind::task);
  CHECK(std::get<RunScript>(task.action).shell == std::vector<std::string>{"sh", "-e"});
  CHECK(task.resources == Resources{});
  CHECK(task.resources.cpu_milli == 1000);
  CHECK(task.runs_on == RunsOn{});
  CHECK(task.pools.empty());
  CHECK_FALSE(task.timeout);
  CHECK(task.grace == 10s);
  CHECK(task.retry.max_retries == 0);
  CHECK_FALSE(task.matrix);
  CHECK_FALSE(task.condition);
  CHECK_FALSE(task.working_dir);
  CHECK_FALSE(task.environment);
  CHECK_FALSE(task.priority);
}

TEST_CASE("defaults apply unless a task says otherwise") {
  const auto workflow = parsed(R"(
priority: 7
defaults:
  timeout: 1h
  grace: 3s
  retry: {max_retries: 2, delay: 10s}
  env: {A: default, B: default}
  resources: {cpu: 2, memory: 1Gi}
  shell: bash -c
  working_dir: /srv
  runs_on: [b, a]
  pool: {db: 2}
tasks:
  taken: {run: x}
  own:
    timeout: 1m
    grace: 0
    retry: {delay: 1s}
    env: {B: own}
    resources: {memory: 2Gi}
    shell: zsh
    working_dir: /tmp
    runs_on: {worker: w}
    pool: net
    priority: -1
    run: x
  vector: {command: [x], retry: 0}
)");
  const TaskSpec& taken = task_of(*workflow, "taken");
  CHECK(taken.timeout == 1h);
  CHECK(taken.grace == 3s);
  CHECK(taken.retry.max_retries == 2);
  CHECK(taken.retry.delay == 10s);
  CHECK(taken.env.size() == 2);
  CHECK(taken.resources.cpu_milli == 2000);
  CHECK(taken.resources.memory_bytes == 1 << 30);
  CHECK(std::get<RunScript>(taken.action).shell == std::vector<std::string>{"bash", "-c"});
  CHECK(taken.working_dir->source() == "/srv");
  CHECK(taken.runs_on.labels == std::vector<std::string>{"a", "b"});
  CHECK(taken.pools == std::map<std::string, std::int64_t>{{"db", 2}});
  CHECK_FALSE(taken.priority);
  CHECK(workflow->priority == 7);

  const TaskSpec& own = task_of(*workflow, "own");
  CHECK(own.timeout == 1min);
  CHECK(own.grace == 0s);
  CHECK(own.retry.max_retries == 2);  // a policy is merged key by key
  CHECK(own.retry.delay == 1s);
  REQUIRE(own.env.size() == 3);
  CHECK(own.env[2].second.source() == "own");  // later entries win
  CHECK(own.resources.cpu_milli == 2000);      // and so are resources
  CHECK(own.resources.memory_bytes == std::int64_t{2} << 30);
  CHECK(std::get<RunScript>(own.action).shell == std::vector<std::string>{"zsh"});
  CHECK(own.working_dir->source() == "/tmp");
  CHECK(own.runs_on.worker == "w");
  CHECK(own.runs_on.labels.empty());
  CHECK(own.pools == std::map<std::string, std::int64_t>{{"net", 1}});
  CHECK(own.priority == -1);
  CHECK(task_of(*workflow, "vector").retry.max_retries == 0);
}

TEST_CASE("a deploy is only retried if it says so") {
  const auto workflow = parsed(
      "defaults: {retry: 3}\ntasks:\n  a: {kind: deploy, run: x}\n  b: {kind: deploy, retry: 1, run: x}\n  c: {run: "
      "x}\n");
  CHECK(workflow->tasks[0].retry.max_retries == 0);
  CHECK(workflow->tasks[1].retry.max_retries == 1);
  CHECK(workflow->tasks[2].retry.max_retries == 3);
}

TEST_CASE("quoted scalars are strings, plain ones keep their text in env and command") {
  const auto workflow = parsed(
      "params: {a: '7', b: 7, c: 7.0, d: yes, e: true, f: '', g: 0x10}\n"
      "tasks: {a: {env: {F: 0.10, T: True}, command: [echo, 1e3, 0.10]}}\n");
  const auto& params = workflow->params;
  CHECK(params[0].type == ParamType::string);
  CHECK(params[1].type == ParamType::integer);
  CHECK(params[2].type == ParamType::number);
  CHECK(params[3].type == ParamType::string);
  CHECK(params[4].type == ParamType::boolean);
  CHECK(params[5].type == ParamType::string);
  CHECK(params[6].default_value == 16);
  const TaskSpec& task = workflow->tasks[0];
  CHECK(task.env[0].second.source() == "0.10");
  CHECK(task.env[1].second.source() == "True");
  CHECK(argv(task) == std::vector<std::string>{"echo", "1e3", "0.10"});
}

TEST_CASE("a static matrix is expanded, a dynamic one waits for its run") {
  const auto workflow = parsed(
      "params: {l: '[1]'}\ntasks:\n  a: {matrix: {c: [1, 2], d: [x, y], exclude: [{c: 1, d: y}]}, max_parallel: 2, "
      "fail_fast: true, run: x}\n  b: {matrix: {c: \"${{ fromJSON(params.l) }}\", d: [1]}, run: x}\n  c: {run: x}\n");
  const TaskSpec& fixed = workflow->tasks[0];
  REQUIRE(fixed.matrix->fixed);
  CHECK(fixed.matrix->fixed->size() == 3);
  CHECK(fixed.max_parallel == 2);
  CHECK(fixed.fail_fast);
  CHECK(instance_name(fixed, &*fixed.matrix->fixed, 1) == "a[c=2,d=x]");
  const TaskSpec& dynamic = workflow->tasks[1];
  CHECK_FALSE(dynamic.matrix->fixed);
  CHECK(dynamic.matrix->axis_names == std::vector<std::string>{"c", "d"});
  CHECK(instance_name(dynamic, nullptr, 0) == "b");
  CHECK(instance_name(workflow->tasks[2], nullptr, 0) == "c");
}

TEST_CASE("a literal that is too large for an environment variable is known before the run") {
  const auto problems = [](std::size_t bytes, const std::string& more) {
    const std::string value = std::string(bytes, 'x') + more;
    return problems_in("env:\n  A: " + value + "\ntasks:\n  a:\n    run: x\n    env:\n      B: |\n        " + value +
                       "\n");
  };
  const std::size_t most = limits::kTaskEnvBytes;
  CHECK(problems(most - 1, "").empty());
  CHECK(problems(most, "") == "7:10: `B` has 98305 bytes, over the 98304 that an environment variable may have\n");
  CHECK(problems(most - 3, "$${{").starts_with("7:10: `B` has 98305 bytes, over"));
  CHECK(problems(most - 1, "${{ run.id }}").empty());
  CHECK(problems(most + 1, "${{ run.id }}") ==
        "2:6: `A` has at least 98305 bytes, over the 98304 that an environment variable may have\n"
        "7:10: `B` has at least 98306 bytes, over the 98304 that an environment variable may have\n");
}

TEST_CASE("a workflow has so many labels at most") {
  const auto problems = [](std::size_t count) {
    std::string labels;
    for (std::size_t i = 0; i < count; ++i) labels += fmt::format("l{}: x, ", i);
    return problems_in("labels: {" + labels + "}\ntasks: {a: {run: x}}\n");
  };
  CHECK(problems(limits::kLabels).empty());
  CHECK(problems(limits::kLabels + 1) == "1:9: `labels` has more than 64 labels\n");
}

TEST_CASE("what has no effect yet is warned of, in files without errors") {
  const std::string idle = "schedule: [{every: 1h}]\nretention: {runs: 1d}\n";
  const auto good = parse_workflow("test.yaml", idle + "tasks: {a: {run: x}}\n");
  CHECK(good.workflow != nullptr);
  REQUIRE(good.diagnostics.size() == 2);
  CHECK(good.diagnostics[0].severity == Severity::warning);
  CHECK(good.diagnostics[0].pos == SourcePos{1, 1});
  CHECK(good.diagnostics[1].severity == Severity::warning);
  CHECK(good.diagnostics[1].pos == SourcePos{2, 1});
  CHECK(problems_in(idle + "tasks: {a: {}}\n") == "3:9: the task `a` has nothing to do\n");
}

TEST_CASE("schedules") {
  const auto workflow = parsed(
      "params: {n: 1}\nschedule:\n  - {cron: '30 2 * * *', timezone: Europe/Prague, catchup: latest, overlap: skip, "
      "start_deadline: 1h, params: {n: 2}}\n  - {every: 15m, enabled: false}\ntasks: {a: {run: x}}\n");
  REQUIRE(workflow->schedules.size() == 2);
  const ScheduleSpec& nightly = workflow->schedules[0];
  CHECK(nightly.cron == "30 2 * * *");
  CHECK(nightly.timezone == "Europe/Prague");
  CHECK(nightly.catchup == Catchup::latest);
  CHECK(nightly.overlap == Overlap::skip);
  CHECK(nightly.start_deadline == 1h);
  CHECK(nightly.params == Value{{"n", 2}});
  CHECK(nightly.enabled);
  CHECK(workflow->schedules[1].every == 15min);
  CHECK_FALSE(workflow->schedules[1].enabled);
}

TEST_CASE("secrets are only whole values of env") {
  const auto workflow = parsed("tasks: {a: {env: {T: \"${{ secrets.TOKEN }}\"}, run: x}}\n");
  CHECK(workflow->tasks[0].env[0].second.secret() == "TOKEN");
}

TEST_CASE("merge keys and aliases") {
  const auto workflow = parsed(
      "tasks:\n  a: &a {timeout: 1h, priority: 1, run: x}\n  b: {<<: *a, priority: 2}\n"
      "  c: {<<: [{priority: 3}, *a], run: y}\n");
  CHECK(workflow->tasks[1].timeout == 1h);
  CHECK(workflow->tasks[1].priority == 2);
  CHECK(std::get<RunScript>(workflow->tasks[1].action).script == "x");
  CHECK(workflow->tasks[2].priority == 3);
  CHECK(std::get<RunScript>(workflow->tasks[2].action).script == "y");
}

TEST_CASE("which failures a policy covers") {
  const RetryPolicy all{.max_retries = 1};
  CHECK(all.covers({FailureKind::exit, 1}));
  CHECK(all.covers({FailureKind::worker_lost, 0}));
  CHECK_FALSE(all.covers({FailureKind::cancelled, 0}));
  CHECK_FALSE(all.covers({FailureKind::missing_output, 0}));
  CHECK_FALSE(all.covers({}));
  const auto workflow =
      parsed("tasks: {a: {retry: {max_retries: 1, on: ['exit:75', signal, missing_output]}, run: x}}\n");
  const RetryPolicy& some = workflow->tasks[0].retry;
  CHECK(some.covers({FailureKind::exit, 75}));
  CHECK_FALSE(some.covers({FailureKind::exit, 1}));
  CHECK(some.covers({FailureKind::signal, 9}));
  CHECK(some.covers({FailureKind::missing_output, 0}));
  CHECK_FALSE(some.covers({FailureKind::oom, 0}));
}

TEST_CASE("delays between retries") {
  RetryPolicy policy{.max_retries = 10, .delay = 2s};
  CHECK(policy.delay_before(1, 0) == 2s);
  CHECK(policy.delay_before(5, 0) == 2s);
  policy.backoff = Backoff::linear;
  CHECK(policy.delay_before(3, 0) == 6s);
  policy.backoff = Backoff::exponential;
  CHECK(policy.delay_before(1, 0) == 2s);
  CHECK(policy.delay_before(4, 0) == 16s);
  CHECK(policy.delay_before(4'000'000'000u, 0) == 24h * 365);  // the longest there is
  policy.max_delay = 10s;
  CHECK(policy.delay_before(4, 0) == 10s);
  CHECK(policy.delay_before(4'000'000'000u, 0) == 10s);
  policy.jitter = 0.5;
  Duration least = 10s, most = 0s;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    const Duration delay = policy.delay_before(4, seed);
    CHECK(delay == policy.delay_before(4, seed));
    least = std::min(least, delay);
    most = std::max(most, delay);
  }
  CHECK(least >= 5s);
  CHECK(least < 5100ms);
  CHECK(most <= 10s);
  CHECK(most > 9900ms);
}

TEST_CASE("a delay that grows begins with a second") {
  const auto workflow =
      parsed("tasks: {a: {retry: {max_retries: 3, backoff: exponential}, run: x}, b: {retry: 3, run: x}}\n");
  CHECK(workflow->tasks[0].retry.delay == 1s);
  CHECK(workflow->tasks[1].retry.delay == 0s);
}

TEST_CASE("names of kinds and types are those of the language") {
  CHECK(to_string(TaskKind::data_prep) == "data-prep");
  CHECK(to_string(TaskKind::task) == "task");
  CHECK(to_string(ParamType::integer) == "int");
  CHECK(to_string(ParamType::boolean) == "bool");
}
