// How records stand in columns. Numbers of enumerations are on disk: they may be added to, never changed.
#pragma once
#include <baton/engine/record.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace baton::store {

static_assert(static_cast<int>(engine::RunState::queued) == 0 && static_cast<int>(engine::RunState::cancelled) == 4);
static_assert(static_cast<int>(engine::InstancePhase::waiting) == 0 &&
              static_cast<int>(engine::InstancePhase::backoff) == 5 &&
              static_cast<int>(engine::InstancePhase::succeeded) == 7 &&
              static_cast<int>(engine::InstancePhase::cancelled) == 11);
static_assert(static_cast<int>(engine::AttemptState::starting) == 0 &&
              static_cast<int>(engine::AttemptState::cancelled) == 4);
static_assert(static_cast<int>(workflow::FailureKind::none) == 0 &&
              static_cast<int>(workflow::FailureKind::exit) == 1 &&
              static_cast<int>(workflow::FailureKind::worker_lost) == 5 &&
              static_cast<int>(workflow::FailureKind::preempted) == 9);

inline constexpr int kMatrixFlag = 1;
inline constexpr int kFinallyFlag = 2;

// nullopt for a number that no state has.
std::optional<engine::RunState> run_state(std::int64_t number);
std::optional<engine::InstancePhase> instance_phase(std::int64_t number);
std::optional<engine::AttemptState> attempt_state(std::int64_t number);
std::optional<workflow::FailureClass> failure_class(std::int64_t kind, std::int64_t detail);

// The words of the language; "unknown" for a number without one.
std::string run_state_text(std::int64_t number);
std::string phase_text(std::int64_t number);
std::string attempt_state_text(std::int64_t number);
std::string failure_text(std::int64_t kind, std::int64_t detail);
std::optional<engine::RunState> parse_run_state(std::string_view text);
std::optional<engine::InstancePhase> parse_phase(std::string_view text);

// Whether an instance that comes into this phase does so because its attempt has ended in this state.
bool ends_attempt(std::int64_t phase, std::int64_t attempt_state);
// nullopt: it never started, or the clock was set back meanwhile.
std::optional<Duration> time_taken(std::optional<TimePoint> from, std::optional<TimePoint> to);

// Invalid UTF-8 is replaced: JSON cannot hold it.
std::string dump(const Value& value);
std::string dump(const std::map<std::string, std::string>& texts);
std::string dump(const std::vector<TaskIndex>& tasks);
// nullopt if it is not JSON of that shape.
std::optional<Value> parse_json(std::string_view text);
std::optional<Value> parse_object(std::string_view text);
std::optional<std::map<std::string, std::string>> parse_texts(std::string_view text);
// Each below `tasks`; empty text: none.
std::optional<std::vector<TaskIndex>> parse_needs(std::string_view text, std::size_t tasks);

// A log's end: NULL while it is open.
inline constexpr std::uint64_t kOpenLog = ~std::uint64_t{0};

}  // namespace baton::store
