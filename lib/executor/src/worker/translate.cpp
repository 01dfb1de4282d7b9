#include "worker/translate.hpp"

#include <baton/base/limits.hpp>
#include <baton/base/text.hpp>

#include <algorithm>
#include <limits>
#include <utility>

namespace baton::executor {
namespace {

// Sums of as many as there are instances stay far from overflow.
constexpr std::int64_t kMostAmount = std::int64_t{1} << 42;  // a thousandth of: 4 billion cores
constexpr std::int64_t kMostMemory = std::int64_t{1} << 60;
constexpr TimePoint kLastTime{std::chrono::sys_days(std::chrono::year(9999) / 1 / 1)};

std::int64_t amount(std::int64_t told, std::int64_t most = kMostAmount) {
  return std::clamp<std::int64_t>(told, 0, most);
}

TimePoint time(TimePoint told) { return std::clamp(told, TimePoint{}, kLastTime); }

// The database counts in 64 bits with a sign.
std::uint64_t number(std::uint64_t told) {
  return std::min<std::uint64_t>(told, std::numeric_limits<std::int64_t>::max());
}

void bound_word(std::string& told) {
  if (told.size() > kWordBytes) told.resize(kWordBytes);
  told = escape_control(told);
}

bool are_possible(const std::map<std::string, std::string>& outputs) {
  std::size_t bytes = 0;
  for (const auto& [name, value] : outputs) {
    bytes += name.size() + value.size();
    if (!is_identifier(name) || !is_valid_utf8(value)) return false;
  }
  return bytes <= limits::kOutputFileBytes;
}

}  // namespace

std::string bounded_text(std::string told) {
  if (told.size() > kMessageBytes) told.resize(kMessageBytes);
  return is_valid_utf8(told) ? std::move(told) : escape_control(told);
}

void bound_words(wire::Welcome& welcome) {
  for (std::string* word : {&welcome.version, &welcome.host, &welcome.boot_id, &welcome.containment}) bound_word(*word);
  if (welcome.gpus.size() > kWorkerGpus) welcome.gpus.resize(kWorkerGpus);
  for (std::string& name : welcome.gpus) bound_word(name);
}

workflow::Resources to_resources(const wire::Capacity& capacity) {
  workflow::Resources resources{.cpu_milli = amount(capacity.cpu_milli),
                                .memory_bytes = amount(capacity.memory_bytes, kMostMemory),
                                .gpu_milli = amount(capacity.gpu_milli),
                                .custom_milli = {}};
  for (const auto& [name, told] : capacity.custom_milli) {
    if (resources.custom_milli.size() == kWorkerResources) break;
    if (is_name(name)) resources.custom_milli.emplace(name, amount(told));
  }
  return resources;
}

wire::Capacity to_capacity(const workflow::Resources& resources) {
  return {.cpu_milli = resources.cpu_milli,
          .memory_bytes = resources.memory_bytes,
          .gpu_milli = resources.gpu_milli,
          .custom_milli = resources.custom_milli};
}

engine::LogPlace to_place(const wire::LogExtent& extent) {
  const bool open = extent.to == wire::LogExtent::kOpen;
  return {
      .segment = extent.segment, .from = number(extent.from), .to = open ? wire::LogExtent::kOpen : number(extent.to)};
}

wire::LogExtent to_extent(const engine::LogPlace& place) {
  return {.segment = place.segment, .from = place.from, .to = place.to};
}

wire::Launch to_wire(engine::Launch launch) {
  wire::Launch message;
  message.attempt = launch.attempt;
  message.label = std::move(launch.label);
  message.argv = std::move(launch.argv);
  message.script = std::move(launch.script);
  message.env.reserve(launch.env.size());
  for (engine::Launch::Env& entry : launch.env) message.env.emplace_back(std::move(entry.name), std::move(entry.value));
  message.working_dir = std::move(launch.working_dir);
  message.outputs = std::move(launch.outputs);
  message.timeout = launch.timeout;
  message.grace = launch.grace;
  message.needs = to_capacity(launch.needs);
  return message;
}

wire::Kill to_wire(const engine::Kill& kill) {
  return {
      .attempt = kill.attempt,
      .cause = kill.reason == engine::KillReason::preempted ? wire::ExitCause::preempted : wire::ExitCause::cancelled};
}

workflow::FailureClass to_failure(const wire::Outcome& outcome) {
  using workflow::FailureKind;
  switch (outcome.cause) {
    case wire::ExitCause::exited:
      if (outcome.detail == 0) return {};
      return {.kind = FailureKind::exit, .detail = outcome.detail};
    case wire::ExitCause::signalled:
      return {.kind = FailureKind::signal, .detail = outcome.detail};
    case wire::ExitCause::oom:
      return {.kind = FailureKind::oom};
    case wire::ExitCause::timeout:
      return {.kind = FailureKind::timeout};
    case wire::ExitCause::spawn_error:
      return {.kind = FailureKind::spawn_error};
    case wire::ExitCause::missing_output:
      return {.kind = FailureKind::missing_output};
    case wire::ExitCause::cancelled:
      return {.kind = FailureKind::cancelled};
    case wire::ExitCause::worker_lost:
      return {.kind = FailureKind::worker_lost};
    case wire::ExitCause::preempted:
      return {.kind = FailureKind::preempted};
  }
  return {.kind = FailureKind::worker_lost};  // the wire lets no other value through
}

engine::AttemptStarted to_started(WorkerId worker, const wire::Started& started) {
  return {.worker = worker, .attempt = started.attempt, .at = time(started.at), .log = to_place(started.log)};
}

engine::AttemptEnded to_ended(WorkerId worker, AttemptId attempt, wire::Outcome outcome) {
  if (!are_possible(outcome.outputs)) {
    outcome.outputs.clear();
    if (outcome.cause == wire::ExitCause::exited && outcome.detail == 0) {
      outcome.cause = wire::ExitCause::missing_output;
      outcome.message = "the worker reported outputs that no task can write";
    }
  }
  engine::AttemptEnded ended;
  ended.worker = worker;
  ended.attempt = attempt;
  ended.failure = to_failure(outcome);
  if (outcome.cause == wire::ExitCause::exited) ended.exit_code = outcome.detail;
  if (outcome.cause == wire::ExitCause::missing_output) ended.exit_code = 0;
  ended.message = bounded_text(std::move(outcome.message));
  ended.outputs = std::move(outcome.outputs);
  if (outcome.started_at != TimePoint{}) ended.started_at = time(outcome.started_at);
  ended.ended_at = time(outcome.ended_at);
  ended.log = to_place(outcome.log);
  ended.user_us = number(outcome.user_us);
  ended.system_us = number(outcome.system_us);
  ended.max_rss_bytes = number(outcome.max_rss_bytes);
  return ended;
}

std::vector<engine::Event> welcome_events(WorkerId worker, const std::string& name,
                                          const std::vector<std::string>& labels, bool rebooted,
                                          wire::Welcome welcome) {
  std::vector<engine::Event> events;
  events.reserve(1 + welcome.inventory.size());
  engine::WorkerUp up;
  up.worker = worker;
  up.name = name;
  up.labels = labels;
  up.capacity = to_resources(welcome.capacity);
  up.rebooted = rebooted;
  up.inventory.reserve(welcome.inventory.size());
  for (const wire::InventoryEntry& entry : welcome.inventory) {
    const bool started = entry.phase == wire::AttemptPhase::running ||
                         (entry.phase == wire::AttemptPhase::exited && entry.outcome.started_at != TimePoint{});
    up.inventory.push_back({.attempt = entry.attempt, .started = started});
  }
  events.emplace_back(std::move(up));
  for (wire::InventoryEntry& entry : welcome.inventory) {
    if (entry.phase == wire::AttemptPhase::running) {
      events.emplace_back(
          to_started(worker, {.attempt = entry.attempt, .at = entry.started_at, .pid = 0, .log = entry.log}));
    } else if (entry.phase == wire::AttemptPhase::exited) {
      events.emplace_back(to_ended(worker, entry.attempt, std::move(entry.outcome)));
    }
  }
  return events;
}

}  // namespace baton::executor
