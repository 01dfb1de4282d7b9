// A worker that lies: frames of any kind, as the executor hands them to an engine that has given it attempts, beside an
// honest worker whose attempts are none of its business. The first byte says in what pieces the frames arrive.
#include <baton/base/limits.hpp>
#include <baton/base/text.hpp>
#include <baton/engine/engine.hpp>
#include <baton/wire/frame.hpp>

#include <limits>
#include <set>

#include "../../../lib/executor/src/worker/translate.hpp"
#include "../target.hpp"

namespace baton::fuzz {
namespace {

constexpr std::string_view kWorkflow = R"(
name: news
tasks:
  a: {run: x, matrix: {n: [1, 2, 3]}, retry: {max_retries: 2}, runs_on: {worker: liar}}
  b: {run: x, outputs: [y], runs_on: {worker: liar}}
  c: {command: ["echo", "${{ needs.b.outputs.y }}"], needs: b}
  d: {run: x, matrix: {n: [1, 2]}, runs_on: {worker: honest}}
)";
constexpr WorkerId kHonest{0};
constexpr WorkerId kLiar{1};

class Daemon {
 public:
  Daemon() {
    static const workflow::ParseResult parsed = workflow::parse_workflow("news.yaml", kWorkflow);
    holds(parsed.workflow != nullptr, "the workflow is good");
    engine::SubmitRun submit;
    submit.id = "r";
    submit.workflow = parsed.workflow;
    apply({std::move(submit), up(kHonest, "honest"), up(kLiar, "liar")});
    holds(honest_.size() == 2, "the honest worker has its two attempts");
  }

  void hear(wire::ToDaemon& message) {
    if (auto* welcome = std::get_if<wire::Welcome>(&message)) {
      apply(executor::welcome_events(kLiar, "liar", {}, false, std::move(*welcome)));
    } else if (auto* started = std::get_if<wire::Started>(&message)) {
      apply({executor::to_started(kLiar, *started)});
    } else if (auto* exited = std::get_if<wire::Exited>(&message)) {
      apply({executor::to_ended(kLiar, exited->attempt, std::move(exited->outcome))});
    }
  }

 private:
  static engine::WorkerUp up(WorkerId id, std::string name) {
    engine::WorkerUp event;
    event.worker = id;
    event.name = std::move(name);
    event.capacity.cpu_milli = 8000;
    return event;
  }

  void apply(std::vector<engine::Event> events) {
    now_ += std::chrono::seconds(1);
    const engine::Step step = engine_.apply(events, now_);
    engine_.check();
    for (const engine::Record& record : step.records) {
      if (const auto* attempt = std::get_if<engine::AttemptChanged>(&record)) check(*attempt);
    }
    for (const engine::Effect& effect : step.effects) {
      if (const auto* launch = std::get_if<engine::Launch>(&effect); launch != nullptr && launch->worker == kHonest) {
        honest_.insert(launch->attempt);
      }
    }
  }

  // Whatever was said, the row is one that the store reads back.
  void check(const engine::AttemptChanged& attempt) const {
    constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    const auto plausible = [](std::optional<TimePoint> time) {
      return !time || (*time >= TimePoint{} && *time < TimePoint(std::chrono::days(366 * 9000)));
    };
    holds(plausible(attempt.started_at) && plausible(attempt.ended_at), "a stored time is one");
    holds(attempt.user_us <= kMost && attempt.system_us <= kMost && attempt.max_rss_bytes <= kMost, "numbers fit");
    holds(attempt.log.from <= kMost && (attempt.log.to <= kMost || attempt.log.to == wire::LogExtent::kOpen),
          "a log's place fits");
    holds(is_valid_utf8(attempt.message), "a message is text");
    holds(!honest_.contains(attempt.id) || attempt.state == engine::AttemptState::starting,
          "nobody speaks of another worker's attempt");
  }

  engine::Engine engine_;
  std::set<AttemptId> honest_;
  TimePoint now_{std::chrono::days(20'000)};
};

}  // namespace

void worker_news(std::string_view input) {
  if (input.empty()) return;
  const std::size_t piece = 1 + static_cast<unsigned char>(input.front());
  input.remove_prefix(1);
  Daemon daemon;
  wire::FrameReader<wire::ToDaemon> reader;
  for (std::size_t at = 0; at < input.size(); at += piece) {
    reader.feed(input.substr(at, piece));
    for (;;) {
      auto message = reader.next();
      if (!message) return;
      if (!*message) break;
      daemon.hear(**message);
    }
  }
}

}  // namespace baton::fuzz
