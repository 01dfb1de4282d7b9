// What one engine takes on at most.
#include <baton/base/limits.hpp>

#include "catch.hpp"
#include "scenario.hpp"

using namespace baton;
using namespace baton::engine;
using namespace baton::engine::test;

namespace {

// As many active runs as there may be: the first calls another one when it is approved, the others wait for approval.
struct FullHouse {
  Engine engine;
  TimePoint now{std::chrono::days(20'000)};
  std::shared_ptr<const workflow::WorkflowSpec> calls, waits;

  FullHouse() {
    const auto bundle = workflow::parse_bundle(
        {.entry = "main.yaml",
         .files = {{"main.yaml", "tasks: {gate: {approval: {message: m}}, call: {uses: sub.yaml, needs: gate}}"},
                   {"sub.yaml", "tasks: {gate: {approval: {message: m}}}"}}});
    REQUIRE(bundle.workflow);
    calls = bundle.workflow;
    const auto parsed = workflow::parse_workflow("waits.yaml", "tasks: {gate: {approval: {message: m}}}");
    REQUIRE(parsed.workflow);
    waits = parsed.workflow;
    std::vector<Event> events{submit(1, calls)};
    for (std::uint64_t i = 2; i <= limits::kActiveRuns; ++i) events.push_back(submit(i, waits));
    const Step step = apply(std::move(events));
    for (const Effect& effect : step.effects) {
      if (const auto* reply = std::get_if<Reply>(&effect)) REQUIRE(reply->result.has_value());
    }
    REQUIRE(engine.active_runs() == limits::kActiveRuns);
  }

  static Event submit(std::uint64_t token, std::shared_ptr<const workflow::WorkflowSpec> spec) {
    return SubmitRun{.token = token,
                     .id = "run" + std::to_string(token),
                     .workflow = std::move(spec),
                     .bundle_hash = "hash",
                     .working_dir = "/work",
                     .params = Value::object()};
  }
  Step apply(std::vector<Event> events) {
    now += std::chrono::seconds(1);
    return engine.apply(events, now);
  }
  // The only answer of a step.
  Result<> answer(Event request) {
    const Step step = apply({std::move(request)});
    Result<> result = fail(ErrorCode::internal, "no answer");
    for (const Effect& effect : step.effects) {
      const auto* reply = std::get_if<Reply>(&effect);
      if (reply == nullptr) continue;
      result = reply->result ? Result<>() : std::unexpected(reply->result.error());
    }
    return result;
  }
};

}  // namespace

TEST_CASE("beyond the active runs that there may be none is taken, until one ends") {
  FullHouse full;
  const Result<> refused = full.answer(FullHouse::submit(90'000, full.waits));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == ErrorCode::limit);
  CHECK(full.engine.active_runs() == limits::kActiveRuns);
  REQUIRE(full.answer(CancelRun{90'001, RunKey(2), "cancelled"}));
  CHECK(full.answer(FullHouse::submit(90'002, full.waits)));
  CHECK(full.engine.active_runs() == limits::kActiveRuns);
}

TEST_CASE("however many runs there are, their sub-workflows start: only those of one depth share room") {
  FullHouse full;
  REQUIRE(full.answer(DecideApproval{90'000, {RunKey(1), TaskIndex(0), 0}, true, ""}));
  CHECK(full.engine.phase({RunKey(1), TaskIndex(1), 0}) == InstancePhase::running);
  CHECK(full.engine.active_runs() == limits::kActiveRuns + 1);
  full.engine.check();
}

namespace {
// A run that wants one more sub-workflow than there may be at once, each of them the given file.
std::shared_ptr<const workflow::WorkflowSpec> one_too_many(const std::string& sub) {
  std::string numbers = "0";
  for (std::size_t n = 1; n <= limits::kActiveRuns; ++n) numbers += fmt::format(", {}", n);
  const auto bundle = workflow::parse_bundle(
      {.entry = "main.yaml",
       .files = {{"main.yaml", fmt::format("tasks: {{call: {{uses: sub.yaml, matrix: {{n: [{}]}}}}}}", numbers)},
                 {"sub.yaml", sub},
                 {"leaf.yaml", "tasks: {gate: {approval: {message: m}}}"}}});
  for (const auto& diagnostic : bundle.diagnostics) UNSCOPED_INFO(diagnostic.message);
  REQUIRE(bundle.workflow);
  return bundle.workflow;
}
}  // namespace

TEST_CASE("a sub-workflow waits for room among those of its depth") {
  Engine engine;
  std::vector<Event> events{FullHouse::submit(1, one_too_many("tasks: {gate: {approval: {message: m}}}"))};
  engine.apply(events, TimePoint{});
  const InstanceKey last{RunKey(1), TaskIndex(0), static_cast<std::uint32_t>(limits::kActiveRuns)};
  CHECK(engine.active_runs() == limits::kActiveRuns + 1);
  CHECK(engine.phase(last) == InstancePhase::ready);
  CHECK_THAT(engine.why(last), Catch::Contains("have not ended yet"));
  events = {CancelRun{2, RunKey(2), "cancelled"}};
  engine.apply(events, TimePoint{});
  CHECK(engine.phase(last) == InstancePhase::running);
}

TEST_CASE("a sub-workflow that waits for room does not keep those of another depth from starting") {
  Engine engine;
  std::vector<Event> events{FullHouse::submit(1, one_too_many("tasks: {nested: {uses: leaf.yaml}}"))};
  engine.apply(events, TimePoint{});
  const InstanceKey last{RunKey(1), TaskIndex(0), static_cast<std::uint32_t>(limits::kActiveRuns)};
  CHECK(engine.phase(last) == InstancePhase::ready);
  CHECK(engine.active_runs() == 1 + 2 * limits::kActiveRuns);
  CHECK(engine.phase({RunKey(2), TaskIndex(0), 0}) == InstancePhase::running);
}

TEST_CASE("a task's environment has a limit for each value") {
  const auto state_with = [](std::size_t bytes) {
    Scenario s("params: {x: a, y: a}\ntasks: {t: {command: [t], env: {X: \"${{ params.x }}${{ params.y }}\"}}}");
    s.worker();
    // In two parts, because a parameter has a lower limit.
    s.submit({{"x", std::string(bytes / 2, 'x')}, {"y", std::string(bytes - bytes / 2, 'y')}});
    return s.state("t") + (s.reason("t").empty() ? "" : " " + s.reason("t"));
  };
  CHECK(state_with(limits::kTaskEnvBytes).starts_with("starting"));
  CHECK(state_with(limits::kTaskEnvBytes + 1) == "failed invalid_expression");
}
