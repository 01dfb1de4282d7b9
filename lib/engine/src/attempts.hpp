// The attempts that are with a worker.
#pragma once
#include <baton/engine/record.hpp>

#include <map>
#include <optional>
#include <string>

namespace baton::engine {

inline constexpr WorkerId kNoWorker{~std::uint32_t{0}};

struct ActiveAttempt {
  AttemptId id;
  InstanceKey key;
  WorkerId worker = kNoWorker;  // kNoWorker: restored, and its worker is not configured or has not come up yet
  std::string worker_name;
  std::uint32_t number = 0;
  TimePoint created_at;
  std::optional<TimePoint> started_at;
  LogPlace log;
  std::string environment;   // the one it holds; empty: none
  std::uint32_t record = 0;  // its AttemptChanged in the step being built, plus one
};

// Ordered by id, which is the order in which they were launched.
using ActiveAttempts = std::map<AttemptId, ActiveAttempt>;

// The attempt's row as it is while it is active.
AttemptChanged to_record(const ActiveAttempt& attempt);

}  // namespace baton::engine
