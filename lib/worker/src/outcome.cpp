#include <baton/base/mutation.hpp>
#include <baton/worker/outcome.hpp>

#include <sys/wait.h>
#include <csignal>
#include <cstring>

namespace baton::worker {
namespace {

TimePoint wall(std::int64_t us) { return TimePoint(Duration(us)); }

std::string describe_signal(int status) {
  const char* name = ::sigabbrev_np(WTERMSIG(status));
  const std::string text = name != nullptr ? fmt::format("SIG{}", name) : fmt::format("signal {}", WTERMSIG(status));
  return fmt::format("killed by {}{}", text, WCOREDUMP(status) ? " (core dumped)" : "");
}

}  // namespace

std::int32_t wait_status(int code, int status) {
  if (code == CLD_EXITED) return (status & 0xff) << 8;
  return (status & 0x7f) | (code == CLD_DUMPED ? 0x80 : 0);
}

wire::LogExtent open_log(const Record& started) {
  return {started.start.segment, started.start.log_from, wire::LogExtent::kOpen};
}

wire::Outcome outcome_of(const Record& started, const Record* exited, const Record* killed) {
  wire::Outcome outcome;
  outcome.started_at = wall(started.time_us);
  outcome.log = {started.start.segment, started.start.log_from, started.start.log_from};
  if (exited == nullptr) {
    outcome.cause = wire::ExitCause::worker_lost;
    outcome.ended_at = outcome.started_at;
    outcome.message = "nobody saw how it ended: the worker's processes or its host went down";
    if (mutated(Mutation::success_for_lost)) outcome.cause = wire::ExitCause::exited;
    return outcome;
  }
  outcome.ended_at = wall(exited->time_us);
  outcome.log.to = std::max(exited->end.log_to, started.start.log_from);
  outcome.user_us = exited->end.user_us;
  outcome.system_us = exited->end.system_us;
  outcome.max_rss_bytes = exited->end.max_rss_bytes;
  const int status = exited->end.status;
  if (killed != nullptr) {
    outcome.cause = static_cast<wire::ExitCause>(killed->cause);
    outcome.detail = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (outcome.cause == wire::ExitCause::timeout) {
      outcome.message = fmt::format("did not end within {}", format_duration(Duration(started.start.timeout_us)));
    }
  } else if (WIFEXITED(status)) {
    outcome.detail = WEXITSTATUS(status);
  } else {
    outcome.cause = wire::ExitCause::signalled;
    outcome.detail = WTERMSIG(status);
    outcome.message = describe_signal(status);
  }
  return outcome;
}

Record finished_record(AttemptId attempt, const wire::Outcome& outcome) {
  Record record(RecordKind::finished);
  record.attempt = attempt.value();
  record.cause = static_cast<std::uint8_t>(outcome.cause);
  record.time_us = outcome.ended_at.time_since_epoch().count();
  record.end.status = outcome.detail;
  record.end.log_to = outcome.log.to;
  record.end.user_us = outcome.user_us;
  record.end.system_us = outcome.system_us;
  record.end.max_rss_bytes = outcome.max_rss_bytes;
  return record;
}

wire::Outcome outcome_of_finished(const Record& finished, const Record* started) {
  wire::Outcome outcome;
  outcome.cause = static_cast<wire::ExitCause>(finished.cause);
  outcome.detail = finished.end.status;
  outcome.ended_at = wall(finished.time_us);
  outcome.user_us = finished.end.user_us;
  outcome.system_us = finished.end.system_us;
  outcome.max_rss_bytes = finished.end.max_rss_bytes;
  if (started != nullptr) {
    outcome.started_at = wall(started->time_us);
    outcome.log = {started->start.segment, started->start.log_from, finished.end.log_to};
  }
  return outcome;
}

}  // namespace baton::worker
